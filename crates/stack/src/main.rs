//! `stack` runs language models in its own process. Data goes to stdout, everything else to stderr; errors end with a
//! hint, and the exit code tells their kind.
//!
//! The modules, in reading order. [`cli`] lists the commands, and [`foreign`] knows what people type who come from other
//! programs. Each command is one file or folder of [`commands`], which parses, calls and renders; all return an
//! [`error`]. [`options`] are what several commands take. [`models`] decides which model is meant and opens it; [`chat`]
//! is the conversation with one. [`home`] finds where everything is kept, and what opens it, and [`api_keys`]
//! who may use a server, [`adapters`] what providers call otherwise. [`config`] decides what may leave the machine, [`transport`] fetches files with what the gateway lends, [`remote`] is a
//! server that is asked, and [`audit`] writes down what was done. [`terminal`] is
//! what people see and type, [`process`] the machine under it all.

mod adapters;
mod api_keys;
mod audit;
mod chat;
mod cli;
mod commands;
mod config;
mod error;
mod foreign;
mod home;
mod models;
mod options;
mod process;
mod remote;
mod terminal;
mod transport;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
