//! A model whose every stream is held to the grammar of events.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use stack_chat::{ChatEvent, ChatModel, ChatRequest, EventStream, Failure, ModelCard, PartKind, Sampling};

/// Any [`ChatModel`], with streams that panic where they leave the grammar that [`ChatEvent`] writes down.
pub struct CheckedModel(pub Arc<dyn ChatModel>);

impl ChatModel for CheckedModel {
    fn card(&self) -> &ModelCard {
        self.0.card()
    }

    fn sampling(&self) -> Sampling {
        self.0.sampling()
    }

    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure> {
        let choices = request.choices;
        Ok(Box::pin(Checked { events: self.0.chat(request)?, grammar: EventGrammar::new(choices) }))
    }
}

/// Follows the events of one stream, and says where they leave the grammar.
#[derive(Debug)]
pub struct EventGrammar {
    state: State,
    choices: Vec<Choice>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    New,
    Started,
    Ended,
}

#[derive(Debug, Default)]
struct Choice {
    parts: u32,
    open: BTreeMap<u32, PartKind>,
    finished: bool,
}

impl EventGrammar {
    /// Waits for the events of a request for `choices` answers.
    pub fn new(choices: u32) -> Self {
        Self { state: State::New, choices: (0..choices).map(|_| Choice::default()).collect() }
    }

    /// Takes in what a stream yields next.
    ///
    /// # Errors
    ///
    /// Says what is not allowed there.
    pub fn take(&mut self, item: Option<&Result<ChatEvent, Failure>>) -> Result<(), String> {
        let allowed = match (&self.state, item) {
            (State::Ended, None) => true,
            (State::Ended, Some(_)) | (_, None) => false,
            (_, Some(Err(_))) => {
                self.state = State::Ended;
                true
            }
            (State::New, Some(Ok(event))) => {
                self.state = State::Started;
                matches!(event, ChatEvent::Started { .. })
            }
            (State::Started, Some(Ok(event))) => self.event(event).is_some(),
        };
        if allowed { Ok(()) } else { Err(format!("{item:?} is not allowed in {self:?}")) }
    }

    /// Takes in an event between the first and the last.
    fn event(&mut self, event: &ChatEvent) -> Option<()> {
        let allowed = match event {
            ChatEvent::Started { .. } => false,
            ChatEvent::Usage(_) | ChatEvent::Alive => true,
            ChatEvent::PartStarted { choice, part, kind } => {
                let choice = self.running(*choice)?;
                choice.open.insert(*part, kind.clone());
                choice.parts += 1;
                choice.parts - 1 == *part
            }
            ChatEvent::Delta(delta) => {
                let kind = self.running(delta.choice)?.open.get(&delta.part)?;
                let is_empty = delta.fragment.as_str().is_empty() && delta.tokens.is_empty();
                delta.fragment.is_of(kind) && !is_empty
            }
            ChatEvent::OpaqueAdded { choice, part, .. } | ChatEvent::CitationAdded { choice, part, .. } => {
                self.running(*choice)?.open.contains_key(part)
            }
            ChatEvent::PartEnded { choice, part } => self.running(*choice)?.open.remove(part).is_some(),
            ChatEvent::Finished { choice, .. } => {
                let choice = self.running(*choice)?;
                choice.finished = true;
                choice.open.is_empty()
            }
            ChatEvent::Done { .. } => {
                self.state = State::Ended;
                self.choices.iter().all(|choice| choice.finished)
            }
        };
        allowed.then_some(())
    }

    fn running(&mut self, choice: u32) -> Option<&mut Choice> {
        self.choices.get_mut(choice as usize).filter(|choice| !choice.finished)
    }
}

struct Checked {
    events: EventStream,
    grammar: EventGrammar,
}

impl Stream for Checked {
    type Item = Result<ChatEvent, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = std::task::ready!(self.events.as_mut().poll_next(cx));
        if let Err(fault) = self.grammar.take(item.as_ref()) {
            panic!("the stream leaves the grammar of events: {fault}");
        }
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests {
    use stack_chat::{Delta, FinishReason, Fragment, Timings, Usage};

    use super::*;

    fn started() -> ChatEvent {
        ChatEvent::Started { prompt_tokens: 1, seed: 0, unused: Vec::new() }
    }

    fn part(part: u32, kind: PartKind) -> ChatEvent {
        ChatEvent::PartStarted { choice: 0, part, kind }
    }

    fn delta(part: u32, fragment: Fragment) -> ChatEvent {
        ChatEvent::Delta(Delta { choice: 0, part, fragment, tokens: Vec::new() })
    }

    fn text(part: u32) -> ChatEvent {
        delta(part, Fragment::Text("a".into()))
    }

    fn ended(part: u32) -> ChatEvent {
        ChatEvent::PartEnded { choice: 0, part }
    }

    fn finished() -> ChatEvent {
        ChatEvent::Finished { choice: 0, reason: FinishReason::Stop, stop: None }
    }

    fn done() -> ChatEvent {
        ChatEvent::Done { usage: Usage::default(), timings: Timings::default() }
    }

    /// Tells how many events are allowed, the end of the stream included.
    fn allowed(events: Vec<ChatEvent>) -> usize {
        let mut grammar = EventGrammar::new(1);
        let items: Vec<_> = events.into_iter().map(Ok).collect();
        let items = items.iter().map(Some).chain([None]);
        items.take_while(|item| grammar.take(*item).is_ok()).count()
    }

    #[test]
    fn parts_may_interleave_and_a_choice_may_have_none() {
        let events = vec![
            started(),
            ChatEvent::Alive,
            part(0, PartKind::Text),
            text(0),
            part(1, PartKind::Thinking),
            text(0),
            delta(1, Fragment::Thinking("b".into())),
            ended(1),
            ended(0),
            ChatEvent::Usage(Usage::default()),
            finished(),
            done(),
        ];
        assert_eq!(allowed(events), 13);
        assert_eq!(allowed(vec![started(), finished(), done()]), 4);
        let mut grammar = EventGrammar::new(1);
        assert_eq!(grammar.take(Some(&Err(Failure::internal("x")))), Ok(()));
        assert_eq!(grammar.take(None), Ok(()));
    }

    #[test]
    fn every_other_order_is_named() {
        let open = || vec![started(), part(0, PartKind::Text)];
        for (before, wrong) in [
            (vec![], done()),
            (vec![], text(0)),
            (vec![started()], started()),
            (vec![started()], text(0)),
            (vec![started()], part(1, PartKind::Text)),
            (vec![started()], ended(0)),
            (vec![started()], done()),
            (open(), part(0, PartKind::Text)),
            (open(), delta(0, Fragment::Text(String::new()))),
            (open(), delta(0, Fragment::Thinking("a".into()))),
            (open(), finished()),
            (vec![started(), finished()], part(0, PartKind::Text)),
            (vec![started(), finished(), done()], finished()),
        ] {
            let good = before.len();
            let events = before.into_iter().chain([wrong]).collect();
            assert_eq!(allowed(events), good);
        }
        assert_eq!(allowed(vec![started(), finished()]), 2, "a stream has an end");
    }
}
