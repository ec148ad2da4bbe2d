//! Sealed files: where they lie, how they are written, and why one stays closed, in the terms of a command.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use stack_seal::age::{HeaderError, OpenError, PayloadError, armor};
use stack_seal::digest::Root;

use crate::error::{CommandError, Kind, kind_of};
use crate::home::private_file::{Existing, NewFile, Readers};

/// What a new file is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Sealed bytes, which whoever the system lets may read.
    Sealed,
    /// Plain bytes, for their owner alone.
    Plain,
}

/// Returns where the sealed form of a file lies if nobody says otherwise.
pub(crate) fn path_of(plain: &Path) -> PathBuf {
    let mut path = plain.as_os_str().to_owned();
    path.push(ENDING);
    PathBuf::from(path)
}

/// Returns where the plain form of a sealed file once lay.
pub(crate) fn plain_path_of(sealed: &Path) -> Option<PathBuf> {
    let name = sealed.file_name()?.to_str()?.strip_suffix(ENDING)?;
    Some(sealed.with_file_name(name))
}

/// Opens a sealed file. One that is armored, as `age -a` writes them, is unpacked into memory: it stays sealed there.
pub(crate) fn open(path: &Path) -> Result<File, CommandError> {
    let reading = |error| CommandError::reading(path.display(), error).reason("io");
    let mut file = File::open(path).map_err(reading)?;
    let mut start = [0; 64];
    let count = file.read(&mut start).map_err(reading)?;
    file.rewind().map_err(reading)?;
    if !armor::is_armored(&start[..count]) {
        return Ok(file);
    }
    let mut text = Vec::new();
    file.take(ARMORED_BYTES_MAX + 1).read_to_end(&mut text).map_err(reading)?;
    if text.len() as u64 > ARMORED_BYTES_MAX {
        let message = format!("{} is armored and larger than 1 GiB", path.display());
        return Err(CommandError::new(Kind::Limit, message).hint("seal it without armor: leave out `age -a`"));
    }
    let bytes = armor::decode(&text).map_err(|error| {
        CommandError::new(Kind::Malformed, format!("{} cannot be opened", path.display()))
            .reason("bad-age-header")
            .caused(error)
            .hint("it is not a complete age file; get it again")
    })?;
    in_memory(&bytes).map_err(reading)
}

/// A file without a name that holds these bytes.
#[cfg(target_os = "linux")]
fn in_memory(bytes: &[u8]) -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    let mut file = File::from(memfd_create("age", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// Elsewhere such a file has no place.
#[cfg(not(target_os = "linux"))]
fn in_memory(_bytes: &[u8]) -> io::Result<File> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "armored files are opened on Linux only"))
}

/// Begins a file where none may be: neither a terminal nor anything else that is there is written into.
pub(crate) fn new_file(path: &Path, holds: Holds) -> Result<NewFile, CommandError> {
    if path == Path::new("-") || path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    let readers = match holds {
        Holds::Sealed => Readers::Everyone,
        Holds::Plain => Readers::Owner,
    };
    NewFile::create(path, readers).map_err(|error| cannot_write(path, error))
}

/// Gives a new file its place, if that is still free.
pub(crate) fn finish(new: NewFile, path: &Path) -> Result<(), CommandError> {
    new.finish(Existing::Keep).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => cannot_write(path, error),
    })
}

/// The error for a place that is taken.
pub(crate) fn exists(path: &Path) -> CommandError {
    let message = if path == Path::new("-") {
        "sealed bytes cannot be written to a terminal or stdout".to_owned()
    } else {
        format!("{} already exists", path.display())
    };
    CommandError::new(Kind::Usage, message).reason("exists").hint("choose a new file with -o")
}

/// The error for a file that cannot be written.
pub(crate) fn cannot_write(path: &Path, error: io::Error) -> CommandError {
    CommandError::new(kind_of(&error), format!("{} cannot be written", path.display()))
        .reason(code_of(&error))
        .caused(error)
        .hint("check the permissions and the free disk space")
}

/// The error for a file that cannot be sealed. Which of the two files failed is in the system's words.
pub(crate) fn cannot_seal(plain: &Path, sealed: &Path, error: io::Error) -> CommandError {
    CommandError::new(
        Kind::Machine,
        format!("{} cannot be sealed into {}", plain.display(), sealed.display()),
    )
    .reason(code_of(&error))
    .caused(error)
    .hint("check the disk and its free space")
}

/// The error for a sealed file that does not open, or only to a point. `what` names the file or the model.
pub(crate) fn cannot_open(what: &str, error: OpenError) -> CommandError {
    let (kind, code, hint) = match &error {
        OpenError::NoIdentity => {
            (Kind::Closed, "no-identity", "choose an identity it was sealed for with --identity ID")
        }
        OpenError::WrongPassphrase => {
            (Kind::Closed, "wrong-passphrase", "try again, or pass another variable with --password-env")
        }
        OpenError::Header(HeaderError::TooCostly { .. }) => {
            (Kind::Closed, "kdf-too-costly", "seal it again with the default passphrase cost")
        }
        OpenError::Header(_) => {
            (Kind::Malformed, "bad-age-header", "it is not a complete age file; get it again")
        }
        OpenError::TooLong(_) => (Kind::Limit, "length-mismatch", "split it into shards before sealing"),
        OpenError::Io(source) | OpenError::Payload(PayloadError::Io { source, .. }) => {
            (Kind::Machine, code_of(source), "check the disk and the permissions")
        }
        OpenError::Target(source) => {
            (Kind::Machine, code_of(source), "check the permissions and the free disk space")
        }
        OpenError::HeaderMac | OpenError::Payload(_) => {
            (Kind::Differs, "bad-tag", "it was modified or truncated after sealing; get it again")
        }
    };
    CommandError::new(kind, format!("{what} cannot be opened")).reason(code).caused(error).hint(hint)
}

/// The error for a sealed file that opens, and holds something else than was sealed here.
pub(crate) fn holds_another(what: &str, found: &Root, sealed: &Root) -> CommandError {
    let message = format!("{what} holds {found}, and {sealed} was sealed here");
    CommandError::new(Kind::Differs, message)
        .reason("digest-mismatch")
        .hint("everybody who can open it could have made it; get it again, or seal the plain file again")
}

fn code_of(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::StorageFull { "disk-full" } else { "io" }
}

/// Armored files are unpacked as a whole, and models have no reason to be armored.
const ARMORED_BYTES_MAX: u64 = 1 << 30;
/// What age's own tools call their files.
pub(crate) const ENDING: &str = ".age";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_sealed_files_lie_side_by_side() {
        let plain = Path::new("models/m.gguf");
        assert_eq!(path_of(plain), Path::new("models/m.gguf.age"));
        assert_eq!(plain_path_of(&path_of(plain)).as_deref(), Some(plain));
        assert_eq!(plain_path_of(plain), None);
    }

    #[test]
    fn what_is_closed_changed_and_malformed_have_codes_of_their_own() {
        let costly = HeaderError::TooCostly { kind: "scrypt".to_owned() };
        let full = io::Error::from(io::ErrorKind::StorageFull);
        for (error, exit, code) in [
            (OpenError::NoIdentity, 10, "no-identity"),
            (OpenError::WrongPassphrase, 10, "wrong-passphrase"),
            (costly.into(), 10, "kdf-too-costly"),
            (HeaderError::Truncated.into(), 4, "bad-age-header"),
            (OpenError::HeaderMac, 5, "bad-tag"),
            (PayloadError::ShortLastChunk.into(), 5, "bad-tag"),
            (OpenError::Target(full), 1, "disk-full"),
        ] {
            let error = cannot_open("m.age", error);
            assert_eq!((error.kind().exit_code(), error.code()), (exit, Some(code)), "{error}");
        }
    }
}
