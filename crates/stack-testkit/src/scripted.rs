//! A model that says what the test wrote down.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use stack_chat::{
    Ability, ChatEvent, ChatModel, ChatRequest, Delta, EmbedFuture, EmbedInput, EmbedRequest, Embedder,
    Embeddings, EventStream, Failure, FailureKind, FinishReason, Fragment, Message, ModelCard, Overflow,
    PartKind, Prompt, RankFuture, RankRequest, Ranking, Reranker, Timings, TokenLogprob, Unused, Usage,
};

/// A [`ChatModel`] that replays the same parts for every request and choice, and keeps count of what happens to it.
///
/// It honours `choices`, `max_tokens`, `logprobs` and the context of its card, and ignores everything else. A prompt
/// counts one token per word. Between any two events it lets other tasks run once.
pub struct ScriptedModel {
    card: ModelCard,
    script: Script,
    state: Arc<State>,
}

#[derive(Clone)]
struct Script {
    parts: Vec<(PartKind, Vec<String>)>,
    endless: bool,
    refusal: Option<Failure>,
    failure: Option<(usize, Failure)>,
    holds_after: Option<usize>,
    streams_max: usize,
    unused: Vec<Unused>,
}

/// What all streams of a model share with it.
#[derive(Default)]
struct State {
    requests: Mutex<Vec<ChatRequest>>,
    running: AtomicUsize,
    finished: AtomicUsize,
    cancelled: AtomicUsize,
    released: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl ScriptedModel {
    /// Makes a model that answers with a text of `tokens` and then stops; without tokens it has nothing to say.
    pub fn new(id: &str, tokens: &[&str]) -> Self {
        let card = ModelCard {
            id: id.to_owned(),
            architecture: "scripted".to_owned(),
            abilities: vec![Ability::Completes, Ability::Chats],
            ..ModelCard::default()
        };
        let script = Script {
            parts: Vec::new(),
            endless: false,
            refusal: None,
            failure: None,
            holds_after: None,
            streams_max: usize::MAX,
            unused: Vec::new(),
        };
        let model = Self { card, script, state: Arc::default() };
        if tokens.is_empty() { model } else { model.part(PartKind::Text, tokens) }
    }

    /// Thinks these tokens next.
    #[must_use]
    pub fn thinking(self, tokens: &[&str]) -> Self {
        self.part(PartKind::Thinking, tokens)
    }

    /// Says these tokens next.
    #[must_use]
    pub fn saying(self, tokens: &[&str]) -> Self {
        self.part(PartKind::Text, tokens)
    }

    /// Calls a tool next, with arguments of these tokens.
    #[must_use]
    pub fn calling(self, id: &str, name: &str, tokens: &[&str]) -> Self {
        self.part(PartKind::ToolCall { id: id.to_owned(), name: name.to_owned() }, tokens)
    }

    fn part(mut self, kind: PartKind, tokens: &[&str]) -> Self {
        self.script.parts.push((kind, tokens.iter().map(|&token| token.to_owned()).collect()));
        self
    }

    /// Repeats the tokens until the request's own limit is reached.
    #[must_use]
    pub fn endless(mut self) -> Self {
        self.script.endless = true;
        self
    }

    /// Bounds the prompts that it accepts.
    #[must_use]
    pub fn with_context(mut self, tokens: u32) -> Self {
        self.card.context = tokens;
        self
    }

    /// Refuses every request at once.
    #[must_use]
    pub fn refusing(mut self, error: Failure) -> Self {
        self.script.refusal = Some(error);
        self
    }

    /// Fails after `events` events of a stream.
    #[must_use]
    pub fn failing_after(mut self, events: usize, error: Failure) -> Self {
        self.script.failure = Some((events, error));
        self
    }

    /// Waits after `events` events of each stream until [`ScriptedModel::release`] is called.
    #[must_use]
    pub fn holding_after(mut self, events: usize) -> Self {
        self.script.holds_after = Some(events);
        self
    }

    /// Refuses requests as busy while `streams` are running.
    #[must_use]
    pub fn full_beyond(mut self, streams: usize) -> Self {
        self.script.streams_max = streams;
        self
    }

    /// Says of every conversation that its template does not look at these.
    #[must_use]
    pub fn without_use_for(mut self, unused: &[Unused]) -> Self {
        self.script.unused = unused.to_vec();
        self
    }

    /// Lets every stream that waits, now or later, go on.
    pub fn release(&self) {
        self.state.released.store(true, Ordering::SeqCst);
        let waiting = std::mem::take(&mut *self.state.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Returns the requests that it was asked, in order.
    pub fn requests(&self) -> Vec<ChatRequest> {
        self.state.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the streams that are neither finished nor dropped.
    pub fn running(&self) -> usize {
        self.state.running.load(Ordering::SeqCst)
    }

    /// Counts the streams that came to their end, good or bad.
    pub fn finished(&self) -> usize {
        self.state.finished.load(Ordering::SeqCst)
    }

    /// Counts the streams that were dropped before their end.
    pub fn cancelled(&self) -> usize {
        self.state.cancelled.load(Ordering::SeqCst)
    }
}

impl ChatModel for ScriptedModel {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure> {
        self.state.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        if let Some(error) = &self.script.refusal {
            return Err(error.clone());
        }
        if self.running() >= self.script.streams_max {
            let busy = Failure::new(FailureKind::QueueFull, "every place is taken");
            return Err(busy.after(Duration::from_secs(1)));
        }
        self.state.running.fetch_add(1, Ordering::SeqCst);
        let events = match overflow(&request, &self.card) {
            Some(error) => vec![Err(error)].into_iter(),
            None => self.script.events(&request).into_iter(),
        };
        let stream = Replay {
            events,
            sent: 0,
            yielded: true,
            ended: false,
            holds_after: self.script.holds_after,
            state: Arc::clone(&self.state),
        };
        Ok(Box::pin(stream))
    }
}

impl Script {
    /// Writes down everything that a stream will yield.
    fn events(&self, request: &ChatRequest) -> Vec<Result<ChatEvent, Failure>> {
        let prompt_tokens = prompt_tokens(&request.prompt);
        let limit = request.max_tokens.map_or(10_000, |tokens| tokens.min(10_000) as usize);
        let script: Vec<(usize, &String)> = (self.parts.iter().enumerate())
            .flat_map(|(part, (_, tokens))| tokens.iter().map(move |token| (part, token)))
            .collect();
        let count = if self.endless { limit } else { limit.min(script.len()) };
        let choices = || 0..request.choices;

        let seed = request.sampling.seed.unwrap_or(0);
        let unused = self.unused.clone();
        let mut events = vec![ChatEvent::Started { prompt_tokens, seed, unused }];
        let mut open = None;
        let (mut thought, mut calls) = (0, false);
        for (id, (index, text)) in script.iter().cycle().take(count).enumerate() {
            let (part, kind) = (*index as u32, &self.parts[*index].0);
            if open != Some(part) {
                let ended = open.replace(part).into_iter();
                events.extend(ended.flat_map(|part| choices().map(move |choice| ended_part(choice, part))));
                let start = |choice| ChatEvent::PartStarted { choice, part, kind: kind.clone() };
                events.extend(choices().map(start));
            }
            thought += u32::from(*kind == PartKind::Thinking) * request.choices;
            calls |= matches!(kind, PartKind::ToolCall { .. });
            let tokens = vec![logprob(id as u32, text, request)];
            let fragment = fragment(kind, text);
            events.extend(choices().map(|choice| {
                ChatEvent::Delta(Delta { choice, part, fragment: fragment.clone(), tokens: tokens.clone() })
            }));
        }
        events
            .extend(open.into_iter().flat_map(|part| choices().map(move |choice| ended_part(choice, part))));
        let reason = match () {
            () if count < script.len() || self.endless => FinishReason::Length,
            () if calls => FinishReason::ToolCalls,
            () => FinishReason::Stop,
        };
        events.extend(choices().map(|choice| ChatEvent::Finished { choice, reason, stop: None }));
        let answer = count as u32 * request.choices - thought;
        let second = Duration::from_secs(1);
        events.push(ChatEvent::Done {
            usage: Usage { input: prompt_tokens, answer, reasoning: thought, ..Usage::default() },
            timings: Timings { queue: second, prefill: second, decode: second },
        });
        let mut events: Vec<_> = events.into_iter().map(Ok).collect();
        if let Some((after, error)) = &self.failure {
            events.truncate(*after);
            events.push(Err(error.clone()));
        }
        events
    }
}

/// The stream of one request.
struct Replay {
    events: std::vec::IntoIter<Result<ChatEvent, Failure>>,
    sent: usize,
    yielded: bool,
    ended: bool,
    holds_after: Option<usize>,
    state: Arc<State>,
}

impl Stream for Replay {
    type Item = Result<ChatEvent, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.holds_after == Some(self.sent) {
            self.state.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(cx.waker().clone());
            if !self.state.released.load(Ordering::SeqCst) {
                return Poll::Pending;
            }
        }
        self.yielded = !self.yielded;
        if !self.yielded {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let event = self.events.next();
        self.sent += 1;
        if !self.ended && matches!(event, None | Some(Err(_) | Ok(ChatEvent::Done { .. }))) {
            self.ended = true;
            self.state.running.fetch_sub(1, Ordering::SeqCst);
            self.state.finished.fetch_add(1, Ordering::SeqCst);
        }
        Poll::Ready(event)
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        if !self.ended {
            self.state.running.fetch_sub(1, Ordering::SeqCst);
            self.state.cancelled.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// An [`Embedder`] whose vectors depend on the length of the input alone.
pub struct ScriptedEmbedder;

impl Embedder for ScriptedEmbedder {
    fn embed(&self, request: EmbedRequest) -> EmbedFuture {
        let length = |input: &EmbedInput| match input {
            EmbedInput::Text(text) => text.split_whitespace().count(),
            EmbedInput::Tokens(ids) => ids.len(),
        };
        let lengths: Vec<usize> = request.inputs.iter().map(length).collect();
        let tokens = lengths.iter().sum::<usize>() as u32;
        let angles = lengths.into_iter().map(|length| length as f32);
        let vectors = angles.map(|angle| vec![angle.cos(), angle.sin()]).collect();
        let answer = match request.dimensions {
            None | Some(2) => Ok(Embeddings { vectors, tokens }),
            Some(_) => Err(Failure::invalid("dimensions", "`dimensions` must be 2")),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Ranks documents by how many words they share with the query.
pub struct ScriptedReranker;

impl Reranker for ScriptedReranker {
    fn rank(&self, RankRequest { query, documents }: RankRequest) -> RankFuture {
        let shared = |document: &String| {
            let has = |word: &&str| query.split_whitespace().any(|other| other == *word);
            document.split_whitespace().filter(has).count() as f32
        };
        let scores = documents.iter().map(shared).collect();
        let words = |text: &String| text.split_whitespace().count();
        let tokens = documents.iter().map(|document| words(&query) + words(document)).sum::<usize>() as u32;
        Box::pin(std::future::ready(Ok(Ranking { scores, tokens })))
    }
}

fn ended_part(choice: u32, part: u32) -> ChatEvent {
    ChatEvent::PartEnded { choice, part }
}

fn fragment(kind: &PartKind, text: &str) -> Fragment {
    let text = text.to_owned();
    match kind {
        PartKind::Text => Fragment::Text(text),
        PartKind::Thinking => Fragment::Thinking(text),
        PartKind::ToolCall { .. } => Fragment::Arguments(text),
        PartKind::Refusal => Fragment::Refusal(text),
    }
}

fn overflow(request: &ChatRequest, card: &ModelCard) -> Option<Failure> {
    let (prompt_tokens, context) = (prompt_tokens(&request.prompt), card.context);
    let message = format!("the prompt has {prompt_tokens} tokens; {context} fit");
    let error = Failure::overflow(Overflow { prompt_tokens, context }, message);
    (context > 0 && prompt_tokens >= context).then_some(error)
}

fn prompt_tokens(prompt: &Prompt) -> u32 {
    let words = |text: &str| text.split_whitespace().count();
    let count = match prompt {
        Prompt::Messages(messages) => {
            messages.iter().filter_map(Message::text).map(|text| words(&text)).sum()
        }
        Prompt::Text(text) => words(text),
        Prompt::Tokens(ids) => ids.len(),
        Prompt::Infill(gap) => words(&gap.prefix) + words(&gap.suffix) + words(&gap.beginning),
    };
    count as u32
}

fn logprob(id: u32, text: &str, request: &ChatRequest) -> TokenLogprob {
    let token = |logprob| TokenLogprob { id, bytes: text.into(), logprob, top: Vec::new() };
    match request.logprobs {
        None => token(0.0),
        Some(wanted) => TokenLogprob { top: vec![token(-0.5); wanted.top.into()], ..token(-0.5) },
    }
}
