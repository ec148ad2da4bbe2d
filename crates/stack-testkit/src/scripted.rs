//! A model that says what the test wrote down.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use stack_chat::{
    Ability, ChatError, ChatEvent, ChatModel, ChatRequest, Delta, EmbedFuture, EmbedInput, EmbedRequest,
    Embedder, Embeddings, ErrorKind, EventStream, FinishReason, ModelCard, Prompt, Timings, TokenLogprob,
    Unused, Usage,
};

/// A [`ChatModel`] that replays the same tokens for every request and choice, and keeps count of what happens to it.
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
    tokens: Vec<String>,
    endless: bool,
    refusal: Option<ChatError>,
    failure: Option<(usize, ChatError)>,
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
    /// Makes a model that answers with `tokens` and then stops.
    pub fn new(id: &str, tokens: &[&str]) -> Self {
        let card = ModelCard {
            id: id.to_owned(),
            architecture: "scripted".to_owned(),
            abilities: vec![Ability::Completes, Ability::Chats],
            ..ModelCard::default()
        };
        let script = Script {
            tokens: tokens.iter().map(|&token| token.to_owned()).collect(),
            endless: false,
            refusal: None,
            failure: None,
            holds_after: None,
            streams_max: usize::MAX,
            unused: Vec::new(),
        };
        Self { card, script, state: Arc::default() }
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
    pub fn refusing(mut self, error: ChatError) -> Self {
        self.script.refusal = Some(error);
        self
    }

    /// Fails after `events` events of a stream.
    #[must_use]
    pub fn failing_after(mut self, events: usize, error: ChatError) -> Self {
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

    fn chat(&self, request: ChatRequest) -> Result<EventStream, ChatError> {
        self.state.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        if let Some(error) = &self.script.refusal {
            return Err(error.clone());
        }
        if self.running() >= self.script.streams_max {
            let busy = ErrorKind::Busy { retry_after: Duration::from_secs(1) };
            return Err(ChatError::new(busy, "every place is taken"));
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
    fn events(&self, request: &ChatRequest) -> Vec<Result<ChatEvent, ChatError>> {
        let prompt_tokens = prompt_tokens(&request.prompt);
        let limit = request.max_tokens.map_or(10_000, |tokens| tokens.min(10_000) as usize);
        let count = if self.endless { limit } else { limit.min(self.tokens.len()) };
        let tokens = || self.tokens.iter().cycle().take(count).enumerate();
        let reason =
            if count < self.tokens.len() || self.endless { FinishReason::Length } else { FinishReason::Stop };

        let seed = request.sampling.seed.unwrap_or(0);
        let unused = self.unused.clone();
        let mut events = vec![Ok(ChatEvent::Started { prompt_tokens, seed, unused })];
        for (id, text) in tokens() {
            for choice in 0..request.choices {
                let token = logprob(id as u32, text, request);
                events.push(Ok(ChatEvent::Delta(Delta { choice, text: text.clone(), tokens: vec![token] })));
            }
        }
        events.extend((0..request.choices).map(|choice| Ok(ChatEvent::Finished { choice, reason })));
        let generated_tokens = count as u32 * request.choices;
        let second = Duration::from_secs(1);
        events.push(Ok(ChatEvent::Done {
            usage: Usage { prompt_tokens, cached_tokens: 0, generated_tokens },
            timings: Timings { queue: second, prefill: second, decode: second },
        }));
        if let Some((after, error)) = &self.failure {
            events.truncate(*after);
            events.push(Err(error.clone()));
        }
        events
    }
}

/// The stream of one request.
struct Replay {
    events: std::vec::IntoIter<Result<ChatEvent, ChatError>>,
    sent: usize,
    yielded: bool,
    ended: bool,
    holds_after: Option<usize>,
    state: Arc<State>,
}

impl Stream for Replay {
    type Item = Result<ChatEvent, ChatError>;

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
            Some(_) => Err(ChatError::invalid("dimensions", "`dimensions` must be 2")),
        };
        Box::pin(std::future::ready(answer))
    }
}

fn overflow(request: &ChatRequest, card: &ModelCard) -> Option<ChatError> {
    let (prompt_tokens, context) = (prompt_tokens(&request.prompt), card.context);
    let message = format!("the prompt has {prompt_tokens} tokens; {context} fit");
    let error = ChatError::new(ErrorKind::ContextOverflow { prompt_tokens, context }, message);
    (context > 0 && prompt_tokens >= context).then_some(error)
}

fn prompt_tokens(prompt: &Prompt) -> u32 {
    let words = |text: &str| text.split_whitespace().count();
    let count = match prompt {
        Prompt::Messages(messages) => messages.iter().filter_map(|m| m.content.as_deref()).map(words).sum(),
        Prompt::Text(text) => words(text),
        Prompt::Tokens(ids) => ids.len(),
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
