//! Texts as vectors.

use std::future::Future;
use std::pin::Pin;

use crate::Failure;

/// What a call of [`Embedder::embed`] resolves to. Dropping it cancels the work.
pub type EmbedFuture = Pin<Box<dyn Future<Output = Result<Embeddings, Failure>> + Send>>;

/// Anything that turns texts into vectors.
pub trait Embedder: Send + Sync {
    /// Embeds each input by itself.
    fn embed(&self, request: EmbedRequest) -> EmbedFuture;
}

/// A request for embeddings.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbedRequest {
    /// What is embedded, each by itself.
    pub inputs: Vec<EmbedInput>,
    /// Cuts the vectors to this length and normalises them again; refused unless the model declares it.
    pub dimensions: Option<u32>,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbedInput {
    /// Text; the special tokens of the vocabulary are added.
    Text(String),
    /// Token ids, used exactly as they are.
    Tokens(Vec<u32>),
}

/// The vectors of one request, in the order of the inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// One vector of length 1 per input.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens in all inputs together.
    pub tokens: u32,
}
