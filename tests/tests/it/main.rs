//! The built binary driven by real clients, and the rules that span the workspace.

#![expect(clippy::print_stderr, reason = "a failing test shows the log of its server")]

mod architecture;
mod openai_client;
mod pages;
mod plain_http;
mod server;

use std::path::PathBuf;

/// Returns the root of the workspace.
fn workspace_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
