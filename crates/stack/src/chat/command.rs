//! The commands of a conversation, as they are typed.

use std::path::PathBuf;

use stack_registry::name::nearest;

use super::settings::Parameter;

/// Something to do, other than to answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    /// Sets the instructions, or removes them.
    System(Option<String>),
    /// Sets a parameter of sampling, or leaves it to the model again.
    Parameter(Parameter, String),
    /// Wraps lines between words, or not.
    WordWrap(bool),
    /// Remembers what is typed for later conversations, or not.
    History(bool),
    /// Says after each answer how long it took, or not.
    Verbose(bool),
    /// Prints something.
    Show(Topic),
    /// Says which model answers, or lets another one answer.
    Model(Option<String>),
    /// Forgets the conversation.
    Clear,
    /// Writes the conversation to a new file.
    Save(PathBuf),
    /// Goes on with the conversation in a file.
    Load(PathBuf),
    /// Explains the commands.
    Help(&'static str),
    /// Ends.
    Bye,
}

/// What `/show` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// The model.
    Info,
    /// Its license.
    License,
    /// The parameters that were set.
    Parameters,
    /// The instructions.
    System,
    /// The chat template.
    Template,
}

impl Command {
    /// Reads a command: the word behind the slash, and what follows it.
    pub(super) fn parse(name: &str, argument: &str) -> Result<Self, String> {
        let argument = argument.trim();
        let file = || match argument {
            "" => Err(format!("/{name} needs the name of a file")),
            path => Ok(PathBuf::from(path)),
        };
        let set = |parameter: Parameter, value: &str| -> Result<Self, String> {
            parameter.check(value).map_err(|problem| format!("/{name} {problem}"))?;
            Ok(Self::Parameter(parameter, value.to_owned()))
        };
        Ok(match name {
            "system" => Self::System(instructions(argument)),
            "temp" => set(Parameter::Temperature, argument)?,
            "seed" if argument.is_empty() => set(Parameter::Seed, "default")?,
            "seed" => set(Parameter::Seed, argument)?,
            "set" => return Self::parse_set(argument),
            "show" => Self::Show(topic(argument)?),
            "model" => Self::Model(Some(argument.to_owned()).filter(|name| !name.is_empty())),
            "clear" => Self::Clear,
            "save" => Self::Save(file()?),
            "load" => Self::Load(file()?),
            "help" | "?" => Self::Help(match argument.trim_start_matches('/') {
                "set" => HELP_SET,
                "show" => HELP_SHOW,
                "shortcuts" => HELP_SHORTCUTS,
                _ => HELP,
            }),
            "bye" | "exit" | "quit" => Self::Bye,
            other => return Err(unknown(other)),
        })
    }

    fn parse_set(argument: &str) -> Result<Self, String> {
        let (option, value) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
        let value = value.trim();
        Ok(match option {
            "" => Self::Help(HELP_SET),
            "parameter" => {
                let (name, value) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
                let parameter = Parameter::named(name)?;
                let value = value.trim();
                parameter.check(value).map_err(|problem| format!("/set parameter {name} {problem}"))?;
                Self::Parameter(parameter, value.to_owned())
            }
            "system" if value.is_empty() => {
                return Err("/set system needs the instructions; /system alone removes them".to_owned());
            }
            "system" => Self::System(instructions(value)),
            "wordwrap" => Self::WordWrap(true),
            "nowordwrap" => Self::WordWrap(false),
            "history" => Self::History(true),
            "nohistory" => Self::History(false),
            "verbose" => Self::Verbose(true),
            "quiet" => Self::Verbose(false),
            other => {
                return Err(format!("there is nothing called {other} to set; /? set lists what there is"));
            }
        })
    }
}

fn topic(name: &str) -> Result<Topic, String> {
    Ok(match name {
        "" | "info" => Topic::Info,
        "license" => Topic::License,
        "parameters" => Topic::Parameters,
        "system" => Topic::System,
        "template" => Topic::Template,
        "modelfile" => {
            return Err("there are no modelfiles here; /show template and /show parameters say what counts"
                .to_owned());
        }
        other => return Err(format!("there is nothing called {other} to show; /? show lists what there is")),
    })
}

/// Takes away the quotes around instructions; nothing between them is none.
fn instructions(text: &str) -> Option<String> {
    Some(unquoted(text).to_owned()).filter(|text| !text.is_empty())
}

/// Takes away quotes around a text.
pub(super) fn unquoted(text: &str) -> &str {
    let inside = |quotes: &str| text.strip_prefix(quotes)?.strip_suffix(quotes);
    match inside("\"\"\"").or_else(|| inside("\"")) {
        Some(inner) if !inner.contains('"') || text.starts_with("\"\"\"") => inner.trim_matches('\n'),
        _ => text,
    }
}

/// Says that there is no such command, and which one may be meant.
fn unknown(name: &str) -> String {
    match nearest(name, NAMES) {
        Some(known) => format!("there is no command /{name}; is /{known} meant?"),
        None => format!("there is no command /{name}"),
    }
}

/// The commands, as they are completed.
pub(super) const NAMES: [&str; 14] = [
    "bye", "clear", "exit", "help", "load", "model", "quit", "save", "seed", "set", "show", "system", "temp",
    "?",
];
/// What `/set` sets.
pub(super) const OPTIONS: [&str; 8] =
    ["history", "nohistory", "nowordwrap", "parameter", "quiet", "system", "verbose", "wordwrap"];
/// What `/show` shows.
pub(super) const TOPICS: [&str; 5] = ["info", "license", "parameters", "system", "template"];
/// What `/help` explains.
pub(super) const HELP_TOPICS: [&str; 3] = ["set", "shortcuts", "show"];

/// What `/help` prints.
const HELP: &str = "\
/model [NAME]   say which model answers, or change it
/show [WHAT]    show info, license, parameters, system
                or template
/set OPTION     change how it answers; /? set lists options
/system [TEXT]  set the system message; without TEXT,
                remove it
/temp T         set the temperature; 0 always takes the
                most probable token
/seed [N]       fix the seed; without N, draw one for each
                answer
/clear          forget the conversation
/save FILE      write the conversation to a new file
/load FILE      go on with the conversation in a file
/? [WHAT]       print this; /? set, /? show, /? shortcuts
/bye            end; also /exit, /quit and Ctrl-D
A line that ends in \\ goes on in the next; \"\"\" begins and
ends a text of several lines.";

const HELP_SET: &str = "\
/set parameter NAME VALUE   NAME is one of temperature,
    top_k, top_p, min_p, typical_p, repeat_penalty,
    repeat_last_n, presence_penalty, frequency_penalty,
    seed, num_predict, stop; VALUE may be default
/set system TEXT            set the system message
/set wordwrap, nowordwrap   break lines between words
/set history, nohistory     keep what is typed for later
/set verbose, quiet         say how long an answer took";

const HELP_SHOW: &str = "\
/show info        the model, its size and its context
/show license     the license that its file names
/show parameters  the parameters that were set
/show system      the system message
/show template    the chat template";

const HELP_SHORTCUTS: &str = "\
Tab               complete a command
Up, Down          what was typed before; Ctrl-R searches it
Ctrl-A, Ctrl-E    go to the start or the end of the line
Alt-B, Alt-F      go back or forward by a word
Ctrl-K, Ctrl-U    cut to the end or to the start
Ctrl-W            cut the word before the cursor
Ctrl-L            clear the screen
Ctrl-C            stop an answer
Ctrl-D            end the conversation";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Command, String> {
        let (name, argument) = text.split_once(' ').unwrap_or((text, ""));
        Command::parse(name, argument)
    }

    #[test]
    fn there_are_many_ways_out() {
        for word in ["bye", "exit", "quit"] {
            assert_eq!(parse(word), Ok(Command::Bye));
        }
        assert!(matches!(parse("?"), Ok(Command::Help(text)) if text.contains("/model")));
        assert!(matches!(parse("? set"), Ok(Command::Help(text)) if text.contains("top_k")));
        assert!(matches!(parse("help /show"), Ok(Command::Help(text)) if text.contains("/show info")));
    }

    #[test]
    fn options_are_set_as_ollamas_users_write_them() {
        let temperature = Command::Parameter(Parameter::Temperature, "0.2".to_owned());
        assert_eq!(parse("set parameter temperature 0.2"), Ok(temperature.clone()));
        assert_eq!(parse("temp 0.2"), Ok(temperature));
        assert_eq!(parse("seed"), Ok(Command::Parameter(Parameter::Seed, "default".to_owned())));
        let system = |text: &str| Ok(Command::System(Some(text.to_owned())));
        assert_eq!(parse("set system Be terse."), system("Be terse."));
        assert_eq!(parse("set system \"Be terse.\""), system("Be terse."));
        assert_eq!(parse("set system \"\"\"Be\nterse.\n\"\"\""), system("Be\nterse."));
        assert_eq!(parse("system Say \"hi\""), system("Say \"hi\""));
        assert_eq!(parse("system \"a\" and \"b\""), system("\"a\" and \"b\""));
        assert_eq!(parse("system"), Ok(Command::System(None)));
        assert_eq!(parse("set nowordwrap"), Ok(Command::WordWrap(false)));
        assert_eq!(parse("set nohistory"), Ok(Command::History(false)));
        assert_eq!(parse("set quiet"), Ok(Command::Verbose(false)));
        assert_eq!(parse("model med/x"), Ok(Command::Model(Some("med/x".to_owned()))));
        assert_eq!(parse("show"), Ok(Command::Show(Topic::Info)));
    }

    #[test]
    fn wrong_commands_say_what_is_wrong() {
        let problem = |text: &str| parse(text).unwrap_err();
        assert_eq!(problem("temp hot"), "/temp needs a number from 0 to 1000");
        assert_eq!(problem("seed x"), "/seed needs a whole number");
        assert_eq!(problem("save"), "/save needs the name of a file");
        assert_eq!(problem("modle x"), "there is no command /modle; is /model meant?");
        assert_eq!(problem("xyzzy"), "there is no command /xyzzy");
        assert_eq!(problem("set parameter top_p 2"), "/set parameter top_p needs a number from 0 to 1");
        assert!(problem("set parameter num_ctx 4096").contains("--ctx"));
        assert!(problem("set parameter heat 1").contains("temperature"));
        assert!(problem("set format json").contains("/? set"));
        assert!(problem("show modelfile").contains("/show template"));
    }

    #[test]
    fn help_fits_a_narrow_terminal() {
        for text in [HELP, HELP_SET, HELP_SHOW, HELP_SHORTCUTS] {
            assert!(text.lines().all(|line| line.len() < 60), "{text}");
        }
        for name in NAMES {
            assert!(HELP.contains(&format!("/{name}")) || name == "help", "{name}");
        }
        for name in OPTIONS {
            assert!(HELP_SET.contains(name), "{name}");
        }
    }
}
