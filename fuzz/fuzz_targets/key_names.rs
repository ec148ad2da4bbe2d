//! What people write for keys and models: lists of recipients, files of `age-keygen`, names of identities, parents and
//! patterns. None leads out of its folder, and none takes forever.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use stack_trust::identity::{IdentityPaths, parse_age_keys};
use stack_trust::policy::Pattern;
use stack_trust::recipients::RecipientList;
use stack_trust::statement::ParentReference;

fuzz_target!(|bytes: &[u8]| {
    let _ = parse_age_keys(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut list = RecipientList::default();
    if list.add_lines("list", text).is_ok() {
        assert!(list.into_vec().len() <= text.lines().count());
    }
    if let Ok(paths) = IdentityPaths::new(Path::new("keys"), text) {
        assert_eq!(paths.key.parent(), Some(Path::new("keys")));
        assert_eq!(paths.public.parent(), Some(Path::new("keys")));
    }
    let _ = ParentReference::parse(text);
    if let Ok(pattern) = text.parse::<Pattern>() {
        let _ = pattern.matches(&"a/".repeat(200));
        assert!(text.contains('*') || pattern.matches(text));
    }
});
