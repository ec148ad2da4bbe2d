//! What is typed: text, perhaps of several lines, or a command.

use std::path::PathBuf;

use crate::options::finite;

/// What a text that was typed means.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    /// Nothing.
    Empty,
    /// The next message.
    Say(String),
    /// Something to do.
    Command(Command),
}

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    /// Sets the instructions, or removes them.
    System(Option<String>),
    /// Sets the temperature.
    Temperature(f32),
    /// Fixes the seed, or lets each answer draw one.
    Seed(Option<u64>),
    /// Forgets the conversation.
    Clear,
    /// Writes the conversation to a new file.
    Save(PathBuf),
    /// Goes on with the conversation in a file.
    Load(PathBuf),
    /// Lists the commands.
    Help,
    /// Ends.
    Bye,
}

/// What `/help` prints.
pub(super) const HELP: &str = "\
/system [TEXT]  set the instructions; without TEXT, remove them
/temp T         set the temperature; 0 always takes the most probable token
/seed [N]       fix the draw; without N, draw anew for each answer
/clear          forget the conversation
/save FILE      write the conversation to a new file
/load FILE      go on with the conversation in a file
/help           print this
/bye            end, as Ctrl-D does
A line that ends in \\ goes on in the next; \"\"\" begins and ends a text of several lines.";

impl Line {
    /// Reads a text that was typed.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::Empty);
        }
        // A path or a fraction is no command; a command is one word.
        let Some(command) =
            text.strip_prefix('/').filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
        else {
            return Ok(Self::Say(text.to_owned()));
        };
        let (name, argument) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        if name.contains('/') {
            return Ok(Self::Say(text.to_owned()));
        }
        let argument = argument.trim();
        let file = || match argument {
            "" => Err(format!("/{name} needs the name of a file")),
            path => Ok(PathBuf::from(path)),
        };
        Ok(Self::Command(match name {
            "system" => Command::System(Some(argument.to_owned()).filter(|text| !text.is_empty())),
            "temp" => Command::Temperature(finite(argument).map_err(|_| "/temp needs a number".to_owned())?),
            "seed" if argument.is_empty() => Command::Seed(None),
            "seed" => {
                Command::Seed(Some(argument.parse().map_err(|_| "/seed needs a whole number".to_owned())?))
            }
            "clear" => Command::Clear,
            "save" => Command::Save(file()?),
            "load" => Command::Load(file()?),
            "help" => Command::Help,
            "bye" => Command::Bye,
            other => return Err(format!("there is no command /{other}")),
        }))
    }
}

/// A text of which the lines typed so far are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    lines: Vec<String>,
    quoted: bool,
}

impl Draft {
    /// Adds a line; returns whether the text is complete.
    pub(super) fn push(&mut self, line: &str) -> bool {
        let mut line = line;
        if self.lines.is_empty()
            && let Some(rest) = line.trim_start().strip_prefix(QUOTES)
        {
            self.quoted = true;
            line = rest;
        }
        let complete = if self.quoted { line.trim_end().ends_with(QUOTES) } else { !line.ends_with('\\') };
        let shown = match (self.quoted, complete) {
            (true, true) => line.trim_end().strip_suffix(QUOTES),
            (false, false) => line.strip_suffix('\\'),
            _ => None,
        };
        self.lines.push(shown.unwrap_or(line).to_owned());
        complete
    }

    /// Whether no line was typed yet.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Joins the lines.
    pub(super) fn into_text(self) -> String {
        self.lines.join("\n").trim_matches('\n').to_owned()
    }
}

const QUOTES: &str = "\"\"\"";

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(lines: &[&str]) -> (Vec<bool>, String) {
        let mut draft = Draft::default();
        let complete = lines.iter().map(|line| draft.push(line)).collect();
        (complete, draft.into_text())
    }

    #[test]
    fn a_backslash_joins_lines() {
        assert_eq!(draft(&["one\\", "two"]), (vec![false, true], "one\ntwo".to_owned()));
        assert_eq!(draft(&["one"]), (vec![true], "one".to_owned()));
    }

    #[test]
    fn quotes_hold_lines_together() {
        let (complete, text) = draft(&["\"\"\"", "a \\", "", "b\"\"\""]);
        assert_eq!((complete, text.as_str()), (vec![false, false, false, true], "a \\\n\nb"));
        assert_eq!(draft(&["\"\"\"a\"\"\""]), (vec![true], "a".to_owned()));
    }

    #[test]
    fn commands_are_told_from_text() {
        let parse = |text| Line::parse(text).unwrap();
        assert_eq!(parse("  "), Line::Empty);
        assert_eq!(parse("/ is a slash"), Line::Say("/ is a slash".to_owned()));
        assert_eq!(parse("/usr/bin is a path"), Line::Say("/usr/bin is a path".to_owned()));
        assert_eq!(parse("/system Be terse. "), Line::Command(Command::System(Some("Be terse.".to_owned()))));
        assert_eq!(parse("/system"), Line::Command(Command::System(None)));
        assert_eq!(parse("/temp 0.5"), Line::Command(Command::Temperature(0.5)));
        assert_eq!(parse("/seed 7"), Line::Command(Command::Seed(Some(7))));
        assert_eq!(parse("/save a b.json"), Line::Command(Command::Save("a b.json".into())));
        assert_eq!(parse("/bye"), Line::Command(Command::Bye));
    }

    #[test]
    fn wrong_commands_say_what_is_wrong() {
        let problem = |text| Line::parse(text).unwrap_err();
        assert_eq!(problem("/temp hot"), "/temp needs a number");
        assert_eq!(problem("/seed -1"), "/seed needs a whole number");
        assert_eq!(problem("/save"), "/save needs the name of a file");
        assert_eq!(problem("/modle x"), "there is no command /modle");
    }
}
