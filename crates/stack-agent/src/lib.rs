//! Agents that can be trusted: a model proposes, rules and people decide, and the log holds every act before and after.
//!
//! A session is a pure machine ([`kernel`]) that is changed by the entries of its stream in the audit log and by nothing
//! else. What it wants done comes out as commands; [`session`] performs them, writes the intent before and the effect
//! behind each act, and gives the machine what the log then holds. So a session that was killed goes on where it was,
//! what nobody can know is asked and never repeated, and a record replays without a model.
//!
//! ```
//! use stack_agent::state::State;
//!
//! assert!(State::Idle.to(State::Running).is_ok());
//! let error = State::Done.to(State::Running).unwrap_err();
//! assert_eq!(error.to_string(), "a session that is done cannot become running");
//! ```
//!
//! Reading order: [`state`], [`limits`] and [`path`] are words; [`schema`] and [`toolbox`] say which tools there are;
//! [`call`] is what a model asks for, [`policy`] who decides, [`approval`] the witness that it may run. Then the machine,
//! the tools themselves ([`files`], [`tools`]), and the shell around it all.
//!
//! What this crate deliberately does not do: it opens no network, knows no engine, server or gateway (who answers is a
//! `ChatModel`), reads no configuration, and asks nobody itself: whoever can be asked is an [`session::Approver`].
//!
//! Invariants:
//! - The machine reads no clock and draws nothing; a record determines a session.
//! - No tool runs without an [`approval::ApprovedCall`], which a rule or a person's answer alone makes, and which is used up.
//! - An intent is in the log before its act. An act whose effect is missing is never repeated silently.
//! - No path leads out of the workspace, whatever links it holds and whoever changes them meanwhile.
//! - Whatever a model or a tool may choose (lengths, counts, depths, times) has a limit.

mod digest;
pub mod limits;
pub mod path;
pub mod state;

pub mod schema;
pub mod toolbox;

mod tool_failure;
pub use tool_failure::{ToolFailure, ToolFailureKind};

pub mod approval;
pub mod call;
pub mod policy;

mod entry;
pub mod kernel;
pub use entry::SessionEntry;

pub mod files;
pub mod tools;

mod model;
pub mod session;
