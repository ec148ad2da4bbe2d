//! A body of a route that only llama-server has: any bytes are a request or a refusal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_wire::llama_server;

fuzz_target!(|bytes: &[u8]| {
    let _ = llama_server::parse_completion(bytes);
    let _ = llama_server::parse_infill(bytes);
    let _ = llama_server::parse_tokenize(bytes);
    let _ = llama_server::parse_detokenize(bytes);
});
