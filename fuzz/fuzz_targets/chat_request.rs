//! The body of a conversation to answer, in every dialect: any bytes are a request or a refusal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_wire::{anthropic, ollama, openai, responses};

fuzz_target!(|bytes: &[u8]| {
    let _ = openai::parse_chat(bytes);
    let _ = responses::parse_response(bytes);
    let _ = responses::parse_count(bytes);
    let _ = anthropic::parse_messages(bytes);
    let _ = anthropic::parse_count(bytes);
    let _ = ollama::parse_chat(bytes);
});
