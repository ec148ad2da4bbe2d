//! The one kind of `ustar` header that a package has.
//!
//! A header is a function of a path and a length: no times, no owners, no links. Reading is therefore writing it again
//! and comparing, which leaves nothing to parse and nothing to smuggle.

/// Bytes of a header, and what members are padded to.
pub(super) const BLOCK: usize = 512;

/// Writes the header of a regular file. The path is at most 100 bytes of ASCII.
pub(super) fn header(path: &str, size: u64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[100..108].copy_from_slice(b"0000444\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[SIZE].copy_from_slice(&size_field(size));
    header[136..148].copy_from_slice(b"00000000000\0");
    header[TYPE] = REGULAR;
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[329..337].copy_from_slice(b"0000000\0");
    header[337..345].copy_from_slice(b"0000000\0");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Reads the length from the header of a file whose path is known and whose length is not.
pub(super) fn size(header: &[u8; BLOCK], path: &str) -> Option<u64> {
    let field = &header[SIZE];
    let size = match field.strip_prefix(&[BINARY]) {
        Some(bytes) => bytes
            .iter()
            .try_fold(0u64, |size, &byte| size.checked_mul(256).map(|size| size | u64::from(byte)))?,
        None => u64::from_str_radix(std::str::from_utf8(&field[..11]).ok()?, 8).ok()?,
    };
    (*header == self::header(path, size)).then_some(size)
}

/// Says how a header differs from what the list announced.
pub(super) fn difference(found: &[u8; BLOCK], expected: &[u8; BLOCK]) -> &'static str {
    if found == &[0; BLOCK] {
        return "the archive ends before it";
    }
    if found[..100] != expected[..100] {
        return "another file stands in its place";
    }
    match found[TYPE] {
        REGULAR => {}
        b'1' | b'2' => return "it is a link",
        b'3' | b'4' | b'6' => return "it is a device or a pipe",
        b'5' => return "it is a folder",
        b'x' | b'g' => return "it has an extended header",
        b'S' | b'L' | b'K' => return "it is sparse or has a long name",
        _ => return "it is not a regular file",
    }
    if found[SIZE] != expected[SIZE] {
        return "it has another length than the list says";
    }
    "its header is not the one that a package has"
}

/// How many bytes of padding follow a member.
pub(super) fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64) - size
}

/// Eleven octal digits, or GNU's binary form beyond 8 GiB, which `tar` reads everywhere.
fn size_field(size: u64) -> [u8; 12] {
    let mut field = [0; 12];
    if size < 1 << 33 {
        field[..11].copy_from_slice(format!("{size:011o}").as_bytes());
    } else {
        field[0] = BINARY;
        field[4..].copy_from_slice(&size.to_be_bytes());
    }
    field
}

const SIZE: std::ops::Range<usize> = 124..136;
const TYPE: usize = 156;
const REGULAR: u8 = b'0';
const BINARY: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_return_from_their_headers() {
        for length in [0, 1, 511, (1 << 33) - 1, 1 << 33, (1 << 53) - 1] {
            assert_eq!(size(&header("stackpkg.json", length), "stackpkg.json"), Some(length));
        }
        assert_eq!(size(&header("other", 1), "stackpkg.json"), None);
        let mut odd = header("stackpkg.json", 8);
        odd[124..136].copy_from_slice(b"+0000000010\0");
        assert_eq!(size(&odd, "stackpkg.json"), None);
    }

    #[test]
    fn a_header_is_as_posix_says() {
        let header = header("oci-layout", 30);
        assert_eq!(&header[..11], b"oci-layout\0");
        assert_eq!(&header[124..136], b"00000000036\0");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum::<u32>()
            - header[148..156].iter().map(|&byte| u32::from(byte)).sum::<u32>()
            + 8 * u32::from(b' ');
        assert_eq!(&header[148..156], format!("{sum:06o}\0 ").as_bytes());
        // The vector of docs/formats/package.md, which another program made.
        let vector = "865843c50ba418a4596ae3a8b23dd6b46078f44131acecac58776c1b51f4e082";
        assert_eq!(crate::manifest::Descriptor::of("", &header).digest.hex(), vector);
    }
}
