//! A signature bundle from a stranger: any bytes are a bundle that returns as it was written, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_seal::bundle::Bundle;
use stack_seal::revocation::Revocation;
use stack_seal::statement::Statement;

fuzz_target!(|bytes: &[u8]| {
    let Ok(bundle) = Bundle::parse(bytes) else { return };
    assert_eq!(Bundle::parse(&bundle.to_json()).as_ref(), Ok(&bundle));
    let _ = bundle.open::<Statement>(&[]);
    let _ = bundle.open::<Revocation>(&[]);
});
