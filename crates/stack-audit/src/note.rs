//! Checkpoints: the size and the root of a log, signed, as C2SP's `tlog-checkpoint` and `signed-note` have them.

use std::error::Error;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stack_seal::key::{KeyKind, PublicKey, SigningKey};

use crate::hash::{Hash, sha256};
use crate::identity::LogId;

/// What a log was at one time: how many entries, under which root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub log: LogId,
    /// The number of entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// Returns the text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", origin(self.log), self.size, STANDARD.encode(self.root))
    }

    /// Signs it with one key, or with the old and the new one where the key is changed.
    ///
    /// # Panics
    ///
    /// When a key is not one of Ed25519: a log has no others.
    pub fn sign(&self, keys: &[&SigningKey]) -> String {
        let text = self.text();
        let name = origin(self.log);
        let signatures = keys.iter().map(|key| {
            assert!(key.kind() == KeyKind::Ed25519, "checkpoints are signed with Ed25519");
            let signature = [&key_id(&name, &key.public())[..], &key.sign(text.as_bytes())].concat();
            format!("— {name} {}\n", STANDARD.encode(signature))
        });
        let signatures: String = signatures.collect();
        format!("{text}\n{signatures}")
    }
}

/// A checkpoint with its signatures, as it was found. Whether they hold says [`Note::open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    checkpoint: Checkpoint,
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    name: String,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

impl Note {
    /// Reads a note. There is one spelling of each checkpoint.
    ///
    /// # Errors
    ///
    /// When the text is no signed checkpoint of a log of ours.
    pub fn parse(text: &str) -> Result<Self, BadNote> {
        if text.len() > NOTE_MAX || text.contains(|c: char| c.is_control() && c != '\n') {
            return Err(BadNote::Form);
        }
        // The last empty line ends the text; signature lines have none.
        let end = text.rfind("\n\n").ok_or(BadNote::Form)? + 1;
        let (signed, signatures) = (&text[..end], &text[end + 1..]);
        let checkpoint = parse_text(signed).ok_or(BadNote::Form)?;
        let lines = signatures.strip_suffix('\n').ok_or(BadNote::Form)?;
        let signatures = lines.split('\n').map(parse_signature).collect::<Option<Vec<_>>>();
        let signatures = signatures.filter(|found| found.len() <= SIGNATURES_MAX).ok_or(BadNote::Form)?;
        Ok(Self { checkpoint, text: signed.to_owned(), signatures })
    }

    /// Returns what the note says, before anybody looked at its signatures.
    pub fn claimed(&self) -> Checkpoint {
        self.checkpoint
    }

    /// Checks the signatures of known keys, and returns what at least one of them signed.
    ///
    /// # Errors
    ///
    /// [`BadNote::Signature`] where a line names a known key that did not sign this; [`BadNote::UnknownKey`] where none
    /// does.
    pub fn open(&self, keys: &[PublicKey]) -> Result<Checkpoint, BadNote> {
        let name = origin(self.checkpoint.log);
        let mut signed = false;
        for signature in self.signatures.iter().filter(|signature| signature.name == name) {
            let mut named = keys.iter().filter(|key| key_id(&name, key) == signature.key_id).peekable();
            if named.peek().is_some() {
                // Ids have four bytes: two keys may share one.
                if !named.any(|key| key.verify(self.text.as_bytes(), &signature.bytes).is_ok()) {
                    return Err(BadNote::Signature);
                }
                signed = true;
            }
        }
        if signed { Ok(self.checkpoint) } else { Err(BadNote::UnknownKey) }
    }
}

/// The note, as it was found.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for Signature { name, key_id, bytes } in &self.signatures {
            writeln!(f, "— {name} {}", STANDARD.encode([&key_id[..], bytes].concat()))?;
        }
        Ok(())
    }
}

/// Cuts an anchor's file into notes. What is not whole at its end, where a crash may have cut it, is left out.
pub fn notes_in(file: &str) -> impl Iterator<Item = &str> {
    let mut rest = file;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches('\n');
        let signatures = rest.find("\n\n")? + 2;
        let length = rest[signatures..].find("\n\n").map(|end| signatures + end + 1);
        let length =
            length.or_else(|| (rest.len() > signatures && rest.ends_with('\n')).then_some(rest.len()))?;
        let (note, after) = rest.split_at(length);
        rest = after;
        Some(note)
    })
}

fn parse_text(text: &str) -> Option<Checkpoint> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let log = stack_seal::hex::decode(lines.next()?.strip_prefix(ORIGIN)?).map(LogId)?;
    let size = lines.next()?.parse().ok()?;
    let root = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
    let checkpoint = Checkpoint { log, size, root };
    // What was parsed leniently, such as `+1`, comes back spelled differently.
    (lines.next().is_none() && checkpoint.text() == text).then_some(checkpoint)
}

fn parse_signature(line: &str) -> Option<Signature> {
    let (name, base64) = line.strip_prefix("— ")?.split_once(' ')?;
    let bytes = STANDARD.decode(base64).ok()?;
    let (key_id, signature) = bytes.split_first_chunk()?;
    (!name.is_empty() && !name.contains('+') && !signature.is_empty()).then(|| Signature {
        name: name.to_owned(),
        key_id: *key_id,
        bytes: signature.to_vec(),
    })
}

fn origin(log: LogId) -> String {
    format!("{ORIGIN}{log}")
}

/// The hint by which a signature line names its key.
fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    let hash = sha256(&[name.as_bytes(), &[0x0a, 0x01], key.as_bytes()]);
    *hash.first_chunk().expect("a hash has 32 bytes")
}

/// Why a note proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadNote {
    /// It is not a signed checkpoint.
    Form,
    /// A key did not sign this, though a line says so.
    Signature,
    /// No known key signed it.
    UnknownKey,
}

impl fmt::Display for BadNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "the text is not a signed checkpoint of an audit log",
            Self::Signature => "the signature of the checkpoint was not made by the key that it names",
            Self::UnknownKey => "no known key signed the checkpoint; give the log's key with --key",
        })
    }
}

impl Error for BadNote {}

/// What every checkpoint of ours begins with.
pub(crate) const ORIGIN: &str = "stack-audit/";
const NOTE_MAX: usize = 4096;
const SIGNATURES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_secret(KeyKind::Ed25519, &[byte; 32]).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { log: LogId([7; 16]), size: 1024, root: [9; 32] }
    }

    #[test]
    fn signed_checkpoints_open_and_return() {
        let text = checkpoint().sign(&[&key(1), &key(2)]);
        let note = Note::parse(&text).unwrap();
        assert_eq!(note.to_string(), text);
        for keys in [vec![key(1).public()], vec![key(2).public()], vec![key(3).public(), key(2).public()]] {
            assert_eq!(note.open(&keys), Ok(checkpoint()));
        }
        assert_eq!(note.open(&[key(3).public()]), Err(BadNote::UnknownKey));
    }

    /// The note of `docs/formats/audit.md`, which Python's `cryptography` has signed.
    #[test]
    fn a_note_is_spelled_as_the_page_says() {
        let root =
            stack_seal::hex::decode("379c18fc0d87a2ae5352cf06b55d3b734985e0d0c14bf60cdc18472bf0096224");
        let log = LogId(std::array::from_fn(|at| at as u8));
        let note = Checkpoint { log, size: 3, root: root.unwrap() }.sign(&[&key(1)]);
        assert_eq!(
            note,
            "stack-audit/000102030405060708090a0b0c0d0e0f\n3\nN5wY/A2Hoq5TUs8GtV07c0mF4NDBS/YM3BhHK/AJYiQ=\n\n\
             — stack-audit/000102030405060708090a0b0c0d0e0f ADYggH1lp2X7ZN/8+uJuzgZ26335H3tC3j3IpjmuNSQOfDYrR9FbXRYf\
             qpBDLidDmuiY3EL2QlH4RHzP40UZPFI1qgg=\n"
        );
    }

    #[test]
    fn changed_notes_do_not_open() {
        let text = checkpoint().sign(&[&key(1)]);
        let keys = [key(1).public()];
        for (at, letter) in text.char_indices() {
            let mut changed = text.clone();
            let other = if letter == 'A' { "B" } else { "A" };
            changed.replace_range(at..at + letter.len_utf8(), other);
            let opened = Note::parse(&changed).and_then(|note| note.open(&keys));
            assert!(opened.is_err(), "{changed}");
        }
    }

    #[test]
    fn other_spellings_are_no_notes() {
        let text = checkpoint().sign(&[&key(1)]);
        for (from, to) in [
            ("\n1024\n", "\n+1024\n"),
            ("\n1024\n", "\n01024\n"),
            ("\n1024\n", "\n1024\r\n"),
            ("\n\n", "\nextra\n\n"),
            ("\n\n", "\n"),
            ("— ", "- "),
            ("stack-audit/", "stack/"),
            ("=\n\n", "\n\n"),
        ] {
            assert_ne!(text.replacen(from, to, 1), text);
            assert_eq!(Note::parse(&text.replacen(from, to, 1)), Err(BadNote::Form), "{from}");
        }
        assert_eq!(Note::parse(text.trim_end()), Err(BadNote::Form));
        let many = format!("{text}{}", text.split_once("\n\n").unwrap().1.repeat(16));
        assert_eq!(Note::parse(&many), Err(BadNote::Form));
    }

    #[test]
    fn an_anchor_is_cut_into_its_whole_notes() {
        let note = checkpoint().sign(&[&key(1)]);
        let file = format!("{note}\n{note}\n{note}");
        assert_eq!(notes_in(&file).collect::<Vec<_>>(), [&note; 3]);
        assert_eq!(notes_in(&file[..file.len() - 9]).count(), 2);
        assert_eq!(notes_in("").chain(notes_in("\n\n\n")).chain(notes_in("x\n")).count(), 0);
    }
}
