//! The thread that computes: some inputs of all requests at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use super::batch::fill;
use super::head::Head;
use super::network::{Input, Network};
use super::reader::Reader;
use super::request::{Job, Request, failed};
use crate::pooling::{Pooling, pool};
use crate::turns::Turns;

/// Everything that turns inputs into vectors and scores.
pub(super) struct Worker {
    pub(super) reader: Reader,
    pub(super) network: Box<dyn Network>,
    pub(super) head: Head,
    /// How vectors to compare are made, and what the head reads.
    pub(super) poolings: (Pooling, Pooling),
    pub(super) turns: Turns,
    /// Set when the encoder is dropped: what waits is not begun any more.
    pub(super) stopped: Arc<AtomicBool>,
}

impl Worker {
    /// Answers jobs until no more can come.
    pub(super) fn run(&mut self, jobs: &Receiver<Job>) {
        let mut requests = VecDeque::new();
        loop {
            if requests.is_empty() {
                let Ok(job) = jobs.recv() else { return };
                requests.push_back(Request::new(job));
            }
            requests.extend(jobs.try_iter().map(Request::new));
            if self.stopped.load(Ordering::Relaxed) {
                return;
            }
            requests.retain(|request| !request.is_unwanted());
            self.read(&mut requests);
            self.step(&mut requests);
            // Whoever was first in this step is last in the next one.
            requests.rotate_left(usize::from(!requests.is_empty()));
        }
    }

    /// Reads some inputs of each request.
    fn read(&self, requests: &mut VecDeque<Request>) {
        each(requests, |request| request.read(&self.reader, READ_AT_ONCE));
    }

    /// Computes a step, in a turn of its own: models that share the machine go on between two of them.
    fn step(&mut self, requests: &mut VecDeque<Request>) {
        let taken = fill(requests.iter().map(Request::waiting), STEP_TOKENS);
        let inputs: Vec<&Input> =
            requests.iter().zip(&taken).flat_map(|(request, &count)| request.next(count)).collect();
        if inputs.is_empty() {
            // A request without inputs is done as it is.
            return each(requests, |_| Ok(()));
        }
        let rows = self.turns.take(|| self.network.forward(&inputs));
        let (mut taken, mut start) = (taken.into_iter(), 0);
        let (head, (compared, ranked)) = (&mut self.head, self.poolings);
        each(requests, |request| {
            let pooling = if request.is_embedding() { compared } else { ranked };
            let ranges = request.next(taken.next().unwrap_or(0)).iter().map(|input| {
                start += input.tokens.len();
                start - input.tokens.len()..start
            });
            // All of them first: a request that fails leaves the rows of the next ones where they are.
            let ranges: Vec<_> = ranges.collect();
            for range in ranges {
                let rows = rows.as_ref().map_err(|error| failed(&error.to_string()))?;
                request.take(head, pool(rows, range, pooling))?;
            }
            Ok(())
        });
    }
}

/// Does something with each request, and answers those that are done or have failed.
fn each(
    requests: &mut VecDeque<Request>,
    mut act: impl FnMut(&mut Request) -> Result<(), stack_chat::Failure>,
) {
    for _ in 0..requests.len() {
        let Some(mut request) = requests.pop_front() else { return };
        match act(&mut request) {
            Ok(()) if request.is_done() => request.answer(Ok(())),
            Ok(()) => requests.push_back(request),
            failure => request.answer(failure),
        }
    }
}

/// Tokens of a step: enough that weights are read from afar once for many, few enough that others need not wait long.
const STEP_TOKENS: usize = 512;

/// Inputs of a request that are tokenized between two steps.
const READ_AT_ONCE: usize = 64;
