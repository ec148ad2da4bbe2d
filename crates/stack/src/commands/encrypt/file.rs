//! A file becomes an age file beside it.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use stack_seal::age::Sealing;
use stack_trust::home::Home;
use stack_trust::private_file::FileMode;
use stack_trust::sealed::{self, SealRecord, SealedError};

use super::{Arguments, Readers};
use crate::error::{CommandError, Kind};
use crate::process::{machine, threads};
use crate::terminal::interruptible::Interruptible;
use crate::terminal::output::{Data, sanitize};

#[derive(Serialize)]
struct Report<'a> {
    file: &'a Path,
    root: String,
    size_bytes: u64,
    #[serde(flatten)]
    readers: &'a Readers,
}

/// Seals the file.
pub(super) fn seal(arguments: &Arguments, home: &Home, path: &Path) -> Result<(), CommandError> {
    let reading = |error| CommandError::reading(path.display(), error).reason("io");
    let plain = File::open(path).map_err(reading)?;
    let length = plain.metadata().map_err(reading)?.len();
    // A sealed file in a sealed file is nothing that anybody wants.
    if sealed::begins_sealed(&plain).map_err(reading)? {
        let message = format!("{} is already sealed", path.display());
        return Err(CommandError::new(Kind::Usage, message).hint("`stack rekey` changes who can open it"));
    }
    let out = arguments.output.clone().unwrap_or_else(|| sealed::path_of(path));
    let new = sealed::new_file(&out, FileMode::Public)?;
    let (recipients, readers) = arguments.recipients(home)?;
    let act = readers.act(&path.display().to_string());
    let hashed = arguments.common.audit()?.record(act, || {
        let work = Interruptible::start("sealing", length, arguments.common.quiet)?;
        let target = new.file().try_clone();
        let target = target.map_err(|source| SealedError::Write { path: out.clone(), source })?;
        let hashed = Sealing::new(&recipients, &mut machine::random()?)
            .write_file(&plain, target, threads::usable(), &|bytes| work.advance(bytes))
            .map_err(|source| {
                let (plain, sealed) = (path.to_owned(), out.clone());
                work.failed(SealedError::Seal { plain, sealed, source }.into())
            })?;
        // Before the file has its place: what runs must be known.
        let keys = readers.keys();
        SealRecord::of(&hashed, &keys).keep(home, &out.display().to_string(), new.file())?;
        sealed::finish(new, &out)?;
        let about = json!({"file": out.display().to_string(), "root": hashed.root.to_string()});
        Ok((hashed, about))
    })?;
    let report =
        Report { file: &out, root: hashed.root.to_string(), size_bytes: hashed.length, readers: &readers };
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&report);
    }
    arguments.common.stderr(format!(
        "sealed {}; the plain file {} is still there",
        readers.describe(),
        path.display()
    ));
    data.line(&sanitize(&PathBuf::from(report.file).display().to_string()))
}
