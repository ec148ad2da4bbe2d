//! Who may ask over HTTP, and by which names.

use clap::Args;
use stack_server::Options;

use crate::command_error::{CommandError, Kind};

#[derive(Debug, Args)]
pub(crate) struct WebArguments {
    /// Answer with the one model that is served, whatever model a request names; the reply says which it is
    #[arg(long)]
    any_model: bool,
}

impl WebArguments {
    /// Returns the options of a server with so many models.
    pub(crate) fn options(&self, models: usize) -> Result<Options, CommandError> {
        if self.any_model && models != 1 {
            let message =
                format!("`--any-model` needs exactly one model to answer with, and there are {models}");
            let hint =
                "serve one model, or leave the option out and give the models the names that clients ask for";
            return Err(CommandError::new(Kind::Usage, message).hint(hint));
        }
        Ok(Options { any_model: self.any_model, ..Options::default() })
    }
}
