//! The bytes of an entry, and canonical JSON: any bytes are an entry that is written as it was, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_audit::Entry;
use stack_audit::payload::{canonical, parse_canonical};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode(), bytes);
    }
    if let Ok(value) = parse_canonical(bytes) {
        assert_eq!(canonical(&value).as_deref(), Ok(bytes));
    }
});
