//! Names and references: any text is one or an error, and what is one is written and read the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_registry::name::{Name, Reference};

fuzz_target!(|text: &str| {
    if let Ok(name) = Name::parse(text) {
        assert_eq!(Name::parse(&name.to_string()), Ok(name.clone()));
        assert_eq!(Name::parse(&name.short()), Ok(name));
    }
    let _ = Reference::parse(text);
    let _ = Name::from_upstream(&[text], Some(text));
});
