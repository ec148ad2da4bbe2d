//! Texts as vectors, from a decoder's hidden states.

use stack_chat::{ChatError, Embeddings, ErrorKind};

use super::model::Pooling;
use crate::executor::{Chunk, Executor, ExecutorError, Output, Rows, Wanted};

/// Embeds inputs one after the other.
pub(super) fn embed(
    executor: &mut dyn Executor,
    pooling: Pooling,
    inputs: &[Vec<u32>],
) -> Result<Embeddings, ChatError> {
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

/// Makes one vector of the rows, of which there is at least one.
pub(crate) fn pool(rows: &Rows, pooling: Pooling) -> Vec<f32> {
    match pooling {
        Pooling::First => rows.row(0).to_vec(),
        Pooling::Last => rows.row(rows.len() - 1).to_vec(),
        Pooling::Mean => {
            let mut sum = vec![0.0; rows.row(0).len()];
            for row in rows.iter() {
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            sum.iter_mut().for_each(|x| *x /= rows.len() as f32);
            sum
        }
    }
}

/// Scales a vector to length 1; the zero vector stays.
pub(crate) fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
}

fn failed(error: &ExecutorError) -> ChatError {
    ChatError::new(ErrorKind::Internal, format!("the text could not be embedded: {error}"))
}
