//! A file becomes an age file beside it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use stack_seal::age::{self, Sealing};

use super::{Arguments, Readers};
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::process::{machine, threads};
use crate::sealing::record::SealRecord;
use crate::sealing::sealed;
use crate::terminal::interruptible::Interruptible;
use crate::terminal::output::{Data, harmless};

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
    if is_sealed(&plain).map_err(reading)? {
        let message = format!("{} is already sealed", path.display());
        return Err(CommandError::new(Kind::Usage, message).hint("`stack rekey` changes who can open it"));
    }
    let out = arguments.output.clone().unwrap_or_else(|| sealed::path_of(path));
    let new = sealed::new_file(&out, sealed::Holds::Sealed)?;
    let (recipients, readers) = arguments.recipients(home)?;
    let work = Interruptible::start("sealing", length, arguments.common.quiet)?;
    let target = new.file().try_clone().map_err(|error| sealed::cannot_write(&out, error))?;
    let hashed = Sealing::new(&recipients, &mut machine::random()?)
        .write_file(&plain, target, threads::usable(), &|bytes| work.advance(bytes))
        .map_err(|error| work.failed(sealed::cannot_seal(path, &out, error)))?;
    // Before the file has its place: what runs must be known.
    let keys = readers.keys();
    SealRecord::of(&hashed, &keys).keep(home, &out.display().to_string(), new.file())?;
    sealed::finish(new, &out)?;
    let report =
        Report { file: &out, root: hashed.root.to_string(), size_bytes: hashed.length, readers: &readers };
    drop(work);
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&report);
    }
    arguments.common.talk(format!(
        "sealed {}; the plain file {} is still there",
        readers.describe(),
        path.display()
    ));
    data.line(&harmless(&PathBuf::from(report.file).display().to_string()))
}

/// Whether the file is an age file. A sealed file in a sealed file is nothing that anybody wants.
fn is_sealed(file: &File) -> std::io::Result<bool> {
    let mut start = Vec::new();
    let mut file = file;
    Read::take(&mut file, START_BYTES).read_to_end(&mut start)?;
    Ok(age::is_sealed(&start))
}

/// Enough to know an age file.
const START_BYTES: u64 = 64;
