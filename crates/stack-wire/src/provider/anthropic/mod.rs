//! Anthropic's messages.

mod block;
mod message;
mod reply;
mod request;
mod usage;

pub(super) use reply::Messages;
pub(super) use request::render;

/// The kind of an opaque part that signs the thought before it.
pub(crate) const SIGNATURE: &str = "signature";
/// The kind of an opaque part that is a thought by itself.
pub(crate) const REDACTED: &str = "redacted_thinking";
