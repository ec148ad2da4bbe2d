//! `stack` runs language models in its own process. Data goes to stdout, talk to stderr; errors end with a hint, and
//! the exit code tells their kind.
//!
//! The modules, in reading order: [`cli`] lists the commands, each of which is one file of [`commands`];
//! [`command_error`] is what they all return. [`foreign`] knows what people type who come from other programs, and
//! [`nearest`] what they may have meant. [`options`] hold what several commands take, [`model_choice`] decides which
//! model is meant, [`model_path`] opens it; [`served_models`] and [`sampling_defaults`] are what a server has beside that;
//! [`input`], [`output`], [`terminal`] and [`progress`] talk to the terminal. [`ready`] is a model that can be asked,
//! [`answer`] asks it, [`screen`] and [`word_wrap`] show what it says; [`chat`] is the conversation on top. [`home`] and [`private_file`] are where models, keys and trust are kept: [`identities`] sign,
//! [`trust`] says who may, and [`signing`] knows what is signed. [`sealed`], [`seal_record`], [`keyring`],
//! [`recipients`], [`freed`] and [`work`] are what commands on sealed files share. [`config`] and [`privacy`] decide what may leave the
//! machine, [`transport`] sends it, [`transfer`] is what pulling and pushing share, [`weights_check`] what pulling and adopting ask of a file. [`machine`], [`threads`] and
//! [`logs`] deal with the process itself.

mod access;
mod admission;
mod amounts;
mod answer;
mod chat;
mod cli;
#[cfg(test)]
mod cli_page;
mod command_error;
mod commands;
mod config;
mod default_model;
mod foreign;
mod freed;
mod home;
mod identities;
mod input;
mod keyring;
mod load_hint;
mod logs;
mod machine;
mod model_choice;
mod model_path;
mod nearest;
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
mod sampling_defaults;
mod screen;
mod seal_record;
mod sealed;
mod served_models;
mod signing;
mod store_access;
mod terminal;
mod threads;
mod transfer;
mod transport;
mod trust;
mod weights_check;
mod word_wrap;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
