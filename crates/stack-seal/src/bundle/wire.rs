//! Bundles as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::{Bundle, BundleError, Hint, PAYLOAD_TYPE};
use crate::json;
use crate::key::PublicKey;
use crate::statement::BYTES_MAX;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireBundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

/// Exactly one of the first three says how the bundle was signed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Material {
    public_key: Option<KeyHint>,
    #[serde(rename = "x509CertificateChain")]
    certificate_chain: Option<IgnoredAny>,
    certificate: Option<IgnoredAny>,
    /// Logs and timestamps belong to the other methods; next to a key they say nothing.
    #[serde(rename = "tlogEntries")]
    _log_entries: Option<IgnoredAny>,
    #[serde(rename = "timestampVerificationData")]
    _timestamps: Option<IgnoredAny>,
}

/// `hint` since OMS 1.1, `rawBytes` before; other fields belong to Sigstore.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyHint {
    hint: Option<String>,
    raw_bytes: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: [Signature; 1],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    sig: String,
    /// Absent, null or empty: keys are found by the bundle's hint.
    #[serde(default, skip_serializing)]
    keyid: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    media_type: &'a str,
    verification_material: WrittenMaterial,
    dsse_envelope: Envelope,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenMaterial {
    public_key: WrittenHint,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenHint {
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_bytes: Option<String>,
}

/// Reads a bundle.
pub(super) fn parse(bytes: &[u8]) -> Result<Bundle, BundleError> {
    let malformed = |what: &str| BundleError::Malformed(what.to_owned());
    if bytes.len() > BYTES_MAX {
        return Err(malformed("it is longer than 16 MiB"));
    }
    json::check(bytes)?;
    let wire: WireBundle =
        serde_json::from_slice(bytes).map_err(|error| BundleError::Malformed(error.to_string()))?;
    if wire.media_type != MEDIA_TYPE {
        return Err(malformed("its media type is not that of a Sigstore bundle v0.3"));
    }
    let hint = hint(wire.verification_material)?;
    let Envelope { payload_type, payload, signatures: [signature] } = wire.dsse_envelope;
    if payload_type != PAYLOAD_TYPE {
        return Err(malformed("its payload is not an in-toto statement"));
    }
    if signature.keyid.is_some_and(|id| !id.is_empty()) {
        return Err(malformed("its signature has a key id, which is not supported"));
    }
    let decode = |base64: &str| STANDARD.decode(base64).map_err(|_| malformed("its base64 is not strict"));
    Ok(Bundle { hint, payload: decode(&payload)?, signature: decode(&signature.sig)? })
}

fn hint(material: Material) -> Result<Hint, BundleError> {
    let malformed = |what: &str| BundleError::Malformed(what.to_owned());
    if material.certificate_chain.is_some() {
        return Err(BundleError::Method("certificate"));
    }
    if material.certificate.is_some() {
        return Err(BundleError::Method("sigstore"));
    }
    match material.public_key {
        Some(KeyHint { hint: Some(hint), raw_bytes: None }) => Ok(Hint::Digest(hint)),
        Some(KeyHint { hint: None, raw_bytes: Some(base64) }) => {
            let pem = STANDARD.decode(base64).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let key = pem.and_then(|pem| PublicKey::from_pem(&pem).ok());
            key.map(Hint::Key).ok_or_else(|| malformed("its `rawBytes` are not a public key"))
        }
        Some(_) => Err(malformed("its public key has neither or both of `hint` and `rawBytes`")),
        None => Err(malformed("it does not say how it was signed")),
    }
}

/// Writes a bundle.
pub(super) fn write(bundle: &Bundle) -> Vec<u8> {
    let public_key = match &bundle.hint {
        Hint::Digest(hint) => WrittenHint { hint: Some(hint.clone()), raw_bytes: None },
        Hint::Key(key) => WrittenHint { hint: None, raw_bytes: Some(STANDARD.encode(key.to_pem())) },
    };
    let signature = Signature { sig: STANDARD.encode(&bundle.signature), keyid: None };
    let written = Written {
        media_type: MEDIA_TYPE,
        verification_material: WrittenMaterial { public_key },
        dsse_envelope: Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: STANDARD.encode(&bundle.payload),
            signatures: [signature],
        },
    };
    serde_json::to_vec(&written).expect("structs of strings have a JSON form")
}

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyKind, SigningKey};

    #[test]
    fn only_one_form_is_read() {
        let key = SigningKey::from_secret(KeyKind::Ed25519, &[1; 32]).unwrap();
        let text = String::from_utf8(Bundle::sign(b"{}".to_vec(), &key).to_json()).unwrap();
        let parsed = |old: &str, new: &str| {
            assert!(text.contains(old), "{old} is not in {text}");
            Bundle::parse(text.replacen(old, new, 1).as_bytes())
        };
        for (old, new) in [(r#"{"sig":"#, r#"{"keyid":"","sig":"#), (r#"{"sig":"#, r#"{"keyid":null,"sig":"#)]
        {
            assert!(parsed(old, new).is_ok(), "{new}");
        }
        for (old, new) in [
            ("v0.3+json", "v0.2+json"),
            ("in-toto+json", "in-toto"),
            (r#"{"sig":"#, r#"{"keyid":"7","sig":"#),
            (r#"{"sig":"#, r#"{"extra":1,"sig":"#),
            (r#"{"mediaType""#, r#"{"extra":1,"mediaType""#),
            (r#""payload":"e30=""#, r#""payload":"e30""#),
            (r#""payload":"e30=""#, r#""payload":"e31=""#),
            (r#""payload":"e30=""#, r#""payload":"e30=\n""#),
            (r#"[{"sig""#, r#"[{"sig":""},{"sig""#),
            (r#""hint""#, r#""rawBytes":"AAAA","hint""#),
            (r#""hint""#, r#""rawBytes""#),
            (r#""hint""#, r#""other""#),
            (r#"{"mediaType""#, "\u{feff}{\"mediaType\""),
        ] {
            assert!(matches!(parsed(old, new), Err(BundleError::Malformed(_))), "{new}");
        }
        let twice = parsed(r#""payload":"e30=""#, r#""payload":"e30=","payload":"e30=""#);
        assert_eq!(twice, Err(BundleError::Duplicate));
        let method = parsed(r#"{"publicKey""#, r#"{"certificate":{},"publicKey""#);
        assert_eq!(method, Err(BundleError::Method("sigstore")));
        assert!(Bundle::parse(&vec![b' '; BYTES_MAX + 1]).is_err());
    }
}
