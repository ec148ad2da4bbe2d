//! Looks before anything runs: what a repository is and what it sends to whom, which command does what somebody wants, and
//! text that is drafted for a purpose and checked by rules.
//!
//! It deliberately runs no model and reaches no network: whoever has a model passes it in as a
//! [`ChatModel`](stack_chat::ChatModel). It executes nothing that it reads, writes nothing, and follows no link.
//!
//! ```
//! use stack_insight::content::{Kind, validate};
//!
//! let report = validate(Kind::BookChapter, "# Errors\n\n```rust\nlet x = 1;\n");
//! assert_eq!(report.score, 75);
//! ```
//!
//! Invariants:
//! - Nothing is written, and no file outside the given paths is read. Links are not followed.
//! - Whatever a file holds, it is counted, an entry in the list of problems, or skipped with a note; it is never an end.
//! - The same tree, text or question gives the same result, on any number of threads.

pub mod analyze;
pub mod content;
pub mod oracle;
mod text;
mod yaml;
