//! What a request said and nobody acts on.

use std::collections::BTreeSet;

use stack_chat::{Failure, Unused};

/// The names of fields that were accepted without effect: documented no-ops, unknown ones, and those that the model's
/// template does not look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    names: BTreeSet<String>,
    /// What was given inside `chat_template_kwargs`.
    template_kwargs: BTreeSet<String>,
    words: Words,
    /// The field that says what form the answer has, where that is not the usual one.
    form: Option<String>,
}

/// What a dialect calls the parts of a request that a model may have no use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// That calls follow their schema in every case.
    pub(crate) strict_tools: &'static str,
    /// That tools are not called several at once.
    pub(crate) parallel_tool_calls: &'static str,
    /// That a tool failed.
    pub(crate) tool_errors: &'static str,
    /// The name of a speaker.
    pub(crate) speaker_names: &'static str,
    /// What the model thought in earlier turns.
    pub(crate) reasoning: &'static str,
    /// Whether the model may think.
    pub(crate) thinking: &'static str,
    /// How hard it may think.
    pub(crate) effort: &'static str,
}

/// The words of OpenAI's chat completions, and of those who extended them.
impl Default for Words {
    fn default() -> Self {
        Self {
            strict_tools: "tools[].function.strict",
            parallel_tool_calls: "parallel_tool_calls",
            tool_errors: "messages[].content",
            speaker_names: "messages[].name",
            reasoning: "messages[].reasoning_content",
            thinking: "enable_thinking",
            effort: "reasoning_effort",
        }
    }
}

impl Ignored {
    /// Returns the names, sorted, as the value of a response header, or `None` if there are none.
    ///
    /// The value is always printable ASCII: a character that a header cannot carry is replaced by `?`.
    pub fn header_value(&self) -> Option<String> {
        if self.names.is_empty() {
            return None;
        }
        Some(self.names.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    }

    /// Iterates over the names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Notes what the model's template does not look at.
    pub fn note_unused(&mut self, unused: &Unused) {
        match unused {
            Unused::Tools => self.note("tools"),
            Unused::StrictTools => self.note(self.words.strict_tools),
            Unused::ParallelToolCalls => self.note(self.words.parallel_tool_calls),
            Unused::ToolErrors => self.note(self.words.tool_errors),
            Unused::SpeakerNames => self.note(self.words.speaker_names),
            Unused::Reasoning => self.note(self.words.reasoning),
            Unused::EnableThinking => self.note_variable("enable_thinking", self.words.thinking),
            Unused::Variable(name) if name == "reasoning_effort" => {
                self.note_variable(name, self.words.effort);
            }
            Unused::Variable(name) => self.note_variable(name, name),
            Unused::Option(name) => self.note(name),
        }
    }

    /// Notes a variable of templates by the place where it was given, or else by the word for it outside of them.
    fn note_variable(&mut self, name: &str, word: &str) {
        if self.template_kwargs.contains(name) {
            self.note(&format!("chat_template_kwargs.{name}"));
        } else {
            self.note(word);
        }
    }

    /// Starts a list in the words of a dialect.
    pub(crate) fn in_words(words: Words) -> Self {
        Self { words, ..Self::default() }
    }

    /// Remembers by which field the request said how hard the model may think.
    pub(crate) fn effort_is(&mut self, word: &'static str) {
        self.words.effort = word;
    }

    /// Remembers by which field the request said whether the model may think.
    pub(crate) fn thinking_is(&mut self, word: &'static str) {
        self.words.thinking = word;
    }

    /// Remembers by which field the request said what form the answer has.
    pub(crate) fn form_is(&mut self, field: String) {
        self.form = Some(field);
    }

    /// Gives a failure of the model, which knows no dialect, the name of the field that the request has.
    #[must_use]
    pub fn in_words_of_request(&self, failure: Failure) -> Failure {
        let is_form = matches!(failure.field.as_deref(), Some("response_format" | "grammar"));
        match &self.form {
            Some(form) if is_form => Failure { field: Some(form.clone()), ..failure },
            _ => failure,
        }
    }

    /// Remembers that the template variable `name` was given inside `chat_template_kwargs`.
    pub(crate) fn template_kwarg(&mut self, name: &str) {
        self.template_kwargs.insert(name.to_owned());
    }

    /// Notes that the field `name` has no effect. Beyond a limit, further names are left out.
    pub(crate) fn note(&mut self, name: &str) {
        if self.names.len() < NAMES_MAX {
            let printable = |c: char| if c.is_ascii_graphic() && c != ',' { c } else { '?' };
            self.names.insert(name.chars().take(NAME_CHARS_MAX).map(printable).collect());
        }
    }
}

const NAMES_MAX: usize = 32;
const NAME_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ignored_makes_no_header() {
        assert_eq!(Ignored::default().header_value(), None);
    }

    #[test]
    fn names_are_listed_once_and_sorted() {
        let mut ignored = Ignored::default();
        for name in ["user", "store", "user"] {
            ignored.note(name);
        }
        assert_eq!(ignored.header_value().as_deref(), Some("store, user"));
    }

    #[test]
    fn template_variables_are_named_where_they_were_given() {
        let mut ignored = Ignored::default();
        ignored.template_kwarg("tone");
        for unused in [
            Unused::Tools,
            Unused::EnableThinking,
            Unused::Variable("tone".into()),
            Unused::Variable("reasoning_effort".into()),
            Unused::SpeakerNames,
            Unused::Reasoning,
        ] {
            ignored.note_unused(&unused);
        }
        let expected = "chat_template_kwargs.tone, enable_thinking, messages[].name, \
            messages[].reasoning_content, reasoning_effort, tools";
        assert_eq!(ignored.header_value().as_deref(), Some(expected));
    }

    #[test]
    fn hostile_names_cannot_forge_headers() {
        let mut ignored = Ignored::default();
        ignored.note("a\r\nset-cookie: x, é");
        assert_eq!(ignored.header_value().as_deref(), Some("a??set-cookie:?x???"));

        let mut many = Ignored::default();
        for number in 0..10_000 {
            many.note(&format!("{number}{}", "x".repeat(1000)));
        }
        assert!(many.header_value().is_some_and(|value| value.len() <= 32 * 66));
    }
}
