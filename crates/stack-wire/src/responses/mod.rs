//! OpenAI's dialect of responses: items in, items out, each announced and completed by events.
//!
//! Requests come in through [`parse_response`] and [`parse_count`]. Answers go out through a [`Writer`]. A server that keeps
//! its responses does so as [`StoredResponse`]s, and lends the parsers a way to [`Find`] them; without one, whatever refers
//! to an earlier response is refused.

mod background;
mod echo;
mod error;
mod input;
mod item;
mod recall;
mod request;
mod stored;
mod tool;
mod writer;

pub use echo::Echo;
pub use error::error_object;
pub use item::{ReplyOptions, count_object};
pub use request::{ResponseRequest, parse_count, parse_response};
pub use stored::{Find, ListOptions, StoredInput, StoredItem, StoredResponse, deleted_object};
pub use writer::{Reply, Writer};
