//! The thread that computes.
//!
//! Each turn it takes in what has arrived, drops what nobody waits for, schedules a step, computes it, and samples the
//! next tokens. It sleeps when there is nothing to do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use stack_chat::{ChatEvent, Embeddings, Failure, Timings, Usage};
use tokio::sync::oneshot;

use super::answer::End;
use super::embed;
use super::group::SequenceGroup;
use super::job::PreparedJob;
use super::model::Model;
use super::prefix_cache::PrefixCache;
use super::scheduler::{STEP_TOKENS, ScheduledChunk, WaitingTokens, schedule};
use super::sequence::Sequence;
use crate::executor::{Chunk, Executor, Output, Rows, Wanted};

/// The worker's state.
pub(super) struct Worker {
    model: Arc<Model>,
    executor: Box<dyn Executor>,
    prepared: Receiver<PreparedJob>,
    waiting: VecDeque<SequenceGroup>,
    embeds: VecDeque<EmbedInputs>,
    running: Vec<SequenceGroup>,
    prefix_cache: PrefixCache,
    /// Tokens that all caches may hold together.
    cache_tokens: usize,
    turn: usize,
}

/// Inputs as tokens, and where their vectors go.
type EmbedInputs = (Vec<Vec<u32>>, oneshot::Sender<Result<Embeddings, Failure>>);

/// Which of the running groups, and which of its sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SequenceIndex {
    group: usize,
    sequence: usize,
}

impl Worker {
    pub(super) fn new(
        model: Arc<Model>,
        executor: Box<dyn Executor>,
        prepared: Receiver<PreparedJob>,
        cache_tokens: usize,
    ) -> Self {
        Self {
            model,
            executor,
            prepared,
            waiting: VecDeque::new(),
            embeds: VecDeque::new(),
            running: Vec::new(),
            prefix_cache: PrefixCache::default(),
            cache_tokens,
            turn: 0,
        }
    }

    /// Computes until the engine is dropped. Whatever is unfinished then is cancelled.
    pub(super) fn run(mut self) {
        while self.receive() {
            self.drop_abandoned();
            self.admit();
            if let Some((inputs, reply)) = self.embeds.pop_front()
                && !reply.is_closed()
            {
                let result = embed::embed(self.executor.as_mut(), self.model.pooling, &inputs);
                let _gone = reply.send(result);
            }
            self.step();
        }
    }

    /// Takes in new jobs; waits for one if there is nothing else to do. Returns false when no more can come.
    fn receive(&mut self) -> bool {
        let idle = self.running.is_empty() && self.waiting.is_empty() && self.embeds.is_empty();
        if idle {
            match self.prepared.recv() {
                Ok(job) => self.take(job),
                Err(_) => return false,
            }
        } else if self.embeds.is_empty() && self.running.iter().all(|group| !group.has_room()) {
            // Every reader is slow: look again soon.
            match self.prepared.recv_timeout(PAUSE) {
                Ok(job) => self.take(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        loop {
            match self.prepared.try_recv() {
                Ok(job) => self.take(job),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn take(&mut self, job: PreparedJob) {
        match job {
            PreparedJob::Chat(group) => self.waiting.push_back(group),
            PreparedJob::Embed { inputs, reply } => self.embeds.push_back((inputs, reply)),
        }
    }

    /// Frees what nobody waits for any more.
    fn drop_abandoned(&mut self) {
        self.waiting.retain(|group| !group.events.is_closed());
        let (gone, running) =
            std::mem::take(&mut self.running).into_iter().partition(|group| group.events.is_closed());
        self.running = running;
        for group in gone {
            self.retire(group);
        }
    }

    /// Starts requests in order of arrival, as long as there are sequences and memory for their prompts.
    fn admit(&mut self) {
        while let Some(next) = self.waiting.front() {
            let sequences: usize = self.running.iter().map(|group| group.sequences.len()).sum();
            let fits = sequences + next.sequences.len() <= SEQUENCES_MAX
                && self.held() + next.prompt_tokens as usize + RESERVE <= self.cache_tokens;
            if !fits && self.running.is_empty() && self.prefix_cache.evict(self.executor.as_mut()) {
                continue;
            }
            if !fits && !self.running.is_empty() {
                return;
            }
            let mut group = self.waiting.pop_front().expect("looked at above");
            if !self.runs_alone(&group)
                && let Some(prefix) =
                    self.prefix_cache.take(self.executor.as_mut(), &group.sequences[0].tokens)
            {
                let first = &mut group.sequences[0];
                first.id = Some(prefix.sequence);
                first.computed = prefix.tokens;
                group.cached_tokens = prefix.tokens as u32;
            }
            group.started = Some(Instant::now());
            self.running.push(group);
        }
    }

    /// Whether a request is computed in batches of its own and from its first token on, because its answer must be
    /// reproducible and the executor's rows depend on the batch.
    fn runs_alone(&self, group: &SequenceGroup) -> bool {
        group.reproducible && !self.executor.rows_are_independent()
    }

    fn held(&self) -> usize {
        self.running.iter().map(SequenceGroup::held).sum::<usize>() + self.prefix_cache.tokens()
    }

    /// Schedules and computes one step.
    fn step(&mut self) {
        self.turn += 1;
        let mut indices = Vec::new();
        let mut waiting = Vec::new();
        for (group_index, group) in self.running.iter().enumerate() {
            let slow = !group.has_room();
            for (index, sequence) in group.sequences.iter().enumerate() {
                indices.push(SequenceIndex { group: group_index, sequence: index });
                let waits = group.in_prompt() && index > 0;
                waiting.push(WaitingTokens { tokens: sequence.remaining(), paused: slow || waits });
            }
        }
        let chunks = schedule(&waiting, STEP_TOKENS, self.turn);
        let chunks = self.preempt(chunks, &indices);
        let (alone, together): (Vec<ScheduledChunk>, Vec<ScheduledChunk>) = chunks
            .into_iter()
            .partition(|chunk| self.runs_alone(&self.running[indices[chunk.sequence].group]));
        if !together.is_empty() {
            self.compute(&together, &indices);
        }
        for chunk in alone {
            // Always the same chunks, whatever else the step holds.
            let tokens = waiting[chunk.sequence].tokens.min(STEP_TOKENS);
            self.compute(&[ScheduledChunk { tokens, ..chunk }], &indices);
        }
        self.finish_groups();
    }

    /// Frees memory until the step fits: cached prefixes first, then the youngest sequences, which are computed again
    /// later.
    fn preempt(&mut self, mut chunks: Vec<ScheduledChunk>, indices: &[SequenceIndex]) -> Vec<ScheduledChunk> {
        loop {
            let added: usize = chunks.iter().map(|chunk| chunk.tokens).sum();
            if self.held() + added <= self.cache_tokens || self.prefix_cache.evict(self.executor.as_mut()) {
                if self.held() + added <= self.cache_tokens {
                    return chunks;
                }
                continue;
            }
            if chunks.len() < 2 {
                return chunks;
            }
            let youngest = chunks.iter().map(|chunk| chunk.sequence).max().expect("there are at least two");
            chunks.retain(|chunk| chunk.sequence != youngest);
            let SequenceIndex { group, sequence } = indices[youngest];
            let sequence = &mut self.running[group].sequences[sequence];
            sequence.computed = 0;
            if let Some(id) = sequence.id.take() {
                self.executor.close(id);
            }
        }
    }

    fn compute(&mut self, scheduled: &[ScheduledChunk], indices: &[SequenceIndex]) {
        for chunk in scheduled {
            let SequenceIndex { group, sequence } = indices[chunk.sequence];
            let id = &mut self.running[group].sequences[sequence].id;
            if id.is_none() {
                *id = Some(self.executor.open());
            }
        }
        let batch: Vec<Chunk<'_>> = scheduled
            .iter()
            .filter_map(|chunk| {
                let SequenceIndex { group, sequence } = indices[chunk.sequence];
                let sequence = &self.running[group].sequences[sequence];
                Some(Chunk {
                    sequence: sequence.id?,
                    tokens: &sequence.tokens[sequence.computed..sequence.computed + chunk.tokens],
                    wanted: if chunk.tokens == sequence.remaining() { Wanted::Last } else { Wanted::None },
                })
            })
            .collect();
        match self.executor.forward(&batch, Output::Logits) {
            Ok(rows) => self.sample(scheduled, indices, &rows),
            Err(error) => {
                tracing::error!(error = %error, "a step failed; its requests were aborted");
                for chunk in scheduled {
                    let message = format!("the model could not be computed: {error}");
                    self.fail(indices[chunk.sequence].group, Failure::internal(message));
                }
            }
        }
    }

    /// Gives each sequence whose tokens are all computed its next token.
    fn sample(&mut self, chunks: &[ScheduledChunk], indices: &[SequenceIndex], rows: &Rows) {
        let mut rows = rows.iter();
        for chunk in chunks {
            let index = indices[chunk.sequence];
            let group = &mut self.running[index.group];
            let sequence = &mut group.sequences[index.sequence];
            sequence.computed += chunk.tokens;
            if sequence.remaining() > 0 {
                continue;
            }
            let logits = rows.next().expect("one row was wanted for each finished chunk");
            if group.in_prompt() {
                group.prompt_done = Some(Instant::now());
                if let Err(error) = fork_choices(self.executor.as_mut(), group) {
                    self.fail(index.group, error);
                    continue;
                }
                for sequence in 0..self.running[index.group].sequences.len() {
                    self.sample_one(SequenceIndex { sequence, ..index }, logits);
                }
            } else {
                self.sample_one(index, logits);
            }
        }
    }

    fn sample_one(&mut self, index: SequenceIndex, logits: &[f32]) {
        let group = &mut self.running[index.group];
        let sequence = &mut group.sequences[index.sequence];
        match sequence.step(logits, &group.options) {
            Err(error) => self.fail(index.group, error),
            Ok(heard) => {
                let choice = sequence.choice;
                for event in heard.events {
                    group.events.send(Ok(event));
                }
                if let Some(End { reason, stop }) = heard.end {
                    sequence.finished = true;
                    group.events.send(Ok(ChatEvent::Finished { choice, reason, stop }));
                }
            }
        }
    }

    /// Ends a request with an error; its sequences are freed with the finished ones.
    fn fail(&mut self, group: usize, error: Failure) {
        let group = &mut self.running[group];
        if !group.failed {
            group.failed = true;
            group.events.send(Err(error));
        }
    }

    /// Removes sequences and requests that have ended.
    fn finish_groups(&mut self) {
        let mut ended = Vec::new();
        for mut group in std::mem::take(&mut self.running) {
            if group.failed {
                ended.push(group);
                continue;
            }
            for sequence in group.sequences.extract_if(.., |sequence| sequence.finished) {
                group.generated_tokens += sequence.generated;
                group.reasoning_tokens += sequence.reasoning_tokens();
                self.keep(sequence);
            }
            if group.sequences.is_empty() {
                let now = Instant::now();
                let (started, prompt_done) = (group.started.unwrap_or(now), group.prompt_done.unwrap_or(now));
                let usage = Usage {
                    input: group.prompt_tokens - group.cached_tokens,
                    cache_read: group.cached_tokens,
                    answer: group.generated_tokens - group.reasoning_tokens,
                    reasoning: group.reasoning_tokens,
                    ..Usage::default()
                };
                let timings = Timings {
                    queue: started - group.arrived,
                    prefill: prompt_done - started,
                    decode: now - prompt_done,
                };
                group.events.send(Ok(ChatEvent::Done { usage, timings }));
            } else {
                self.running.push(group);
            }
        }
        for group in ended {
            for id in group.ids() {
                self.executor.close(id);
            }
        }
    }

    /// Keeps what an abandoned request has computed.
    fn retire(&mut self, group: SequenceGroup) {
        for sequence in group.sequences {
            self.keep(sequence);
        }
    }

    fn keep(&mut self, sequence: Sequence) {
        let Sequence { id, mut tokens, computed, .. } = sequence;
        if let Some(id) = id {
            tokens.truncate(computed);
            self.prefix_cache.insert(self.executor.as_mut(), id, tokens);
        }
    }
}

/// Gives the other choices of a request a copy of the prompt that the first has computed.
fn fork_choices(executor: &mut dyn Executor, group: &mut SequenceGroup) -> Result<(), Failure> {
    let (first, others) = group.sequences.split_first_mut().expect("a request has at least one choice");
    let Some(id) = first.id else { return Ok(()) };
    for sequence in others {
        let copy = executor
            .fork(id)
            .map_err(|error| Failure::internal(format!("the prompt could not be copied: {error}")))?;
        sequence.id = Some(copy);
        sequence.computed = first.computed;
    }
    Ok(())
}

/// Sequences that are generated at once.
const SEQUENCES_MAX: usize = 32;

/// Tokens of memory that a request must find beyond its prompt before it starts.
const RESERVE: usize = 64;

/// How long to wait for slow readers.
const PAUSE: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests;
