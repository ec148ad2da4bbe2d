//! A spec of an adapter: any bytes are an adapter or one fault that says where.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_wire::provider::Adapter;

fuzz_target!(|bytes: &[u8]| match Adapter::parse(bytes) {
    Ok(adapter) => {
        assert!(adapter.version() > 0 && !adapter.provider().is_empty());
        assert!(adapter.examples().count() > 0, "without an example nothing shows that it is right");
    }
    Err(fault) => assert!(fault.pointer.is_empty() || fault.pointer.starts_with('/')),
});
