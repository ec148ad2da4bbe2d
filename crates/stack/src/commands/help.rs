//! `stack help`: what `--help` prints, as a command.

use clap::{Args, Command};

use crate::error::CommandError;
use crate::foreign;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The command to explain, such as `run` or `trust add`; without it, all are listed
    #[arg(value_name = "COMMAND")]
    words: Vec<String>,
}

/// Prints the help of a command.
pub(crate) fn run(arguments: &Arguments, root: Command) -> Result<(), CommandError> {
    let mut built = root.clone();
    // What a command is called in messages is known only then.
    built.build();
    let mut command = &built;
    for word in &arguments.words {
        command = command.find_subcommand(word).ok_or_else(|| foreign::unknown_command(command, word))?;
    }
    let path = arguments.words.iter().map(String::as_str);
    let asked = std::iter::once("stack").chain(path).chain(["--help"]);
    // To the parser, help is an error of a kind of its own, which alone knows how long the text is to be.
    match root.try_get_matches_from(asked) {
        Err(help) => Data::new().write(&help.render().to_string()),
        Ok(_) => unreachable!("every command has --help"),
    }
}
