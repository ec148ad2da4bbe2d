//! The payload of a signature: any bytes are a statement that returns as it was written, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_seal::statement::Statement;

fuzz_target!(|bytes: &[u8]| {
    let Ok(statement) = Statement::parse(bytes) else { return };
    assert_eq!(Statement::parse(&statement.to_payload()).as_ref(), Ok(&statement));
});
