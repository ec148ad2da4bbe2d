//! The header of a GGUF file: any bytes are a header or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_engine::weights::gguf;

fuzz_target!(|bytes: &[u8]| {
    let _ = gguf::parse(bytes);
});
