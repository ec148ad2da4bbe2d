//! `$STACK_HOME`: where models, keys, trust, configuration and history live.

pub(crate) mod identities;
pub(crate) mod private_file;
pub(crate) mod store_access;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use stack_registry::store::Store;

use crate::error::{CommandError, Kind};
use crate::process::machine::environment_path;

/// Where the home is, if not at its usual place.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct HomeArguments {
    /// Folder for models, keys and trust [default: `$STACK_HOME`]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    home: Option<PathBuf>,
}

#[cfg(test)]
impl HomeArguments {
    /// Names a folder, as `--home` does.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { home: Some(folder.to_owned()) }
    }
}

/// The folder of models, keys and trust. Only its owner can look inside.
///
/// A system service may have neither `HOME` nor `STACK_HOME`. Then there is no such folder, and only what needs one
/// fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    root: Option<PathBuf>,
}

impl HomeArguments {
    /// Finds the folder, which need not exist yet: `--home`, else `$STACK_HOME`, else the platform's data folder.
    pub(crate) fn home(&self) -> Result<Home, CommandError> {
        let given = self.home.clone().or_else(|| environment_path(VARIABLE));
        let Some(root) = given.or_else(data_folder) else { return Ok(Home { root: None }) };
        // Relative homes are good for one command; leases and external files remember absolute paths.
        let root =
            std::path::absolute(&root).map_err(|error| CommandError::reading(root.display(), error))?;
        Ok(Home { root: Some(root) })
    }
}

impl Home {
    /// The folder itself.
    ///
    /// # Errors
    ///
    /// When neither an option nor the environment says where it is.
    pub(crate) fn root(&self) -> Result<&Path, CommandError> {
        self.root.as_deref().ok_or_else(|| {
            CommandError::new(Kind::Usage, "no home folder for models and keys")
                .hint(format!("name one with --home DIR or {VARIABLE}; HOME is not set either"))
        })
    }

    /// The folder itself, if it is known where it is.
    pub(crate) fn known(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Opens the store if there is one, and writes nothing.
    pub(crate) fn existing_store(&self) -> Result<Option<Store>, CommandError> {
        match &self.root {
            Some(root) => Ok(Store::existing(root)?),
            None => Ok(None),
        }
    }

    /// The folder with the models.
    pub(crate) fn store(&self) -> Result<PathBuf, CommandError> {
        Ok(self.root()?.join("store"))
    }

    /// The folder with identities.
    pub(crate) fn keys(&self) -> Result<PathBuf, CommandError> {
        Ok(self.root()?.join("keys"))
    }

    /// The folder with what was sealed on this machine.
    pub(crate) fn sealed(&self) -> Result<PathBuf, CommandError> {
        Ok(self.trust()?.join("sealed"))
    }

    /// The folder with the policy, rollback marks and revocations.
    pub(crate) fn trust(&self) -> Result<PathBuf, CommandError> {
        Ok(self.root()?.join("trust"))
    }

    /// Makes the home, and a folder of it, for the owner alone.
    pub(crate) fn make(&self, folder: &Path) -> Result<(), CommandError> {
        let made = private_file::make_folder(self.root()?).and_then(|()| private_file::make_folder(folder));
        made.map_err(|error| cannot_make(folder, error))
    }
}

/// Where what was typed in conversations is kept: in `$STACK_HOME`, else in the platform's folder for such files.
pub(crate) fn history_file() -> Option<PathBuf> {
    let folder = match environment_path(VARIABLE) {
        Some(home) => home,
        None => absolute("XDG_STATE_HOME")
            .or_else(|| Some(environment_path("HOME")?.join(".local/state")))?
            .join("stack"),
    };
    Some(folder.join("history"))
}

fn cannot_make(folder: &Path, error: io::Error) -> CommandError {
    CommandError::new(Kind::Machine, format!("the folder {} cannot be created", folder.display()))
        .reason("io")
        .caused(error)
        .hint("check the permissions, or choose another home with --home DIR")
}

/// The platform's folder for the data of programs.
fn data_folder() -> Option<PathBuf> {
    if cfg!(windows) {
        return Some(absolute("LOCALAPPDATA")?.join(FOLDER));
    }
    if cfg!(target_os = "macos") {
        return Some(absolute("HOME")?.join("Library/Application Support").join(FOLDER));
    }
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(data.join(FOLDER))
}

/// A folder that a variable names. A relative one is none, as the XDG specification says.
fn absolute(name: &str) -> Option<PathBuf> {
    environment_path(name).filter(|path| path.is_absolute())
}

/// Moves everything that is kept.
const VARIABLE: &str = "STACK_HOME";
const FOLDER: &str = "sovereign-stack";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_absolute_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let given = HomeArguments { home: Some(dir.path().join("new/home")) };
        let home = given.home().unwrap();
        let keys = home.keys().unwrap();
        home.make(&keys).unwrap();
        home.make(&keys).unwrap();
        assert!(keys.is_dir());
        #[cfg(unix)]
        for folder in [home.root().unwrap(), &keys] {
            let mode = std::os::unix::fs::PermissionsExt::mode(&folder.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        }
        let relative = HomeArguments { home: Some("here".into()) }.home().unwrap();
        assert!(relative.root().unwrap().is_absolute());
    }

    #[test]
    fn without_a_home_only_what_needs_one_fails() {
        let nowhere = Home { root: None };
        assert!(nowhere.existing_store().unwrap().is_none());
        for error in [nowhere.keys(), nowhere.trust(), nowhere.store()] {
            assert!(error.unwrap_err().to_string().contains("STACK_HOME"));
        }
    }
}
