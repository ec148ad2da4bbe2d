//! A body in Anthropic's dialect: any bytes are a request or a refusal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_wire::anthropic;

fuzz_target!(|bytes: &[u8]| {
    let _ = anthropic::parse_messages(bytes);
    let _ = anthropic::parse_count(bytes);
});
