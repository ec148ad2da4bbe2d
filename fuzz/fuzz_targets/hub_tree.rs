//! A page of a hub's list of files: any bytes are files with safe paths, or a refusal. Whatever was listed, a choice
//! can be tried on it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_registry::hub::{FileSelector, Glob, choose, listed_sum, may_list, parse_tree};

fuzz_target!(|bytes: &[u8]| {
    let Ok(files) = parse_tree(bytes) else { return };
    let _ = choose(&files, &FileSelector::Default);
    let text = String::from_utf8_lossy(bytes);
    for file in &files {
        for sums in files.iter().filter(|sums| may_list(sums, &file.path)).take(4) {
            let _ = listed_sum(&text, &sums.path, &file.path);
        }
        let _ = choose(&files, &FileSelector::File(file.path.to_string()));
        let _ = Glob::new(file.path.as_str()).matches(file.path.as_str());
    }
});
