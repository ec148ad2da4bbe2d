//! A body in the program's own dialect: any bytes are a request or a refusal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_wire::native;

fuzz_target!(|bytes: &[u8]| {
    let _ = native::parse_chat(bytes);
});
