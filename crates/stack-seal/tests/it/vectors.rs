//! Reads vector files.

use std::fs;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Parses a vector file, or says that the test is skipped.
pub(crate) fn read<T: DeserializeOwned>(name: &str) -> Option<T> {
    let path = stack_testkit::reference_data("vectors")?.join(name);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_slice(&bytes).unwrap())
}

/// Reads hexadecimal digits.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Wycheproof's frame around groups of tests.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wycheproof<G> {
    pub(crate) test_groups: Vec<G>,
}
