//! A `tokenizer.json` from a stranger's model: any bytes are a tokenizer or an error, and a tokenizer takes any text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_engine::tokenizer::{Control, Specials, Tokenizer};

fuzz_target!(|bytes: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_json(bytes, None) else { return };
    let ids = tokenizer.encode("Once upon a time, 1 234 héros 🐶 </s>\n", Control::Parsed, Specials::Add);
    let _ = tokenizer.decode(&ids);
});
