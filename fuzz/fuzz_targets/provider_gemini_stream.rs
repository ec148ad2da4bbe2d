//! A reply in Gemini's content: any bytes are events in their grammar, the same however they are cut.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../provider.rs"]
mod provider;

fuzz_target!(|bytes: &[u8]| provider::check(stack_wire::provider::Family::Gemini, bytes));
