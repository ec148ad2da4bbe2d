//! One step: scheduling, computing, sampling.

use std::time::Instant;

use stack_chat::{ChatEvent, Failure, Priority};
use stack_kernels::PAGE_TOKENS;

use super::Worker;
use super::admit::CHECKPOINT;
use crate::engine::answer::End;
use crate::engine::group::SequenceGroup;
use crate::engine::pace::StepSize;
use crate::engine::prefix_cache;
use crate::engine::scheduler::{STEP_TOKENS, ScheduledChunk, StepBudget, WaitingTokens, schedule};
use crate::executor::{Chunk, Executor, Output, Rows, Wanted};

/// Which of the running groups, and which of its sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SequenceIndex {
    pub(super) group: usize,
    pub(super) sequence: usize,
}

impl Worker {
    /// Schedules and computes one step.
    pub(super) fn step(&mut self) {
        self.turn += 1;
        self.follow();
        self.resume();
        self.guess();
        let (indices, waiting) = self.waiting_tokens();
        let rows: usize = waiting.iter().filter(|one| one.decodes()).map(|one| 1 + one.guessed).sum();
        let budget = StepBudget { rows: STEP_TOKENS, prompt: self.pace.prompt_tokens(rows, STEP_TOKENS) };
        let chunks = schedule(&waiting, budget, self.turn);
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

    /// Whether a request is computed in batches of its own and from its first token on, because its answer must be
    /// reproducible and the executor's rows depend on the batch.
    pub(super) fn runs_alone(&self, group: &SequenceGroup) -> bool {
        group.reproducible && !self.executor.rows_are_independent()
    }

    /// What each sequence has to compute.
    fn waiting_tokens(&self) -> (Vec<SequenceIndex>, Vec<WaitingTokens>) {
        let cuts_anywhere = self.executor.cuts_anywhere();
        let mut indices = Vec::new();
        let mut waiting = Vec::new();
        for (group_index, group) in self.running.iter().enumerate() {
            let is_held = group.room() == 0 || group.leader.is_some() || group.failed;
            for (index, sequence) in group.sequences.iter().enumerate() {
                indices.push(SequenceIndex { group: group_index, sequence: index });
                let waits = group.in_prompt() && index > 0;
                let tokens = match sequence.remaining() {
                    // Always the same pieces, also where all is computed again: the prompt, then token by token.
                    tokens if self.runs_alone(group) => {
                        let of_prompt = (group.prompt_tokens as usize).saturating_sub(sequence.computed);
                        tokens.min(of_prompt.max(1))
                    }
                    // A piece ends where it is to be kept.
                    tokens if group.in_prompt() && !cuts_anywhere => {
                        tokens.min(CHECKPOINT - sequence.computed % CHECKPOINT)
                    }
                    tokens => tokens,
                };
                waiting.push(WaitingTokens {
                    tokens,
                    guessed: sequence.guessed.len(),
                    paused: is_held || waits || sequence.preempted,
                    priority: group.priority,
                });
            }
        }
        (indices, waiting)
    }

    /// Frees memory until the step fits: cached prefixes first, then guesses, then sequences of requests that can wait,
    /// then the youngest. What is put aside stays cached as long as there is room, and is taken up again later.
    fn preempt(&mut self, mut chunks: Vec<ScheduledChunk>, indices: &[SequenceIndex]) -> Vec<ScheduledChunk> {
        loop {
            let added: usize = chunks.iter().map(|chunk| chunk.tokens + chunk.guessed).sum();
            let taken = self.executor.held_tokens().saturating_add(added);
            let excess = taken.saturating_sub(self.limits.cache_tokens);
            if excess == 0 {
                return chunks;
            }
            if self.prefix_cache.evict(self.executor.as_mut(), excess) {
                continue;
            }
            if chunks.iter().any(|chunk| chunk.guessed > 0) {
                chunks.iter_mut().for_each(|chunk| chunk.guessed = 0);
                continue;
            }
            if chunks.len() < 2 {
                return chunks;
            }
            let can_wait = |chunk: &ScheduledChunk| {
                let group = &self.running[indices[chunk.sequence].group];
                (group.priority == Priority::Batch, group.number, chunk.sequence)
            };
            let victim = chunks.iter().max_by_key(|chunk| can_wait(chunk)).expect("there are at least two");
            let victim = victim.sequence;
            chunks.retain(|chunk| chunk.sequence != victim);
            let SequenceIndex { group, sequence } = indices[victim];
            let group = &mut self.running[group];
            let sequence = &mut group.sequences[sequence];
            sequence.preempted = true;
            let computed = std::mem::take(&mut sequence.computed);
            if let Some(id) = sequence.id.take() {
                let tokens = &sequence.tokens[..computed];
                self.prefix_cache.insert(self.executor.as_mut(), &group.tenant, id, tokens);
            }
            if let Some(draft) = &mut self.draft {
                draft.keep(&mut sequence.draft, &group.tenant, &sequence.tokens);
            }
        }
    }

    fn compute(&mut self, scheduled: &[ScheduledChunk], indices: &[SequenceIndex]) {
        let mut size = StepSize { prompt: 0, rows: 0 };
        let mut guessing = Vec::with_capacity(scheduled.len());
        for chunk in scheduled {
            let SequenceIndex { group, sequence } = indices[chunk.sequence];
            let sequence = &mut self.running[group].sequences[sequence];
            sequence.id.get_or_insert_with(|| self.executor.open());
            sequence.guessed.truncate(chunk.guessed);
            match sequence.remaining() {
                1 => size.rows += 1 + chunk.guessed,
                _ => size.prompt += chunk.tokens,
            }
            let next = sequence.tokens[sequence.computed..sequence.computed + chunk.tokens].iter();
            let tokens: Vec<u32> = next.chain(&sequence.guessed).copied().collect();
            guessing.push(tokens);
        }
        let batch: Vec<Chunk<'_>> = scheduled
            .iter()
            .zip(&guessing)
            .filter_map(|(chunk, tokens)| {
                let SequenceIndex { group, sequence } = indices[chunk.sequence];
                let sequence = &self.running[group].sequences[sequence];
                let wanted = match chunk.tokens == sequence.remaining() {
                    false => Wanted::None,
                    true if chunk.guessed == 0 => Wanted::Last,
                    true => Wanted::All,
                };
                Some(Chunk { sequence: sequence.id?, tokens, wanted })
            })
            .collect();
        let executor = &mut self.executor;
        let (result, took) = self.limits.turns.take(|| {
            let begun = Instant::now();
            (executor.forward(&batch, Output::Logits), begun.elapsed())
        });
        match result {
            Ok(rows) => {
                self.pace.learn(size, took);
                self.sample(scheduled, indices, &rows);
            }
            Err(error) => {
                tracing::error!(error = %error, "a step failed; its requests were aborted");
                for chunk in scheduled {
                    let message = format!("the model could not be computed: {error}");
                    self.fail(indices[chunk.sequence].group, Failure::internal(message));
                }
            }
        }
    }

    /// Gives each sequence whose tokens are all computed its next token, and more where guesses hold.
    fn sample(&mut self, chunks: &[ScheduledChunk], indices: &[SequenceIndex], rows: &Rows) {
        let mut rows = rows.iter();
        for chunk in chunks {
            let index = indices[chunk.sequence];
            let group = &mut self.running[index.group];
            let sequence = &mut group.sequences[index.sequence];
            sequence.computed += chunk.tokens;
            if sequence.remaining() > 0 {
                self.keep_checkpoint(index);
                continue;
            }
            let logits = rows.next().expect("one row was wanted for each finished chunk");
            if group.in_prompt() {
                group.prompt_done = Some(Instant::now());
                self.keep_prompt(index.group);
                let group = &mut self.running[index.group];
                if let Err(error) = fork_choices(self.executor.as_mut(), group) {
                    self.fail(index.group, error);
                    continue;
                }
                for sequence in 0..self.running[index.group].sequences.len() {
                    self.sample_one(SequenceIndex { sequence, ..index }, logits);
                }
            } else {
                let guesses: Vec<&[f32]> = rows.by_ref().take(chunk.guessed).collect();
                self.sample_guessed(index, logits, &guesses);
            }
        }
    }

    pub(super) fn sample_one(&mut self, index: SequenceIndex, logits: &[f32]) {
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

    /// Keeps a prompt for others as soon as it is computed, in whole pages, so that its own sequence shares them all.
    fn keep_prompt(&mut self, group: usize) {
        let tokens = self.running[group].prompt_tokens as usize;
        let grain = if self.executor.cuts_anywhere() { PAGE_TOKENS } else { 1 };
        self.keep_copy(SequenceIndex { group, sequence: 0 }, tokens / grain * grain);
    }

    /// Keeps a part of a prompt that ends where another may go on, if the model's state cannot be cut.
    fn keep_checkpoint(&mut self, index: SequenceIndex) {
        let group = &self.running[index.group];
        let computed = group.sequences[index.sequence].computed;
        if !self.executor.cuts_anywhere() && group.in_prompt() && computed.is_multiple_of(CHECKPOINT) {
            self.keep_copy(index, computed);
        }
    }

    fn keep_copy(&mut self, index: SequenceIndex, tokens: usize) {
        let group = &self.running[index.group];
        let sequence = &group.sequences[index.sequence];
        let is_worth = tokens >= prefix_cache::REUSE_MIN && self.limits.prefix_tokens > 0;
        if let Some(id) = sequence.id.filter(|_| is_worth && !self.runs_alone(group)) {
            let tokens = &sequence.tokens[..tokens];
            self.prefix_cache.insert_copy(self.executor.as_mut(), &group.tenant, id, tokens);
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
