//! Documents in the order of what they say to a query.

use std::future::Future;
use std::pin::Pin;

use crate::Failure;

/// What a call of [`Reranker::rank`] resolves to. Dropping it cancels the work.
pub type RankFuture = Pin<Box<dyn Future<Output = Result<Ranking, Failure>> + Send>>;

/// Anything that says how much documents have to do with a query.
pub trait Reranker: Send + Sync {
    /// Compares each document with the query by itself.
    fn rank(&self, request: RankRequest) -> RankFuture;
}

/// A query and documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankRequest {
    /// What is looked for.
    pub query: String,
    /// Where it may be found.
    pub documents: Vec<String>,
}

/// The scores of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// One for each document, in the order of the request; more is better. Their scale is the model's own: some return
    /// probabilities, others any number.
    pub scores: Vec<f32>,
    /// Tokens of all pairs together.
    pub tokens: u32,
}
