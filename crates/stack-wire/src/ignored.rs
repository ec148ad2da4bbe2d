//! What a request said and nobody acts on.

use std::collections::BTreeSet;

use stack_chat::Unused;

/// The names of fields that were accepted without effect: documented no-ops, unknown ones, and those that the model's
/// template does not look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    names: BTreeSet<String>,
    /// What was given inside `chat_template_kwargs`.
    template_kwargs: BTreeSet<String>,
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

    /// Notes what the model's template does not look at.
    pub fn note_unused(&mut self, unused: &Unused) {
        match unused {
            Unused::Tools => self.note("tools"),
            Unused::SpeakerNames => self.note("messages[].name"),
            Unused::Reasoning => self.note("messages[].reasoning_content"),
            Unused::EnableThinking => self.note_variable("enable_thinking"),
            Unused::Variable(name) => self.note_variable(name),
        }
    }

    fn note_variable(&mut self, name: &str) {
        if self.template_kwargs.contains(name) {
            self.note(&format!("chat_template_kwargs.{name}"));
        } else {
            self.note(name);
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
