//! What a signer says about a model: an in-toto Statement v1 with an OMS 1.0 predicate, and our own [`Claim`] in it.
//!
//! A statement lists files with their digests. OMS verifiers understand that part; the claim adds what they do not ask:
//! for which name, by whom, from when to when, at which tier, with which chat template. Both stand in one payload under
//! one signature. A payload is checked as it was received and then parsed from those same bytes, so there is no
//! canonical form to disagree about.

mod check;
mod claim;
mod error;
mod wire;

use sha2::{Digest as _, Sha256};

use crate::digest::{Algorithm, Digest, LeafList, Root};

pub use claim::{Claim, Parent, Relation, SealedFile, Tier};
pub use error::{StatementError, StatementErrorKind};

/// A statement that holds together: files sorted by name, each once, with plain relative names; bounds kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    model: String,
    files: Vec<SignedFile>,
    ignored: Vec<String>,
    claim: Option<Claim>,
    shape: Shape,
}

/// What other tools verify with a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A folder: a file goes by its path below it.
    Folder,
    /// A file by itself, which OMS calls `.`. The name that it was signed under stands beside that.
    File,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedFile {
    /// Its path below the model's folder, with `/` between the parts.
    pub name: String,
    /// Its SHA-256, which other tools check.
    pub sha256: [u8; 32],
    /// What this program checks; statements of other tools lack it.
    pub blake3: Option<Root>,
    /// Its length in bytes; statements of other tools lack it.
    pub size: Option<u64>,
    /// The values of its spans, with which a wrong byte is found where it is. They must merge to the root.
    pub leaves: Option<LeafList>,
}

impl Statement {
    /// Makes a statement. Files may come in any order.
    ///
    /// # Errors
    ///
    /// When there is no file, a name is not plain or stands twice, or the claim breaks a bound; and when there is a
    /// claim but a file without BLAKE3 root and size.
    pub fn new(
        model: String,
        mut files: Vec<SignedFile>,
        ignored: Vec<String>,
        claim: Option<Claim>,
    ) -> Result<Self, StatementError> {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let statement = Self { model, files, ignored, claim, shape: Shape::Folder };
        check::statement(&statement)?;
        Ok(statement)
    }

    /// Makes a statement about a file by itself, which other tools verify without a folder around it.
    ///
    /// # Errors
    ///
    /// Those of [`Statement::new`].
    pub fn about_file(model: String, file: SignedFile, claim: Claim) -> Result<Self, StatementError> {
        let statement = Self::new(model, vec![file], Vec::new(), Some(claim))?;
        Ok(Self { shape: Shape::File, ..statement })
    }

    /// Reads a payload whose signature was checked over these very bytes.
    ///
    /// # Errors
    ///
    /// Says what is wrong: duplicate and, in the claim, unknown fields; too many levels or bytes; a serialization that
    /// is not `files` with SHA-256; a root that the files do not have.
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        wire::parse(payload)
    }

    /// Writes the payload to sign.
    pub fn to_payload(&self) -> Vec<u8> {
        wire::write(self)
    }

    /// The name that the signer gave the model, for people.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The files, sorted by name.
    pub fn files(&self) -> &[SignedFile] {
        &self.files
    }

    /// Finds a file by name.
    pub fn file(&self, name: &str) -> Option<&SignedFile> {
        self.files.binary_search_by(|file| file.name.as_str().cmp(name)).ok().map(|index| &self.files[index])
    }

    /// Finds the file that a file of this name may be: it may have been renamed if it is the only one. Its digest
    /// decides.
    pub fn file_or_only(&self, name: &str) -> Option<&SignedFile> {
        self.file(name).or(match self.files() {
            [only] => Some(only),
            _ => None,
        })
    }

    /// Names in the model's folder that the signer left out.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// What the signer claims beyond the files; statements of other tools have none.
    pub fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// The digest of the whole model as OMS defines it: SHA-256 over the digests of the files, in order.
    pub fn root(&self) -> Digest {
        let mut hasher = Sha256::new();
        for file in &self.files {
            hasher.update(file.sha256);
        }
        Digest { algorithm: Algorithm::Sha256, bytes: hasher.finalize().into() }
    }
}

impl SignedFile {
    /// The SHA-256 as a [`Digest`].
    pub fn digest(&self) -> Digest {
        Digest { algorithm: Algorithm::Sha256, bytes: self.sha256 }
    }
}

/// No payload or bundle is longer.
pub const BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::digest::{SPAN, SpanTree};
    use crate::key::{KeyKind, SigningKey};

    /// A statement with everything that one can have.
    pub(crate) fn full() -> Statement {
        let file = |name: &str, byte| SignedFile {
            name: name.to_owned(),
            sha256: [byte; 32],
            blake3: Some(Root([byte + 1; 32])),
            size: Some(u64::from(byte) << 20),
            leaves: None,
        };
        let files = vec![file("tokenizer/vocab.json", 3), file("model.gguf", 1)];
        Statement::new("qwen3-4b".to_owned(), files, vec![".git".to_owned()], Some(full_claim())).unwrap()
    }

    fn full_claim() -> Claim {
        let signer = |byte| SigningKey::from_secret(KeyKind::Ed25519, &[byte; 32]).unwrap().public();
        let root = Digest { algorithm: Algorithm::Sha256, bytes: [7; 32] };
        Claim {
            name: "registry.lan/med/qwen3-4b:q4_k_m".to_owned(),
            serial: 1_790_000_000,
            issued: "2026-09-21T14:13:20Z".parse().unwrap(),
            expires: Some("2027-10-26T00:00:00Z".parse().unwrap()),
            signers: vec![signer(1), signer(2)],
            quorum: 2,
            tier: Tier::Private,
            format: "gguf".to_owned(),
            template: Some(Root([9; 32])),
            origin: Some("hf://owner/repo@abc".to_owned()),
            license: Some("Apache-2.0".to_owned()),
            recipe: Some("quantize q4_k_m".to_owned()),
            parents: vec![Parent { relation: Relation::Quantized, name: "qwen3-4b".to_owned(), root }],
            sealed: vec![SealedFile {
                name: "model.gguf".to_owned(),
                sha256: [5; 32],
                blake3: Root([6; 32]),
                size: 1 << 21,
                recipients: vec!["age1example".to_owned()],
            }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let statement = full();
        assert_eq!(Statement::parse(&statement.to_payload()), Ok(statement.clone()));
        assert_eq!(statement.files()[0].name, "model.gguf");
        assert_eq!(statement.file("tokenizer/vocab.json").unwrap().size, Some(3 << 20));
        assert_eq!(statement.file("model"), None);
        let bare = Statement::new("x".to_owned(), statement.files().to_vec(), Vec::new(), None).unwrap();
        assert_eq!(Statement::parse(&bare.to_payload()), Ok(bare));
    }

    #[test]
    fn the_claim_allows_no_other_field() {
        let text = String::from_utf8(full().to_payload()).unwrap();
        let kind = |text: &str| Statement::parse(text.as_bytes()).unwrap_err().kind();
        let cases = [
            (r#""quorum":2"#, r#""quorum":2,"quorun":2"#, StatementErrorKind::Malformed),
            (r#""quorum":2"#, r#""quorum":2,"quorum":2"#, StatementErrorKind::Duplicate),
            (r#""quorum":2"#, r#""quorum":0"#, StatementErrorKind::Malformed),
            (r#""quorum":2"#, r#""quorum":3"#, StatementErrorKind::Malformed),
            (r#""serial":1790000000"#, r#""serial":9007199254740992"#, StatementErrorKind::Malformed),
            (r#""tier":"private""#, r#""tier":"public""#, StatementErrorKind::Malformed),
            (r#""relation":"quantized""#, r#""relation":"stolen""#, StatementErrorKind::Malformed),
            ("2026-09-21T14:13:20Z", "2026-09-21T14:13:20+02:00", StatementErrorKind::Malformed),
            ("2026-09-21T14:13:20Z", "2028-09-21T14:13:20Z", StatementErrorKind::Malformed),
            (r#""method":"files""#, r#""method":"shards","shard_size":1"#, StatementErrorKind::Unsupported),
            (r#""hash_type":"sha256""#, r#""hash_type":"blake2b""#, StatementErrorKind::Unsupported),
            (r#""allow_symlinks":false"#, r#""allow_symlinks":true"#, StatementErrorKind::Unsupported),
            (r#""predicateType":"#, r#""predicateType":"x","predicateType":"#, StatementErrorKind::Duplicate),
            ("https://model_signing/signature/v1.0", "https://example.com/v1", StatementErrorKind::Predicate),
            (
                "https://in-toto.io/Statement/v1",
                "https://in-toto.io/Statement/v0.1",
                StatementErrorKind::Predicate,
            ),
            (r#""sha256":"#, r#""sha512":"#, StatementErrorKind::Malformed),
        ];
        for (old, new, expected) in cases {
            assert!(text.contains(old), "{old}");
            assert_eq!(kind(&text.replacen(old, new, 1)), expected, "{new}");
        }
        assert_eq!(kind(&format!("{text}{text}")), StatementErrorKind::Malformed);
        assert_eq!(kind(&format!("\u{feff}{text}")), StatementErrorKind::Malformed);
    }

    #[test]
    fn names_are_plain_relative_paths() {
        let file = full().files()[0].clone();
        let with = |names: &[&str]| {
            let files = names.iter().map(|name| SignedFile { name: (*name).to_owned(), ..file.clone() });
            Statement::new("m".to_owned(), files.collect(), Vec::new(), Some(plain_claim()))
        };
        for name in ["a", "a/b", "a.b", "..a", "Ünï/ç.gguf", "a b"] {
            assert!(with(&[name]).is_ok(), "{name}");
        }
        for name in ["", ".", "..", "/a", "a/", "a//b", "a/./b", "a/../b", "a\\b", "C:x", "a\0b", "a\nb"] {
            assert!(with(&[name]).is_err(), "{name:?}");
        }
        assert!(with(&[]).is_err());
        assert!(with(&["a", "b", "a"]).is_err());
        assert!(with(&[&"a".repeat(2000)]).is_err());
    }

    #[test]
    fn only_old_foreign_statements_have_a_single_nameless_file() {
        let dot = SignedFile { name: ".".to_owned(), blake3: None, size: None, ..full().files()[0].clone() };
        let foreign = Statement::new("signme".to_owned(), vec![dot.clone()], Vec::new(), None);
        assert!(foreign.is_ok());
        assert!(Statement::new("m".to_owned(), vec![dot], Vec::new(), Some(plain_claim())).is_err());
    }

    #[test]
    fn a_file_by_itself_keeps_its_name_beside_the_one_that_others_know() {
        let file = full().files()[0].clone();
        let statement = Statement::about_file("m".to_owned(), file.clone(), plain_claim()).unwrap();
        let text = String::from_utf8(statement.to_payload()).unwrap();
        assert!(text.contains(r#"{"name":".","#), "{text}");
        let read = Statement::parse(text.as_bytes()).unwrap();
        assert_eq!(read, statement);
        assert_eq!(read.file(&file.name), Some(&file));
        let name = format!(r#""name":"{}""#, file.name);
        for (old, new) in [
            // A claim is about a file with a name, which is a plain one, and no other.
            (name.as_str(), r#""other":1"#),
            (name.as_str(), r#""name":".""#),
            (name.as_str(), r#""name":"../m.gguf""#),
            (r#"{"name":".","#, r#"{"name":"x.gguf","#),
        ] {
            assert!(text.contains(old), "{old}");
            assert!(Statement::parse(text.replacen(old, new, 1).as_bytes()).is_err(), "{new}");
        }
        let of_folder = Statement::new("m".to_owned(), vec![file], Vec::new(), Some(plain_claim())).unwrap();
        assert_eq!(Statement::parse(&of_folder.to_payload()).unwrap(), of_folder);
        assert_ne!(of_folder, read);
    }

    #[test]
    fn leaves_are_those_of_the_root_or_refused() {
        let bytes = vec![7; 3 * SPAN + 1];
        let tree = SpanTree::new(bytes.len() as u64).unwrap();
        let values = bytes.chunks(SPAN).enumerate().map(|(i, span)| tree.span_value(i, span)).collect();
        let file = SignedFile {
            blake3: Some(Root::of(&bytes)),
            size: Some(bytes.len() as u64),
            leaves: LeafList::new(tree, values),
            ..full().files()[0].clone()
        };
        let make = |file| Statement::new("m".to_owned(), vec![file], Vec::new(), Some(plain_claim()));
        let statement = make(file.clone()).unwrap();
        assert_eq!(Statement::parse(&statement.to_payload()), Ok(statement));
        assert!(make(SignedFile { blake3: Some(Root([0; 32])), ..file.clone() }).is_err());
        assert!(make(SignedFile { size: Some(3 * SPAN as u64), ..file }).is_err());
    }

    #[test]
    fn the_order_and_the_root_are_checked() {
        let text = String::from_utf8(full().to_payload()).unwrap();
        let swapped = text.replace("model.gguf", "zmodel.gguf");
        assert_eq!(Statement::parse(swapped.as_bytes()).unwrap_err().kind(), StatementErrorKind::Malformed);
        let other = text.replacen(&full().root().hex(), &"0".repeat(64), 1);
        assert_eq!(Statement::parse(other.as_bytes()).unwrap_err().kind(), StatementErrorKind::Malformed);
    }

    fn plain_claim() -> Claim {
        Claim { sealed: Vec::new(), ..full_claim() }
    }
}
