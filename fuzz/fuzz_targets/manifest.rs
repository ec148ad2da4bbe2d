//! Manifests: any bytes are one or an error, and what is one can be asked everything.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_registry::manifest::Manifest;

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    assert_eq!(Manifest::parse(&manifest.to_bytes()).ok().as_ref(), Some(&manifest));
    let _ = manifest.total_bytes();
    for needed in manifest.needs() {
        let _ = (needed.file_path(), needed.blake3(), needed.role());
    }
});
