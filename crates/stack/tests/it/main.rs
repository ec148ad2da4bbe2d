//! The commands as people and scripts see them: arguments in; stdout, stderr and an exit code out.

mod answers;
mod contracts;
mod errors;
mod help;
mod server;
mod stack;
mod tiny_model;
