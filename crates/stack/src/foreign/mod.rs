//! What people type who know other programs: Ollama, llama.cpp, vLLM, Docker.
//!
//! Where this program means the same, it understands the word: most options by aliases that stand beside the options
//! themselves, and those of one dash and several letters, which no parser here would read, by [`translated`]. Everything
//! else is refused with the way to the same end, if there is one.

mod commands;
mod options;

use std::ffi::{OsStr, OsString};

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use stack_registry::name::nearest;

use crate::error::{CommandError, Kind};
use crate::terminal::output::sanitize;

/// Rewrites options of one dash and several letters that mean the same as one of ours.
///
/// # Errors
///
/// When one means something that this program does not do.
pub(crate) fn translated(arguments: &[OsString], root: &Command) -> Result<Vec<OsString>, CommandError> {
    let mut known = Vec::with_capacity(arguments.len());
    let mut is_value = false;
    for (position, argument) in arguments.iter().enumerate() {
        if argument == "--" {
            known.extend_from_slice(&arguments[position..]);
            break;
        }
        let text = argument.to_str().unwrap_or_default();
        let name = text.split('=').next().unwrap_or_default();
        let found = if is_value { None } else { options::of_one_dash(name) };
        is_value = options::takes_text(text);
        match found {
            Some(options::Way::Ours(ours)) => known.push(format!("{ours}{}", &text[name.len()..]).into()),
            Some(options::Way::Hint(hint)) => {
                return Err(unknown_option(&called(root, arguments), name).hint(hint));
            }
            None => known.push(argument.clone()),
        }
    }
    Ok(known)
}

/// Explains an argument that the parser did not understand, where there is more to say than that.
pub(crate) fn explained(error: &clap::Error, arguments: &[OsString], root: &Command) -> Option<CommandError> {
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = word(ContextKind::InvalidSubcommand)?;
            Some(unknown_command(command_of(&built(root), arguments), word))
        }
        ErrorKind::UnknownArgument => {
            let option = word(ContextKind::InvalidArg)?;
            let is_text =
                |argument: &&str| argument.starts_with('-') && argument.contains(char::is_whitespace);
            let texts = arguments.iter().filter_map(|argument| argument.to_str());
            if let Some(text) = texts.filter(is_text).find(|text| text.starts_with(option.trim_end())) {
                let shown: String = sanitize(text).chars().take(SHOWN_CHARS).collect();
                let message = format!("{shown:?} begins with a dash, and is read as an option");
                return Some(CommandError::new(Kind::Usage, message).hint("put `--` before it"));
            }
            // A positional too many is no option.
            option.starts_with('-').then(|| option_error(command_of(&built(root), arguments), option))
        }
        _ => None,
    }
}

/// The error for a command that there is not.
pub(crate) fn unknown_command(parent: &Command, word: &str) -> CommandError {
    let shown: String = sanitize(word).chars().take(SHOWN_CHARS).collect();
    let parent_name = parent.get_bin_name().unwrap_or("stack");
    let new = |hint: String| {
        CommandError::new(Kind::Usage, format!("{parent_name} has no command {shown:?}")).hint(hint)
    };
    let is_root = parent.get_name() == "stack";
    if word == "help" {
        return new(format!("`stack help {}` explains it", parent.get_name()));
    }
    if is_root && let Some(hint) = commands::hint(word) {
        return new(hint.to_owned());
    }
    let names = parent
        .get_subcommands()
        .flat_map(|command| std::iter::once(command.get_name()).chain(command.get_visible_aliases()));
    if let Some(near) = nearest(word, names) {
        return new(format!("did you mean `{parent_name} {near}`?"));
    }
    if is_root && (word.contains(char::is_whitespace) || word.to_ascii_lowercase().ends_with(".gguf")) {
        return new(format!("models are asked with `stack run`: stack run {shown:?}"));
    }
    new("`stack help` lists the commands".to_owned())
}

/// The error for an option that a command does not have.
fn option_error(command: &Command, option: &str) -> CommandError {
    let called = command.get_bin_name().unwrap_or("stack");
    let name = option.split('=').next().unwrap_or(option);
    let error = unknown_option(called, name);
    if let Some(hint) = options::hint(name) {
        return error.hint(hint);
    }
    let longs = command.get_arguments().flat_map(|argument| {
        argument.get_long().into_iter().chain(argument.get_visible_aliases().unwrap_or_default())
    });
    let near = name.strip_prefix("--").and_then(|word| nearest(word, longs));
    error.hint(match near {
        Some(near) => format!("did you mean --{near}?"),
        None => format!(
            "`{called} --help` lists the options; what begins with a dash and is none goes behind `--`"
        ),
    })
}

fn unknown_option(called: &str, option: &str) -> CommandError {
    let option: String = sanitize(option).chars().take(SHOWN_CHARS).collect();
    CommandError::new(Kind::Usage, format!("{called} has no option {option}"))
}

/// The command that was called, as far as there is one.
fn command_of<'a>(root: &'a Command, arguments: &[OsString]) -> &'a Command {
    let mut command = root;
    for word in words(arguments) {
        match command.find_subcommand(word) {
            Some(found) => command = found,
            None => break,
        }
    }
    command
}

/// The name of the command that was called, such as `stack trust add`.
fn called(root: &Command, arguments: &[OsString]) -> String {
    command_of(&built(root), arguments).get_bin_name().unwrap_or("stack").to_owned()
}

/// All commands, which know what they are called only then.
fn built(root: &Command) -> Command {
    let mut root = root.clone();
    root.build();
    root
}

/// The arguments behind the name of the program that are no options.
fn words(arguments: &[OsString]) -> impl Iterator<Item = &OsStr> {
    arguments
        .iter()
        .skip(1)
        .map(OsString::as_os_str)
        .take_while(|word| !word.as_encoded_bytes().starts_with(b"-"))
}

const SHOWN_CHARS: usize = 60;

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::Cli;

    fn arguments(line: &[&str]) -> Vec<OsString> {
        std::iter::once("stack").chain(line.iter().copied()).map(OsString::from).collect()
    }

    fn translate(line: &[&str]) -> Result<Vec<String>, String> {
        let translated = translated(&arguments(line), &Cli::command()).map_err(|error| error.to_string())?;
        Ok(translated.into_iter().skip(1).map(|word| word.into_string().unwrap()).collect())
    }

    /// What a command line comes to: nothing if it is understood, else the error.
    fn problem(line: &[&str]) -> Option<String> {
        let arguments = match translated(&arguments(line), &Cli::command()) {
            Ok(arguments) => arguments,
            Err(error) => return Some(error.to_string()),
        };
        let error = Cli::try_parse_from(&arguments).err()?;
        Some(
            explained(&error, &arguments, &Cli::command())
                .map_or_else(|| error.to_string(), |error| error.to_string()),
        )
    }

    #[test]
    fn options_of_other_programs_that_mean_the_same_are_understood() {
        for line in [
            // ollama
            &["run", "llama3", "why is the sky blue", "--verbose"][..],
            &["ls"],
            &["show", "llama3"],
            &["cp", "a", "b"],
            &["rm", "a"],
            &["help", "run"],
            &["version"],
            // llama-cli and llama-server
            &["run", "-m", "m.gguf", "-p", "hi", "-n", "64", "-c", "4096", "-t", "4"],
            &["run", "-m", "m.gguf", "-p", "-5 + 3", "--temp", "0", "--seed", "-1", "--n-predict", "-1"],
            &["run", "-m", "m.gguf", "-sys", "Be terse.", "--top-k", "1", "--top-p", "0.9", "--min-p", "0"],
            &["run", "-m", "m.gguf", "--repeat-penalty", "1.1", "--repeat-last-n", "64", "--typical", "1"],
            &[
                "run",
                "-m",
                "m.gguf",
                "--presence-penalty",
                "-1",
                "--frequency-penalty",
                "1",
                "--predict",
                "1",
            ],
            &["run", "-m", "m.gguf", "--ctx-size", "4096", "--chat-template-file", "t.jinja"],
            &[
                "serve", "-m", "m.gguf", "-c", "4096", "--alias", "x", "--temp", "0.2", "-n", "256",
                "--seed", "1",
            ],
            &["serve", "-m", "m.gguf", "-a", "x", "--host", "127.0.0.1", "--port", "8080", "--top-k", "3"],
            &["serve", "a", "b", "--alias", "x,y"],
            // vllm
            &["serve", "m", "--served-model-name", "x", "--max-model-len", "4096"],
            // llama-bench
            &["bench", "-m", "m.gguf", "-p", "512", "-n", "128", "-r", "5", "-d", "0", "-t", "2"],
        ] {
            assert_eq!(problem(line), None, "{line:?}");
        }
    }

    #[test]
    fn other_options_of_other_programs_are_refused_with_a_way_on() {
        for name in options::refused() {
            let text = problem(&["run", "m", name, "x"]).unwrap_or_else(|| panic!("{name} is understood"));
            assert!(text.starts_with(&format!("error: stack run has no option {name}\nhint: ")), "{text}");
            assert!(!text.contains("did you mean"), "{text}");
        }
        for (line, way) in [
            (&["run", "m", "-ngl", "99"][..], "--device"),
            (&["serve", "m", "--n-gpu-layers=99"], "--device"),
            (&["serve", "-hf", "Qwen/Q"], "stack pull hf://"),
            (&["run", "m", "--keepalive", "5m"], "as long as the process"),
            (&["run", "m", "--json-schema-file", "s.json"], "--schema FILE"),
            (&["show", "m", "--modelfile"], "--template"),
            (&["serve", "m", "--tensor-parallel-size", "2"], "one device"),
        ] {
            let text = problem(line).unwrap();
            assert!(text.contains("has no option") && text.contains(way), "{text}");
        }
    }

    #[test]
    fn values_and_what_follows_two_dashes_are_left_alone() {
        assert_eq!(translate(&["run", "-sys", "x"]).unwrap(), ["run", "--system", "x"]);
        assert_eq!(translate(&["run", "-sys=x=y"]).unwrap(), ["run", "--system=x=y"]);
        assert!(translate(&["run", "-ngl=99"]).unwrap_err().contains("has no option -ngl\n"));
        for line in [
            &["run", "-p", "-ngl"][..],
            &["run", "--stop", "-fa"],
            &["run", "m", "--", "-sys", "-ngl"],
            &["run", "m", "say -ngl"],
        ] {
            assert_eq!(translate(line).unwrap(), line, "{line:?}");
        }
    }

    #[test]
    fn unknown_commands_get_a_sensible_word_or_none() {
        for (word, way) in [
            ("rnu", "did you mean `stack run`?"),
            ("lsit", "did you mean `stack list`?"),
            ("serv", "did you mean `stack serve`?"),
            ("create", "Modelfile"),
            ("top", "stack ps"),
            ("unload", "stack stop"),
            ("fly", "`stack help` lists the commands"),
            ("rekye", "did you mean `stack rekey`?"),
            ("Tell me a story", "stack run"),
            ("model.gguf", "stack run"),
        ] {
            let text = problem(&[word]).unwrap();
            assert!(text.contains("has no command") && text.contains(way), "{text}");
        }
        assert!(problem(&["trust", "ad", "x"]).unwrap().contains("`stack help` lists"));
        assert!(problem(&["trust", "lst"]).unwrap().contains("did you mean `stack trust list`?"));
        for word in commands::WORDS.iter().flat_map(|(words, _)| *words) {
            assert!(Cli::command().find_subcommand(word).is_none(), "{word} is a command");
            assert!(!problem(&[word]).unwrap().contains("did you mean"), "{word}");
        }
    }

    #[test]
    fn mistyped_options_get_the_nearest_or_none() {
        let hint = |option: &str| problem(&["run", "m", option, "1"]).unwrap();
        assert!(hint("--temprature").contains("did you mean --temperature?"));
        assert!(hint("--sede").contains("did you mean --seed?"));
        assert!(hint("--zzz").contains("`stack run --help`"));
        assert!(hint("--\u{1b}[2J").is_ascii());
    }
}
