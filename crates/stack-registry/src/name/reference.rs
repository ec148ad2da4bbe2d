//! What `stack pull` is given.

use std::path::PathBuf;

use super::{BadName, Name, is_host, is_segment};

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A repository of the Hugging Face hub.
    Hub {
        /// The owner, as the hub spells it.
        owner: String,
        /// The repository, as the hub spells it.
        repository: String,
        /// A branch, tag or commit; absent, the main branch.
        revision: Option<String>,
        /// Which of its files; absent, the rules for a default apply.
        choice: Option<HubSelector>,
    },
    /// A repository of an OCI registry.
    Oci {
        /// The host, with its port if one was given.
        host: String,
        /// The repository.
        repository: String,
        /// A tag, or a digest `sha256:…`.
        version: String,
    },
    /// One file somewhere on the web.
    Url(String),
    /// A file or folder of this machine.
    Path(PathBuf),
    /// A name of the store.
    Name(Name),
}

/// Which files of a hub's repository are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubSelector {
    /// Those of one quantization, such as `Q4_K_M`.
    Quantization(String),
    /// One file, by its path in the repository.
    File(String),
}

impl Reference {
    /// Reads a reference: `hf://owner/repo[@rev][:quant|/file]`, `hf.co/owner/repo[:quant]`, the address of a page
    /// of the hub, `oci://host[:port]/repo[:tag|@sha256:…]`, `https://…`, a path, or a name.
    ///
    /// # Errors
    ///
    /// When the text is none of these. Nothing is looked up, neither on disk nor elsewhere.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if text.len() > REFERENCE_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(BadName::new(text, "is longer than 4096 bytes, or has control characters"));
        }
        if let Some(rest) = text.strip_prefix("hf://") {
            return hub(text, rest);
        }
        if let Some(rest) = text.strip_prefix("oci://") {
            return oci(text, rest);
        }
        if let Some(path) = text.strip_prefix("file://") {
            return Ok(Self::Path(PathBuf::from(path)));
        }
        if let Some(rest) = HUB_PAGES.iter().find_map(|page| text.strip_prefix(page)) {
            return page(text, rest);
        }
        if text.starts_with("https://") || text.starts_with("http://") {
            return Ok(Self::Url(text.to_owned()));
        }
        if text.contains("://") {
            return Err(BadName::new(text, "has a scheme other than hf, oci, https and file"));
        }
        if is_path(text) {
            return Ok(Self::Path(PathBuf::from(text)));
        }
        Name::parse(text).map(Self::Name)
    }
}

/// Whether a text is spelled like a path rather than like a name.
pub(super) fn is_path(text: &str) -> bool {
    text.starts_with(['/', '.', '~'])
        || text.ends_with('/')
        || text.contains('\\')
        || WEIGHT_ENDINGS.iter().any(|ending| text.len() > ending.len() && text.ends_with(ending))
}

/// Reads `owner/repo[@rev][:quant|/file]`.
fn hub(text: &str, rest: &str) -> Result<Reference, BadName> {
    let Some((owner, rest)) = rest.split_once('/') else {
        return Err(BadName::new(text, "lacks the owner or the repository: hf://owner/repo"));
    };
    let end = rest.find(['@', ':', '/']).unwrap_or(rest.len());
    let (repository, mut rest) = rest.split_at(end);
    let mut revision = None;
    if let Some(after) = rest.strip_prefix('@') {
        // Revisions such as `refs/pr/3` hold slashes of their own.
        let own = REFS.iter().find(|refs| after.starts_with(**refs)).map_or(0, |refs| refs.len());
        let end = after[own..].find([':', '/']).map_or(after.len(), |at| own + at);
        revision = Some(&after[..end]);
        rest = &after[end..];
    }
    let choice = match rest.split_at_checked(1) {
        Some((":", quantization)) => Some(HubSelector::Quantization(quantization.to_owned())),
        Some(("/", file)) => Some(HubSelector::File(file.to_owned())),
        _ => None,
    };
    checked_hub(text, owner, repository, revision, choice)
}

/// Reads what follows the hub's host in the address of a page, as people paste it.
fn page(text: &str, rest: &str) -> Result<Reference, BadName> {
    let rest = rest.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let mut parts = rest.splitn(5, '/');
    let (owner, repository) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (view, revision, file) = (parts.next(), parts.next(), parts.next());
    let choice = file.map(|file| HubSelector::File(file.to_owned()));
    match view {
        None => hub(text, rest),
        Some("tree") if file.is_none() => checked_hub(text, owner, repository, revision, None),
        Some("blob" | "resolve") if file.is_some() => checked_hub(text, owner, repository, revision, choice),
        _ => Err(BadName::new(text, "is not the page of a model or of one of its files")),
    }
}

fn checked_hub(
    text: &str,
    owner: &str,
    repository: &str,
    revision: Option<&str>,
    choice: Option<HubSelector>,
) -> Result<Reference, BadName> {
    if !is_hub_name(owner) || !is_hub_name(repository) {
        return Err(BadName::new(text, "has an owner or repository that is not valid on the hub"));
    }
    if revision.is_some_and(|revision| !is_relative(revision)) {
        return Err(BadName::new(text, "has an invalid revision"));
    }
    let chosen = match &choice {
        Some(HubSelector::Quantization(name)) => is_hub_name(name),
        Some(HubSelector::File(path)) => is_relative(path),
        None => true,
    };
    if !chosen {
        return Err(BadName::new(text, "has an invalid quantization or file"));
    }
    Ok(Reference::Hub {
        owner: owner.to_owned(),
        repository: repository.to_owned(),
        revision: revision.map(str::to_owned),
        choice,
    })
}

/// Reads `host[:port]/repo[:tag|@sha256:…]`.
fn oci(text: &str, rest: &str) -> Result<Reference, BadName> {
    let fail = |fault| Err(BadName::new(text, fault));
    let Some((host, rest)) = rest.split_once('/') else {
        return fail("lacks the host or the repository: oci://host/repo");
    };
    let (repository, version) = match (rest.split_once('@'), rest.split_once(':')) {
        (Some((repository, digest)), _) => (repository, digest),
        (None, Some((repository, tag))) => (repository, tag),
        (None, None) => (rest, "latest"),
    };
    if !is_host(host) {
        return fail("has an invalid host");
    }
    if repository.len() > 255 || !repository.split('/').all(is_segment) {
        return fail("has a repository that OCI does not allow");
    }
    let is_digest = rest.contains('@')
        && version.strip_prefix("sha256:").is_some_and(|hex| {
            hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
    if !is_digest && (rest.contains('@') || !is_oci_tag(version)) {
        return fail("has a tag or digest that OCI does not allow");
    }
    Ok(Reference::Oci {
        host: host.to_owned(),
        repository: repository.to_owned(),
        version: version.to_owned(),
    })
}

/// Registries allow capitals in tags, which names here do not.
fn is_oci_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_hub_name(text: &str) -> bool {
    (1..=96).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Whether the text names something beneath a folder, and only that.
fn is_relative(text: &str) -> bool {
    text.len() <= 255
        && !text.contains(['\\', ':', '?', '#', '%'])
        && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

const HUB_PAGES: [&str; 4] = ["https://huggingface.co/", "https://hf.co/", "huggingface.co/", "hf.co/"];
const REFS: [&str; 2] = ["refs/pr/", "refs/convert/"];
const WEIGHT_ENDINGS: [&str; 2] = [".gguf", ".safetensors"];
const REFERENCE_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(revision: Option<&str>, choice: Option<HubSelector>) -> Reference {
        Reference::Hub {
            owner: "Qwen".into(),
            repository: "Qwen3-4B-GGUF".into(),
            revision: revision.map(str::to_owned),
            choice,
        }
    }

    #[test]
    fn the_hub_is_spelled_in_many_ways() {
        let quantization = || Some(HubSelector::Quantization("Q4_K_M".into()));
        let file = || Some(HubSelector::File("sub/a.gguf".into()));
        for (text, expected) in [
            ("hf://Qwen/Qwen3-4B-GGUF", hub(None, None)),
            ("hf://Qwen/Qwen3-4B-GGUF:Q4_K_M", hub(None, quantization())),
            ("hf://Qwen/Qwen3-4B-GGUF@abc123:Q4_K_M", hub(Some("abc123"), quantization())),
            ("hf://Qwen/Qwen3-4B-GGUF@refs/pr/3/sub/a.gguf", hub(Some("refs/pr/3"), file())),
            ("hf://Qwen/Qwen3-4B-GGUF/sub/a.gguf", hub(None, file())),
            ("hf.co/Qwen/Qwen3-4B-GGUF:Q4_K_M", hub(None, quantization())),
            ("https://huggingface.co/Qwen/Qwen3-4B-GGUF", hub(None, None)),
            ("https://huggingface.co/Qwen/Qwen3-4B-GGUF/tree/main", hub(Some("main"), None)),
            (
                "https://huggingface.co/Qwen/Qwen3-4B-GGUF/resolve/main/sub/a.gguf?download=true",
                hub(Some("main"), file()),
            ),
        ] {
            assert_eq!(Reference::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn registries_paths_addresses_and_names_are_told_apart() {
        let oci = |version: &str| Reference::Oci {
            host: "127.0.0.1:5000".into(),
            repository: "med/tiny".into(),
            version: version.into(),
        };
        let digest = format!("sha256:{}", "0".repeat(64));
        let parse = |text: &str| Reference::parse(text).unwrap();
        assert_eq!(parse("oci://127.0.0.1:5000/med/tiny"), oci("latest"));
        assert_eq!(parse("oci://127.0.0.1:5000/med/tiny:V1"), oci("V1"));
        assert_eq!(parse(&format!("oci://127.0.0.1:5000/med/tiny@{digest}")), oci(&digest));
        assert_eq!(parse("./tiny"), Reference::Path("./tiny".into()));
        assert_eq!(parse("models/tiny.gguf"), Reference::Path("models/tiny.gguf".into()));
        assert_eq!(parse("file:///a b"), Reference::Path("/a b".into()));
        assert_eq!(parse("https://example.org/x"), Reference::Url("https://example.org/x".into()));
        assert_eq!(parse("qwen/tiny"), Reference::Name(Name::parse("qwen/tiny").unwrap()));
    }

    #[test]
    fn wrong_references_are_refused() {
        for text in [
            "hf://",
            "hf://a",
            "hf:///b",
            "hf://a/",
            "hf://a/b@",
            "hf://a/b:",
            "hf://a/b/",
            "hf://a/b/../c",
            "hf://../b",
            "hf://a/b/c?d",
            "hf://a/b@../x",
            "oci://",
            "oci://host",
            "oci://host/",
            "oci://Host/x",
            "oci://host/x@sha256:0",
            "oci://host/x:",
            "oci://host/../x",
            "oci://user@host/x",
            "ftp://x/y",
            "https://hf.co/a/b/settings",
            "https://hf.co/a",
            "A/B",
            "a\nb",
            "",
        ] {
            assert!(Reference::parse(text).is_err(), "{text:?}");
        }
    }
}
