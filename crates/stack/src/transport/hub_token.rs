//! Who we are to the hub: the token that its own tools use.

use std::fs;
use std::path::PathBuf;

use stack_registry::pull::{TransferError, TransferErrorKind};
use stack_registry::url::{Scheme, Url};
use zeroize::Zeroizing;

use crate::process::machine::{environment, environment_path};

/// Finds the token: in a variable, else where the hub's own program keeps it after a login.
///
/// What somebody put into a variable goes wherever `HF_ENDPOINT` leads. The login was for the hub itself, and goes to no
/// other.
pub(crate) fn find(endpoint: &Url) -> Result<Option<Zeroizing<String>>, TransferError> {
    for name in VARIABLES {
        if let Some(text) = environment(name).map(Zeroizing::new)
            && let Some(token) = parse(&text, name)?
        {
            return Ok(Some(token));
        }
    }
    let is_hub = endpoint.origin().scheme == Scheme::Https && endpoint.host() == HUB_HOST;
    if !is_hub || environment("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some() {
        return Ok(None);
    }
    // A login that cannot be read is none: most models need no token.
    let text = file().and_then(|path| fs::read_to_string(path).ok()).map(Zeroizing::new);
    text.map_or(Ok(None), |text| parse(&text, "the token of the hub's login"))
}

fn file() -> Option<PathBuf> {
    let cache =
        || environment_path("XDG_CACHE_HOME").or_else(|| Some(environment_path("HOME")?.join(".cache")));
    let home = || environment_path("HF_HOME").or_else(|| Some(cache()?.join("huggingface")));
    environment_path("HF_TOKEN_PATH").or_else(|| Some(home()?.join("token")))
}

/// Reads a token. Secrets that come from files often end in a newline.
fn parse(text: &str, what: &str) -> Result<Option<Zeroizing<String>>, TransferError> {
    let token = text.trim();
    if token.is_empty() {
        return Ok(None);
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TransferError::new(
            TransferErrorKind::BadName,
            format!("{what} has characters that no token has"),
        ));
    }
    Ok(Some(Zeroizing::new(token.to_owned())))
}

/// Where a token may be given. The second one is what older programs set.
pub(crate) const VARIABLES: [&str; 2] = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"];
const HUB_HOST: &str = "huggingface.co";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word() {
        let parsed = |text| parse(text, "HF_TOKEN").unwrap().map(|token| token.to_string());
        assert_eq!(parsed("hf_x\n").as_deref(), Some("hf_x"));
        assert_eq!(parsed(" \n"), None);
        for text in ["hf_x hf_y", "hf_\u{fc}", "a\r\nb"] {
            assert_eq!(parse(text, "HF_TOKEN").unwrap_err().kind.code(), "bad-name");
        }
    }
}
