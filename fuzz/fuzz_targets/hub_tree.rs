//! A page of a hub's list of files: any bytes are files with safe paths, or a refusal. Whatever was listed, a choice
//! can be tried on it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_registry::hub::{Glob, Wanted, choose, parse_tree};

fuzz_target!(|bytes: &[u8]| {
    let Ok(files) = parse_tree(bytes) else { return };
    let _ = choose(&files, &Wanted::Default);
    for file in &files {
        let _ = choose(&files, &Wanted::File(file.path.to_string()));
        let _ = Glob::new(file.path.as_str()).matches(file.path.as_str());
    }
});
