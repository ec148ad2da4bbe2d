//! A body in OpenAI's dialect of responses: any bytes are a request or a refusal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_wire::responses;

fuzz_target!(|bytes: &[u8]| {
    let _ = responses::parse_response(bytes, None);
    let _ = responses::parse_count(bytes, None);
});
