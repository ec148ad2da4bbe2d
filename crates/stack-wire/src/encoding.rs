//! Bodies that are no plain JSON text, told by how they begin.
//!
//! A JSON parser says of all of them "expected value at line 1 column 1", which helps nobody.

use stack_chat::{Failure, FailureKind};

/// Checks that a body begins like JSON in UTF-8.
///
/// # Errors
///
/// Names what it is instead, and what to send.
pub(crate) fn check(body: &[u8]) -> Result<(), Failure> {
    let problem = match body {
        [0xef, 0xbb, 0xbf, ..] => {
            "begins with a byte order mark (BOM, U+FEFF); send JSON in UTF-8 without it"
        }
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            "is UTF-32 with a byte order mark (BOM); send JSON in UTF-8"
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "is UTF-16 with a byte order mark (BOM); send JSON in UTF-8",
        [b'{', 0, ..] | [0, b'{', ..] => "is UTF-16; send JSON in UTF-8",
        [0x1f, 0x8b, ..] => "is compressed with gzip; send it uncompressed",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "is compressed with zstd; send it uncompressed",
        [b'\'', ..] => {
            "begins with a single quote, which belongs to another shell; \
             on Windows, put the JSON in a file and send it with `curl -d @FILE`"
        }
        _ if body.iter().all(u8::is_ascii_whitespace) => "is empty; send a JSON object",
        _ => return Ok(()),
    };
    Err(Failure::new(FailureKind::InvalidRequest, format!("the body {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_in_utf_8_is_named() {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        for (body, word) in [
            (b"\xef\xbb\xbf{}".to_vec(), "byte order mark"),
            (utf16("\u{feff}{}"), "UTF-16 with a byte order mark"),
            (b"\xfe\xff\0{\0}".to_vec(), "UTF-16 with a byte order mark"),
            (b"\xff\xfe\0\0{\0\0\0".to_vec(), "UTF-32"),
            (utf16("{}"), "UTF-16"),
            (b"\0{\0}".to_vec(), "UTF-16"),
            (b"\x1f\x8b\x08\0".to_vec(), "gzip"),
            (b"\x28\xb5\x2f\xfd".to_vec(), "zstd"),
            (b"'{}'".to_vec(), "single quote"),
            (b"".to_vec(), "empty"),
            (b" \r\n".to_vec(), "empty"),
        ] {
            let error = check(&body).unwrap_err();
            assert!(
                error.kind == FailureKind::InvalidRequest && error.message.contains(word),
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn plain_json_passes() {
        for body in [&b"{}"[..], b" {\"a\": \"\\ufeff\"}", "{\"a\": \"\u{feff}\"}".as_bytes(), b"[", b"n"] {
            assert!(check(body).is_ok(), "{body:?}");
        }
    }
}
