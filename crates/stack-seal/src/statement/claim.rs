//! What we add to a statement.

use crate::digest::{Digest, Root};
use crate::key::PublicKey;
use crate::time::UnixTime;

/// What a signer claims about a model beyond its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The name that the model may be used under.
    pub name: String,
    /// Grows with each statement about this name; an older one never replaces a newer. At most 2⁵³ − 1.
    pub serial: u64,
    /// When it was said.
    pub issued: UnixTime,
    /// When it stops to count.
    pub expires: Option<UnixTime>,
    /// Everyone who is to sign this, as whole keys. A signature by another key says nothing.
    pub signers: Vec<PublicKey>,
    /// How many identities must have signed.
    pub quorum: u32,
    /// The widest tier that the weights may be given to.
    pub tier: Tier,
    /// What the files are: `gguf`, `safetensors`.
    pub format: String,
    /// The digest of the chat template's bytes, if the model has one.
    pub template: Option<Root>,
    /// Where the files came from.
    pub origin: Option<String>,
    /// Under which terms, as an SPDX expression.
    pub license: Option<String>,
    /// How it was made.
    pub recipe: Option<String>,
    /// What it was made from.
    pub parents: Vec<Parent>,
    /// Encrypted forms of the files.
    pub sealed: Vec<SealedFile>,
}

/// A model that this one was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// What was done to it.
    pub relation: Relation,
    /// What it is called.
    pub name: String,
    /// The root of its own statement.
    pub root: Digest,
}

/// The encrypted form of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedFile {
    /// The name of the file, as among the statement's files.
    pub name: String,
    /// SHA-256 of the payload, that is, of the encrypted file without its header.
    pub sha256: [u8; 32],
    /// BLAKE3 of the payload.
    pub blake3: Root,
    /// The length of the payload.
    pub size: u64,
    /// Who could open it when this was said.
    pub recipients: Vec<String>,
}

/// How far something may go: the operator's tiers, the strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// This machine.
    Sovereign,
    /// Hosts that the operator lists.
    Private,
    /// Everyone.
    Standard,
}

/// How a model came from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// It is the same, under another name.
    Base,
    /// It was trained further.
    FineTuned,
    /// It learnt from the other's answers.
    Distilled,
    /// It was averaged with others.
    Merged,
    /// Its weights have fewer bits.
    Quantized,
    /// Some of its weights are gone.
    Pruned,
    /// It is in another format.
    Converted,
    /// It is a small addition to the other.
    Adapter,
}

impl Tier {
    /// All tiers, the strictest first.
    pub const ALL: [Self; 3] = [Self::Sovereign, Self::Private, Self::Standard];

    /// The name in statements, files and options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sovereign => "sovereign",
            Self::Private => "private",
            Self::Standard => "standard",
        }
    }

    /// Finds the tier that has this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }
}

impl Relation {
    /// All relations.
    pub const ALL: [Self; 8] = [
        Self::Base,
        Self::FineTuned,
        Self::Distilled,
        Self::Merged,
        Self::Quantized,
        Self::Pruned,
        Self::Converted,
        Self::Adapter,
    ];

    /// The name in statements and options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::FineTuned => "fine-tuned",
            Self::Distilled => "distilled",
            Self::Merged => "merged",
            Self::Quantized => "quantized",
            Self::Pruned => "pruned",
            Self::Converted => "converted",
            Self::Adapter => "adapter",
        }
    }

    /// Finds the relation that has this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|relation| relation.name() == name)
    }
}
