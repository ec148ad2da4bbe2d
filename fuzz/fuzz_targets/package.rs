//! Packages: any bytes are one or an error, and nothing of them is written before their list holds together.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_registry::package::{Import, PackageList};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = PackageList::parse(bytes) {
        assert_eq!(PackageList::parse(&list.to_bytes()).ok(), Some(list));
    }
    if let Ok(import) = Import::open(&bytes) {
        let _ = import.models().count();
    }
});
