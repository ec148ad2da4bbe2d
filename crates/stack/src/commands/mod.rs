//! One file or folder per command.

pub(crate) mod adopt;
pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod decrypt;
pub(crate) mod doctor;
pub(crate) mod encrypt;
pub(crate) mod export;
pub(crate) mod gc;
pub(crate) mod import;
pub(crate) mod keygen;
pub(crate) mod list;
pub(crate) mod logits;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod rekey;
pub(crate) mod render;
pub(crate) mod rm;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod sign;
pub(crate) mod tokenize;
pub(crate) mod trust;
pub(crate) mod verify;
