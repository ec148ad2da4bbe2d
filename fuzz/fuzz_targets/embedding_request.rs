//! The body of a request for vectors or a ranking, in every dialect: any bytes are a request or a refusal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_wire::{llama_server, native, ollama, openai, rerank};

fuzz_target!(|bytes: &[u8]| {
    let _ = openai::parse_embedding(bytes);
    let _ = ollama::parse_embed(bytes);
    let _ = ollama::parse_embedding(bytes);
    let _ = native::parse_embed(bytes);
    let _ = llama_server::parse_embedding(bytes);
    let _ = rerank::parse_rerank(bytes);
});
