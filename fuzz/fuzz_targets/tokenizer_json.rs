//! A `tokenizer.json` from a stranger's model: any bytes are a tokenizer or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_engine::tokenizer::Tokenizer;

fuzz_target!(|bytes: &[u8]| {
    let _ = Tokenizer::from_json(bytes, None);
});
