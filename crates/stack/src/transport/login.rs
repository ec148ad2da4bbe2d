//! Who we are to a registry: what `docker login` wrote down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;
use stack_registry::fetch::Authorization;

use crate::error::{CommandError, Kind};
use crate::process::machine::environment;

/// The part of Docker's configuration that holds credentials in the open. Helper programs are not asked.
#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: Option<BTreeMap<String, Option<Login>>>,
}

#[derive(Deserialize)]
struct Login {
    /// Name and password, as the header wants them: in base64.
    #[serde(default)]
    auth: Option<String>,
}

/// Finds the login for a registry, in `$DOCKER_CONFIG` or `~/.docker`. No file is no login.
pub(super) fn login(host: &str) -> Result<Option<Authorization>, CommandError> {
    let folder = environment("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(Path::new(&environment("HOME")?).join(".docker")));
    let Some(path) = folder.map(|folder| folder.join("config.json")) else { return Ok(None) };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommandError::reading(path.display(), error)),
    };
    find(&text, host).map_err(|error| {
        CommandError::new(Kind::Malformed, format!("{} is malformed", path.display())).caused(error)
    })
}

fn find(text: &str, host: &str) -> Result<Option<Authorization>, serde_json::Error> {
    let config: DockerConfig = serde_json::from_str(text)?;
    // Docker's own registry goes by an address of its early days.
    let names = match host {
        "docker.io" => ["docker.io", "https://index.docker.io/v1/"],
        _ => [host; 2],
    };
    // Docker and its like write `null` for what is not there.
    let logins = config.auths.unwrap_or_default();
    let auth = names.iter().find_map(|name| logins.get(*name)?.as_ref()?.auth.as_ref());
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let auth = auth.filter(|auth| !auth.is_empty() && auth.bytes().all(base64));
    Ok(auth.map(|auth| Authorization::raw(format!("Basic {auth}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_belongs_to_its_host() {
        let text = r#"{"auths":{"registry.lan:5000":{"auth":"bWU6c2VjcmV0"},"empty.lan":{},
            "https://index.docker.io/v1/":{"auth":"eDp5"},"odd.lan":{"auth":"a\r\nb"}},"credsStore":"x"}"#;
        let found = |host| find(text, host).unwrap().map(|login| login.reveal().to_owned());
        assert_eq!(found("registry.lan:5000").as_deref(), Some("Basic bWU6c2VjcmV0"));
        assert_eq!(found("docker.io").as_deref(), Some("Basic eDp5"));
        for host in ["registry.lan", "empty.lan", "odd.lan", "evil.test"] {
            assert_eq!(found(host), None, "{host}");
        }
        for nothing in
            [r#"{"auths":null}"#, r#"{"auths":{"a":null}}"#, r#"{"auths":{"a":{"auth":null}}}"#, "{}"]
        {
            assert!(find(nothing, "a").unwrap().is_none(), "{nothing}");
        }
        assert!(find("{", "a").is_err());
    }
}
