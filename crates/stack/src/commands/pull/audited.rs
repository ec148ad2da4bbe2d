//! What the audit log says about a pull.

use serde_json::{Value, json};
use stack_registry::name::{HubSelector, Name, Reference};
use stack_registry::pull::Pulled;
use stack_registry::url::Url;

use super::{Arguments, Fetched};

/// Says what is asked for.
pub(super) fn about(arguments: &Arguments, reference: &Reference) -> Value {
    json!({
        "from": address(reference),
        "as": arguments.name.as_ref().map(Name::short),
        "revision": arguments.revision,
        "file": arguments.file,
        "digest": arguments.digest.map(|digest| digest.to_string()),
        "update": arguments.update,
        "dry_run": arguments.dry_run,
    })
}

impl Fetched<'_> {
    /// Says what came of it.
    pub(super) fn about(&self) -> Value {
        let (entry, changed) = match self {
            Self::Offer(upstream, name) => {
                let bytes: u64 = upstream.files.iter().map(|file| file.size).sum();
                return json!({"name": name.short(), "commit": upstream.commit, "bytes": bytes});
            }
            Self::LocalCopy(entry, error) => {
                let manifest = entry.manifest.digest.to_string();
                return json!({"name": entry.name.short(), "manifest": manifest, "refused": error.kind.code()});
            }
            Self::Pulled(pulled, _) => match &**pulled {
                Pulled::Named(entry) => (entry, true),
                Pulled::Unchanged(entry) | Pulled::Kept(entry) => (entry, false),
            },
        };
        json!({
            "name": entry.name.short(),
            "manifest": entry.manifest.digest.to_string(),
            "commit": entry.record.commit,
            "signer": entry.record.signer,
            "changed": changed,
        })
    }
}

/// Spells a reference. The query of an address is left out: it may be a signature that lets others in.
fn address(reference: &Reference) -> String {
    match reference {
        Reference::Hub { owner, repository, revision, choice } => {
            let revision = revision.as_ref().map(|revision| format!("@{revision}")).unwrap_or_default();
            let choice = match choice {
                Some(HubSelector::Quantization(name)) => format!(":{name}"),
                Some(HubSelector::File(path)) => format!("/{path}"),
                None => String::new(),
            };
            format!("hf://{owner}/{repository}{revision}{choice}")
        }
        Reference::Oci { host, repository, version } => {
            let separator = if version.contains(':') { '@' } else { ':' };
            format!("oci://{host}/{repository}{separator}{version}")
        }
        Reference::Url(address) => match Url::parse(address) {
            Ok(url) => url.without_query(),
            // It is refused, and may have a password in it.
            Err(_) => "an address that is none".to_owned(),
        },
        Reference::Path(path) => path.display().to_string(),
        Reference::Name(name) => name.short(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_spelled_as_they_are_typed_but_without_secrets() {
        for (typed, told) in [
            ("hf://a/b@main:q4_k_m", "hf://a/b@main:q4_k_m"),
            ("hf://a/b/f.gguf", "hf://a/b/f.gguf"),
            ("oci://r.lan/m:1", "oci://r.lan/m:1"),
            ("https://h.lan/a.gguf?X-Amz-Signature=ab12", "https://h.lan/a.gguf"),
            ("https://u:hunter22@h.lan/a.gguf", "an address that is none"),
        ] {
            assert_eq!(address(&Reference::parse(typed).unwrap()), told);
        }
    }
}
