//! The armor of an age file: any text is an armored file or an error, and a file has one armor.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_seal::age::armor;

fuzz_target!(|text: &[u8]| {
    if let Ok(bytes) = armor::decode(text) {
        let lines = |text: &[u8]| {
            text.trim_ascii().split(|&b| b == b'\n').map(|l| l.trim_ascii().to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(lines(armor::encode(&bytes).as_bytes()), lines(text));
    }
});
