//! Names and references: any text is one or an error, and what is one is written and read the same again.

#![no_main]

use std::ffi::OsStr;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use stack_registry::choice::{ModelList, NoModel, Spelling, choose};
use stack_registry::file_name::{Shard, without_extension};
use stack_registry::name::{Name, Reference};

fuzz_target!(|text: &str| {
    if let Ok(name) = Name::parse(text) {
        assert_eq!(Name::parse(&name.to_string()), Ok(name.clone()));
        assert_eq!(Name::parse(&name.short()), Ok(name));
    }
    let _ = Reference::parse(text);
    let nothing = ModelList::new(Vec::new(), &|_: &Path| false);
    match choose(Spelling::of(OsStr::new(text)), &nothing) {
        // Where there is nothing, only what is spelled like one is a path.
        Ok(_) | Err(NoModel::Empty | NoModel::Text(_) | NoModel::Missing { .. } | NoModel::BadAddress(_)) => {}
        Err(NoModel::NotPulled { near, .. }) => assert!(near.is_empty()),
        Err(NoModel::Several { .. }) => panic!("nothing is several"),
    }
    let stem = without_extension(text, ".gguf");
    if let Some(shard) = Shard::parse(stem) {
        assert!(shard.stems().any(|other| other == stem) && shard.stems().count() <= 1000);
    }
    let _ = Name::from_upstream(&[text], Some(text));
});
