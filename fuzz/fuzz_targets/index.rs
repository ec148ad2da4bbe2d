//! The index of a store: any bytes are one or an error, and what is one survives being changed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_registry::manifest::Index;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut index) = Index::parse(bytes) else { return };
    assert_eq!(Index::parse(&index.to_bytes()).ok().as_ref(), Some(&index));
    let names: Vec<_> = index.named().map(|(name, _)| name).collect();
    for name in names {
        assert!(index.find(&name).is_some());
        index.unbind(&name);
        assert!(index.find(&name).is_none());
    }
});
