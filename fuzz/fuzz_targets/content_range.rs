//! The header `Content-Range`: any text is a range that is not empty and lies within its total, or nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_registry::scheduler::ContentRange;

fuzz_target!(|text: &str| {
    if let Some(parsed) = ContentRange::parse(text) {
        assert!(parsed.range.start < parsed.range.end);
        assert!(parsed.total.is_none_or(|total| parsed.range.end <= total));
    }
});
