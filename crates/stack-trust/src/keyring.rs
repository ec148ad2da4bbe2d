//! What opens sealed files: identities and passphrases, each asked for once in the life of a keyring.

use std::path::Path;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};

use stack_registry::store::Blob;
use stack_seal::age::{Header, Identity, OpenError, UnlockedFile, X25519Recipient};
use stack_seal::keyfile::IdentityFile;

use crate::home::Home;
use crate::identity::{self, IdentityError, KeyFile};
use crate::passphrase::PassphraseSource;
use crate::sealed::{self, SealRecord, SealedError};

/// What has opened something already, so that the files of one model ask for one passphrase. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    opened: Arc<Mutex<Vec<Arc<Identity>>>>,
}

/// Opens sealed files with the keys at hand.
#[derive(Clone, Copy)]
pub struct Opener<'a> {
    /// Where identities are kept, and records of what was sealed.
    pub home: &'a Home,
    /// The identity that was named; without one, all on this machine are tried.
    pub named: Option<&'a str>,
    /// Where passphrases come from.
    pub passphrases: &'a dyn PassphraseSource,
    /// What has opened something already.
    pub keyring: &'a Keyring,
}

/// A sealed file that is to be opened.
#[derive(Clone, Copy)]
pub struct SealedHeader<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Its header.
    pub header: &'a Header,
    /// Who can open it, where somebody noted that; the header itself names nobody.
    pub noted: &'a [X25519Recipient],
}

/// The two halves of a sealed file of the store.
#[derive(Clone, Copy)]
pub struct SealedBlobs<'a> {
    /// The age header.
    pub header: &'a Blob,
    /// The payload.
    pub payload: &'a Blob,
    /// Who can open it according to the manifest; empty where that says nothing.
    pub noted: &'a [X25519Recipient],
}

impl Opener<'_> {
    /// Unlocks a sealed file of the model `name` in the store.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open`].
    pub fn unlock(&self, name: &str, blobs: &SealedBlobs<'_>) -> Result<UnlockedFile, SealedError> {
        let SealedBlobs { header, payload, noted } = *blobs;
        let (header, _) = Header::read(&header.file).map_err(SealedError::opening(name))?;
        let attempt = |keys: &[Identity]| {
            let payload = payload.file.try_clone().map_err(OpenError::Io)?;
            UnlockedFile::open_payload(&header, payload, keys)
        };
        self.open(&SealedHeader { name, header: &header, noted }, &attempt).map(|(unlocked, _)| unlocked)
    }

    /// Unlocks a sealed file that lies at a path, and returns what is known of it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open`]; and when what this machine noted of the file is damaged.
    pub fn unlock_file(&self, path: &Path) -> Result<(UnlockedFile, Option<SealRecord>), SealedError> {
        let name = path.display().to_string();
        let file = sealed::open(path)?;
        let (header, _) = Header::read(&file).map_err(SealedError::opening(&name))?;
        // What the machine noted is a help in finding the key; that it is damaged matters where it must be believed.
        let record = SealRecord::find(self.home, &name, &file);
        let noted = record.as_ref().ok().and_then(Option::as_ref).map(|record| record.recipients.clone());
        let noted = noted.unwrap_or_default();
        let attempt = |keys: &[Identity]| UnlockedFile::open(file.try_clone().map_err(OpenError::Io)?, keys);
        let (unlocked, _) =
            self.open(&SealedHeader { name: &name, header: &header, noted: &noted }, &attempt)?;
        Ok((unlocked, record?))
    }

    /// Opens a sealed file with the first key that fits, and returns that key as well.
    ///
    /// Keys that cost nothing are tried before a passphrase is asked for: those that opened something before, then the
    /// key files without a passphrase. Of the key files with one, those are asked for that can fit as far as is known.
    ///
    /// # Errors
    ///
    /// When nothing at hand opens it, or a key opens it and it is damaged.
    pub fn open<T>(
        &self,
        sealed: &SealedHeader<'_>,
        attempt: &dyn Fn(&[Identity]) -> Result<T, OpenError>,
    ) -> Result<(T, Arc<Identity>), SealedError> {
        let SealedHeader { name, header, noted } = *sealed;
        self.passphrases.entrusted();
        let attempt = |key: Arc<Identity>| match attempt(slice::from_ref(&*key)) {
            Ok(opened) => {
                self.keyring.remember(&key);
                Ok(Some((opened, key)))
            }
            Err(OpenError::NoIdentity | OpenError::WrongPassphrase) => Ok(None),
            Err(error) => Err(SealedError::opening(name)(error)),
        };
        let passphrase_wanted = header.wants_passphrase();
        for key in self.keyring.known(passphrase_wanted) {
            if let Some(found) = attempt(key)? {
                return Ok(found);
            }
        }
        if passphrase_wanted {
            let passphrase = self.passphrases.existing(name)?;
            return attempt(Arc::new(Identity::Passphrase(passphrase)))?
                .ok_or_else(|| SealedError::opening(name)(OpenError::WrongPassphrase));
        }
        let age_keys = self.named.map(|named| identity::age_keys(named, self.passphrases));
        if let Some(keys) = age_keys.transpose()?.flatten() {
            for key in keys {
                if let Some(found) = attempt(Arc::new(Identity::X25519(key)))? {
                    return Ok(found);
                }
            }
            return Err(SealedError::opening(name)(OpenError::NoIdentity));
        }
        let opening = |identity: IdentityFile| Arc::new(Identity::X25519(identity.into_opening()));
        let files = match self.named {
            None => identity::all(self.home)?,
            Some(_) => Vec::new(),
        };
        if files.len() < 2 {
            // The one that is named, or the only one: whatever is wrong with it is worth telling.
            let identity = identity::open(self.home, self.named, self.passphrases)?;
            return attempt(opening(identity))?.ok_or_else(|| closed(name, &files));
        }
        let mut failure = None;
        for file in candidates(&files, noted) {
            match file.open(self.passphrases) {
                Ok(Some(identity)) => {
                    if let Some(found) = attempt(opening(identity))? {
                        return Ok(found);
                    }
                }
                // Nothing was typed: this one is not to be opened.
                Ok(None) => {}
                // Whoever cannot be asked for one passphrase cannot be asked for the next.
                Err(error @ IdentityError::Passphrase(_)) => return Err(error.into()),
                // Another one may fit all the same.
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.map_or_else(|| closed(name, &files), SealedError::from))
    }

    /// Opens the identity that is named, or the only one there is, to sign with it.
    ///
    /// # Errors
    ///
    /// When there is no such identity, or it does not open.
    pub fn identity(&self) -> Result<IdentityFile, IdentityError> {
        identity::open(self.home, self.named, self.passphrases)
    }
}

impl Keyring {
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
fn closed(name: &str, tried: &[KeyFile]) -> SealedError {
    match tried {
        [] | [_] => SealedError::opening(name)(OpenError::NoIdentity),
        tried => {
            SealedError::NoKey { what: name.to_owned(), tried: tried.iter().map(KeyFile::name).collect() }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;

    use stack_seal::age::{Passphrase, Recipients, seal_bytes};
    use zeroize::Zeroizing;

    use super::*;
    use crate::fixtures::Asked;

    #[test]
    fn the_files_of_a_model_ask_for_one_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        let (home, keyring, asked) = (Home::nowhere(), Keyring::default(), Asked::default());
        let opener = Opener { home: &home, named: None, passphrases: &asked, keyring: &keyring };
        let recipients = Recipients::Passphrase(Passphrase::new(Zeroizing::new("secret".to_owned())));
        for shard in 0..3_u8 {
            let path = dir.path().join(format!("{shard}.age"));
            let sealed = seal_bytes(&[shard], &recipients, &mut |bytes: &mut [u8]| bytes.fill(shard));
            File::create(&path).unwrap().write_all(&sealed).unwrap();
            opener.unlock_file(&path).unwrap();
        }
        assert_eq!((asked.count.get(), asked.entrusted.get()), (1, 3));
    }

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
}
