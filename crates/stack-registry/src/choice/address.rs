//! Which models of the store came from an address.

use super::ListedModel;
use crate::hub;
use crate::name::{HubSelector, Name, Reference};

impl ListedModel {
    /// Whether the model is what the address would bring, as far as the store knows: it was pulled from there, or it has
    /// the name that it would have and nothing says that it came from elsewhere.
    pub(super) fn is_from(&self, reference: &Reference) -> bool {
        match reference {
            Reference::Hub { owner, repository, revision, choice } => {
                self.has_source(&format!("hf://{owner}/{repository}"), &[HUB, owner, repository])
                    && revision.as_deref().is_none_or(|revision| self.has_revision(revision))
                    && choice.as_ref().is_none_or(|choice| self.is_choice(choice))
            }
            Reference::Oci { host, repository, version } => {
                let parts: Vec<&str> = [host.as_str()].into_iter().chain(repository.split('/')).collect();
                self.has_source(&format!("oci://{host}/{repository}"), &parts) && self.has_version(version)
            }
            Reference::Url(address) => {
                let address = address.split(['?', '#']).next().unwrap_or_default();
                self.origin.as_deref() == Some(address)
            }
            Reference::Path(_) | Reference::Name(_) => false,
        }
    }

    /// Whether the name is the one that a pull gives by itself.
    pub(super) fn has_natural_name(&self, reference: &Reference) -> bool {
        let parts: Vec<&str> = match reference {
            Reference::Hub { owner, repository, .. } => vec![HUB, owner, repository],
            Reference::Oci { host, repository, .. } => {
                [host.as_str()].into_iter().chain(repository.split('/')).collect()
            }
            Reference::Url(_) | Reference::Path(_) | Reference::Name(_) => return false,
        };
        self.is_called(&parts)
    }

    fn has_source(&self, source: &str, parts: &[&str]) -> bool {
        match &self.origin {
            // The hub finds its repositories however they are spelled.
            Some(origin) => origin.get(..source.len()).is_some_and(|start| {
                start.eq_ignore_ascii_case(source) && origin[source.len()..].starts_with(['@', ':'])
            }),
            None => self.is_called(parts),
        }
    }

    fn is_called(&self, parts: &[&str]) -> bool {
        Name::from_upstream(parts, None).is_ok_and(|name| name.repository() == self.name.repository())
    }

    /// Whether it is of this revision. What a branch means now, only the hub knows; the main one is what was pulled.
    fn has_revision(&self, revision: &str) -> bool {
        let is_commit = revision.len() >= COMMIT_DIGITS_MIN
            && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
            && self.commit.as_deref().is_some_and(|commit| commit.starts_with(revision));
        revision == MAIN || is_commit
    }

    fn has_version(&self, version: &str) -> bool {
        if version.contains(':') {
            return self.commit.as_deref() == Some(version) || self.digest.as_deref() == Some(version);
        }
        let tag = self.origin.as_deref().and_then(|origin| origin.rsplit_once('/')?.1.split_once(':'));
        match tag {
            // What was adopted remembers its tag; a digest is no tag.
            Some((repository, tag)) if !repository.contains('@') => tag == version,
            _ => self.name.tag() == version.to_ascii_lowercase(),
        }
    }

    fn is_choice(&self, choice: &HubSelector) -> bool {
        match choice {
            HubSelector::Quantization(wanted) => {
                let is_wanted = |file: &String| {
                    let stem = file.rsplit_once('.').map_or(file.as_str(), |(stem, _)| stem);
                    hub::label(stem).is_some_and(|label| label.eq_ignore_ascii_case(wanted))
                };
                self.name.tag().eq_ignore_ascii_case(wanted) || self.files.iter().any(is_wanted)
            }
            HubSelector::File(wanted) => self.files.contains(wanted),
        }
    }
}

/// What names of models from the hub begin with.
const HUB: &str = "hf.co";
const MAIN: &str = "main";
const COMMIT_DIGITS_MIN: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, origin: Option<&str>, files: &[&str]) -> ListedModel {
        ListedModel {
            name: Name::parse(name).unwrap(),
            origin: origin.map(str::to_owned),
            commit: origin.and_then(|origin| Some(origin.split_once('@')?.1.split('/').next()?.to_owned())),
            digest: Some("sha256:11".to_owned()),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
        }
    }

    #[test]
    fn models_are_known_by_where_they_came_from() {
        let digest = format!("sha256:{}", "1".repeat(64));
        let hub = listed("mine", Some("hf://Qwen/Q-GGUF@0123456789ab"), &["q-Q4_K_M.gguf"]);
        let natural = listed("hf.co/qwen/q-gguf:q4_k_m", None, &[]);
        let elsewhere = listed("hf.co/qwen/q-gguf:q4_k_m", Some("https://x.org/q.gguf"), &[]);
        let registry = listed("r.lan/m/x:v1", Some(&format!("oci://r.lan/m/x@{digest}")), &[]);
        let adopted = listed("tiny:8b", Some("oci://registry.ollama.ai/library/tiny:8b"), &[]);
        let web = listed("w", Some("https://x.org/q.gguf"), &[]);
        for (model, address, expected) in [
            (&hub, "hf://Qwen/Q-GGUF", true),
            (&hub, "hf.co/qwen/q-gguf", true),
            (&hub, "https://huggingface.co/Qwen/Q-GGUF/tree/main", true),
            (&hub, "hf://Qwen/Q-GGUF:Q4_K_M", true),
            (&hub, "hf://Qwen/Q-GGUF:q4_k_m", true),
            (&hub, "hf://Qwen/Q-GGUF:Q4_K", false),
            (&hub, "hf://Qwen/Q-GGUF:Q8_0", false),
            (&hub, "hf://Qwen/Q-GGUF/q-Q4_K_M.gguf", true),
            (&hub, "hf://Qwen/Q-GGUF/other.gguf", false),
            (&hub, "hf://Qwen/Q-GGUF@0123456", true),
            (&hub, "hf://Qwen/Q-GGUF@0123457", false),
            (&hub, "hf://Qwen/Q-GGUF@branch", false),
            (&hub, "hf://Qwen/Q", false),
            (&hub, "hf://Qwen/Q-GGUF2", false),
            (&natural, "hf://Qwen/Q-GGUF:Q4_K_M", true),
            (&natural, "hf://Qwen/Q-GGUF@0123456", false),
            (&elsewhere, "hf://Qwen/Q-GGUF:Q4_K_M", false),
            (&registry, "oci://r.lan/m/x:v1", true),
            (&registry, "oci://r.lan/m/x", false),
            (&registry, &format!("oci://r.lan/m/x@{digest}"), true),
            (&registry, &format!("oci://r.lan/m/x@{}", digest.replace('1', "2")), false),
            (&adopted, "oci://registry.ollama.ai/library/tiny:8b", true),
            (&adopted, "oci://registry.ollama.ai/library/tiny:70b", false),
            (&web, "https://x.org/q.gguf?download=true", true),
            (&web, "https://x.org/other.gguf", false),
        ] {
            let reference = Reference::parse(address).unwrap();
            assert_eq!(model.is_from(&reference), expected, "{} {address}", model.name);
        }
    }
}
