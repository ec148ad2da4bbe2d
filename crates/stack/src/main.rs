//! `stack` runs language models in its own process. Data goes to stdout, talk to stderr; errors end with a hint, and
//! the exit code tells their kind.
//!
//! The modules, in reading order: [`cli`] lists the commands, each of which is one file of [`commands`];
//! [`command_error`] is what they all return. [`options`] and [`model_path`] hold what several of them take;
//! [`input`], [`output`] and [`load_bar`] talk to the terminal. [`answer`] asks a model; [`chat`] is the
//! conversation on top. [`home`] and [`private_file`] are where models, keys and trust are kept: [`identities`] sign,
//! [`trust`] says who may, and [`signing`] knows what is signed. [`sealed`], [`recipients`], [`freed`] and [`work`] are what
//! commands on sealed files share. [`config`] and [`privacy`] decide what may leave the
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
mod load_bar;
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
mod recipients;
mod sealed;
mod signing;
mod store_access;
mod threads;
mod transfer;
mod transport;
mod trust;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
