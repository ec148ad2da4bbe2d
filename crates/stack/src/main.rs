//! `stack` runs language models in its own process. Data goes to stdout, everything else to stderr; errors end with a
//! hint, and the exit code tells their kind.
//!
//! The modules, in reading order. [`cli`] lists the commands, holds the options that several of them share, and knows
//! what people type who come from other programs. Each command is one file of [`commands`], and all return an [`error`].
//! [`models`] decides which model is meant and opens it; [`chat`] is the conversation with one. [`home`] is where models,
//! keys and trust are kept; [`signing`] knows what is signed, [`trust`] who may sign it, [`sealing`] who opens what is
//! sealed. [`config`] and [`privacy`] decide what may leave the machine, and [`transport`] sends it. [`terminal`] is what
//! people see and type, [`process`] the machine under it all.

mod chat;
mod cli;
mod commands;
mod config;
mod error;
mod home;
mod models;
mod privacy;
mod process;
mod sealing;
mod signing;
mod terminal;
mod transport;
mod trust;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
