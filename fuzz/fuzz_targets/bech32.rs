//! Keys as text: any text is bech32 or refused, and what is read is written back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_seal::age::bech32;

fuzz_target!(|text: &str| {
    if let Some((prefix, bytes)) = bech32::decode(text) {
        assert_eq!(bech32::encode(&prefix, &bytes), text.to_ascii_lowercase());
    }
});
