//! A worker that is driven by hand, on an executor that says what it was asked.

use std::pin::Pin;
use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use stack_chat::{ChatRequest, ModelCard, Prompt, Sampling};

use super::*;
use crate::engine::channel::{self, EventReceiver, Permit};
use crate::engine::job::Job;
use crate::engine::prepare;
use crate::engine::templates::NoTemplate;
use crate::executor::{ExecutorError, SequenceId};
use crate::pooling::Pooling;
use crate::sample::SamplingDefaults;
use crate::spec::DecoderSpec;

/// An executor whose logits are a function of the tokens so far, and which remembers its batches.
struct Recorder {
    sequences: Vec<Vec<u32>>,
    batches: Batches,
    rows_are_independent: bool,
}

/// Of each batch, the tokens of each chunk.
type Batches = Arc<Mutex<Vec<Vec<usize>>>>;

impl Executor for Recorder {
    fn spec(&self) -> &DecoderSpec {
        unreachable!("the worker asks for no spec")
    }

    fn context(&self) -> usize {
        CONTEXT
    }

    fn open(&mut self) -> SequenceId {
        self.sequences.push(Vec::new());
        SequenceId(self.sequences.len() - 1)
    }

    fn fork(&mut self, sequence: SequenceId) -> Result<SequenceId, ExecutorError> {
        let copy = self.sequences[sequence.0].clone();
        self.sequences.push(copy);
        Ok(SequenceId(self.sequences.len() - 1))
    }

    fn close(&mut self, sequence: SequenceId) {
        self.sequences[sequence.0].clear();
    }

    fn length(&self, sequence: SequenceId) -> usize {
        self.sequences[sequence.0].len()
    }

    fn truncate(&mut self, sequence: SequenceId, length: usize) -> usize {
        self.sequences[sequence.0].truncate(length);
        length
    }

    fn forward(&mut self, batch: &[Chunk<'_>], _output: Output) -> Result<Rows, ExecutorError> {
        let mut data = Vec::new();
        for chunk in batch {
            let sequence = &mut self.sequences[chunk.sequence.0];
            sequence.extend(chunk.tokens);
            if chunk.wanted == Wanted::Last {
                let sum: u32 = sequence.iter().zip(1..).map(|(&token, place)| token * place).sum();
                data.extend((0..VOCABULARY).map(|token| ((sum * 31 + token * 17) % 13) as f32 / 4.0));
            }
        }
        let sizes = batch.iter().map(|chunk| chunk.tokens.len()).collect();
        self.batches.lock().unwrap().push(sizes);
        Ok(Rows::new(VOCABULARY as usize, data))
    }

    fn rows_are_independent(&self) -> bool {
        self.rows_are_independent
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

impl Bench {
    fn new(rows_are_independent: bool) -> Self {
        let batches = Batches::default();
        let recorder =
            Recorder { sequences: Vec::new(), batches: Arc::clone(&batches), rows_are_independent };
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
            basis: None,
            digest: None,
            quantization: None,
        };
        let model = Arc::new(Model {
            card,
            context: CONTEXT,
            tokenizer: None,
            prompts: Err(NoTemplate::Absent),
            sampling: SamplingDefaults::default(),
            pooling: Pooling::Mean,
            clock: jiff::Zoned::default,
            warnings: Vec::new(),
            grammars: std::sync::OnceLock::new(),
        });
        let (prepared, receiver) = sync_channel(8);
        let worker = Worker::new(Arc::clone(&model), Box::new(recorder), receiver, 4 * CONTEXT);
        Self { model, worker, prepared, batches }
    }

    /// Hands in a request; its events can be read after [`Self::finish`].
    fn ask(&self, tokens: &[u32], seed: Option<u64>) -> EventReceiver {
        let permit = Permit::take(&Arc::default(), 1).unwrap();
        let (events, receiver) = channel::channel(permit, 1);
        let request = ChatRequest {
            max_tokens: Some(5),
            sampling: Sampling { seed, temperature: Some(1.0), ..Sampling::default() },
            ..ChatRequest::new(Prompt::Tokens(tokens.to_vec()))
        };
        let (jobs, waiting) = sync_channel(1);
        jobs.send(Job::Chat { request: Box::new(request), events, arrived: Instant::now() }).unwrap();
        drop(jobs);
        prepare::run(&self.model, &waiting, &self.prepared);
        receiver
    }

    /// Computes until every request has ended, and returns the batches.
    fn finish(&mut self) -> Vec<Vec<usize>> {
        loop {
            while let Ok(job) = self.worker.prepared.try_recv() {
                self.worker.take(job);
            }
            self.worker.admit();
            if self.worker.running.is_empty() {
                return std::mem::take(&mut self.batches.lock().unwrap());
            }
            self.worker.step();
        }
    }
}

/// The tokens of an answer, and how many of its prompt came from the cache.
fn read(mut events: EventReceiver) -> (Vec<u32>, u32) {
    let mut tokens = Vec::new();
    loop {
        let event = Pin::new(&mut events).poll_next(&mut Context::from_waker(Waker::noop()));
        match event.map(|event| event.unwrap().unwrap()) {
            Poll::Ready(ChatEvent::Delta(delta)) => {
                tokens.extend(delta.tokens.iter().map(|token| token.id));
            }
            Poll::Ready(ChatEvent::Done { usage, .. }) => return (tokens, usage.cache_read),
            Poll::Ready(_) => {}
            Poll::Pending => panic!("the answer is not finished"),
        }
    }
}

#[test]
fn seeded_requests_share_batches_where_rows_are_independent() {
    let mut alone = Bench::new(true);
    let expected: Vec<_> = PROMPTS
        .iter()
        .zip(1..)
        .map(|(prompt, seed)| {
            let events = alone.ask(prompt, Some(seed));
            alone.finish();
            read(events).0
        })
        .collect();

    let mut bench = Bench::new(true);
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
    let mut bench = Bench::new(true);
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
    let mut bench = Bench::new(false);
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
