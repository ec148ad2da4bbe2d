//! What files do not say of the families of encoders: one row each.

use super::spec::Activation;
use crate::pooling::Pooling;
use crate::spec::NormKind;

/// What is the same for all models of an architecture and does not stand in their files.
#[derive(Debug, PartialEq)]
pub(super) struct Family {
    /// The name in the file.
    pub(super) name: &'static str,
    pub(super) norm: NormKind,
    pub(super) placement: Placement,
    pub(super) positions: Positions,
    /// Where the file does not name one.
    pub(super) activation: Activation,
    /// Where some layers see only what is near.
    pub(super) windows: Option<Windows>,
    /// Whether embeddings are multiplied by √width.
    pub(super) scaled_embedding: bool,
    /// Lengths that vectors may be cut to, as its models were trained (Matryoshka, arXiv:2205.13147); what the file says
    /// goes before it.
    pub(super) dimensions: &'static [usize],
    /// The non-linearity of the head by which its models rank.
    pub(super) head: HeadFunction,
    /// What the head reads, where the file does not say it.
    pub(super) head_pooling: Pooling,
}

/// Where the norms of a layer stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// After each sum (BERT, arXiv:1810.04805), and one after the embedding.
    AfterSums,
    /// Before each half, one after the embedding, and one at the end. The first layer may lack the first one.
    Before,
    /// Before each half and after it, before the sum, and one at the end (Gemma).
    Around,
}

/// How a token knows where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Positions {
    /// By an embedding for each position.
    Learned,
    /// By rotated queries and keys, whose halves form pairs.
    Rotated,
    /// By scores that fall with the distance (`ALiBi`, arXiv:2108.12409), with this largest slope's exponent.
    Biased(f32),
}

/// Which layers see only a window around each token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    /// One layer in so many sees everything, where the file does not say which.
    pub(super) period: usize,
    /// Whether that is the first one; otherwise it is the last.
    pub(super) global_first: bool,
}

/// The function between the two matrices of a head that ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadFunction {
    Tanh,
    Gelu,
}

impl Family {
    /// Finds the row of an architecture.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| family.name == name)
    }
}

/// BERT itself; the others are told apart from it.
const BERT: Family = Family {
    name: "bert",
    norm: NormKind::Layer,
    placement: Placement::AfterSums,
    positions: Positions::Learned,
    activation: Activation::Gelu,
    windows: None,
    scaled_embedding: false,
    dimensions: &[],
    head: HeadFunction::Tanh,
    head_pooling: Pooling::First,
};

/// Every family of encoders that is known here.
pub(super) const FAMILIES: &[Family] = &[
    BERT,
    Family { name: "nomic-bert", positions: Positions::Rotated, activation: Activation::Silu, ..BERT },
    Family { name: "jina-bert-v2", positions: Positions::Biased(8.0), ..BERT },
    Family {
        name: "jina-bert-v3",
        positions: Positions::Rotated,
        dimensions: &[32, 64, 128, 256, 512, 768],
        ..BERT
    },
    Family {
        name: "modern-bert",
        placement: Placement::Before,
        positions: Positions::Rotated,
        windows: Some(Windows { period: 3, global_first: true }),
        head: HeadFunction::Gelu,
        head_pooling: Pooling::Mean,
        ..BERT
    },
    Family {
        name: "gemma-embedding",
        norm: NormKind::Rms,
        placement: Placement::Around,
        positions: Positions::Rotated,
        activation: Activation::GeluTanh,
        windows: Some(Windows { period: 6, global_first: false }),
        scaled_embedding: true,
        dimensions: &[128, 256, 512],
        ..BERT
    },
];
