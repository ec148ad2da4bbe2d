//! Texts as vectors or scores, from a decoder's hidden states: some hundred tokens at a time.
//!
//! Between two steps the answers of others go on. A text that is longer than a step is computed in pieces, whose keys and
//! values stay until the last one.

use std::ops::Range;

use stack_chat::{Embeddings, Failure, Ranking};
use tokio::sync::oneshot;

use super::ranker::Ranker;
use super::scheduler::STEP_TOKENS;
use crate::executor::{Chunk, Executor, Output, Rows, SequenceId, Wanted};
use crate::pooling::{Pooling, normalize};

/// Inputs, and where what becomes of them goes.
pub(super) struct PooledRequest {
    inputs: Vec<Vec<u32>>,
    goal: Goal,
    /// What became of the first inputs: a vector, or a single score.
    done: Vec<Vec<f32>>,
    begun: Option<Begun>,
}

/// What is made of hidden states, and for whom.
pub(super) enum Goal {
    Embed { pooling: Pooling, reply: oneshot::Sender<Result<Embeddings, Failure>> },
    Rank { reply: oneshot::Sender<Result<Ranking, Failure>> },
}

/// An input of which some pieces were computed.
struct Begun {
    sequence: SequenceId,
    position: usize,
    /// The sum of the rows that are pooled.
    sum: Vec<f32>,
}

/// A piece of an input in one step.
struct Piece {
    input: usize,
    range: Range<usize>,
    sequence: SequenceId,
    sum: Vec<f32>,
}

impl PooledRequest {
    pub(super) fn new(inputs: Vec<Vec<u32>>, goal: Goal) -> Self {
        Self { inputs, goal, done: Vec::new(), begun: None }
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_unwanted(&self) -> bool {
        match &self.goal {
            Goal::Embed { reply, .. } => reply.is_closed(),
            Goal::Rank { reply } => reply.is_closed(),
        }
    }

    /// Whether every input was computed.
    pub(super) fn is_done(&self) -> bool {
        self.done.len() == self.inputs.len()
    }

    /// Computes a step.
    pub(super) fn step(
        &mut self,
        executor: &mut dyn Executor,
        ranker: Option<&Ranker>,
    ) -> Result<(), Failure> {
        let pooling = self.pooling();
        let mut pieces = self.pieces(executor);
        let chunks: Vec<Chunk<'_>> = pieces
            .iter()
            .map(|Piece { input, range, sequence, .. }| {
                let tokens = &self.inputs[*input];
                let wanted = wanted(pooling, range, tokens.len());
                Chunk { sequence: *sequence, tokens: &tokens[range.clone()], wanted }
            })
            .collect();
        let counts: Vec<usize> = chunks
            .iter()
            .map(|chunk| match chunk.wanted {
                Wanted::None => 0,
                Wanted::Last => 1,
                Wanted::All => chunk.tokens.len(),
            })
            .collect();
        let rows = match executor.forward(&chunks, Output::Hidden) {
            Ok(rows) => rows,
            Err(error) => {
                pieces.iter().for_each(|piece| executor.close(piece.sequence));
                return Err(failed(&error.to_string()));
            }
        };
        let mut first = 0;
        for (piece, count) in pieces.iter_mut().zip(counts) {
            add(&rows, first..first + count, pooling, &mut piece.sum);
            first += count;
        }
        let mut outcome = Ok(());
        for Piece { input, range, sequence, mut sum } in pieces {
            let length = self.inputs[input].len();
            if range.end < length {
                self.begun = Some(Begun { sequence, position: range.end, sum });
                continue;
            }
            executor.close(sequence);
            if pooling == Pooling::Mean {
                sum.iter_mut().for_each(|x| *x /= length as f32);
            }
            let result = self.finished(sum, ranker);
            if !result.iter().all(|x| x.is_finite()) {
                outcome = Err(failed("the model's numbers are not finite"));
            }
            self.done.push(result);
        }
        outcome
    }

    /// Forgets what was begun, and answers; `outcome` is the failure that ended it early. A caller who has gone needs no
    /// answer.
    pub(super) fn answer(self, executor: &mut dyn Executor, outcome: Result<(), Failure>) {
        if let Some(Begun { sequence, .. }) = self.begun {
            executor.close(sequence);
        }
        let tokens = u32::try_from(self.inputs.iter().map(Vec::len).sum::<usize>()).unwrap_or(u32::MAX);
        let done = self.done;
        match self.goal {
            Goal::Embed { reply, .. } => {
                let _gone = reply.send(outcome.map(|()| Embeddings { vectors: done, tokens }));
            }
            Goal::Rank { reply } => {
                let _gone = reply.send(outcome.map(|()| Ranking { scores: done.concat(), tokens }));
            }
        }
    }

    fn pooling(&self) -> Pooling {
        match self.goal {
            Goal::Embed { pooling, .. } => pooling,
            Goal::Rank { .. } => Pooling::Last,
        }
    }

    /// Cuts what comes next into the pieces of a step. Only what is longer than a step is cut in two.
    fn pieces(&mut self, executor: &mut dyn Executor) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut room = STEP_TOKENS;
        for input in self.done.len()..self.inputs.len() {
            let begun = self.begun.take();
            let start = begun.as_ref().map_or(0, |begun| begun.position);
            let left = self.inputs[input].len() - start;
            if left > room && !pieces.is_empty() {
                break;
            }
            let range = start..start + left.min(room);
            room -= range.len();
            let (sequence, sum) = match begun {
                Some(Begun { sequence, sum, .. }) => (sequence, sum),
                None => (executor.open(), Vec::new()),
            };
            pieces.push(Piece { input, range, sequence, sum });
            if room == 0 {
                break;
            }
        }
        pieces
    }

    /// What becomes of a pooled hidden state.
    fn finished(&self, mut pooled: Vec<f32>, ranker: Option<&Ranker>) -> Vec<f32> {
        match self.goal {
            Goal::Embed { .. } => {
                normalize(&mut pooled);
                pooled
            }
            Goal::Rank { .. } => vec![ranker.map_or(f32::NAN, |ranker| ranker.score(&pooled))],
        }
    }
}

/// The rows of a piece that are pooled.
fn wanted(pooling: Pooling, range: &Range<usize>, length: usize) -> Wanted {
    match pooling {
        Pooling::Mean => Wanted::All,
        Pooling::First if range.start == 0 => Wanted::All,
        Pooling::Last if range.end == length => Wanted::Last,
        Pooling::First | Pooling::Last => Wanted::None,
    }
}

/// Adds the rows that are pooled.
fn add(rows: &Rows, range: Range<usize>, pooling: Pooling, sum: &mut Vec<f32>) {
    let counted = if pooling == Pooling::First { range.start..range.end.min(range.start + 1) } else { range };
    for row in counted {
        sum.resize(rows.row(row).len(), 0.0);
        sum.iter_mut().zip(rows.row(row)).for_each(|(sum, x)| *sum += x);
    }
}

fn failed(problem: &str) -> Failure {
    Failure::internal(format!("the text could not be computed: {problem}"))
}
