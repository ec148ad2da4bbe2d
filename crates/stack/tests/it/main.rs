//! The commands as people and scripts see them: arguments in; stdout, stderr and an exit code out.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

mod agents;
mod answers;
mod audit;
mod auth;
mod bit_flips;
mod config;
mod contracts;
mod errors;
mod forms;
mod guides;
mod help;
mod homeless;
mod insight;
mod models;
mod providers;
mod pull;
mod sealed_files;
mod sealing;
mod server;
mod signing;
mod stack;
mod store;
mod templates;
mod terminal;
mod tiny_model;
mod walk;
