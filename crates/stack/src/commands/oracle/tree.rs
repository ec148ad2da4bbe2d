//! The command tree, as the oracle reads it.

use clap::builder::StyledStr;
use clap::{Arg, Command};
use stack_insight::oracle::CommandHelp;

/// Lists the commands that do something.
pub(super) fn commands(root: &Command) -> Vec<CommandHelp> {
    let mut found = Vec::new();
    add(root, "stack", &mut found);
    found
}

fn add(command: &Command, path: &str, found: &mut Vec<CommandHelp>) {
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("{path} {}", command.get_name());
        if command.has_subcommands() {
            add(command, &name, found);
            continue;
        }
        let told = command.get_arguments().filter(|argument| !argument.is_hide_set());
        let help = |argument: &Arg| argument.get_help().map(StyledStr::to_string);
        found.push(CommandHelp { name, about: about(command), options: told.filter_map(help).collect() });
    }
}

/// The first sentence about a command.
pub(super) fn about(command: &Command) -> String {
    command.get_about().map(StyledStr::to_string).unwrap_or_default()
}

/// Finds the command that is typed so.
pub(super) fn find<'a>(root: &'a Command, name: &str) -> Option<&'a Command> {
    let words = name.strip_prefix("stack ")?.split(' ');
    words.into_iter().try_fold(root, |command, word| command.find_subcommand(word))
}
