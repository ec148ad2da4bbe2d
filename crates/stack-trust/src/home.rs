//! `$STACK_HOME`: where models, keys, trust and the audit log live.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use stack_registry::store::{Store, StoreError};

use crate::private_file;

/// The folder of models, keys and trust. Only its owner can look inside.
///
/// A system service may have none. Then only what needs one fails: nobody is trusted, and there is no store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    root: Option<PathBuf>,
}

/// Why a folder of the home is not there.
#[derive(Debug)]
pub enum HomeError {
    /// Nothing says where the home is.
    Unknown,
    /// The folder cannot be made.
    Make {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Home {
    /// Takes a folder, which need not exist yet. It should be absolute: leases and external files remember paths.
    pub fn at(root: PathBuf) -> Self {
        Self { root: Some(root) }
    }

    /// Is nowhere.
    pub fn nowhere() -> Self {
        Self { root: None }
    }

    /// The folder itself.
    ///
    /// # Errors
    ///
    /// When it is not known where it is.
    pub fn root(&self) -> Result<&Path, HomeError> {
        self.root.as_deref().ok_or(HomeError::Unknown)
    }

    /// The folder itself, if it is known where it is.
    pub fn known(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Opens the store if there is one, and writes nothing.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn existing_store(&self) -> Result<Option<Store>, StoreError> {
        match &self.root {
            Some(root) => Store::existing(root),
            None => Ok(None),
        }
    }

    /// The folder with the models.
    ///
    /// # Errors
    ///
    /// When it is not known where the home is; so it is for all folders of it.
    pub fn store(&self) -> Result<PathBuf, HomeError> {
        Ok(self.root()?.join("store"))
    }

    /// The folder with identities.
    pub fn keys(&self) -> Result<PathBuf, HomeError> {
        Ok(self.root()?.join("keys"))
    }

    /// The folder with the policy, rollback marks and revocations.
    pub fn trust(&self) -> Result<PathBuf, HomeError> {
        Ok(self.root()?.join("trust"))
    }

    /// The folder with what was sealed on this machine.
    pub fn sealed(&self) -> Result<PathBuf, HomeError> {
        Ok(self.trust()?.join("sealed"))
    }

    /// The folder with the adapters of the operator.
    pub fn adapters(&self) -> Result<PathBuf, HomeError> {
        Ok(self.root()?.join("adapters"))
    }

    /// The folder with the audit log.
    pub fn audit(&self) -> Result<PathBuf, HomeError> {
        Ok(self.root()?.join("audit"))
    }

    /// Makes the home, and a folder of it, for the owner alone.
    ///
    /// # Errors
    ///
    /// When it is not known where the home is, or the disk refuses.
    pub fn make(&self, folder: &Path) -> Result<(), HomeError> {
        let made = private_file::make_folder(self.root()?).and_then(|()| private_file::make_folder(folder));
        made.map_err(|source| HomeError::Make { folder: folder.to_owned(), source })
    }
}

impl fmt::Display for HomeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no home folder for models and keys"),
            Self::Make { folder, .. } => write!(f, "the folder {} cannot be created", folder.display()),
        }
    }
}

impl Error for HomeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unknown => None,
            Self::Make { source, .. } => Some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("new/home"));
        let keys = home.keys().unwrap();
        home.make(&keys).unwrap();
        home.make(&keys).unwrap();
        assert!(keys.is_dir());
        #[cfg(unix)]
        for folder in [home.root().unwrap(), &keys] {
            let mode = std::os::unix::fs::PermissionsExt::mode(&folder.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        }
    }

    #[test]
    fn without_a_home_only_what_needs_one_fails() {
        let nowhere = Home::nowhere();
        assert!(nowhere.existing_store().unwrap().is_none());
        for missing in [nowhere.keys(), nowhere.trust(), nowhere.store(), nowhere.sealed()] {
            assert!(matches!(missing, Err(HomeError::Unknown)));
        }
    }
}
