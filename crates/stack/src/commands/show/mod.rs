//! `stack show`: what is in a model file, from its header alone.

mod facts;
mod print;

use clap::{Args, value_parser};

use self::facts::Facts;
use crate::command_error::{CommandError, Kind};
use crate::model_path::ModelPath;
use crate::output::Data;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The model, a GGUF file or a folder, or `default`
    model: ModelPath,
    /// Print the whole chat template, and nothing else
    #[arg(long, conflicts_with = "json")]
    template: bool,
    /// Say what memory a context of this many tokens will take
    #[arg(long, value_name = "TOKENS", value_parser = value_parser!(u32).range(1..))]
    ctx: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the facts.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let facts = Facts::read(&arguments.model, arguments.ctx)?;
    let mut data = Data::new();
    if arguments.template {
        let template = facts.template.ok_or_else(|| {
            CommandError::new(Kind::Missing, format!("the model {} has no chat template", facts.id))
                .hint("`stack run --template FILE` takes one from a file")
        })?;
        return data.write_foreign(&template);
    }
    if arguments.json { data.json(&facts) } else { print::print(&facts, &mut data) }
}
