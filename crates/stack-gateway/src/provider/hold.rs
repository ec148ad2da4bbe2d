//! Holds the beginning of an answer back until there is something in it.
//!
//! Before that nobody has seen anything of it, so whatever fails may be tried again, and the caller gets a status of its
//! own. From the first output on the answer is this one, and nothing else.

use stack_chat::{ChatEvent, Failure, FailureKind, Fragment, PartKind};

/// What was held back, or that nothing is held back any more.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    held: Vec<ChatEvent>,
    bytes: usize,
    is_open: bool,
}

impl Hold {
    /// Whether the caller may have seen some of the answer.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Takes in an event, and returns those that go on to the caller.
    ///
    /// # Errors
    ///
    /// When there is much, and no output in it.
    pub(crate) fn push(&mut self, event: ChatEvent) -> Result<Vec<ChatEvent>, Failure> {
        if self.is_open {
            return Ok(vec![event]);
        }
        if event == ChatEvent::Alive {
            // The caller is shown other signs of life.
            return Ok(Vec::new());
        }
        self.is_open = is_output(&event);
        self.bytes += size(&event);
        self.held.push(event);
        if self.is_open {
            return Ok(std::mem::take(&mut self.held));
        }
        if self.held.len() > EVENTS_MAX || self.bytes > BYTES_MAX {
            let message = format!("the provider sent {} events, and nothing of an answer", self.held.len());
            return Err(Failure::new(FailureKind::StreamMalformed, message));
        }
        Ok(Vec::new())
    }
}

/// Whether an event is a part of the answer, or its good end.
pub(crate) fn is_output(event: &ChatEvent) -> bool {
    match event {
        ChatEvent::Delta(delta) => match &delta.fragment {
            // A token whose bytes are no character yet is a part of the answer, too.
            Fragment::Text(text) | Fragment::Thinking(text) | Fragment::Refusal(text) => {
                !text.is_empty() || !delta.tokens.is_empty()
            }
            Fragment::Arguments(_) => false,
        },
        ChatEvent::PartStarted { kind: PartKind::ToolCall { name, .. }, .. } => !name.is_empty(),
        ChatEvent::Done { .. } => true,
        _ => false,
    }
}

/// How much an event takes, as far as the provider can make it long.
pub(crate) fn size(event: &ChatEvent) -> usize {
    match event {
        ChatEvent::OpaqueAdded { opaque, .. } => opaque.data.len(),
        ChatEvent::Delta(delta) => delta.fragment.as_str().len(),
        _ => 0,
    }
}

const EVENTS_MAX: usize = 64;
const BYTES_MAX: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use stack_chat::{Delta, Opaque, Origin, Usage};

    use super::*;

    fn text(text: &str) -> ChatEvent {
        let fragment = Fragment::Text(text.into());
        ChatEvent::Delta(Delta { choice: 0, part: 0, fragment, tokens: Vec::new() })
    }

    fn part(kind: PartKind) -> ChatEvent {
        ChatEvent::PartStarted { choice: 0, part: 0, kind }
    }

    #[test]
    fn everything_before_the_first_output_comes_with_it() {
        let started = ChatEvent::Started { prompt_tokens: 0, seed: 0, unused: Vec::new() };
        let mut hold = Hold::default();
        for event in [started.clone(), part(PartKind::Text), ChatEvent::Alive, text("")] {
            assert_eq!(hold.push(event), Ok(Vec::new()));
        }
        assert!(!hold.is_open());
        let first = hold.push(text("a")).unwrap();
        assert_eq!(first, [started, part(PartKind::Text), text(""), text("a")]);
        assert_eq!(hold.push(ChatEvent::Alive), Ok(vec![ChatEvent::Alive]));
        let mut hold = Hold::default();
        let call = part(PartKind::ToolCall { id: "1".into(), name: "f".into() });
        assert_eq!(hold.push(call.clone()), Ok(vec![call]), "that a tool is called is output");
    }

    #[test]
    fn much_without_output_is_no_answer() {
        let usage = |input| ChatEvent::Usage(Usage { input, ..Usage::default() });
        let mut hold = Hold::default();
        let failed =
            (0..).find_map(|count| hold.push(usage(count)).err().map(|failure| (count, failure.kind)));
        assert_eq!(failed, Some((64, FailureKind::StreamMalformed)));
        let origin = Origin { provider: "p".into(), family: "f".into() };
        let opaque = Opaque { origin, kind: "k".into(), data: "x".repeat(BYTES_MAX + 1) };
        assert!(Hold::default().push(ChatEvent::OpaqueAdded { choice: 0, part: 0, opaque }).is_err());
    }
}
