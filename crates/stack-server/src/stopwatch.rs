//! What a stream tells the metrics while it passes.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_core::Stream;
use stack_chat::{ChatEvent, Delta, EventStream, Failure, LineageRecord};

use crate::activity::Active;
use crate::auth::rates::Meter;
use crate::error::broken;
use crate::metrics::Metrics;

/// A stream of events under observation. It measures what clients feel, so it starts before the model is asked, and
/// counts what was generated even if nobody waited for the end.
pub(crate) struct Stopwatch {
    metrics: Arc<Metrics>,
    active: Active,
    meter: Meter,
    record: LineageRecord,
    started: Instant,
    events: Option<EventStream>,
    /// Tokens in the prompt, until they are counted.
    prompt_tokens: u32,
    /// Tokens that the key has been charged: of the prompt, and of what was generated.
    charged: [u32; 2],
    /// When each choice last moved, by its number.
    last: Vec<Option<Instant>>,
    any_token: bool,
    /// Whether whoever answers counts tokens at the end alone.
    is_estimated: bool,
    /// Bytes of the answer, which stand for its tokens until then.
    bytes: usize,
}

impl Stopwatch {
    /// Starts to measure.
    pub(crate) fn start(metrics: Arc<Metrics>, active: Active, meter: Meter, record: LineageRecord) -> Self {
        Self {
            metrics,
            active,
            meter,
            record,
            started: Instant::now(),
            events: None,
            prompt_tokens: 0,
            charged: [0; 2],
            last: Vec::new(),
            any_token: false,
            is_estimated: false,
            bytes: 0,
        }
    }

    /// Observes `events`.
    pub(crate) fn over(mut self, events: EventStream) -> Self {
        self.events = Some(events);
        self
    }

    /// Takes the next event; an end without a last event is an error like any other.
    pub(crate) async fn next(&mut self) -> Result<ChatEvent, Failure> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await.unwrap_or_else(|| Err(broken()))
    }

    /// Notes how much was read where that is no stream.
    pub(crate) fn read(&mut self, tokens: u32) {
        self.prompt_tokens = tokens;
        self.charge([tokens, 0]);
    }

    /// Charges the key what was not counted yet of a prompt whose length is estimated, as a provider says at the end alone how
    /// long it was. Whoever leaves before that has paid for it.
    pub(crate) fn expect(&mut self, tokens: u32) {
        self.is_estimated = true;
        self.charge([tokens, 0]);
    }

    /// Charges the key what it was not charged before.
    fn charge(&mut self, [prompt, generated]: [u32; 2]) {
        let [charged_prompt, charged_generated] = &mut self.charged;
        let more = prompt
            .saturating_sub(*charged_prompt)
            .saturating_add(generated.saturating_sub(*charged_generated));
        *charged_prompt = prompt.max(*charged_prompt);
        *charged_generated = generated.max(*charged_generated);
        self.meter.charge(more);
    }

    fn see(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Started { prompt_tokens, .. } => {
                self.prompt_tokens = *prompt_tokens;
                self.active.prompt(*prompt_tokens);
                self.charge([*prompt_tokens, 0]);
            }
            ChatEvent::Delta(delta) => self.tokens(delta),
            ChatEvent::PartStarted { .. }
            | ChatEvent::OpaqueAdded { .. }
            | ChatEvent::CitationAdded { .. }
            | ChatEvent::PartEnded { .. }
            | ChatEvent::Alive
            | ChatEvent::Finished { .. } => {}
            ChatEvent::Usage(usage) => self.charge([usage.prompt(), usage.generated()]),
            ChatEvent::Done { usage, timings } => {
                self.record.note(|lineage| lineage.usage = Some(*usage));
                self.prompt_tokens = usage.prompt();
                self.charge([usage.prompt(), usage.generated()]);
                self.metrics.queue.record(timings.queue);
                self.metrics.prefill.record(timings.prefill);
                self.metrics.decode.record(timings.decode);
            }
        }
    }

    fn tokens(&mut self, delta: &Delta) {
        let Ok(count) = u32::try_from(delta.tokens.len()) else { return };
        if count == 0 {
            if self.is_estimated {
                self.bytes = self.bytes.saturating_add(delta.fragment.as_str().len());
                self.charge([0, u32::try_from(self.bytes / TOKEN_BYTES).unwrap_or(u32::MAX)]);
            }
            return;
        }
        let now = Instant::now();
        if !std::mem::replace(&mut self.any_token, true) {
            self.metrics.time_to_first_token.record(now - self.started);
        }
        let choice = delta.choice as usize;
        if self.last.len() <= choice {
            self.last.resize(choice + 1, None);
        }
        if let Some(before) = self.last[choice].replace(now) {
            for _ in 0..count {
                self.metrics.inter_token_latency.record((now - before) / count);
            }
        }
        self.active.generated(count);
        self.metrics.generated_tokens(count.into());
        let generated = self.charged[1].saturating_add(count);
        self.charge([0, generated]);
    }
}

impl Stream for Stopwatch {
    type Item = Result<ChatEvent, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(events) = &mut this.events else { return Poll::Ready(None) };
        let event = events.as_mut().poll_next(cx);
        if let Poll::Ready(Some(Ok(event))) = &event {
            this.see(event);
        }
        event
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        self.metrics.prompt_tokens(self.prompt_tokens.into());
        self.metrics.request.record(self.started.elapsed());
    }
}

/// How long a token of an answer is on average, where nobody has counted them.
const TOKEN_BYTES: usize = 4;
