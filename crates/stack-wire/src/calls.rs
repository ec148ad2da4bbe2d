//! Which tool calls of a conversation have been answered.

use std::collections::{HashSet, VecDeque};

use stack_chat::Failure;

/// The calls of a conversation so far.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    known: HashSet<String>,
    /// Those without a result, each with the tool that it calls.
    open: VecDeque<(String, String)>,
}

impl Calls {
    /// Notes a call by the model.
    pub(crate) fn made(&mut self, id: &str, tool: &str) {
        self.known.insert(id.to_owned());
        self.open.push_back((id.to_owned(), tool.to_owned()));
    }

    /// Returns the oldest open call of `tool`, or where the result does not say which tool that was, of any.
    pub(crate) fn answer_by(&mut self, path: &str, tool: Option<&str>) -> Result<String, Failure> {
        let found = self.open.iter().position(|(_, called)| tool.is_none_or(|tool| tool == called));
        let answered = found.and_then(|place| self.open.remove(place)).map(|(id, _)| id);
        answered.ok_or_else(|| {
            let message = format!("`{path}` is required: no such tool call waits for a result here");
            Failure::invalid(path, message)
        })
    }

    /// Returns the call that a result answers: the one that it names, else the oldest that is open.
    pub(crate) fn answer(&mut self, path: &str, named: Option<String>) -> Result<String, Failure> {
        let Some(id) = named else { return self.answer_by(path, None) };
        self.open.retain(|(open, _)| *open != id);
        if self.known.contains(&id) {
            return Ok(id);
        }
        let shown: String = id.chars().take(64).collect();
        Err(Failure::invalid(
            path,
            format!("`{path}` is {shown:?}, but no message before it makes that call"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_answers_the_call_that_it_names_or_the_oldest_open_one() {
        let mut calls = Calls::default();
        for id in ["a", "b", "c"] {
            calls.made(id, "f");
        }
        assert_eq!(calls.answer("p", Some("b".into())).unwrap(), "b");
        assert_eq!(calls.answer("p", None).unwrap(), "a");
        assert_eq!(calls.answer("p", None).unwrap(), "c");
        assert_eq!(calls.answer("p", None).unwrap_err().field.as_deref(), Some("p"));
        assert_eq!(calls.answer("p", Some("b".into())).unwrap(), "b", "results may be given in pieces");
        assert!(calls.answer("p", Some("d".into())).is_err());
        calls.made("e", "f");
        calls.made("g", "h");
        assert_eq!(calls.answer_by("p", Some("h")).unwrap(), "g");
        assert!(calls.answer_by("p", Some("h")).is_err());
    }
}
