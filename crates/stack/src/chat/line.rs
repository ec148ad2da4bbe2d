//! What is typed: text, perhaps of several lines, or a command.

use super::command::Command;

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

impl Line {
    /// Reads a text that was typed.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::Empty);
        }
        // Whoever types these wants to leave, here as in every other program.
        if ["exit", "quit"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return Ok(Self::Command(Command::Bye));
        }
        // A path or a fraction is no command; a command is one word.
        let is_command = |rest: &&str| {
            rest.starts_with(|first: char| first.is_ascii_alphabetic())
                || *rest == "?"
                || rest.starts_with("? ")
        };
        let Some(command) = text.strip_prefix('/').filter(is_command) else {
            return Ok(Self::Say(text.to_owned()));
        };
        let (name, argument) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        if name.contains('/') {
            return Ok(Self::Say(text.to_owned()));
        }
        Command::parse(name, argument).map(Self::Command)
    }
}

/// A text of which the lines typed so far are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    lines: Vec<String>,
    quoted: bool,
    /// Whether the quotes belong to a command, which reads them itself.
    command: bool,
}

impl Draft {
    /// Adds a line; returns whether the text is complete.
    pub(super) fn push(&mut self, line: &str) -> bool {
        let mut line = line;
        if self.command {
            self.lines.push(line.to_owned());
            return line.trim_end().ends_with(QUOTES);
        }
        if self.lines.is_empty() {
            let start = line.trim_start();
            if let Some(rest) = start.strip_prefix(QUOTES) {
                self.quoted = true;
                line = rest;
            } else if let Some((before, rest)) = start.split_once(QUOTES)
                && before.starts_with('/')
            {
                self.command = true;
                self.lines.push(line.to_owned());
                return rest.trim_end().ends_with(QUOTES);
            }
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
    fn quotes_hold_the_lines_of_a_command_together() {
        let (complete, text) = draft(&["/set system \"\"\"Be", "terse.\"\"\""]);
        assert_eq!((complete, text.as_str()), (vec![false, true], "/set system \"\"\"Be\nterse.\"\"\""));
        let system = |text: &str| Ok(Line::Command(Command::System(Some(text.to_owned()))));
        assert_eq!(Line::parse(&text), system("Be\nterse."));
        let (complete, text) = draft(&["/system \"\"\"Be terse.\"\"\""]);
        assert_eq!((complete, Line::parse(&text)), (vec![true], system("Be terse.")));
    }

    #[test]
    fn commands_are_told_from_text() {
        let parse = |text| Line::parse(text).unwrap();
        assert_eq!(parse("  "), Line::Empty);
        assert_eq!(parse("/ is a slash"), Line::Say("/ is a slash".to_owned()));
        assert_eq!(parse("/usr/bin is a path"), Line::Say("/usr/bin is a path".to_owned()));
        assert_eq!(parse("/system Be terse. "), Line::Command(Command::System(Some("Be terse.".to_owned()))));
        assert_eq!(parse("/save a b.json"), Line::Command(Command::Save("a b.json".into())));
        assert!(matches!(parse("/?"), Line::Command(Command::Help(_))));
        for text in ["/bye", "/exit", "/quit", "exit", "quit", " Quit "] {
            assert_eq!(parse(text), Line::Command(Command::Bye), "{text}");
        }
        assert_eq!(parse("quit smoking"), Line::Say("quit smoking".to_owned()));
    }
}
