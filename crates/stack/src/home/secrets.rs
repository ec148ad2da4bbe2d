//! Secrets by name: in a variable of the environment, or in a file of the home that only its owner reads.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use stack_trust::home::Home;
use zeroize::Zeroizing;

use crate::config::SecretName;
use crate::error::{CommandError, Kind};
use crate::process::machine::environment;

/// Finds a secret: in the variable of its name, else in `secrets/NAME` of the home. It is one line.
///
/// # Errors
///
/// When there is a file that cannot be read, or that others than its owner may read.
pub(crate) fn find(home: &Home, name: &SecretName) -> Result<Option<Zeroizing<String>>, CommandError> {
    if let Some(value) = environment(name.as_str()).map(Zeroizing::new) {
        return Ok(Some(one_line(&value)));
    }
    let Some(path) = home.known().map(|home| home.join("secrets").join(name.as_str())) else {
        return Ok(None);
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommandError::reading(path.display(), error)),
    };
    let read = |error| CommandError::reading(path.display(), error);
    if file.metadata().map_err(read)?.mode() & OTHERS != 0 {
        let message = format!("{} can be read by others", path.display());
        let hint = format!("`chmod 600 {}`, and replace the key if it was seen", path.display());
        return Err(CommandError::new(Kind::Refused, message).reason("readable-secret").hint(hint));
    }
    let mut value = Zeroizing::new(String::with_capacity(BYTES_MAX));
    file.take(BYTES_MAX as u64).read_to_string(&mut value).map_err(read)?;
    Ok(Some(one_line(&value)))
}

/// Files and variables often end in a newline.
fn one_line(value: &str) -> Zeroizing<String> {
    Zeroizing::new(value.trim().to_owned())
}

/// What others than the owner of a file may do with it.
const OTHERS: u32 = 0o077;
/// No key is longer.
const BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::Config;

    #[test]
    fn a_secret_is_a_file_that_others_cannot_read() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().to_owned());
        let text = b"[providers.a]\nkind = \"xai\"\nkey = \"secret:no-such-variable\"\n";
        let name = Config::parse(text).unwrap().providers.remove(0).key.unwrap().value;
        assert!(find(&home, &name).unwrap().is_none());
        let path = folder.path().join("secrets/no-such-variable");
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, "sk-1\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = find(&home, &name).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Refused, Some("readable-secret")));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(find(&home, &name).unwrap().unwrap().as_str(), "sk-1");
    }
}
