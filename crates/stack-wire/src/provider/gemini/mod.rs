//! Google's `generateContent`.

mod content;
mod pieces;
mod reply;
mod request;

pub(super) use reply::Content;
pub(super) use request::{render, segment};

/// The kind of an opaque part that belongs to the part before it.
pub(crate) const SIGNATURE: &str = "thought_signature";
