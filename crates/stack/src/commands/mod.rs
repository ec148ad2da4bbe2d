//! One file or folder per command.

pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod logits;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod render;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod tokenize;
