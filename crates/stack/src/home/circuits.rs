//! Circuits that somebody holds open, over a restart: `circuits.json` in the home.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use stack_gateway::routed::{CircuitChange, Pin};
use stack_trust::private_file::{self, FileMode};

use crate::error::{CommandError, Kind};
use crate::process::machine;

/// What the file holds.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    open: Vec<KeptPin>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct KeptPin {
    circuit: String,
    reason: String,
    /// Until when, in seconds since 1970.
    until_s: Option<u64>,
}

/// Where they are kept.
pub(crate) fn path(home: &Path) -> PathBuf {
    home.join("circuits.json")
}

/// Reads what is to be done to hold open what was held open. Those whose time is over are left out.
///
/// # Errors
///
/// When there is a file, and it is not one of these.
pub(crate) fn read(path: &Path) -> Result<Vec<(String, CircuitChange)>, CommandError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CommandError::reading(path.display(), error)),
    };
    let malformed = |what: String| {
        CommandError::new(Kind::Malformed, format!("{} is malformed: {what}", path.display()))
            .hint("delete it, and hold circuits open again with `stack circuit open`")
    };
    if bytes.len() > BYTES_MAX {
        return Err(malformed("it is longer than 1 MiB".to_owned()));
    }
    let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    if kept.version != VERSION {
        return Err(malformed(format!("it has the version {}, and {VERSION} is known here", kept.version)));
    }
    let now = machine::now_s();
    let left = |pin: KeptPin| {
        let wait = match pin.until_s {
            None => None,
            Some(until) if until > now => Some(Duration::from_secs(until - now)),
            Some(_) => return None,
        };
        Some((pin.circuit, CircuitChange::Open { reason: pin.reason, wait }))
    };
    Ok(kept.open.into_iter().filter_map(left).collect())
}

/// Writes them down, as a whole or not at all.
pub(crate) fn write(path: &Path, pins: &[Pin]) -> io::Result<()> {
    let now = machine::now_s();
    let open = pins.iter().map(|pin| KeptPin {
        circuit: pin.name.clone(),
        reason: pin.reason.clone(),
        until_s: pin.left.map(|left| now + left.as_secs()),
    });
    let kept = Kept { version: VERSION, open: open.collect() };
    let bytes = serde_json::to_vec_pretty(&kept).map_err(io::Error::other)?;
    if let Some(folder) = path.parent() {
        private_file::make_folder(folder)?;
    }
    private_file::replace(path, &bytes, FileMode::Private)
}

const VERSION: u32 = 1;
const BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_open_is_held_open_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        assert!(read(&path).unwrap().is_empty());
        let pin = |name: &str, left| Pin { name: name.into(), reason: "bills".into(), left };
        let hour = Duration::from_hours(1);
        write(&path, &[pin("acme", None), pin("acme/m", Some(hour)), pin("box", Some(Duration::ZERO))])
            .unwrap();
        let read = read(&path).unwrap();
        assert_eq!(read.len(), 2, "the time of one is over");
        assert_eq!(read[0], ("acme".into(), CircuitChange::Open { reason: "bills".into(), wait: None }));
        let CircuitChange::Open { wait: Some(wait), .. } = read[1].1 else { panic!() };
        assert!(wait <= hour && wait + Duration::from_mins(1) > hour);
    }

    #[test]
    fn a_file_that_is_none_of_these_excludes_nobody_silently() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        for wrong in ["", "{}", r#"{"version":2,"open":[]}"#, r#"{"version":1,"open":[],"more":1}"#] {
            fs::write(&path, wrong).unwrap();
            let error = read(&path).unwrap_err();
            assert_eq!(error.kind(), Kind::Malformed, "{wrong}");
        }
    }
}
