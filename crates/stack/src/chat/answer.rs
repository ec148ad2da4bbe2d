//! Asks a model and shows the answer while it grows.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use stack_chat::{
    ChatEvent, ChatModel, ChatRequest, Delta, Failure, FinishReason, Fragment, Json, PartKind, Timings,
    ToolCall, Unused, Usage,
};

use crate::error::{CommandError, Kind};

/// An answer, whole or as far as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    /// What the model thought before it.
    pub(crate) thinking: String,
    /// The tools that it calls.
    pub(crate) calls: Vec<ToolCall>,
    /// Why it ended; `None` means that Ctrl-C stopped it.
    pub(crate) finish: Option<FinishReason>,
    pub(crate) usage: Usage,
    pub(crate) timings: Timings,
    pub(crate) seed: u64,
    /// What of the request had no effect.
    pub(crate) unused: Vec<Unused>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum AnswerError {
    /// The model has none.
    Chat(Failure),
    /// It could not be shown, or it broke off.
    Command(CommandError),
}

impl From<Failure> for AnswerError {
    fn from(error: Failure) -> Self {
        Self::Chat(error)
    }
}

impl From<CommandError> for AnswerError {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

impl From<AnswerError> for CommandError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Chat(error) => error.into(),
            AnswerError::Command(error) => error,
        }
    }
}

/// Asks for one answer; `show` gets each event. Ctrl-C ends the answer, and the work behind it.
pub(crate) async fn answer(
    model: &dyn ChatModel,
    request: ChatRequest,
    mut show: impl FnMut(&ChatEvent) -> Result<(), CommandError>,
) -> Result<Answer, AnswerError> {
    let mut answer = Answer::default();
    let mut events = model.chat(request)?;
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    loop {
        let event = tokio::select! {
            biased;
            Ok(()) = &mut interrupt => return Ok(Answer { finish: None, ..answer }),
            event = poll_fn(|context| events.as_mut().poll_next(context)) => event,
        };
        let event = match event {
            Some(Ok(event)) => event,
            Some(Err(error)) => return Err(error.into()),
            None => return Err(CommandError::new(Kind::Machine, "the answer ended unexpectedly").into()),
        };
        show(&event)?;
        let is_last = matches!(event, ChatEvent::Done { .. });
        answer.take(event);
        if is_last {
            return Ok(answer);
        }
    }
}

impl Answer {
    /// Takes an event in. Parts come one after the other, so the call at hand is the last one.
    fn take(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Started { seed, unused, .. } => (self.seed, self.unused) = (seed, unused),
            ChatEvent::PartStarted { kind: PartKind::ToolCall { id, name }, .. } => {
                self.calls.push(ToolCall { id, name, arguments: Json(String::new()) });
            }
            ChatEvent::Delta(Delta { fragment, .. }) => match fragment {
                Fragment::Text(text) | Fragment::Refusal(text) => self.text.push_str(&text),
                Fragment::Thinking(text) => self.thinking.push_str(&text),
                Fragment::Arguments(text) => {
                    self.calls
                        .iter_mut()
                        .last()
                        .into_iter()
                        .for_each(|call| call.arguments.0.push_str(&text));
                }
            },
            ChatEvent::Finished { reason, .. } => self.finish = Some(reason),
            ChatEvent::Done { usage, timings } => (self.usage, self.timings) = (usage, timings),
            ChatEvent::PartStarted { .. }
            | ChatEvent::PartEnded { .. }
            | ChatEvent::OpaqueAdded { .. }
            | ChatEvent::CitationAdded { .. }
            | ChatEvent::Usage(_)
            | ChatEvent::Alive => {}
        }
    }
}

/// Returns what an event adds to the text of an answer.
pub(crate) fn said(event: &ChatEvent) -> Option<&str> {
    match event {
        ChatEvent::Delta(Delta { fragment: Fragment::Text(text) | Fragment::Refusal(text), .. }) => {
            Some(text)
        }
        _ => None,
    }
}

/// What cut an answer short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It has as many tokens as it may have.
    Limit(u32),
    /// The context, of so many tokens, is full.
    Context(u32),
}

/// Tells what cut an answer, which was allowed `max_tokens` in a context of so many tokens; `None` where it ended by itself.
pub(crate) fn cut(answer: &Answer, max_tokens: Option<u32>, context: u32) -> Option<Cut> {
    answer.finish.filter(|&finish| finish == FinishReason::Length)?;
    match max_tokens {
        Some(limit) if answer.usage.generated() >= limit => Some(Cut::Limit(limit)),
        _ => Some(Cut::Context(context)),
    }
}

/// Says how much was computed and how fast.
pub(crate) fn speed(answer: &Answer) -> String {
    let Answer { usage, timings, .. } = answer;
    // The first token of the answer comes with the prompt.
    let decoded = usage.generated().saturating_sub(1);
    format!(
        "prompt: {} tokens ({} cached), {}\nanswer: {} tokens, {}",
        usage.prompt(),
        usage.cache_read,
        rate(usage.computed(), timings.prefill),
        usage.generated(),
        rate(decoded, timings.decode),
    )
}

fn rate(tokens: u32, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if tokens > 0 && seconds > 0.0 {
        format!("{seconds:.2} s, {:.1} tokens/s", f64::from(tokens) / seconds)
    } else {
        format!("{seconds:.2} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cut_an_answer_is_told_apart() {
        let ended = |finish, generated| Answer {
            finish,
            usage: Usage { answer: generated, ..Usage::default() },
            ..Answer::default()
        };
        let full = ended(Some(FinishReason::Length), 10);
        assert_eq!(cut(&full, Some(10), 64), Some(Cut::Limit(10)));
        assert_eq!(cut(&full, Some(11), 64), Some(Cut::Context(64)));
        assert_eq!(cut(&full, None, 64), Some(Cut::Context(64)));
        assert_eq!(cut(&ended(Some(FinishReason::Stop), 10), Some(10), 64), None);
        assert_eq!(cut(&ended(None, 3), Some(3), 64), None);
    }

    #[test]
    fn speed_counts_what_was_computed() {
        let answer = Answer {
            usage: Usage { input: 20, cache_read: 10, answer: 11, ..Usage::default() },
            timings: Timings {
                prefill: Duration::from_millis(500),
                decode: Duration::from_secs(2),
                ..Timings::default()
            },
            ..Answer::default()
        };
        let expected = "prompt: 30 tokens (10 cached), 0.50 s, 40.0 tokens/s\n\
                        answer: 11 tokens, 2.00 s, 5.0 tokens/s";
        assert_eq!(speed(&answer), expected);
    }
}
