//! The thread that computes.
//!
//! Each turn it takes in what has arrived, drops what nobody waits for, plans a step, computes it, and hands out the
//! tokens. It sleeps when there is nothing to do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use stack_chat::{ChatError, ChatEvent, Embeddings, ErrorKind, Timings, Usage};
use tokio::sync::oneshot;

use super::job::{Task, Work};
use super::model::Model;
use super::plan::{Demand, Share, plan};
use super::pool;
use super::prefix::Prefixes;
use crate::executor::{Chunk, Executor, Output, Rows, SequenceId, Wanted};

/// The worker's state.
pub(super) struct Worker {
    model: Arc<Model>,
    executor: Box<dyn Executor>,
    work: Receiver<Work>,
    waiting: VecDeque<Task>,
    embeds: VecDeque<EmbedTask>,
    running: Vec<Task>,
    prefixes: Prefixes,
    /// Tokens that all caches may hold together.
    cache_tokens: usize,
    turn: usize,
}

/// Inputs as tokens, and where their vectors go.
type EmbedTask = (Vec<Vec<u32>>, oneshot::Sender<Result<Embeddings, ChatError>>);

/// The place of a lane: which task, which of its lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    task: usize,
    lane: usize,
}

impl Worker {
    pub(super) fn new(
        model: Arc<Model>,
        executor: Box<dyn Executor>,
        work: Receiver<Work>,
        cache_tokens: usize,
    ) -> Self {
        Self {
            model,
            executor,
            work,
            waiting: VecDeque::new(),
            embeds: VecDeque::new(),
            running: Vec::new(),
            prefixes: Prefixes::default(),
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
                let result = pool::embed(self.executor.as_mut(), self.model.pooling, &inputs);
                let _gone = reply.send(result);
            }
            self.step();
        }
    }

    /// Takes in new work; waits for it if there is nothing else to do. Returns false when no more can come.
    fn receive(&mut self) -> bool {
        let idle = self.running.is_empty() && self.waiting.is_empty() && self.embeds.is_empty();
        if idle {
            match self.work.recv() {
                Ok(work) => self.take(work),
                Err(_) => return false,
            }
        } else if self.embeds.is_empty()
            && self.running.iter().all(|task| !task.events.has_room(task.lanes.len()))
        {
            // Every reader is slow: look again soon.
            match self.work.recv_timeout(PAUSE) {
                Ok(work) => self.take(work),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        loop {
            match self.work.try_recv() {
                Ok(work) => self.take(work),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Chat(task) => self.waiting.push_back(task),
            Work::Embed { inputs, reply } => self.embeds.push_back((inputs, reply)),
        }
    }

    /// Frees what nobody waits for any more.
    fn drop_abandoned(&mut self) {
        self.waiting.retain(|task| !task.events.is_closed());
        let (gone, running) =
            std::mem::take(&mut self.running).into_iter().partition(|task| task.events.is_closed());
        self.running = running;
        for task in gone {
            self.retire(task);
        }
    }

    /// Starts requests in order of arrival, as long as there is a place and memory for their prompts.
    fn admit(&mut self) {
        while let Some(next) = self.waiting.front() {
            let lanes: usize = self.running.iter().map(|task| task.lanes.len()).sum();
            let fits = lanes + next.lanes.len() <= LANES_MAX
                && self.held() + next.prompt_tokens as usize + RESERVE <= self.cache_tokens;
            if !fits && self.running.is_empty() && self.prefixes.evict(self.executor.as_mut()) {
                continue;
            }
            if !fits && !self.running.is_empty() {
                return;
            }
            let mut task = self.waiting.pop_front().expect("looked at above");
            if !self.runs_alone(&task)
                && let Some(reused) = self.prefixes.take(self.executor.as_mut(), &task.lanes[0].tokens)
            {
                let first = &mut task.lanes[0];
                first.sequence = Some(reused.sequence);
                first.computed = reused.tokens;
                task.cached_tokens = reused.tokens as u32;
            }
            task.started = Some(Instant::now());
            self.running.push(task);
        }
    }

    /// Whether a request is computed in batches of its own and from its first token on, because its answer must be
    /// reproducible and the executor's rows depend on the batch.
    fn runs_alone(&self, task: &Task) -> bool {
        task.reproducible && !self.executor.rows_are_independent()
    }

    fn held(&self) -> usize {
        self.running.iter().map(Task::held).sum::<usize>() + self.prefixes.tokens()
    }

    /// Plans and computes one step.
    fn step(&mut self) {
        self.turn += 1;
        let mut places = Vec::new();
        let mut demands = Vec::new();
        for (task_index, task) in self.running.iter().enumerate() {
            let slow = !task.events.has_room(task.lanes.len());
            for (lane_index, lane) in task.lanes.iter().enumerate() {
                places.push(Place { task: task_index, lane: lane_index });
                let waits = task.in_prompt() && lane_index > 0;
                demands.push(Demand { remaining: lane.remaining(), paused: slow || waits });
            }
        }
        let shares = plan(&demands, STEP_TOKENS, self.turn);
        let shares = self.make_room(shares, &places);
        let (alone, together): (Vec<Share>, Vec<Share>) =
            shares.into_iter().partition(|share| self.runs_alone(&self.running[places[share.lane].task]));
        if !together.is_empty() {
            self.compute(&together, &places);
        }
        for share in alone {
            // Always the same chunks, whatever else the step holds.
            let place = places[share.lane];
            let remaining = self.running[place.task].lanes[place.lane].remaining();
            self.compute(&[Share { tokens: remaining.min(STEP_TOKENS), ..share }], &places);
        }
        self.finish_tasks();
    }

    /// Frees memory until the step fits: kept prefixes first, then the youngest lanes, which start over later.
    fn make_room(&mut self, mut shares: Vec<Share>, places: &[Place]) -> Vec<Share> {
        loop {
            let added: usize = shares.iter().map(|share| share.tokens).sum();
            if self.held() + added <= self.cache_tokens || self.prefixes.evict(self.executor.as_mut()) {
                if self.held() + added <= self.cache_tokens {
                    return shares;
                }
                continue;
            }
            if shares.len() < 2 {
                return shares;
            }
            let youngest = shares.iter().map(|share| share.lane).max().expect("there are at least two");
            shares.retain(|share| share.lane != youngest);
            let lane = &mut self.running[places[youngest].task].lanes[places[youngest].lane];
            lane.computed = 0;
            if let Some(sequence) = lane.sequence.take() {
                self.executor.close(sequence);
            }
        }
    }

    fn compute(&mut self, shares: &[Share], places: &[Place]) {
        for share in shares {
            let place = places[share.lane];
            let lane = &mut self.running[place.task].lanes[place.lane];
            if lane.sequence.is_none() {
                lane.sequence = Some(self.executor.open());
            }
        }
        let chunks: Vec<Chunk<'_>> = shares
            .iter()
            .filter_map(|share| {
                let place = places[share.lane];
                let lane = &self.running[place.task].lanes[place.lane];
                Some(Chunk {
                    sequence: lane.sequence?,
                    tokens: &lane.tokens[lane.computed..lane.computed + share.tokens],
                    wanted: if share.tokens == lane.remaining() { Wanted::Last } else { Wanted::None },
                })
            })
            .collect();
        match self.executor.forward(&chunks, Output::Logits) {
            Ok(rows) => self.hand_out(shares, places, &rows),
            Err(error) => {
                tracing::error!(error = %error, "a step failed; its requests were aborted");
                for share in shares {
                    let message = format!("the model could not be computed: {error}");
                    self.fail(places[share.lane].task, ChatError::new(ErrorKind::Internal, message));
                }
            }
        }
    }

    /// Gives each lane whose tokens are all computed its next token.
    fn hand_out(&mut self, shares: &[Share], places: &[Place], rows: &Rows) {
        let mut rows = rows.iter();
        for share in shares {
            let place = places[share.lane];
            let task = &mut self.running[place.task];
            let lane = &mut task.lanes[place.lane];
            lane.computed += share.tokens;
            if lane.remaining() > 0 {
                continue;
            }
            let logits = rows.next().expect("one row was wanted for each finished chunk");
            if task.in_prompt() {
                task.prompt_done = Some(Instant::now());
                if let Err(error) = fork_choices(self.executor.as_mut(), task) {
                    self.fail(place.task, error);
                    continue;
                }
                for lane in 0..self.running[place.task].lanes.len() {
                    self.advance(Place { lane, ..place }, logits);
                }
            } else {
                self.advance(place, logits);
            }
        }
    }

    fn advance(&mut self, place: Place, logits: &[f32]) {
        let task = &mut self.running[place.task];
        let lane = &mut task.lanes[place.lane];
        match lane.advance(logits, &task.limits) {
            Err(error) => self.fail(place.task, error),
            Ok(advance) => {
                let choice = lane.choice;
                if let Some(delta) = advance.delta {
                    task.events.send(Ok(ChatEvent::Delta(delta)));
                }
                if let Some(reason) = advance.finish {
                    lane.finished = true;
                    task.events.send(Ok(ChatEvent::Finished { choice, reason }));
                }
            }
        }
    }

    /// Ends a request with an error; its lanes are freed with the finished ones.
    fn fail(&mut self, task: usize, error: ChatError) {
        let task = &mut self.running[task];
        if !task.failed {
            task.failed = true;
            task.events.send(Err(error));
        }
    }

    /// Removes lanes and requests that have ended.
    fn finish_tasks(&mut self) {
        let mut ended = Vec::new();
        for mut task in std::mem::take(&mut self.running) {
            if task.failed {
                ended.push(task);
                continue;
            }
            for lane in task.lanes.extract_if(.., |lane| lane.finished) {
                task.generated_tokens += lane.generated;
                self.keep(lane.sequence, lane.tokens, lane.computed);
            }
            if task.lanes.is_empty() {
                let now = Instant::now();
                let (started, prompt_done) = (task.started.unwrap_or(now), task.prompt_done.unwrap_or(now));
                let usage = Usage {
                    prompt_tokens: task.prompt_tokens,
                    cached_tokens: task.cached_tokens,
                    generated_tokens: task.generated_tokens,
                };
                let timings = Timings {
                    queue: started - task.arrived,
                    prefill: prompt_done - started,
                    decode: now - prompt_done,
                };
                task.events.send(Ok(ChatEvent::Done { usage, timings }));
            } else {
                self.running.push(task);
            }
        }
        for task in ended {
            for sequence in task.sequences() {
                self.executor.close(sequence);
            }
        }
    }

    /// Keeps what an abandoned request has computed.
    fn retire(&mut self, task: Task) {
        for lane in task.lanes {
            self.keep(lane.sequence, lane.tokens, lane.computed);
        }
    }

    fn keep(&mut self, sequence: Option<SequenceId>, mut tokens: Vec<u32>, computed: usize) {
        if let Some(sequence) = sequence {
            tokens.truncate(computed);
            self.prefixes.keep(self.executor.as_mut(), sequence, tokens);
        }
    }
}

/// Gives the other choices of a request a copy of the prompt that the first has computed.
fn fork_choices(executor: &mut dyn Executor, task: &mut Task) -> Result<(), ChatError> {
    let (first, others) = task.lanes.split_first_mut().expect("a request has at least one choice");
    let Some(sequence) = first.sequence else { return Ok(()) };
    for lane in others {
        let copy = executor.fork(sequence).map_err(|error| {
            ChatError::new(ErrorKind::Internal, format!("the prompt could not be copied: {error}"))
        })?;
        lane.sequence = Some(copy);
        lane.computed = first.computed;
    }
    Ok(())
}

/// Tokens that one step computes at most.
const STEP_TOKENS: usize = 512;

/// Answers that are generated at once.
const LANES_MAX: usize = 32;

/// Tokens of memory that a request must find beyond its prompt before it starts.
const RESERVE: usize = 64;

/// How long to wait for slow readers.
const PAUSE: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests;
