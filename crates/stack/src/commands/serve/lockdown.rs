//! The lockdown of a server that was told to keep everything here.

use std::fs;
use std::path::{Path, PathBuf};

use stack_trust::home::Home;
use stack_trust::private_file;

use crate::config::{AuditPlace, Config};
use crate::error::{CommandError, Kind};
use crate::process::lockdown::{self, LockdownLevel};
use crate::terminal::output::stderr;

/// Holds the process as tightly as the system can, unless the operator has written out that it goes without.
///
/// # Errors
///
/// When the system cannot do what the configuration requires, or something is configured that a locked down server cannot do.
pub(super) fn sovereign(
    config: &Config,
    home: &Home,
    prefixes: Option<&Path>,
) -> Result<LockdownLevel, CommandError> {
    let required = config.privacy.lockdown();
    if required.value == LockdownLevel::Off {
        stderr(format!("warning: the tier sovereign is not locked down, as {} says", required.origin));
        return Ok(LockdownLevel::Off);
    }
    if config.audit.places().value.contains(&AuditPlace::Syslog) {
        let message = "the audit log has the anchor syslog, which a locked down server cannot reach";
        return Err(CommandError::new(Kind::Unconfined, message)
            .reason("no-lockdown")
            .hint("take a file as the anchor, or write out [privacy] lockdown = \"off\" in stack.toml"));
    }
    let level = lockdown::enter(&writable(config, home, prefixes)?)?.meets(required.value)?;
    stderr(format!("locked down at {level}: this process cannot open a connection"));
    Ok(level)
}

/// Where a server writes: in its home, where it keeps prefixes, and beside its anchors.
fn writable(config: &Config, home: &Home, prefixes: Option<&Path>) -> Result<Vec<PathBuf>, CommandError> {
    let mut folders = Vec::new();
    if let Some(folder) = prefixes {
        // It must be there to be named, like the home.
        let made = private_file::make_folder(folder);
        made.map_err(|error| CommandError::writing_file(folder.display(), error))?;
        folders.push(folder.to_owned());
    }
    if let Some(home) = home.known() {
        fs::create_dir_all(home).map_err(|error| CommandError::writing_file(home.display(), error))?;
        folders.push(home.to_owned());
    }
    let anchors = config.audit.anchor_files();
    folders.extend(anchors.iter().filter_map(|file| file.parent().map(Path::to_owned)));
    Ok(folders)
}
