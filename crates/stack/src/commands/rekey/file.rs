//! An age file gets another header, and its payload is copied by the system.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::slice;

use stack_seal::age::{Header, Identity, OpenError, Sealing, UnlockedFile};
use stack_trust::home::Home;
use stack_trust::keyring::SealedHeader;
use stack_trust::private_file::{AtomicFile, FileMode};
use stack_trust::rekey::RekeyPlan;
use stack_trust::sealed::{SealRecord, SealedError};

use super::{Arguments, Report};
use crate::error::{CommandError, Kind};
use crate::process::{machine, threads};
use crate::terminal::interruptible::Interruptible;

/// Puts a file with the new header in place of the old one, in one step.
pub(super) fn rekey(arguments: &Arguments, home: &Home, path: &Path) -> Result<Report, CommandError> {
    if arguments.sign {
        return Err(CommandError::new(Kind::Usage, "--sign only works for stored models")
            .hint("a file's signature covers its plain bytes and stays valid"));
    }
    let name = path.display().to_string();
    let reading = |error| CommandError::reading(&name, error).reason("io");
    let file = File::open(path).map_err(reading)?;
    let metadata = file.metadata().map_err(reading)?;
    let (header, payload_at) = Header::read(&file).map_err(SealedError::opening(&name))?;
    let plan = RekeyPlan::new(&arguments.request(home)?, &header, None)?;
    let record = SealRecord::find(home, &name, &file)?;
    let noted = record.as_ref().map(|record| record.recipients.clone()).unwrap_or_default();
    // A file that was cut is told so before anything takes its place.
    let attempt = |keys: &[Identity]| UnlockedFile::open(file.try_clone().map_err(OpenError::Io)?, keys);
    let sealed = SealedHeader { name: &name, header: &header, noted: &noted };
    let (unlocked, key) = arguments.keys.opener(home).open(&sealed, &attempt)?;
    let writing = |source| SealedError::Write { path: path.to_owned(), source };
    let new = AtomicFile::create(path, FileMode::Public).map_err(writing)?;
    new.file().set_permissions(metadata.permissions()).map_err(writing)?;
    if arguments.rotate {
        let recipients = arguments.recipients(&plan)?;
        let work = Interruptible::start("sealing", unlocked.len(), arguments.common.quiet)?;
        let target = new.file().try_clone().map_err(writing)?;
        let hashed = Sealing::new(&recipients, &mut machine::random()?)
            .rewrite_file(&unlocked, target, threads::usable(), &|bytes| work.advance(bytes))
            .map_err(|error| work.failed(SealedError::opening(&name)(error).into()))?;
        if let Some(known) = record.as_ref().filter(|known| known.root != hashed.root) {
            let (found, sealed) = (hashed.root, known.root);
            return Err(SealedError::HoldsAnother { what: name, found, sealed }.into());
        }
    } else {
        let work = Interruptible::start("copying", metadata.len() - payload_at, arguments.common.quiet)?;
        let header = plan.header(&header, slice::from_ref(&*key), &mut machine::random()?);
        let header = header.map_err(SealedError::opening(&name))?;
        copy(&header, &file, payload_at, new.file(), &work)
            .map_err(|error| work.failed(writing(error).into()))?;
    }
    if let Some(known) = record {
        // The new file is as good as the old one: it was sealed here, or its header was made here.
        let recipients = match &plan {
            RekeyPlan::More(added) => [&known.recipients[..], added].concat(),
            RekeyPlan::Same | RekeyPlan::Exactly(_) => plan.keys(Some(&known.recipients)).unwrap_or_default(),
        };
        SealRecord { recipients, ..known }.keep(home, &name, new.file())?;
    }
    new.replace().map_err(writing)?;
    Ok(Report::new(name, arguments.rotate, plan.keys(None).as_deref()))
}

/// Writes the header, and lets the system copy the payload behind it, piece by piece.
fn copy(header: &Header, from: &File, payload_at: u64, to: &File, work: &Interruptible) -> io::Result<()> {
    let (mut from, mut to) = (from, to);
    to.write_all(&header.to_bytes())?;
    from.seek(SeekFrom::Start(payload_at))?;
    loop {
        match io::copy(&mut Read::take(from, PIECE_BYTES), &mut to)? {
            0 => return Ok(()),
            bytes => work.advance(bytes)?,
        }
    }
}

/// Ctrl-C is looked for after each.
const PIECE_BYTES: u64 = 64 << 20;
