//! What a machine writes down: rollback marks and records of what was sealed. Any bytes are one that returns as it was
//! written, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_trust::policy::RollbackMarks;
use stack_trust::sealed::SealRecord;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(marks) = RollbackMarks::parse(bytes) {
        assert_eq!(RollbackMarks::parse(&marks.to_json()).as_ref(), Ok(&marks));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(record) = SealRecord::parse(text) {
        assert_eq!(SealRecord::parse(&record.to_json()), Some(record));
    }
});
