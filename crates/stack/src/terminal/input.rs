//! What comes in from files and pipes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::{CommandError, Kind};

/// Reads a UTF-8 file; `-` is stdin.
pub(crate) fn text(path: &Path) -> Result<String, CommandError> {
    if path == Path::new("-") {
        return stdin();
    }
    file(path, BYTES_MAX, TOO_LONG)
}

/// Reads stdin to its end.
pub(crate) fn stdin() -> Result<String, CommandError> {
    read(io::stdin().lock(), "the standard input", BYTES_MAX, TOO_LONG)
}

/// Reads a UTF-8 file of at most so many bytes, whatever length it claims: a pipe and a device have none. `way_out` is the
/// hint for one that has more.
pub(crate) fn file(path: &Path, bytes_max: u64, way_out: &str) -> Result<String, CommandError> {
    let file = File::open(path).map_err(|error| CommandError::reading(path.display(), error))?;
    read(file, &path.display().to_string(), bytes_max, way_out)
}

fn read(reader: impl Read, name: &str, bytes_max: u64, way_out: &str) -> Result<String, CommandError> {
    let mut bytes = Vec::new();
    reader.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|error| CommandError::reading(name, error))?;
    if bytes.len() as u64 > bytes_max {
        let message = format!("{name} is larger than {bytes_max} bytes");
        return Err(CommandError::new(Kind::Limit, message).hint(way_out));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CommandError::new(Kind::Malformed, format!("{name} is not UTF-8 at byte {at}"))
            .hint("convert it to UTF-8, for example with iconv")
    })
}

/// No prompt or conversation is longer.
const BYTES_MAX: u64 = 16 << 20;
const TOO_LONG: &str = "split it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_says_where() {
        let error = read(&b"ab\xFFc"[..], "x", 4, "").unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
        assert!(error.to_string().contains("x is not UTF-8 at byte 2"));
    }

    #[test]
    fn endless_input_is_refused() {
        assert_eq!(read(&b"aaaa"[..], "x", 4, "").unwrap(), "aaaa");
        assert_eq!(read(io::repeat(b'a'), "x", 4, "").unwrap_err().kind(), Kind::Limit);
    }
}
