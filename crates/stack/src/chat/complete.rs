//! Tab: completes commands, what they take, models and files.

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::command::{HELP_TOPICS, NAMES, OPTIONS, TOPICS};
use super::settings::Parameter;

/// What the line editor asks when Tab is pressed.
pub(super) struct Completions<'a> {
    /// Lists the models of the store.
    models: Box<dyn Fn() -> Vec<String> + 'a>,
    files: FilenameCompleter,
}

/// What could stand at the cursor.
#[derive(Debug, PartialEq, Eq)]
enum Offer {
    /// One of these words, from this byte of the line on.
    Words(usize, Vec<String>),
    /// The path of a file.
    File,
}

impl<'a> Completions<'a> {
    pub(super) fn new(models: impl Fn() -> Vec<String> + 'a) -> Self {
        Self { models: Box::new(models), files: FilenameCompleter::new() }
    }
}

/// Finds what could stand at the end of what is typed so far. Only commands are completed, never what is said.
fn offer(typed: &str, models: &dyn Fn() -> Vec<String>) -> Offer {
    let nothing = Offer::Words(typed.len(), Vec::new());
    if !typed.starts_with('/') {
        return nothing;
    }
    let start = typed.rfind(char::is_whitespace).map_or(0, |space| space + 1);
    let (before, word) = typed.split_at(start);
    let before: Vec<&str> = before.split_whitespace().collect();
    let words: Vec<String> = match before[..] {
        [] => NAMES.iter().map(|name| format!("/{name}")).collect(),
        ["/set"] => OPTIONS.map(str::to_owned).to_vec(),
        ["/set", "parameter"] => Parameter::ALL.map(|parameter| parameter.name().to_owned()).to_vec(),
        ["/show"] => TOPICS.map(str::to_owned).to_vec(),
        ["/help" | "/?"] => HELP_TOPICS.map(str::to_owned).to_vec(),
        ["/model"] => models(),
        ["/save" | "/load"] => return Offer::File,
        _ => return nothing,
    };
    Offer::Words(start, words.into_iter().filter(|candidate| candidate.starts_with(word)).collect())
}

impl Completer for Completions<'_> {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        match offer(&line[..position], &*self.models) {
            Offer::File => self.files.complete_path(line, position),
            Offer::Words(start, words) => {
                let only = words.len() == 1;
                let pair = |word: String| {
                    let replacement = if only { format!("{word} ") } else { word.clone() };
                    Pair { display: word, replacement }
                };
                Ok((start, words.into_iter().map(pair).collect()))
            }
        }
    }
}

impl Hinter for Completions<'_> {
    type Hint = String;
}

impl Highlighter for Completions<'_> {}
impl Validator for Completions<'_> {}
impl Helper for Completions<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(typed: &str) -> Vec<String> {
        match offer(typed, &|| vec!["med/x".to_owned(), "smol".to_owned()]) {
            Offer::Words(start, words) => {
                assert!(start <= typed.len());
                words
            }
            Offer::File => vec!["FILE".to_owned()],
        }
    }

    #[test]
    fn commands_and_what_they_take_are_completed() {
        assert_eq!(words("/s"), ["/save", "/seed", "/set", "/show", "/system"]);
        assert_eq!(words("/set no"), ["nohistory", "nowordwrap"]);
        assert_eq!(words("/set parameter top"), ["top_k", "top_p"]);
        assert_eq!(words("/show t"), ["template"]);
        assert_eq!(words("/model m"), ["med/x"]);
        assert_eq!(words("/? s"), ["set", "shortcuts", "show"]);
        assert_eq!(words("/load ta"), ["FILE"]);
    }

    #[test]
    fn what_is_said_is_left_alone() {
        for typed in ["", "s", "say /s", "/set parameter top_k 4", "/bye n"] {
            assert!(words(typed).is_empty(), "{typed:?}");
        }
    }
}
