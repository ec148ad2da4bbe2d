//! TLS in front of HTTP: certificates that can change while the server runs.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore, ServerConfig, crypto};
use tokio_rustls::TlsAcceptor;

/// A chain of certificates, and the key of its first.
#[derive(Clone, Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    ends: UnixTime,
}

/// Why two files are no certificate.
#[derive(Debug)]
pub enum BadCertificate {
    /// The first file holds no certificate in PEM.
    NoCertificate,
    /// The second file holds no private key in PEM, or a sealed one.
    NoKey,
    /// What the first file holds is damaged or not supported; the text says why.
    DamagedCertificate(String),
    /// The same of the key.
    DamagedKey(String),
    /// The key is not the one that the certificate is for.
    Mismatch,
}

impl Certificate {
    /// Reads a chain in PEM, the server's own certificate first, and its private key.
    ///
    /// # Errors
    ///
    /// Says which of the two is at fault, and why.
    pub fn parse(chain: &[u8], key: &[u8]) -> Result<Self, BadCertificate> {
        let damaged = |error: &dyn fmt::Display| BadCertificate::DamagedCertificate(error.to_string());
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| damaged(&error))?;
        let Some(own) = chain.first() else { return Err(BadCertificate::NoCertificate) };
        let ends = end_of(own).map_err(|error| damaged(&error))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => BadCertificate::NoKey,
            error => BadCertificate::DamagedKey(error.to_string()),
        })?;
        match CertifiedKey::from_der(chain, key, &provider()) {
            Ok(key) => Ok(Self { key: Arc::new(key), ends }),
            Err(rustls::Error::InconsistentKeys(_)) => Err(BadCertificate::Mismatch),
            Err(error) => Err(BadCertificate::DamagedKey(error.to_string())),
        }
    }

    /// Returns when it ends, in seconds since 1970.
    pub fn ends_s(&self) -> u64 {
        self.ends.as_secs()
    }
}

/// Encrypts connections with a certificate that can be replaced.
#[derive(Clone, Debug)]
pub struct Tls {
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl Tls {
    /// Begins with a certificate.
    #[expect(clippy::missing_panics_doc, reason = "the provider and the versions are our own, and agree")]
    pub fn new(certificate: Certificate) -> Self {
        let current = Arc::new(Current(RwLock::new(certificate.key)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider knows the suites of both versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as _);
        // There is no HTTP/2, and clients that could speak it are told so.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { current, config: Arc::new(config) }
    }

    /// Goes on with another certificate: connections that are open keep the one that they began with.
    pub fn replace(&self, certificate: Certificate) {
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = certificate.key;
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Finds out when a certificate ends. The library that checks certificates tells no dates, but says by how much one has
/// expired; so it is asked about the end of time, with the certificate as its own authority.
fn end_of(certificate: &CertificateDer<'_>) -> Result<UnixTime, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let anybody = ServerName::try_from("localhost").expect("it is a name");
    let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(END_OF_TIME_S));
    match verifier.verify_server_cert(certificate, &[], &anybody, &[], end_of_time) {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Ok(not_after)
        }
        // Whatever else is wrong with it is for clients to judge.
        Ok(_) | Err(rustls::Error::InvalidCertificate(_)) => Ok(end_of_time),
        Err(error) => Err(error),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(crypto::ring::default_provider())
}

impl fmt::Display for BadCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("there is no certificate in PEM"),
            Self::NoKey => f.write_str("there is no private key in PEM that needs no passphrase"),
            Self::DamagedCertificate(why) | Self::DamagedKey(why) => f.write_str(why),
            Self::Mismatch => f.write_str("the private key is that of another certificate"),
        }
    }
}

impl std::error::Error for BadCertificate {}

/// The last second of the year 9999, the last one that a certificate can name.
const END_OF_TIME_S: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/tls/");
        std::fs::read(format!("{folder}{name}")).unwrap()
    }

    fn parse(chain: &[u8], key: &[u8]) -> Result<u64, BadCertificate> {
        Certificate::parse(chain, key).map(|certificate| certificate.ends_s())
    }

    #[test]
    fn a_certificate_tells_when_it_ends() {
        let key = file("server.key");
        assert_eq!(parse(&file("server.pem"), &key).unwrap(), 4_733_510_400, "2120-01-01");
        assert_eq!(parse(&file("expired.pem"), &key).unwrap(), 1_609_459_200, "2021-01-01");
        let chain = [file("server.pem"), file("authority.pem")].concat();
        assert!(parse(&chain, &key).is_ok());
    }

    #[test]
    fn what_is_no_pair_says_which_of_them_is_at_fault() {
        let (certificate, key) = (file("server.pem"), file("server.key"));
        let text = String::from_utf8(certificate.clone()).unwrap();
        let damaged = text.replacen("MII", "AAA", 1).into_bytes();
        let cut = &certificate[..certificate.len() / 2];
        let sealed = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let garbled = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (chain, key, wanted) in [
            (&b""[..], &key[..], "NoCertificate"),
            (&key, &key, "NoCertificate"),
            (&damaged, &key, "DamagedCertificate"),
            (cut, &key, "DamagedCertificate"),
            (&certificate, b"", "NoKey"),
            (&certificate, &certificate, "NoKey"),
            (&certificate, sealed, "NoKey"),
            (&certificate, garbled, "DamagedKey"),
            (&certificate, &file("second.key"), "Mismatch"),
        ] {
            let error = parse(chain, key).unwrap_err();
            assert!(format!("{error:?}").starts_with(wanted), "{wanted}: {error:?}");
        }
    }
}
