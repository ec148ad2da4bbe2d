//! A chat template from a stranger's model: it renders within its bounds, or is an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_engine::template::ChatTemplate;

fuzz_target!(|source: &str| {
    let _ = ChatTemplate::compile(source);
});
