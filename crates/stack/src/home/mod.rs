//! Where `$STACK_HOME` is: the folder of models, keys, trust and configuration.

pub(crate) mod access;
pub(crate) mod circuits;
pub(crate) mod secrets;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use clap::{Args, ValueHint};
use stack_trust::home::Home;

use crate::audit::AuditLog;
use crate::error::CommandError;
use crate::process::machine::environment_path;

/// Where the home is, if not at its usual place.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct HomeArguments {
    /// Folder for models, keys and trust [default: `$STACK_HOME`]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    home: Option<PathBuf>,
    /// The audit log there, once somebody needed it: one for the whole command.
    #[arg(skip)]
    log: Arc<OnceLock<AuditLog>>,
}

impl HomeArguments {
    /// Finds the folder, which need not exist yet: `--home`, else `$STACK_HOME`, else the platform's data folder.
    pub(crate) fn home(&self) -> Result<Home, CommandError> {
        let given = self.home.clone().or_else(|| environment_path(VARIABLE));
        let Some(root) = given.or_else(data_folder) else { return Ok(Home::nowhere()) };
        // Relative homes are good for one command; leases and external files remember absolute paths.
        let root =
            std::path::absolute(&root).map_err(|error| CommandError::reading(root.display(), error))?;
        Ok(Home::at(root))
    }

    /// Returns the audit log there.
    ///
    /// # Errors
    ///
    /// When the configuration is wrong.
    pub(crate) fn audit(&self) -> Result<&AuditLog, CommandError> {
        if let Some(log) = self.log.get() {
            return Ok(log);
        }
        let log = AuditLog::open(&self.home()?)?;
        Ok(self.log.get_or_init(|| log))
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
    fn a_home_is_absolute() {
        let relative =
            HomeArguments { home: Some("here".into()), ..HomeArguments::default() }.home().unwrap();
        assert!(relative.root().unwrap().is_absolute());
    }
}
