//! `stack` runs language models in its own process. Data goes to stdout, talk to stderr; errors end with a hint, and
//! the exit code tells their kind.
//!
//! The modules, in reading order: [`cli`] lists the commands, each of which is one file of [`commands`];
//! [`command_error`] is what they all return. [`options`] and [`model_path`] hold what several of them take;
//! [`input`], [`output`], [`terminal`] and [`progress`] talk to the terminal. [`ready`] is a model that can be asked, [`answer`]
//! asks it, [`screen`] and [`word_wrap`] show what it says; [`chat`] is the conversation on top. [`home`] and [`private_file`] are where models, keys and trust are kept: [`identities`] sign,
//! [`trust`] says who may, and [`signing`] knows what is signed. [`sealed`], [`seal_record`], [`keyring`], [`recipients`], [`freed`]
//! and [`work`] are what commands on sealed files share. [`config`] and [`privacy`] decide what may leave the
//! machine, [`transport`] sends it, [`transfer`] is what pulling and pushing share. [`machine`], [`threads`] and
//! [`logs`] deal with the process itself.

mod access;
mod admission;
mod amounts;
mod answer;
mod chat;
mod cli;
mod command_error;
mod commands;
mod config;
mod default_model;
mod freed;
mod home;
mod identities;
mod input;
mod keyring;
mod logs;
mod machine;
mod model_path;
mod no_sockets;
mod options;
mod output;
mod passphrase;
mod privacy;
mod private_file;
mod progress;
mod quantity;
mod ready;
mod recipients;
mod screen;
mod seal_record;
mod sealed;
mod signing;
mod store_access;
mod terminal;
mod threads;
mod transfer;
mod transport;
mod trust;
mod word_wrap;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
