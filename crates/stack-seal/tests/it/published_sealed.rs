//! The vectors that we publish for other implementations; `docs/formats/sealed.md` says what they are.

use stack_seal::age::{self, Identity, Passphrase};
use stack_seal::digest::{LeafList, Root, SPAN, SpanTree};
use stack_seal::keyfile::{IdentityFile, PublicFile};
use zeroize::Zeroizing;

const PLAIN_IDENTITY: &[u8] = include_bytes!("../../../../tests/vectors/seal/identity.txt");
const SEALED_IDENTITY: &[u8] = include_bytes!("../../../../tests/vectors/seal/identity.age");
const PUBLIC: &str = include_str!("../../../../tests/vectors/seal/identity.pub");
const SEALED: &[u8] = include_bytes!("../../../../tests/vectors/seal/counted.age");
const LEAVES: &[u8] = include_bytes!("../../../../tests/vectors/seal/counted.b3leaves");
const ROOT: &str = include_str!("../../../../tests/vectors/seal/counted.root");

/// The content of the vectors: bytes that count to 250 and begin again.
fn counted(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[test]
fn the_identity_opens_with_its_passphrase() {
    let passphrase = Passphrase::new(Zeroizing::new("correct horse battery staple".to_owned()));
    let identity = IdentityFile::open(SEALED_IDENTITY, Some(&passphrase)).unwrap();
    assert_eq!(identity.to_plain().as_bytes(), PLAIN_IDENTITY);
    assert_eq!(identity.public().to_string(), PUBLIC);
    assert_eq!(PublicFile::parse(PUBLIC.as_bytes()).unwrap(), identity.public());
}

#[test]
fn the_sealed_file_opens_with_the_identity() {
    let identity = IdentityFile::open(PLAIN_IDENTITY, None).unwrap().into_opening();
    let plain = age::open_bytes(SEALED, &[Identity::X25519(identity)]).unwrap();
    assert!(*plain == counted(65_537));
}

#[test]
fn the_leaf_list_merges_to_the_root() {
    let content = counted(2 * SPAN + 1);
    let leaves = LeafList::parse(LEAVES, SpanTree::new(content.len() as u64).unwrap()).unwrap();
    assert_eq!(leaves.root(), Root::of(&content));
    assert_eq!(ROOT, format!("{}\n", leaves.root()));
}
