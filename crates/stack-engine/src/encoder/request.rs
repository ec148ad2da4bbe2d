//! A request on its way through the worker.

use stack_chat::{EmbedRequest, Embeddings, Failure, RankRequest, Ranking};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::head::Head;
use super::network::Input;
use super::reader::Reader;
use crate::pooling::normalize;

/// What callers hand in. It frees its place when it is dropped.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) permit: OwnedSemaphorePermit,
}

/// What is asked for, and where it goes.
pub(super) enum Work {
    Embed { request: EmbedRequest, reply: oneshot::Sender<Result<Embeddings, Failure>> },
    Rank { request: RankRequest, reply: oneshot::Sender<Result<Ranking, Failure>> },
}

/// A request that is read and computed, some inputs at a time.
pub(super) struct Request {
    work: Work,
    _permit: OwnedSemaphorePermit,
    /// The tokens of the query, once they are known.
    query: Option<Vec<u32>>,
    /// Those that were read.
    inputs: Vec<Input>,
    lengths: Vec<usize>,
    /// Results of the first inputs.
    vectors: Vec<Vec<f32>>,
    scores: Vec<f32>,
    computed: usize,
}

impl Request {
    pub(super) fn new(job: Job) -> Self {
        Self {
            work: job.work,
            _permit: job.permit,
            query: None,
            inputs: Vec::new(),
            lengths: Vec::new(),
            vectors: Vec::new(),
            scores: Vec::new(),
            computed: 0,
        }
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_unwanted(&self) -> bool {
        match &self.work {
            Work::Embed { reply, .. } => reply.is_closed(),
            Work::Rank { reply, .. } => reply.is_closed(),
        }
    }

    /// Whether its vectors are compared, rather than ranked by.
    pub(super) fn is_embedding(&self) -> bool {
        matches!(self.work, Work::Embed { .. })
    }

    /// Reads the next `count` inputs. Nothing is computed before all are known to be fit.
    pub(super) fn read(&mut self, reader: &Reader, count: usize) -> Result<(), Failure> {
        for number in self.inputs.len()..self.len().min(self.inputs.len() + count) {
            let input = match &self.work {
                Work::Embed { request, .. } => reader.text(&request.inputs[number])?,
                Work::Rank { request, .. } => {
                    let query = match &mut self.query {
                        Some(query) => query,
                        unread => unread.insert(reader.query(&request.query)?),
                    };
                    reader.pair(query, number, &request.documents[number])?
                }
            };
            self.lengths.push(input.tokens.len());
            self.inputs.push(input);
        }
        Ok(())
    }

    /// The lengths of what can be computed: nothing before all inputs were read.
    pub(super) fn waiting(&self) -> &[usize] {
        if self.inputs.len() == self.len() { &self.lengths[self.computed..] } else { &[] }
    }

    /// The next inputs.
    pub(super) fn next(&self, count: usize) -> &[Input] {
        &self.inputs[self.computed..self.computed + count]
    }

    /// Takes the pooled hidden state of the next input.
    pub(super) fn take(&mut self, head: &mut Head, pooled: Vec<f32>) -> Result<(), Failure> {
        let finite = match &self.work {
            Work::Embed { request, .. } => {
                let mut vector = head.vector(pooled);
                if let Some(length) = request.dimensions {
                    vector.truncate(length as usize);
                }
                normalize(&mut vector);
                let finite = vector.iter().all(|x| x.is_finite());
                self.vectors.push(vector);
                finite
            }
            Work::Rank { .. } => {
                let score = head.score(&pooled).unwrap_or(f32::NAN);
                self.scores.push(score);
                score.is_finite()
            }
        };
        self.computed += 1;
        if finite { Ok(()) } else { Err(failed("the model's numbers are not finite")) }
    }

    /// Whether every input was computed.
    pub(super) fn is_done(&self) -> bool {
        self.computed == self.len()
    }

    /// Answers; `outcome` is the failure that ended it early. A caller who has gone needs no answer.
    pub(super) fn answer(self, outcome: Result<(), Failure>) {
        let tokens = u32::try_from(self.lengths.iter().sum::<usize>()).unwrap_or(u32::MAX);
        match self.work {
            Work::Embed { reply, .. } => {
                let _gone = reply.send(outcome.map(|()| Embeddings { vectors: self.vectors, tokens }));
            }
            Work::Rank { reply, .. } => {
                let _gone = reply.send(outcome.map(|()| Ranking { scores: self.scores, tokens }));
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match &self.work {
            Work::Embed { request, .. } => request.inputs.len(),
            Work::Rank { request, .. } => request.documents.len(),
        }
    }
}

/// A failure of the computation.
pub(super) fn failed(problem: &str) -> Failure {
    Failure::internal(format!("the input could not be computed: {problem}"))
}
