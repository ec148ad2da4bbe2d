//! A revocation from a stranger: any bytes are one that returns as it was written, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_seal::revocation::Revocation;

fuzz_target!(|bytes: &[u8]| {
    let Ok(revocation) = Revocation::parse(bytes) else { return };
    assert_eq!(Revocation::parse(&revocation.to_payload()).as_ref(), Ok(&revocation));
});
