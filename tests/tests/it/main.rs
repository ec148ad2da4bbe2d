//! The built binary driven by real clients, and the rules that span the workspace.

#![expect(clippy::print_stderr, reason = "a failing test shows the log of its server")]

mod architecture;
mod contributing;
mod dependencies;
mod fuzzing;
mod glossary;
mod open_server;
mod openai_client;
mod pages;
mod plain_http;
mod server;
mod sizes;
mod tree;
