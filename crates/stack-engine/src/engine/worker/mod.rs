//! The thread that computes.
//!
//! Each turn it takes in what has arrived, drops what nobody waits for, lets requests begin, schedules a step, computes
//! it, and samples the next tokens. It sleeps when there is nothing to do.

mod admit;
mod finish;
mod limits;
mod step;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use stack_chat::{Embeddings, Failure};
use tokio::sync::oneshot;

use super::embed;
use super::group::SequenceGroup;
use super::job::PreparedJob;
use super::model::Model;
use super::pace::Pace;
use super::prefix_cache::PrefixCache;
use crate::executor::Executor;

pub(super) use limits::WorkerLimits;

/// The worker's state.
pub(super) struct Worker {
    model: Arc<Model>,
    executor: Box<dyn Executor>,
    prepared: Receiver<PreparedJob>,
    waiting: VecDeque<SequenceGroup>,
    embeds: VecDeque<EmbedInputs>,
    running: Vec<SequenceGroup>,
    prefix_cache: PrefixCache,
    limits: WorkerLimits,
    pace: Pace,
    turn: usize,
    /// Requests that have arrived.
    arrived: u64,
}

/// Inputs as tokens, and where their vectors go.
type EmbedInputs = (Vec<Vec<u32>>, oneshot::Sender<Result<Embeddings, Failure>>);

impl Worker {
    pub(super) fn new(
        model: Arc<Model>,
        executor: Box<dyn Executor>,
        prepared: Receiver<PreparedJob>,
        limits: WorkerLimits,
    ) -> Self {
        Self {
            model,
            prefix_cache: PrefixCache::new(executor.as_ref(), limits.prefix_tokens),
            executor,
            prepared,
            waiting: VecDeque::new(),
            embeds: VecDeque::new(),
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
            if let Some((inputs, reply)) = self.embeds.pop_front()
                && !reply.is_closed()
            {
                let (executor, pooling) = (self.executor.as_mut(), self.model.pooling);
                let result = self.limits.turns.take(|| embed::embed(executor, pooling, &inputs));
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
        } else if self.embeds.is_empty() && self.running.iter().all(|group| group.room() == 0) {
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
            PreparedJob::Embed { inputs, reply } => self.embeds.push_back((inputs, reply)),
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
