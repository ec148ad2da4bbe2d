//! Models as a command line means them: which one, where it is, and what it takes to ask it.

mod audited;
pub(crate) mod choice;
pub(crate) mod default_model;
pub(crate) mod facts;
pub(crate) mod lent;
pub(crate) mod memory;
pub(crate) mod operations;
pub(crate) mod path;
pub(crate) mod prefixes;
pub(crate) mod providers;
pub(crate) mod ready;
pub(crate) mod sampling_defaults;
pub(crate) mod served;
pub(crate) mod weights_check;
pub(crate) mod writer;
