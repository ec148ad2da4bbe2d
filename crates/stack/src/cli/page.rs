//! The tables of options in the book's page on commands are those of the parser.
//!
//! The page holds, for each command, `<!-- options: trust add -->`, a table, and `<!-- end -->`. What stands between
//! is written by the test below when `STACK_UPDATE_BOOK=1` is set; otherwise the test fails where it differs.

use std::fs;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};

use crate::cli::Cli;

/// Returns the page with the tables of `root`, or what is wrong with its markers.
fn filled(page: &str, root: &Command) -> Result<String, String> {
    let mut commands = Vec::new();
    leaves(root, "", &mut commands);
    let mut text = String::new();
    let mut rest = page;
    let mut told = Vec::new();
    while let Some((before, marked)) = rest.split_once(BEGIN) {
        let (name, marked) = marked.split_once(" -->\n").ok_or("a marker does not end")?;
        let (_, after) =
            marked.split_once(END).ok_or_else(|| format!("the table of `{name}` does not end"))?;
        let (_, command) = commands
            .iter()
            .find(|(found, _)| found == name)
            .ok_or_else(|| format!("the page has a table of `{name}`, which is no command"))?;
        text.extend([before, BEGIN, name, " -->\n", &table(command), END]);
        told.push(name);
        rest = after;
    }
    text.push_str(rest);
    for (name, _) in &commands {
        let count = told.iter().filter(|told| *told == name).count();
        if count != 1 {
            return Err(format!(
                "the page has {count} places for the options of `{name}`: `{BEGIN}{name} -->`, `{END}`"
            ));
        }
    }
    Ok(text)
}

/// Lists the commands that do something, by what follows `stack` in the shell.
fn leaves<'a>(command: &'a Command, path: &str, found: &mut Vec<(String, &'a Command)>) {
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let path = format!("{path} {}", command.get_name()).trim().to_owned();
        if command.has_subcommands() {
            leaves(command, &path, found);
        } else {
            found.push((path, command));
        }
    }
}

/// Renders the arguments of a command as a table.
fn table(command: &Command) -> String {
    let told = |argument: &&Arg| !argument.is_hide_set() && argument.get_id() != "help";
    let (positional, options): (Vec<_>, Vec<_>) =
        command.get_arguments().filter(told).partition(|argument| argument.is_positional());
    if positional.is_empty() && options.is_empty() {
        return "\nIt takes no arguments.\n\n".to_owned();
    }
    let mut table = "\n| argument | what it does |\n| --- | --- |\n".to_owned();
    for argument in positional.into_iter().chain(options) {
        let help = argument.get_help().map(StyledStr::to_string).unwrap_or_default().replace('|', "\\|");
        table.extend(["| ", &names(argument), " | ", &help, &extras(argument), " |\n"]);
    }
    table + "\n"
}

/// Renders what is typed for an argument: `-t`, `--threads N`.
fn names(argument: &Arg) -> String {
    let values = argument
        .get_value_names()
        .filter(|_| argument.get_action().takes_values() || argument.is_positional());
    let values = values.unwrap_or_default().join(" ");
    if argument.is_positional() {
        let many = argument.get_num_args().is_some_and(|count| count.max_values() > 1);
        return format!("`{}{}`", values.replace('|', "\\|"), if many { "…" } else { "" });
    }
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().into_iter().chain(argument.get_visible_aliases().unwrap_or_default());
    let mut names: Vec<String> = short.into_iter().chain(long.map(|long| format!("--{long}"))).collect();
    if let Some(last) = names.last_mut().filter(|_| !values.is_empty()) {
        last.extend([" ", &values]);
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Renders what help adds in brackets: the values that an argument may have, and its default.
fn extras(argument: &Arg) -> String {
    let mut extras = String::new();
    let takes_values = argument.get_action().takes_values();
    let values = argument.get_possible_values();
    if takes_values && !argument.is_hide_possible_values_set() && !values.is_empty() {
        let values: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        extras.extend([" [possible values: ", &values.join(", "), "]"]);
    }
    if takes_values && !argument.is_hide_default_value_set() && !argument.get_default_values().is_empty() {
        let values: Vec<_> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        extras.extend([" [default: ", &values.join(", "), "]"]);
    }
    extras
}

const BEGIN: &str = "<!-- options: ";

const END: &str = "<!-- end -->";

mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test has no other way to be told to write")]
    fn the_page_has_the_options_of_every_command() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/reference/cli.md");
        let page = fs::read_to_string(&path).unwrap();
        let mut root = Cli::command();
        root.build();
        let expected = filled(&page, &root).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        if std::env::var("STACK_UPDATE_BOOK").is_ok_and(|value| value == "1") {
            fs::write(&path, &expected).unwrap();
            return;
        }
        let only_in = |one: &str, other: &str, sign: &str| {
            let lines = one.lines().filter(|line| !other.lines().any(|found| found == *line));
            lines.map(|line| format!("\n{sign} {line}")).collect::<Vec<_>>().concat()
        };
        assert!(
            page == expected,
            "book/src/reference/cli.md differs from the parser; with STACK_UPDATE_BOOK=1, this test writes it{}{}",
            only_in(&page, &expected, "-"),
            only_in(&expected, &page, "+"),
        );
    }

    #[test]
    fn tables_follow_the_parser() {
        let page = "# A\n\n<!-- options: b c -->\nold\n<!-- end -->\n\nprose\n";
        let mut root = command();
        root.build();
        assert_eq!(
            filled(page, &root).unwrap(),
            "# A\n\n<!-- options: b c -->\n\n| argument | what it does |\n| --- | --- |\n| `FILE…` | Read \\| write |\n\
             | `-n`, `--number N` | Count [default: 3] |\n| `--flag` | Wave |\n\n<!-- end -->\n\nprose\n"
        );
    }

    #[test]
    fn missing_and_unknown_commands_are_faults() {
        let mut root = command();
        root.build();
        assert!(filled("prose\n", &root).unwrap_err().contains("0 places for the options of `b c`"));
        let twice = "<!-- options: b c -->\n<!-- end -->\n".repeat(2);
        assert!(filled(&twice, &root).unwrap_err().contains("2 places"));
        assert!(
            filled("<!-- options: d -->\n<!-- end -->\n", &root).unwrap_err().contains("which is no command")
        );
        assert!(filled("<!-- options: b c -->\n", &root).unwrap_err().contains("does not end"));
    }

    fn command() -> Command {
        let number =
            Arg::new("number").short('n').long("number").value_name("N").default_value("3").help("Count");
        let flag = Arg::new("flag").long("flag").action(clap::ArgAction::SetTrue).help("Wave");
        let file = Arg::new("file").value_name("FILE").num_args(1..).help("Read | write");
        let inner = Command::new("c").args([number, flag, file]);
        let outer = Command::new("b").disable_help_subcommand(true).subcommand(inner);
        Command::new("a").disable_help_subcommand(true).subcommand(outer)
    }
}
