//! The body of a chat completion: any bytes are a request or a refusal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_wire::openai;

fuzz_target!(|bytes: &[u8]| {
    let _ = openai::parse_chat(bytes);
});
