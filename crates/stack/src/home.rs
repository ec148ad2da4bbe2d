//! `$STACK_HOME`: where models, keys and trust live.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::command_error::{CommandError, Kind};
use crate::machine::environment;
use crate::private_file;

/// Where the home is, if not at its usual place.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct HomeArguments {
    /// Keep models, keys and trust in this folder instead of `$STACK_HOME`
    #[arg(long, value_name = "DIR")]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    root: PathBuf,
}

impl HomeArguments {
    /// Finds the folder, which need not exist yet: `--home`, else `$STACK_HOME`, else the platform's data folder.
    pub(crate) fn home(&self) -> Result<Home, CommandError> {
        let given = self.home.clone().or_else(|| environment("STACK_HOME").map(PathBuf::from));
        let root = given.or_else(data_folder).ok_or_else(|| {
            CommandError::new(Kind::Usage, "there is no home folder to keep models and keys in")
                .hint("name one with --home DIR or STACK_HOME")
        })?;
        // Relative homes are good for one command; leases and external files remember absolute paths.
        let root =
            std::path::absolute(&root).map_err(|error| CommandError::reading(root.display(), error))?;
        Ok(Home { root })
    }
}

impl Home {
    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder with the models.
    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// The folder with identities.
    pub(crate) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The folder with what was sealed on this machine.
    pub(crate) fn sealed(&self) -> PathBuf {
        self.trust().join("sealed")
    }

    /// The folder with the policy, rollback marks and revocations.
    pub(crate) fn trust(&self) -> PathBuf {
        self.root.join("trust")
    }

    /// Makes the home, and a folder of it, for the owner alone.
    pub(crate) fn make(&self, folder: &Path) -> Result<(), CommandError> {
        let made = private_file::make_folder(&self.root).and_then(|()| private_file::make_folder(folder));
        made.map_err(|error| cannot_make(folder, error))
    }
}

fn cannot_make(folder: &Path, error: io::Error) -> CommandError {
    CommandError::new(Kind::Machine, format!("the folder {} cannot be made", folder.display()))
        .reason("io")
        .caused(error)
        .hint("look at who may write there, or name another home with --home DIR")
}

/// The platform's folder for the data of programs.
fn data_folder() -> Option<PathBuf> {
    let absolute = |name: &str| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        return Some(absolute("LOCALAPPDATA")?.join(FOLDER));
    }
    if cfg!(target_os = "macos") {
        return Some(absolute("HOME")?.join("Library/Application Support").join(FOLDER));
    }
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(data.join(FOLDER))
}

const FOLDER: &str = "sovereign-stack";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_absolute_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let given = HomeArguments { home: Some(dir.path().join("new/home")) };
        let home = given.home().unwrap();
        home.make(&home.keys()).unwrap();
        home.make(&home.keys()).unwrap();
        assert!(home.keys().is_dir());
        #[cfg(unix)]
        for folder in [home.root(), &home.keys()] {
            let mode = std::os::unix::fs::PermissionsExt::mode(&folder.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        }
        assert!(HomeArguments { home: Some("here".into()) }.home().unwrap().root().is_absolute());
    }
}
