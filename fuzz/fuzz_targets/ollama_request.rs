//! A body in Ollama's dialect: any bytes are a request or a refusal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_wire::ollama;

fuzz_target!(|bytes: &[u8]| {
    let _ = ollama::parse_chat(bytes);
    let _ = ollama::parse_generate(bytes);
    let _ = ollama::parse_show(bytes);
});
