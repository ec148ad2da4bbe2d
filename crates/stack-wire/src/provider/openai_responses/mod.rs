//! OpenAI's responses, which xAI speaks too.

mod input;
mod item;
mod reply;
mod request;

pub(super) use reply::Responses;
pub(super) use request::render;

/// The kind of an opaque part that is a whole reasoning item, with what is encrypted in it.
pub(crate) const REASONING: &str = "reasoning";
