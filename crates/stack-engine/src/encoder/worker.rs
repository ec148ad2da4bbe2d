//! The thread that computes, one input at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use stack_chat::{EmbedInput, EmbedRequest, Embeddings, Failure, ModelCard, Overflow};
use tokio::sync::oneshot;

use super::network::Network;
use super::spec::EncoderSpec;
use crate::pooling::{normalize, pool};
use crate::tokenizer::{Control, Specials, Tokenizer};

/// A request, and where its vectors go.
pub(super) struct Job {
    pub(super) request: EmbedRequest,
    pub(super) reply: oneshot::Sender<Result<Embeddings, Failure>>,
}

/// Everything that turns inputs into vectors.
pub(super) struct Worker {
    pub(super) spec: EncoderSpec,
    pub(super) card: Arc<ModelCard>,
    pub(super) tokenizer: Option<Tokenizer>,
    pub(super) network: Network,
    /// Set when the encoder is dropped: what waits is not begun any more.
    pub(super) stopped: Arc<AtomicBool>,
}

impl Worker {
    /// Answers jobs until no more can come.
    pub(super) fn run(&self, jobs: &Receiver<Job>) {
        for Job { request, reply } in jobs {
            let unwanted = || reply.is_closed() || self.stopped.load(Ordering::Relaxed);
            // A caller who has gone, or whose encoder has, needs no answer.
            if let Some(answer) = self.answer(&request, unwanted).transpose() {
                let _gone = reply.send(answer);
            }
        }
    }

    /// Embeds all inputs, or returns `None` as soon as they are unwanted.
    fn answer(
        &self,
        request: &EmbedRequest,
        unwanted: impl Fn() -> bool,
    ) -> Result<Option<Embeddings>, Failure> {
        let mut inputs = Vec::with_capacity(request.inputs.len());
        for input in &request.inputs {
            if unwanted() {
                return Ok(None);
            }
            inputs.push(self.tokens(input)?);
        }
        let mut vectors = Vec::with_capacity(inputs.len());
        for tokens in &inputs {
            if unwanted() {
                return Ok(None);
            }
            vectors.push(self.vector(tokens)?);
        }
        let tokens = inputs.iter().map(Vec::len).sum::<usize>();
        Ok(Some(Embeddings { vectors, tokens: u32::try_from(tokens).unwrap_or(u32::MAX) }))
    }

    fn tokens(&self, input: &EmbedInput) -> Result<Vec<u32>, Failure> {
        let tokens = match input {
            EmbedInput::Tokens(tokens) => tokens.clone(),
            EmbedInput::Text(text) => {
                let tokenizer = self.tokenizer.as_ref().ok_or_else(|| {
                    Failure::unsupported("input", "this model has no vocabulary; give inputs as token ids")
                })?;
                let encode = |text: &str| tokenizer.encode(text, Control::Literal, Specials::Add);
                if self.spec.lowercase { encode(&text.to_lowercase()) } else { encode(text) }
            }
        };
        if tokens.is_empty() {
            return Err(Failure::invalid("input", "an input has no tokens"));
        }
        if tokens.len() > self.spec.context {
            let (prompt_tokens, context) =
                (u32::try_from(tokens.len()).unwrap_or(u32::MAX), self.card.context);
            let message =
                format!("an input has {prompt_tokens} tokens, but this model takes at most {context}");
            let overflow = Overflow { prompt_tokens, context };
            return Err(Failure { field: Some("input".to_owned()), ..Failure::overflow(overflow, message) });
        }
        let vocabulary = self.card.vocabulary;
        match tokens.iter().find(|&&token| token >= vocabulary) {
            None => Ok(tokens),
            Some(token) => {
                let problem = format!("token {token} is not in the vocabulary of {vocabulary}");
                Err(Failure::invalid("input", problem))
            }
        }
    }

    fn vector(&self, tokens: &[u32]) -> Result<Vec<f32>, Failure> {
        let failed =
            |problem: String| Failure::internal(format!("the input could not be embedded: {problem}"));
        let rows = self.network.forward(tokens).map_err(|error| failed(error.to_string()))?;
        let mut vector = pool(&rows, self.spec.pooling);
        normalize(&mut vector);
        if vector.iter().all(|x| x.is_finite()) {
            Ok(vector)
        } else {
            Err(failed("the model's numbers are not finite".to_owned()))
        }
    }
}
