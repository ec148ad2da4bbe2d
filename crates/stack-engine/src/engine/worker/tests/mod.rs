//! A worker that is driven by hand, on an executor that says what it was asked.

mod schedules;
mod sharing;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use stack_chat::{ChatEvent, ChatRequest, ModelCard, Priority, Prompt, Sampling, Tenant};

use super::*;
use crate::engine::channel::{self, EventReceiver, Permit};
use crate::engine::job::Job;
use crate::engine::prepare;
use crate::engine::templates::NoTemplate;
use crate::executor::{Chunk, ExecutorError, Output, Rows, SequenceId, Wanted, tiny};
use crate::options::Speculation;
use crate::pooling::Pooling;
use crate::sample::SamplingDefaults;
use crate::spec::DecoderSpec;
use crate::turns::Turns;

/// An executor whose logits are a function of the tokens so far, and which remembers its batches.
struct Recorder {
    sequences: Vec<Option<Vec<Held>>>,
    batches: Batches,
    setting: Setting,
    spec: DecoderSpec,
    /// After each so many tokens its logits are those of another model.
    errs: Option<u32>,
}

/// A token that a sequence holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    token: u32,
    /// The batch that it was computed in, as far as rows depend on that: its chunks, and the tokens of its own.
    batch: [usize; 2],
}

/// Of each batch, the tokens of each chunk.
type Batches = Arc<Mutex<Vec<Vec<usize>>>>;

/// What the executor can, and what the worker may take.
#[derive(Clone, Debug)]
struct Setting {
    rows_are_independent: bool,
    cuts_anywhere: bool,
    /// A draft model whose logits differ from the model's after every so many tokens.
    draft_errs: Option<u32>,
    limits: WorkerLimits,
}

impl Default for Setting {
    fn default() -> Self {
        let limits = WorkerLimits {
            cache_tokens: 4 * CONTEXT,
            prefix_tokens: 2 * CONTEXT,
            speculation: Speculation::Off,
            turns: Turns::default(),
        };
        Self { rows_are_independent: true, cuts_anywhere: true, draft_errs: None, limits }
    }
}

impl Recorder {
    fn held(&mut self, sequence: SequenceId) -> &mut Vec<Held> {
        self.sequences[sequence.0].as_mut().expect("the sequence is open")
    }

    /// Mostly of the last two tokens, so that texts repeat themselves, and a little of all, so that no error hides.
    fn logits(held: &[Held]) -> impl Iterator<Item = f32> {
        let [last, before] = [1, 2].map(|back| held.len().checked_sub(back).map_or(0, |at| held[at].token));
        let of = |held: &Held| held.token + (7 * held.batch[0] + 11 * held.batch[1]) as u32;
        let all: u32 = held.iter().zip(1..).map(|(held, place)| of(held) * place).sum();
        (0..VOCABULARY).map(move |token| {
            let near = (last * 31 + before * 7 + token * 17) % 13;
            let far = (all * 31 + token * 17) % 13;
            near as f32 / 2.0 + far as f32 / 20.0
        })
    }
}

impl Executor for Recorder {
    fn spec(&self) -> &DecoderSpec {
        &self.spec
    }

    fn context(&self) -> usize {
        CONTEXT
    }

    fn open(&mut self) -> SequenceId {
        self.sequences.push(Some(Vec::new()));
        SequenceId(self.sequences.len() - 1)
    }

    fn fork(&mut self, sequence: SequenceId) -> Result<SequenceId, ExecutorError> {
        let copy = self.held(sequence).clone();
        self.sequences.push(Some(copy));
        Ok(SequenceId(self.sequences.len() - 1))
    }

    fn close(&mut self, sequence: SequenceId) {
        assert!(self.sequences[sequence.0].take().is_some(), "a sequence is closed once");
    }

    fn length(&self, sequence: SequenceId) -> usize {
        self.sequences[sequence.0].as_ref().expect("the sequence is open").len()
    }

    fn truncate(&mut self, sequence: SequenceId, length: usize) -> usize {
        let keep = if self.setting.cuts_anywhere || length >= self.length(sequence) { length } else { 0 };
        let held = self.held(sequence);
        held.truncate(keep);
        held.len()
    }

    fn cuts_anywhere(&self) -> bool {
        self.setting.cuts_anywhere
    }

    fn shares_pages(&self) -> bool {
        false
    }

    fn share(&mut self, sequence: SequenceId, other: SequenceId, length: usize) {
        let tokens = |held: &[Held]| held[..length].iter().map(|held| held.token).collect::<Vec<_>>();
        let other = tokens(self.held(other));
        assert_eq!(tokens(self.held(sequence)), other, "what is shared is the same");
    }

    fn held_tokens(&self) -> usize {
        self.sequences.iter().flatten().map(Vec::len).sum()
    }

    fn forward(&mut self, batch: &[Chunk<'_>], _output: Output) -> Result<Rows, ExecutorError> {
        let mut data = Vec::new();
        for chunk in batch {
            let shape = [batch.len(), chunk.tokens.len()];
            let shape = if self.setting.rows_are_independent { [0; 2] } else { shape };
            let held = self.sequences[chunk.sequence.0].as_mut().expect("the sequence is open");
            for (number, &token) in (1..).zip(chunk.tokens) {
                held.push(Held { token, batch: shape });
                let is_last = number == chunk.tokens.len();
                if chunk.wanted == Wanted::All || (chunk.wanted == Wanted::Last && is_last) {
                    let errs = self.errs.is_some_and(|errs| (held.len() as u32).is_multiple_of(errs));
                    let mut row: Vec<f32> = Self::logits(held).collect();
                    if errs {
                        row.reverse();
                    }
                    data.extend(row);
                }
            }
            assert!(held.len() <= CONTEXT, "a sequence fits the context");
        }
        let sizes = batch.iter().map(|chunk| chunk.tokens.len()).collect();
        self.batches.lock().unwrap().push(sizes);
        Ok(Rows::new(VOCABULARY as usize, data))
    }

    fn rows_are_independent(&self) -> bool {
        self.setting.rows_are_independent
    }

    fn weight_bytes(&self) -> u64 {
        0
    }
}

/// A worker that is driven by hand, and what its executor computed.
struct Bench {
    model: Arc<Model>,
    worker: Worker,
    prepared: SyncSender<PreparedJob>,
    batches: Batches,
}

/// What one caller asks.
#[derive(Clone, Debug)]
struct Ask {
    prompt: Vec<u32>,
    seed: Option<u64>,
    temperature: f32,
    choices: u32,
    priority: Priority,
    tenant: Tenant,
    max_tokens: u32,
}

impl Ask {
    fn new(prompt: &[u32], seed: Option<u64>) -> Self {
        let prompt = prompt.to_vec();
        Self {
            prompt,
            seed,
            temperature: 1.0,
            choices: 1,
            priority: Priority::Interactive,
            tenant: Tenant::default(),
            max_tokens: 5,
        }
    }
}

impl Bench {
    fn new(setting: Setting) -> Self {
        let batches = Batches::default();
        let limits = setting.limits.clone();
        let recorder = |setting, batches, errs| -> Box<dyn Executor> {
            Box::new(Recorder { sequences: Vec::new(), batches, setting, spec: spec(), errs })
        };
        let draft = setting.draft_errs.map(|errs| -> DraftExecutor {
            Box::new(recorder(setting.clone(), Batches::default(), Some(errs)))
        });
        let executor = recorder(setting, Arc::clone(&batches), None);
        let card = ModelCard {
            id: "recorder".to_owned(),
            created_s: 0,
            context: CONTEXT as u32,
            context_trained: CONTEXT as u32,
            parameters: 0,
            size_bytes: 0,
            vocabulary: VOCABULARY,
            embedding: 1,
            architecture: "recorder".to_owned(),
            abilities: Vec::new(),
            quantization: None,
            ..ModelCard::default()
        };
        let model = Arc::new(Model {
            card,
            context: CONTEXT,
            tokenizer: None,
            prompts: Err(NoTemplate::Absent),
            sampling: SamplingDefaults::default(),
            pooling: Pooling::Mean,
            ranker: None,
            pages: None,
            clock: jiff::Zoned::default,
            warnings: Vec::new(),
            grammars: std::sync::OnceLock::new(),
        });
        let (prepared, receiver) = sync_channel(64);
        let worker = Worker::new(Arc::clone(&model), executor, draft, receiver, limits);
        Self { model, worker, prepared, batches }
    }

    fn ask(&mut self, tokens: &[u32], seed: Option<u64>) -> EventReceiver {
        self.hand_in(&Ask::new(tokens, seed))
    }

    /// Hands in a request; its events can be read after [`Self::finish`].
    fn hand_in(&mut self, ask: &Ask) -> EventReceiver {
        let permit = Permit::take(&Arc::default(), 1).unwrap();
        let (events, receiver) = channel::channel(permit, ask.choices as usize);
        let sampling = Sampling { seed: ask.seed, temperature: Some(ask.temperature), ..Sampling::default() };
        let request = ChatRequest {
            max_tokens: Some(ask.max_tokens),
            sampling,
            choices: ask.choices,
            priority: ask.priority,
            tenant: ask.tenant.clone(),
            ..ChatRequest::new(Prompt::Tokens(ask.prompt.clone()))
        };
        let (jobs, waiting) = sync_channel(1);
        jobs.send(Job::Chat { request: Box::new(request), events, arrived: Instant::now() }).unwrap();
        drop(jobs);
        prepare::run(&self.model, &waiting, &self.prepared);
        while let Ok(job) = self.worker.prepared.try_recv() {
            self.worker.take(job);
        }
        receiver
    }

    /// One turn of the worker; returns false if there was nothing to do.
    fn turn(&mut self) -> bool {
        self.worker.drop_abandoned();
        self.worker.admit();
        let works = !self.worker.running.is_empty();
        if works {
            self.worker.step();
        }
        works
    }

    /// Computes until every request has ended, and returns the batches.
    fn finish(&mut self) -> Vec<Vec<usize>> {
        while self.turn() {}
        std::mem::take(&mut self.batches.lock().unwrap())
    }

    /// Forgets what is kept for others; nothing may be left then.
    fn empty(mut self) {
        let executor = self.worker.executor.as_mut();
        while self.worker.prefix_cache.evict(executor, usize::MAX) {}
        assert_eq!(executor.held_tokens(), 0, "every token is given back");
        let of_draft = self.worker.draft.as_mut().map_or(0, DraftModel::empty);
        assert_eq!(of_draft, 0, "also those of the draft model");
    }
}

/// As much of a spec as is looked at.
fn spec() -> DecoderSpec {
    DecoderSpec { vocabulary: VOCABULARY as usize, ..tiny::llama(0, CONTEXT).spec().clone() }
}

/// The tokens of an answer, its choices one after the other, and how many of its prompt came from the cache.
fn read(mut events: EventReceiver) -> (Vec<u32>, u32) {
    let mut tokens = BTreeMap::<u32, Vec<u32>>::new();
    loop {
        let event = Pin::new(&mut events).poll_next(&mut Context::from_waker(Waker::noop()));
        match event.map(|event| event.unwrap().unwrap()) {
            Poll::Ready(ChatEvent::Delta(delta)) => {
                let ids = delta.tokens.iter().map(|token| token.id);
                tokens.entry(delta.choice).or_default().extend(ids);
            }
            Poll::Ready(ChatEvent::Done { usage, .. }) => {
                return (tokens.into_values().flatten().collect(), usage.cache_read);
            }
            Poll::Ready(_) => {}
            Poll::Pending => panic!("the answer is not finished"),
        }
    }
}

#[test]
fn seeded_requests_share_batches_where_rows_are_independent() {
    let mut alone = Bench::new(Setting::default());
    let expected: Vec<_> = PROMPTS
        .iter()
        .zip(1..)
        .map(|(prompt, seed)| {
            let events = alone.ask(prompt, Some(seed));
            alone.finish();
            read(events).0
        })
        .collect();

    let mut bench = Bench::new(Setting::default());
    let events: Vec<_> =
        PROMPTS.iter().zip(1..).map(|(prompt, seed)| bench.ask(prompt, Some(seed))).collect();
    let batches = bench.finish();
    let mut first = batches[0].clone();
    first.sort_unstable();
    assert_eq!(first, [9, 10, 11], "the prompts are read together");
    assert!(batches[1..].iter().all(|batch| *batch == [1, 1, 1]), "{batches:?}");
    assert_eq!(events.into_iter().map(|events| read(events).0).collect::<Vec<_>>(), expected);
}

#[test]
fn a_seeded_prompt_comes_from_the_cache_where_rows_are_independent() {
    let mut bench = Bench::new(Setting::default());
    let [first, second] = [(); 2].map(|()| {
        let events = bench.ask(PROMPTS[2], Some(7));
        (bench.finish(), read(events))
    });
    assert_eq!((first.0[0].as_slice(), second.0[0].as_slice()), (&[11][..], &[1][..]));
    assert_eq!((first.1.1, second.1.1), (0, 10), "all but the last token are reused");
    assert_eq!(first.1.0, second.1.0);
}

#[test]
fn seeded_requests_run_alone_where_rows_depend_on_the_batch() {
    let mut bench = Bench::new(Setting { rows_are_independent: false, ..Setting::default() });
    let seeded: Vec<_> = PROMPTS.iter().map(|prompt| bench.ask(prompt, Some(7))).collect();
    let batches = bench.finish();
    assert!(batches.iter().all(|batch| batch.len() == 1), "{batches:?}");
    let again = bench.ask(PROMPTS[2], Some(7));
    assert_eq!(bench.finish()[0], [11], "nothing is reused");
    assert_eq!(read(again), (read(seeded.into_iter().next_back().unwrap()).0, 0));

    let free: Vec<_> = PROMPTS.iter().map(|prompt| bench.ask(prompt, None)).collect();
    assert_eq!(bench.finish()[0].len(), 3, "others still share");
    assert!(free.into_iter().map(read).any(|(_, cached)| cached > 0));
}

const VOCABULARY: u32 = 40;
const CONTEXT: usize = 64;

const PROMPTS: [&[u32]; 3] = [
    &[1, 2, 3, 4, 5, 6, 7, 8, 9],
    &[11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
    &[21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31],
];
