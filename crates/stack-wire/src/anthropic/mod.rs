//! The dialect of Anthropic's Messages: messages, the counting of their tokens, models, errors.
//!
//! Requests come in through [`parse_messages`] and [`parse_count`]. Answers go out through a [`Writer`], whole or as
//! events about content blocks.

mod content;
mod error;
mod model;
mod request;
mod stream;
mod tool;
mod whole;

pub use error::{error_object, status};
pub use model::{model_list, model_object};
pub use request::{parse_count, parse_messages};
pub use stream::{Reply, Writer};
pub use whole::count_object;
