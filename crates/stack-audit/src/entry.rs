//! The bytes of an entry, version 1. `docs/formats/audit.md` has the table.

use std::error::Error;
use std::fmt;

use stack_seal::statement::Tier;

use crate::hash::{Hash, sha256};
use crate::identity::{LogId, StreamId};
use crate::kind::Kind;

/// One line of the log, as it is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The log that it belongs to.
    pub log: LogId,
    /// The stream that it belongs to.
    pub stream: StreamId,
    /// Its place in the stream, from 1.
    pub seq: u64,
    /// The hash of the entry before it in the stream, or the stream's origin.
    pub prev: Hash,
    /// Its place in the log, from 0.
    pub index: u64,
    /// What it is about.
    pub kind: Kind,
    /// Whether it stands before or after its act.
    pub phase: Phase,
    /// Milliseconds since 1970, as the machine's clock had them.
    pub wall_ms: u64,
    /// How often the log had been opened for writing.
    pub epoch: u32,
    /// Microseconds since that opening.
    pub mono_us: u64,
    /// Under which rules it happened.
    pub circumstances: Circumstances,
    /// Secrets that were replaced in its payload before it was hashed.
    pub scrubbed: u32,
    /// What its payload is, if it has one.
    pub commitment: Option<Commitment>,
    /// Who acted.
    pub actor: Actor,
}

/// Whether an entry stands before or after its act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Something that is over when it is written down.
    Note,
    /// What will be done.
    Intent,
    /// What came of an intent.
    Effect {
        /// The place of the intent in the stream.
        closes: u64,
        /// What came of it.
        outcome: Outcome,
    },
}

impl Phase {
    /// Returns the name of the phase alone.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Intent => "intent",
            Self::Effect { .. } => "effect",
        }
    }
}

/// What came of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was tried and failed.
    Failed,
    /// It was not done, or not to its end.
    Abandoned,
    /// It was not allowed.
    Denied,
    /// Nobody knows whether it happened.
    Ambiguous,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Done, Self::Failed, Self::Abandoned, Self::Denied, Self::Ambiguous];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
            Self::Denied => "denied",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// Under which rules something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// How far the request could reach.
    pub tier: Option<Tier>,
    /// How tightly the process was held, where one was.
    pub confinement: Option<Confinement>,
    /// What the act may have been influenced by.
    pub taint: Taint,
    /// The digest of the policy in force, zeros where there was none.
    pub policy: Hash,
}

/// How tightly a tool process is held, from not at all to namespaces of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the levels are the names of the design")]
pub enum Confinement {
    C0,
    C1,
    C2,
    C3,
}

impl Confinement {
    const ALL: [Self; 4] = [Self::C0, Self::C1, Self::C2, Self::C3];
}

/// What an act may have been influenced by, or may reveal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taint {
    /// Text from strangers.
    pub untrusted: bool,
    /// Text that must stay.
    pub private: bool,
}

/// What a payload is, without the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// How its bytes are to be read.
    pub format: Format,
    /// How many they are.
    pub length: u64,
    /// The salted hash of the bytes.
    pub hash: Hash,
}

impl Commitment {
    /// Commits to a payload. The salt is random, so that the payload cannot be guessed from the hash.
    pub fn new(format: Format, salt: &[u8; 32], bytes: &[u8]) -> Self {
        Self { format, length: bytes.len() as u64, hash: sha256(&[b"stack/payload/v1", salt, bytes]) }
    }

    /// Returns whether this is the payload that was committed to. A salt of another length is not its salt.
    pub(crate) fn is_met_by(&self, salt: &[u8], bytes: &[u8]) -> bool {
        salt.try_into().is_ok_and(|salt| Self::new(self.format, salt, bytes) == *self)
    }
}

/// How the bytes of a payload are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Canonical JSON.
    Json,
    /// UTF-8.
    Text,
    /// Anything.
    Bytes,
}

impl Format {
    const ALL: [Self; 3] = [Self::Json, Self::Text, Self::Bytes];
}

/// Who acted: 1 to 64 bytes without control characters, such as `user:alice` or `gateway`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor(String);

impl Actor {
    /// Takes a name.
    ///
    /// # Errors
    ///
    /// When it is empty, too long, or holds control characters.
    pub fn new(name: impl Into<String>) -> Result<Self, BadEntry> {
        let name = name.into();
        let sound = (1..=ACTOR_MAX).contains(&name.len()) && !name.contains(char::is_control);
        if sound { Ok(Self(name)) } else { Err(BadEntry { field: "actor" }) }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the hash of an entry's bytes: a leaf of the tree and a link of the chain.
pub fn hash(bytes: &[u8]) -> Hash {
    sha256(&[&[0], bytes])
}

impl Entry {
    /// Writes the bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED + 1 + self.actor.0.len());
        let (phase, outcome, closes) = match self.phase {
            Phase::Note => (0, 0, 0),
            Phase::Intent => (1, 0, 0),
            Phase::Effect { closes, outcome } => (2, outcome as u8 + 1, closes),
        };
        let Circumstances { tier, confinement, taint, policy } = &self.circumstances;
        bytes.extend(MAGIC);
        bytes.extend(self.log.0);
        bytes.extend(self.stream.0);
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.prev);
        bytes.extend(self.index.to_be_bytes());
        bytes.extend(self.kind.0.to_be_bytes());
        bytes.extend([phase, outcome]);
        bytes.extend(closes.to_be_bytes());
        bytes.extend(self.wall_ms.to_be_bytes());
        bytes.extend(self.epoch.to_be_bytes());
        bytes.extend(self.mono_us.to_be_bytes());
        bytes.push(match tier {
            None => 0,
            Some(Tier::Sovereign) => 1,
            Some(Tier::Private) => 2,
            Some(Tier::Standard) => 3,
        });
        bytes.push(confinement.map_or(NO_CONFINEMENT, |level| level as u8));
        bytes.push(u8::from(taint.untrusted) | u8::from(taint.private) << 1);
        bytes.push(self.commitment.map_or(0, |commitment| commitment.format as u8 + 1));
        bytes.extend(self.scrubbed.to_be_bytes());
        bytes.extend(policy);
        bytes.extend(self.commitment.map_or(0, |commitment| commitment.length).to_be_bytes());
        bytes.extend(self.commitment.map_or([0; 32], |commitment| commitment.hash));
        bytes.push(self.actor.0.len() as u8);
        bytes.extend(self.actor.0.as_bytes());
        bytes
    }

    /// Reads the bytes. There is one encoding of each entry: what is read is written as it was.
    ///
    /// # Errors
    ///
    /// Names the first field that has no meaning.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadEntry> {
        let bad = |field| BadEntry { field };
        let (fixed, actor) = bytes.split_first_chunk::<FIXED>().ok_or(bad("length"))?;
        let mut fields = Fields(fixed);
        if fields.take() != *MAGIC {
            return Err(bad("magic"));
        }
        let log = LogId(fields.take());
        let stream = StreamId(fields.take());
        let seq = u64::from_be_bytes(fields.take());
        if seq == 0 {
            return Err(bad("seq"));
        }
        let prev = fields.take();
        let index = u64::from_be_bytes(fields.take());
        let kind = Kind(u16::from_be_bytes(fields.take()));
        let [phase, outcome] = fields.take();
        let closes = u64::from_be_bytes(fields.take());
        let phase = match (phase, outcome, closes) {
            (0, 0, 0) => Phase::Note,
            (1, 0, 0) => Phase::Intent,
            (2, outcome, closes) => {
                let outcome = Outcome::ALL.get(usize::from(outcome).wrapping_sub(1));
                let outcome = *outcome.ok_or(bad("outcome"))?;
                if closes == 0 || closes >= seq {
                    return Err(bad("closes"));
                }
                Phase::Effect { closes, outcome }
            }
            (0 | 1, 0, _) => return Err(bad("closes")),
            (0 | 1, ..) => return Err(bad("outcome")),
            _ => return Err(bad("phase")),
        };
        let wall_ms = u64::from_be_bytes(fields.take());
        let epoch = u32::from_be_bytes(fields.take());
        let mono_us = u64::from_be_bytes(fields.take());
        let [tier, confinement, taint, format] = fields.take();
        let tier = match tier {
            0 => None,
            1 => Some(Tier::Sovereign),
            2 => Some(Tier::Private),
            3 => Some(Tier::Standard),
            _ => return Err(bad("tier")),
        };
        let confinement = match confinement {
            NO_CONFINEMENT => None,
            level => Some(*Confinement::ALL.get(usize::from(level)).ok_or(bad("confinement"))?),
        };
        if taint > 3 {
            return Err(bad("taint"));
        }
        let taint = Taint { untrusted: taint & 1 != 0, private: taint & 2 != 0 };
        let scrubbed = u32::from_be_bytes(fields.take());
        let policy = fields.take();
        let length = u64::from_be_bytes(fields.take());
        let hash: Hash = fields.take();
        let commitment = match format {
            0 if length != 0 => return Err(bad("payload length")),
            0 if hash != [0; 32] => return Err(bad("commitment")),
            0 => None,
            format => {
                let format = *Format::ALL.get(usize::from(format) - 1).ok_or(bad("format"))?;
                if length > PAYLOAD_MAX {
                    return Err(bad("payload length"));
                }
                Some(Commitment { format, length, hash })
            }
        };
        let actor = match actor.split_first() {
            Some((&length, name)) if usize::from(length) == name.len() => std::str::from_utf8(name).ok(),
            _ => None,
        };
        let actor = Actor::new(actor.ok_or(bad("actor"))?)?;
        let circumstances = Circumstances { tier, confinement, taint, policy };
        Ok(Self {
            log,
            stream,
            seq,
            prev,
            index,
            kind,
            phase,
            wall_ms,
            epoch,
            mono_us,
            circumstances,
            scrubbed,
            commitment,
            actor,
        })
    }
}

/// Takes fields of fixed sizes, one after the other, from the fixed part of an entry.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("the sizes of all fields add up to FIXED");
        self.0 = rest;
        *field
    }
}

/// The error for bytes that are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEntry {
    /// The first field that has no meaning.
    pub field: &'static str,
}

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the entry's {} has no meaning in version 1", self.field)
    }
}

impl Error for BadEntry {}

const MAGIC: &[u8; 16] = b"stack/entry/v1\0\0";
/// Everything before the actor.
const FIXED: usize = 208;
/// An entry that is longer is none.
pub(crate) const ENTRY_MAX: usize = FIXED + 1 + ACTOR_MAX;
const ACTOR_MAX: usize = 64;
const NO_CONFINEMENT: u8 = 255;
/// No payload is longer; tools are cut off before.
pub(crate) const PAYLOAD_MAX: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stack_seal::hex;

    use super::*;
    use crate::golden::golden;

    #[test]
    fn golden_entries_have_their_hashes() {
        let entries = golden();
        let prev = "948569cb6d6bfa849755714e35275809e3052953168a971e587e948bfacc23ea";
        assert_eq!(hex::encode(&entries[0].prev), prev);
        assert_eq!(entries[0].encode().len(), 219);
        let commitments = [0, 2].map(|at| hex::encode(&entries[at].commitment.unwrap().hash));
        assert_eq!(
            commitments,
            [
                "a9b54d3a57ef1cbc01ac26588983cd1222438fd5e05d9633eaad3f26cb997510",
                "6d3fc1398e23c311427ff754469ae26d27fa376ba3346c5e4e6e8ae8d4f13e36",
            ]
        );
        assert_eq!(
            entries.map(|entry| hex::encode(&hash(&entry.encode()))),
            [
                "61a2856bd0f40baf373c9d2604319abb618ba5fee0f5b694eb4c3e215555f580",
                "17a6126b78a271ca102d9eecb969d615e958e289fb18cc797b5eb4aea33cf446",
                "aa51bf5e8676d028e95cdb619b7cfa1db636d55e22f82c274ac46015ca1b419c",
            ]
        );
    }

    #[test]
    fn fields_lie_where_the_page_says() {
        let bytes = golden()[2].encode();
        assert_eq!(bytes[..16], *b"stack/entry/v1\0\0");
        assert_eq!(bytes[48..56], 3u64.to_be_bytes());
        assert_eq!(bytes[88..96], 2u64.to_be_bytes());
        assert_eq!(bytes[96..108], [3, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(bytes[128..132], [1, 255, 0, 1]);
        assert_eq!(bytes[168..176], 12u64.to_be_bytes());
        assert_eq!(bytes[208..], *b"\x07session");
    }

    #[test]
    fn meaningless_fields_are_named() {
        let [note, intent, effect] = golden().map(|entry| entry.encode());
        for (bytes, at, value, field) in [
            (&note, 0, b'S', "magic"),
            (&note, 55, 0, "seq"),
            (&note, 98, 3, "phase"),
            (&note, 99, 1, "outcome"),
            (&intent, 107, 1, "closes"),
            (&effect, 99, 0, "outcome"),
            (&effect, 99, 6, "outcome"),
            (&effect, 107, 0, "closes"),
            (&effect, 107, 3, "closes"),
            (&note, 128, 4, "tier"),
            (&note, 129, 4, "confinement"),
            (&note, 130, 4, "taint"),
            (&note, 131, 4, "format"),
            (&note, 131, 0, "payload length"),
            (&intent, 176, 1, "commitment"),
            (&note, 168, 1, "payload length"),
            (&note, 208, 9, "actor"),
            (&note, 209, 7, "actor"),
            (&note, 209, 0xff, "actor"),
        ] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            assert_eq!(Entry::decode(&bytes), Err(BadEntry { field }), "{at}");
        }
        assert_eq!(Entry::decode(&note[..208]), Err(BadEntry { field: "actor" }));
        assert_eq!(Entry::decode(&note[..207]), Err(BadEntry { field: "length" }));
        assert!(Actor::new("x".repeat(64)).is_ok() && Actor::new("x".repeat(65)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_as_it_was(at in 0..219usize, value in any::<u8>(), which in 0..3usize) {
            let mut bytes = golden()[which].encode();
            let at = at.min(bytes.len() - 1);
            bytes[at] = value;
            if let Ok(entry) = Entry::decode(&bytes) {
                prop_assert_eq!(entry.encode(), bytes);
            }
        }
    }
}
