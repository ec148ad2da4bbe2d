//! Checkpoints from strangers, one or a file of them: any text is notes that are written as they were, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_audit::note::{Note, notes_in};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(note) = Note::parse(text) {
        // Base64 has one spelling, so the whole note has one.
        assert_eq!(note.to_string(), text);
        assert!(note.open(&[]).is_err());
    }
    for note in notes_in(text) {
        assert!(text.contains(note));
        let _ = Note::parse(note);
    }
});
