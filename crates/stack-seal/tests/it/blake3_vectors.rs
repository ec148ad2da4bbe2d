//! BLAKE3's own vectors, and those of bao for roots and corruptions, against our tree.

use serde::Deserialize;
use stack_seal::digest::{Root, SpanTree};

use crate::vectors::{self, hex};

#[derive(Deserialize)]
struct Blake3 {
    key: String,
    context_string: String,
    cases: Vec<Blake3Case>,
}

#[derive(Deserialize)]
struct Blake3Case {
    input_len: usize,
    hash: String,
    keyed_hash: String,
    derive_key: String,
}

#[test]
fn hash_keyed_hash_and_derived_key() {
    let Some(vectors) = vectors::read::<Blake3>("blake3/test_vectors.json") else { return };
    assert_eq!(vectors.cases.len(), 35);
    let key: [u8; 32] = vectors.key.as_bytes().try_into().unwrap();
    for case in &vectors.cases {
        let input: Vec<u8> = (0..case.input_len).map(|i| (i % 251) as u8).collect();
        let extended = |mut hasher: blake3::Hasher, expected: &str| {
            let expected = hex(expected);
            let mut output = vec![0; expected.len()];
            hasher.update(&input).finalize_xof().fill(&mut output);
            assert_eq!(output, expected, "{} bytes", case.input_len);
        };
        extended(blake3::Hasher::new(), &case.hash);
        extended(blake3::Hasher::new_keyed(&key), &case.keyed_hash);
        extended(blake3::Hasher::new_derive_key(&vectors.context_string), &case.derive_key);
        assert_eq!(root_by_spans(&input).0.as_slice(), &hex(&case.hash)[..32]);
    }
}

#[derive(Deserialize)]
struct Bao {
    hash: Vec<BaoCase>,
    encode: Vec<BaoCase>,
    outboard: Vec<BaoCase>,
}

#[derive(Deserialize)]
struct BaoCase {
    input_len: usize,
    bao_hash: String,
    #[serde(default)]
    input_corruptions: Vec<usize>,
}

#[test]
fn the_roots_of_bao_are_ours_and_corruptions_are_not() {
    let Some(vectors) = vectors::read::<Bao>("bao/test_vectors.json") else { return };
    let cases: Vec<&BaoCase> = vectors.hash.iter().chain(&vectors.encode).chain(&vectors.outboard).collect();
    assert_eq!(cases.len(), 39);
    let mut corruptions = 0;
    for case in cases {
        let mut input: Vec<u8> = (1u32..).flat_map(u32::to_le_bytes).take(case.input_len).collect();
        let expected = Root(hex(&case.bao_hash).try_into().unwrap());
        assert_eq!(root_by_spans(&input), expected, "{} bytes", case.input_len);
        for &at in &case.input_corruptions {
            input[at] ^= 1;
            assert_ne!(root_by_spans(&input), expected, "byte {at} of {}", case.input_len);
            input[at] ^= 1;
            corruptions += 1;
        }
    }
    assert!(corruptions > 20, "{corruptions}");
}

fn root_by_spans(input: &[u8]) -> Root {
    let tree = SpanTree::new(input.len() as u64).unwrap();
    let values: Vec<[u8; 32]> = (0..tree.spans())
        .map(|index| {
            let range = tree.range(index);
            tree.span_value(index, &input[range.start as usize..range.end as usize])
        })
        .collect();
    tree.root(&values)
}
