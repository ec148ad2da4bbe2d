//! Keys and values of sequences, in pages of sixteen tokens.
//!
//! A [`Page`](page::Page) holds the keys and values of sixteen consecutive tokens in every layer. A [`KvSequence`] is a
//! list of shared pages: a fork shares them all, and a page is copied when one of the sequences that share it writes to it.
//!
//! Keys lie as `[dimension][token]`, so that sixteen scores come from one register without adding across it, and values
//! as `[token][dimension]`, so that sixteen dimensions of an output do. With each token's key and value of a head lies its
//! *scale*: attention computes with whole numbers, of which 1 stands for that much.

mod bytes;
mod element;
mod layout;
mod page;
mod sequence;
mod store;

pub(crate) use element::{Element, Half, Scaled, WHOLE_MAX};
pub use layout::{KvLayout, KvType, LayerKv};
pub(crate) use page::Line;
pub use page::PAGE_TOKENS;
pub use sequence::KvSequence;
pub use store::KvSpan;
pub(crate) use store::store;
