//! The header of an age file: any bytes are a header or an error, and a header has one text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_seal::age::Header;

fuzz_target!(|bytes: &[u8]| {
    if let Ok((header, len)) = Header::parse(bytes) {
        assert_eq!(header.to_bytes(), bytes[..len]);
    }
});
