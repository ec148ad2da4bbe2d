//! The thread that computes: some inputs of all requests at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use stack_chat::Failure;

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
            // Whoever was first in this step is last in the next one.
            let first_stays = self.step(&mut requests);
            requests.rotate_left(usize::from(first_stays));
        }
    }

    /// Reads some inputs of each request.
    fn read(&self, requests: &mut VecDeque<Request>) {
        each(requests, |request| request.read(&self.reader, READ_AT_ONCE));
    }

    /// Computes a step, in a turn of its own: models that share the machine go on between two of them. Says whether the
    /// first request stays.
    fn step(&mut self, requests: &mut VecDeque<Request>) -> bool {
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
        })
    }
}

/// Does something with each request, and answers those that are done or have failed. Says whether the first stays.
fn each(requests: &mut VecDeque<Request>, mut act: impl FnMut(&mut Request) -> Result<(), Failure>) -> bool {
    let mut first_stays = false;
    for number in 0..requests.len() {
        let Some(mut request) = requests.pop_front() else { break };
        match act(&mut request) {
            Ok(()) if request.is_done() => request.answer(Ok(())),
            Ok(()) => {
                first_stays |= number == 0;
                requests.push_back(request);
            }
            failure => request.answer(failure),
        }
    }
    first_stays
}

/// Tokens of a step: enough that weights are read from afar once for many, few enough that others need not wait long.
const STEP_TOKENS: usize = 512;

/// Inputs of a request that are tokenized between two steps.
const READ_AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use stack_chat::{EmbedInput, EmbedRequest};
    use tokio::sync::{Semaphore, oneshot};

    use super::*;
    use crate::encoder::request::Work;

    /// Requests of so many inputs each; nobody reads what becomes of them.
    fn requests(lengths: [usize; 3]) -> VecDeque<Request> {
        let places = Arc::new(Semaphore::new(lengths.len()));
        let request = |length| {
            let inputs = vec![EmbedInput::Text(String::new()); length];
            let request = EmbedRequest { inputs, dimensions: None };
            let work = Work::Embed { request, reply: oneshot::channel().0 };
            Request::new(Job { work, permit: Arc::clone(&places).try_acquire_owned().unwrap() })
        };
        lengths.map(request).into()
    }

    #[test]
    fn the_first_takes_the_turn_of_nobody_by_going() {
        for (gone, stays, left) in [(0, false, [2, 3]), (1, true, [1, 3]), (2, true, [1, 2])] {
            let mut requests = requests([1, 2, 3]);
            let mut number = 0..;
            let act = |_: &mut Request| match number.next() {
                Some(number) if number == gone => Err(failed("it is the one")),
                _ => Ok(()),
            };
            assert_eq!(each(&mut requests, act), stays);
            assert_eq!(requests.iter().map(Request::len).collect::<Vec<_>>(), left);
        }
    }
}
