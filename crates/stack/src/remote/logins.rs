//! The keys for servers: `logins.json` in the home folder, its owner's alone.

use std::path::PathBuf;
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};
use stack_trust::home::Home;
use stack_trust::private_file::{self, FileMode};
use zeroize::Zeroizing;

use crate::error::{CommandError, Kind};
use crate::terminal::report::warn_exposed;

/// The servers that somebody was logged in to, the last one at the end.
#[derive(Debug)]
pub(crate) struct Logins {
    path: PathBuf,
    all: Vec<Login>,
}

/// A key for a server.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// Its address.
    pub(crate) server: String,
    /// The key.
    #[serde(with = "secret")]
    pub(crate) key: Zeroizing<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    logins: Vec<Login>,
}

impl Logins {
    /// Reads those of a home; no file is no login.
    ///
    /// # Errors
    ///
    /// When there is no home, or the file cannot be read.
    pub(crate) fn read(home: &Home) -> Result<Self, CommandError> {
        let path = home.root()?.join(FILE_NAME);
        let bytes = match fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path, all: Vec::new() });
            }
            Err(error) => return Err(CommandError::reading(path.display(), error)),
        };
        private_file::exposures(&path).iter().for_each(warn_exposed);
        match serde_json::from_slice(&bytes) {
            Ok(Document { version: VERSION, logins }) => Ok(Self { path, all: logins }),
            Ok(Document { version, .. }) => Err(malformed(&path).caused(io::Error::other(format!(
                "its version is {version}, and this program knows {VERSION}"
            )))),
            Err(error) => Err(malformed(&path).caused(error)),
        }
    }

    /// The server that was logged in to last.
    pub(crate) fn current(&self) -> Option<&Login> {
        self.all.last()
    }

    /// The key for a server.
    pub(crate) fn key_for(&self, server: &str) -> Option<Zeroizing<String>> {
        self.all.iter().find(|login| login.server == server).map(|login| login.key.clone())
    }

    /// Keeps a key, and makes its server the current one.
    pub(crate) fn add(&mut self, login: Login) -> Result<(), CommandError> {
        self.all.retain(|known| known.server != login.server);
        self.all.push(login);
        self.write()
    }

    /// Forgets the key for a server; false if there was none.
    pub(crate) fn remove(&mut self, server: &str) -> Result<bool, CommandError> {
        let before = self.all.len();
        self.all.retain(|login| login.server != server);
        if self.all.len() == before {
            return Ok(false);
        }
        self.write().map(|()| true)
    }

    fn write(&self) -> Result<(), CommandError> {
        let failed = |error| CommandError::writing_file(self.path.display(), error);
        if let Some(folder) = self.path.parent() {
            private_file::make_folder(folder).map_err(failed)?;
        }
        let document = Document { version: VERSION, logins: self.all.clone() };
        let text = serde_json::to_vec_pretty(&document).map(Zeroizing::new);
        let text = text.map_err(|error| failed(error.into()))?;
        private_file::replace(&self.path, &text, FileMode::Private).map_err(failed)
    }
}

/// Without the key.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("server", &self.server).finish_non_exhaustive()
    }
}

fn malformed(path: &std::path::Path) -> CommandError {
    CommandError::new(Kind::Malformed, format!("{} cannot be used", path.display()))
        .reason("bad-logins")
        .hint("remove it, and log in again")
}

/// A secret as a string, wiped when it goes.
mod secret {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(key: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
        key.as_str().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(from).map(Zeroizing::new)
    }
}

const FILE_NAME: &str = "logins.json";
const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn login(server: &str, key: &str) -> Login {
        Login { server: server.to_owned(), key: Zeroizing::new(key.to_owned()) }
    }

    #[test]
    fn the_last_login_is_the_current_one() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("home"));
        let mut logins = Logins::read(&home).unwrap();
        assert!(logins.current().is_none());
        for (server, key) in [("https://a", "one"), ("https://b", "two"), ("https://a", "three")] {
            logins.add(login(server, key)).unwrap();
        }
        let mut logins = Logins::read(&home).unwrap();
        let current = logins.current().unwrap();
        assert_eq!((&*current.server, &**current.key), ("https://a", "three"));
        assert_eq!(logins.key_for("https://b").as_deref().map(String::as_str), Some("two"));
        assert!(logins.key_for("https://a.evil").is_none());
        assert!(logins.remove("https://a").unwrap() && !logins.remove("https://a").unwrap());
        assert_eq!(Logins::read(&home).unwrap().current().unwrap().server, "https://b");
        assert!(!format!("{logins:?}").contains("two"), "no key is shown: {logins:?}");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().to_owned());
        let mut logins = Logins::read(&home).unwrap();
        logins.add(login("https://a", "1")).unwrap();
        assert_eq!(fs::metadata(&logins.path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&logins.path, "{}").unwrap();
        assert_eq!(Logins::read(&home).unwrap_err().code(), Some("bad-logins"));
    }
}
