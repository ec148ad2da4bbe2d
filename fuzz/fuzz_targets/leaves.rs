//! The leaf list: any bytes, for any length, are a list or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_seal::digest::{LeafList, SpanTree};

fuzz_target!(|input: (u64, &[u8])| {
    let (length, bytes) = input;
    let Ok(tree) = SpanTree::new(length) else { return };
    if let Ok(list) = LeafList::parse(bytes, tree) {
        assert_eq!(list.to_bytes(), bytes);
        let _ = list.root();
    }
});
