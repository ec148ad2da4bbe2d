//! A look at files of weights before anything gets a name: an error page, a pointer and half a file are no model.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use stack_engine::weights::GgufFile;

/// Says why a file cannot be the weights that its name in the model says. The header is read and held against the
/// length of the file.
pub(crate) fn check(name: &str, at: &Path) -> Result<(), String> {
    let ending = Path::new(name).extension().map(OsStr::to_ascii_lowercase);
    match ending.as_ref().and_then(|ending| ending.to_str()) {
        Some("gguf") => GgufFile::check_part(at).map_err(|error| error.problem),
        Some("safetensors") => check_safetensors(at),
        _ => Ok(()),
    }
}

/// SafeTensors files begin with the length of a JSON header, which lies within the file.
fn check_safetensors(at: &Path) -> Result<(), String> {
    let read = || -> std::io::Result<(u64, [u8; 9])> {
        let file = File::open(at)?;
        let mut start = [0; 9];
        file.read_exact_at(&mut start, 0)?;
        Ok((file.metadata()?.len(), start))
    };
    let (length, start) = read().map_err(|error| format!("cannot be read as SafeTensors: {error}"))?;
    let header = u64::from_le_bytes(start[..8].try_into().expect("eight bytes"));
    if start[8] != b'{' {
        return Err("is not SafeTensors: it has no header of JSON".to_owned());
    }
    if header > length - 8 {
        return Err(format!(
            "has a header of {header} bytes in a file of {length}: it is truncated or damaged"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_no_model_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("blob");
        let checked = |name: &str, bytes: &[u8]| {
            fs::write(&at, bytes).unwrap();
            check(name, &at)
        };
        assert!(checked("m.gguf", b"<!DOCTYPE html><html></html>").is_err());
        assert!(checked("M.GGUF", b"\x1f\x8b\x08\x00\x00").is_err());
        assert!(checked("m.gguf", b"").is_err() && checked("m.safetensors", b"").is_err());
        assert!(checked("m.safetensors", b"\x09\x00\x00\x00\x00\x00\x00\x00{").is_err());
        assert!(checked("m.safetensors", b"\x02\x00\x00\x00\x00\x00\x00\x00{}").is_ok());
        assert!(checked("config.json", b"{}").is_ok());
    }
}
