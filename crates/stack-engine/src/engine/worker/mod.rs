//! The thread that computes.
//!
//! Each turn it takes in what has arrived, drops what nobody waits for, lets requests begin, schedules a step, computes
//! it, and samples the next tokens. It sleeps when there is nothing to do.

mod admit;
mod finish;
mod limits;
mod prefixes;
mod speculate;
mod step;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use stack_chat::Failure;

use super::group::SequenceGroup;
use super::job::PreparedJob;
use super::model::Model;
use super::pace::Pace;
use super::pooled::PooledRequest;
use super::prefix_cache::PrefixCache;
use super::speculation::{DraftExecutor, DraftModel};
use crate::executor::Executor;

pub(super) use limits::WorkerLimits;
pub(super) use prefixes::{RestoreJob, SaveJob};

/// The worker's state.
pub(super) struct Worker {
    model: Arc<Model>,
    executor: Box<dyn Executor>,
    draft: Option<DraftModel>,
    prepared: Receiver<PreparedJob>,
    waiting: VecDeque<SequenceGroup>,
    /// Those whose hidden states are pooled, the one whose turn it is first.
    pooled: VecDeque<PooledRequest>,
    running: Vec<SequenceGroup>,
    prefix_cache: PrefixCache,
    limits: WorkerLimits,
    pace: Pace,
    turn: usize,
    /// Requests that have arrived.
    arrived: u64,
}

impl Worker {
    pub(super) fn new(
        model: Arc<Model>,
        executor: Box<dyn Executor>,
        draft: Option<DraftExecutor>,
        prepared: Receiver<PreparedJob>,
        limits: WorkerLimits,
    ) -> Self {
        let vocabulary = model.card.vocabulary as usize;
        let draft = draft
            .map(|executor| DraftModel::new(executor, vocabulary, limits.cache_tokens, limits.prefix_tokens));
        Self {
            model,
            prefix_cache: PrefixCache::new(executor.as_ref(), limits.prefix_tokens),
            executor,
            draft,
            prepared,
            waiting: VecDeque::new(),
            pooled: VecDeque::new(),
            running: Vec::new(),
            limits,
            pace: Pace::default(),
            turn: 0,
            arrived: 0,
        }
    }

    /// Computes until the engine is dropped. Whatever is unfinished then is cancelled.
    pub(super) fn run(mut self) {
        while self.receive() {
            self.drop_abandoned();
            self.expire(Instant::now());
            self.admit();
            self.pool();
            self.step();
        }
    }

    /// Computes a step of one request whose hidden states are pooled.
    fn pool(&mut self) {
        let Some(mut request) = self.pooled.pop_front() else { return };
        let (executor, ranker) = (self.executor.as_mut(), self.model.ranker.as_ref());
        if request.is_unwanted() {
            return request.answer(executor, Ok(()));
        }
        match self.limits.turns.take(|| request.step(executor, ranker)) {
            Ok(()) if !request.is_done() => self.pooled.push_back(request),
            outcome => request.answer(executor, outcome),
        }
    }

    /// Takes in new jobs; waits for one if there is nothing else to do. Returns false when no more can come.
    fn receive(&mut self) -> bool {
        let idle = self.running.is_empty() && self.waiting.is_empty() && self.pooled.is_empty();
        if idle {
            match self.prepared.recv() {
                Ok(job) => self.take(job),
                Err(_) => return false,
            }
        } else if self.pooled.is_empty() && self.running.iter().all(|group| group.room() == 0) {
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
            PreparedJob::Chat(mut group) => {
                self.arrived += 1;
                group.number = self.arrived;
                self.waiting.push_back(group);
            }
            PreparedJob::Pooled(request) => self.pooled.push_back(request),
            PreparedJob::Save(job) => self.save_prefixes(&job),
            PreparedJob::Restore(job) => self.restore_prefixes(&job),
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
}

/// How long to wait for slow readers.
const PAUSE: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests;
