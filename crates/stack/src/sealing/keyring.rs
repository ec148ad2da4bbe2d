//! What opens sealed files: identities and passphrases, each asked for once in the life of a command.

use std::path::Path;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};

use stack_seal::age::{Header, Identity, OpenError, X25519Recipient};
use stack_seal::keyfile::IdentityFile;

use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::home::identities::{self, KeyFile};
use crate::sealing::sealed;
use crate::terminal::passphrase::PassphraseArguments;

/// What has opened something already, so that the files of one model ask for one passphrase.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keyring {
    opened: Arc<Mutex<Vec<Arc<Identity>>>>,
}

/// A sealed file that is to be opened.
pub(crate) struct Sealed<'a> {
    /// What people call it.
    pub(crate) name: &'a str,
    /// Its header.
    pub(crate) header: &'a Header,
    /// Who can open it, where somebody noted that; the header itself names nobody.
    pub(crate) noted: &'a [X25519Recipient],
}

/// Where keys come from.
pub(crate) struct Sources<'a> {
    /// Where identities are kept.
    pub(crate) home: &'a Home,
    /// The identity that was named.
    pub(crate) named: Option<&'a str>,
    /// Where passphrases come from.
    pub(crate) passphrase: &'a PassphraseArguments,
}

impl Keyring {
    /// Opens a sealed file with the first key that fits, and returns that key as well.
    ///
    /// Keys that cost nothing are tried before a passphrase is asked for: those that opened something before, then the
    /// key files without a passphrase. Of the key files with one, those are asked for that can fit as far as is known.
    ///
    /// # Errors
    ///
    /// When nothing at hand opens it, or a key opens it and it is damaged.
    pub(crate) fn open<T>(
        &self,
        sealed: &Sealed<'_>,
        sources: &Sources<'_>,
        attempt: &dyn Fn(&[Identity]) -> Result<T, OpenError>,
    ) -> Result<(T, Arc<Identity>), CommandError> {
        let attempt = |key: Arc<Identity>| match attempt(slice::from_ref(&*key)) {
            Ok(opened) => {
                self.remember(&key);
                Ok(Some((opened, key)))
            }
            Err(OpenError::NoIdentity | OpenError::WrongPassphrase) => Ok(None),
            Err(error) => Err(sealed::cannot_open(sealed.name, error)),
        };
        let passphrase_wanted = sealed.header.wants_passphrase();
        for key in self.known(passphrase_wanted) {
            if let Some(found) = attempt(key)? {
                return Ok(found);
            }
        }
        if passphrase_wanted {
            let passphrase = sources.passphrase.existing(sealed.name)?;
            return attempt(Arc::new(Identity::Passphrase(passphrase)))?
                .ok_or_else(|| sealed::cannot_open(sealed.name, OpenError::WrongPassphrase));
        }
        if let Some(keys) = sources.named.map(identities::age_keys).transpose()?.flatten() {
            for key in keys {
                if let Some(found) = attempt(Arc::new(Identity::X25519(key)))? {
                    return Ok(found);
                }
            }
            return Err(sealed::cannot_open(sealed.name, OpenError::NoIdentity));
        }
        let opening = |identity: IdentityFile| Arc::new(Identity::X25519(identity.into_opening()));
        let files = match sources.named {
            None => identities::all(sources.home)?,
            Some(_) => Vec::new(),
        };
        if files.len() < 2 {
            // The one that is named, or the only one: whatever is wrong with it is worth telling.
            let identity = identities::open(sources.home, sources.named, sources.passphrase)?;
            return attempt(opening(identity))?.ok_or_else(|| closed(sealed.name, &files));
        }
        let mut trouble = None;
        for file in candidates(&files, sealed.noted) {
            match file.open(sources.passphrase) {
                Ok(Some(identity)) => {
                    if let Some(found) = attempt(opening(identity))? {
                        return Ok(found);
                    }
                }
                // Nothing was typed: this one is not to be opened.
                Ok(None) => {}
                Err(error) if error.code().is_none() => return Err(error),
                // Another one may fit all the same.
                Err(error) => trouble = Some(error),
            }
        }
        Err(trouble.unwrap_or_else(|| closed(sealed.name, &files)))
    }

    /// The keys that opened something and are of the kind that is asked for.
    fn known(&self, passphrases: bool) -> Vec<Arc<Identity>> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |key: &&Arc<Identity>| matches!(***key, Identity::Passphrase(_)) == passphrases;
        opened.iter().filter(fits).cloned().collect()
    }

    fn remember(&self, key: &Arc<Identity>) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.iter().any(|known| Arc::ptr_eq(known, key)) {
            opened.push(Arc::clone(key));
        }
    }
}

/// The key files to try, in order: all without a passphrase, then those with one that can fit.
fn candidates<'a>(files: &'a [KeyFile], noted: &[X25519Recipient]) -> Vec<&'a KeyFile> {
    let can_fit = |file: &&KeyFile| {
        noted.is_empty() || file.recipient().is_none_or(|recipient| noted.contains(&recipient))
    };
    let plain = files.iter().filter(|file| !file.wants_passphrase());
    plain.chain(files.iter().filter(|file| file.wants_passphrase()).filter(can_fit)).collect()
}

/// The error for a file that no identity at hand opens.
fn closed(name: &str, tried: &[KeyFile]) -> CommandError {
    let error = sealed::cannot_open(name, OpenError::NoIdentity);
    let tried: Vec<String> = tried.iter().map(KeyFile::name).collect();
    if tried.len() < 2 {
        return error;
    }
    error.hint(format!(
        "the identities here are {}; name another one, or the path of a key file, with --identity ID",
        tried.join(", ")
    ))
}

/// Finds what looks most like the name of an identity that is not there: `alice` for `alice@example.com`.
pub(crate) fn nearest(folder: &Path, name: &str) -> Option<String> {
    let files = identities::in_folder(folder).ok()?;
    let names = files.iter().map(KeyFile::name);
    let person = |name: &str| name.split('@').next().unwrap_or(name).to_lowercase();
    let mut alike = names.filter(|known| person(known) == person(name));
    alike.next().filter(|_| alike.next().is_none())
}

/// Adds to an error about an identity that is not there which one may be meant.
pub(crate) fn suggest(error: CommandError, home: &Home, name: &str) -> CommandError {
    if error.kind() != Kind::Missing {
        return error;
    }
    match home.keys().ok().and_then(|folder| nearest(&folder, name)) {
        Some(known) => error.hint(format!("the identity here is called {known}")),
        None => error.hint(
            "give a key, the path of a key file, or an identity made with `stack keygen --identity NAME`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn key_files_that_need_no_passphrase_come_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("a.key"), "-----BEGIN AGE ENCRYPTED FILE-----\n").unwrap();
        fs::write(path("b.key"), "stack-identity v1\n").unwrap();
        let files = ["a.key", "b.key"].map(|name| KeyFile::at(path(name).into()));
        let names: Vec<_> = candidates(&files, &[]).into_iter().map(KeyFile::name).collect();
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn the_identity_that_is_meant_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("alice@example.com.key"), "").unwrap();
        assert_eq!(nearest(dir.path(), "alice").as_deref(), Some("alice@example.com"));
        assert_eq!(nearest(dir.path(), "Alice@hospital").as_deref(), Some("alice@example.com"));
        assert_eq!(nearest(dir.path(), "bob"), None);
        fs::write(dir.path().join("alice@hospital.key"), "").unwrap();
        assert_eq!(nearest(dir.path(), "alice"), None, "either may be meant");
    }
}
