//! OpenAI's dialect of responses: items in, items out, each announced and completed by events.
//!
//! Requests come in through [`parse_response`] and [`parse_count`]. Answers go out through a [`Writer`]. Nothing is
//! stored, so whatever refers to an earlier response is refused.

mod echo;
mod error;
mod input;
mod item;
mod request;
mod tool;
mod writer;

pub use echo::Echo;
pub use error::error_object;
pub use item::{ReplyOptions, count_object};
pub use request::{ResponseRequest, parse_count, parse_response};
pub use writer::{Reply, Writer};
