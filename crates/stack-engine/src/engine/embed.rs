//! Texts as vectors, from a decoder's hidden states.

use stack_chat::{Embeddings, Failure};

use crate::executor::{Chunk, Executor, ExecutorError, Output, Wanted};
use crate::pooling::{Pooling, normalize, pool};

/// Embeds inputs one after the other.
pub(super) fn embed(
    executor: &mut dyn Executor,
    pooling: Pooling,
    inputs: &[Vec<u32>],
) -> Result<Embeddings, Failure> {
    let mut vectors = Vec::with_capacity(inputs.len());
    for tokens in inputs {
        let sequence = executor.open();
        let wanted = if pooling == Pooling::Last { Wanted::Last } else { Wanted::All };
        let rows = executor.forward(&[Chunk { sequence, tokens, wanted }], Output::Hidden);
        executor.close(sequence);
        let mut vector = pool(&rows.map_err(|error| failed(&error))?, pooling);
        normalize(&mut vector);
        vectors.push(vector);
    }
    Ok(Embeddings { vectors, tokens: inputs.iter().map(|tokens| tokens.len() as u32).sum() })
}

fn failed(error: &ExecutorError) -> Failure {
    Failure::internal(format!("the text could not be embedded: {error}"))
}
