//! Files without names.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

/// Makes a file with this content.
pub(crate) fn holding(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Reads a whole file.
pub(crate) fn content(mut file: &File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Makes bytes that repeat nowhere near.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// Makes a source of bytes that differ from call to call and from seed to seed, and are the same in every run.
pub(crate) fn random(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut output = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    move |bytes| output.fill(bytes)
}
