//! The key of a log, in a file of its own that tools must not see.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use stack_seal::hex;
use stack_seal::key::{KeyKind, SigningKey};

use crate::prepare::Random;
use crate::store::{Folder, StoreError};

/// Returns where the key of a log lies, unless the operator chose another place.
pub fn default_path(log: &Path) -> PathBuf {
    Folder::new(log).key()
}

/// Reads the key of a log.
///
/// # Errors
///
/// When there is none, or the file is no key.
pub fn read(path: &Path) -> Result<SigningKey, StoreError> {
    let io = |source| StoreError::Io { path: path.to_owned(), source };
    if fs::metadata(path).map_err(io)?.len() > FILE_MAX {
        return Err(StoreError::KeyFile { path: path.to_owned() });
    }
    let secret = fs::read_to_string(path).map_err(io)?;
    let secret = secret.strip_prefix(FIRST_LINE).and_then(|rest| hex::decode::<32>(rest.strip_suffix('\n')?));
    let key = secret.and_then(|secret| SigningKey::from_secret(KeyKind::Ed25519, &secret).ok());
    key.ok_or_else(|| StoreError::KeyFile { path: path.to_owned() })
}

/// Reads the key of a log, and makes one where there is no file. A key that is there is never replaced.
///
/// # Errors
///
/// When the file is no key, or the disk refuses.
pub fn read_or_make(path: &Path, random: &Random) -> Result<SigningKey, StoreError> {
    match read(path) {
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let io = |source| StoreError::Io { path: path.to_owned(), source };
    let mut secret = [0; 32];
    random(&mut secret);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(io)?;
    // Of several processes that make one at a time, each writes a file of its own.
    let mut number = [0; 8];
    random(&mut number);
    let part = path.with_extension(format!("{}.new", hex::encode(&number)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map_err(io)?;
    file.write_all(format!("{FIRST_LINE}{}\n", hex::encode(&secret)).as_bytes()).map_err(io)?;
    file.sync_all().map_err(io)?;
    // A link, unlike a rename, replaces nothing: of two processes, both get the key that was there first.
    let linked = fs::hard_link(&part, path);
    fs::remove_file(&part).map_err(io)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error)),
        _ => {}
    }
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    read(path)
}

const FIRST_LINE: &str = "stack-audit-key v1\n";
const FILE_MAX: u64 = 4096;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/audit.key");
        let made = read_or_make(&path, &|bytes| bytes.fill(5)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = read_or_make(&path, &|bytes| bytes.fill(6)).unwrap();
        assert_eq!(again.public(), made.public());
        fs::write(&path, "stack-audit-key v1\n05\n").unwrap();
        assert!(matches!(read_or_make(&path, &|bytes| bytes.fill(6)), Err(StoreError::KeyFile { .. })));
    }
}
