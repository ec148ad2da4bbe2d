//! The other side: candle-transformers' own quantized Qwen 3.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use candle_core::quantized::gguf_file;
use candle_core::{D, Device, Tensor};
use candle_transformers::models::quantized_qwen3::ModelWeights;
use serde_json::{Value, json};

use crate::Work;
use stack_benches::median;

/// Loads the model and measures it as candle's example runs it: the prompt in one forward pass, then token by token.
///
/// The first, uncounted repetition lets candle repack its weights, which it does when they are first used.
pub(crate) fn measure(model: &Path, work: Work) -> Result<Value> {
    let begin = Instant::now();
    let mut file = File::open(model).with_context(|| format!("opening {}", model.display()))?;
    let content = gguf_file::Content::read(&mut file).context("reading the header")?;
    let vocabulary = vocabulary(&content)?;
    let mut weights =
        ModelWeights::from_gguf(content, &mut file, &Device::Cpu).context("loading the weights")?;
    let load = begin.elapsed();

    let prompt = prompt(work.prompt, vocabulary);
    repeat(&mut weights, &prompt, work.generate)?;
    let mut prefill = Vec::new();
    let mut decode = Vec::new();
    for _ in 0..work.reps {
        let times = repeat(&mut weights, &prompt, work.generate)?;
        prefill.push(f64::from(work.prompt) / times.prefill.as_secs_f64());
        decode.push(f64::from(work.generate) / times.decode.as_secs_f64());
    }
    Ok(json!({
        "load_seconds": load.as_secs_f64(),
        "prefill": figures(work.prompt, work.reps, &mut prefill),
        "decode": figures(work.generate, work.reps, &mut decode),
    }))
}

/// How long the two parts of one repetition took.
struct Times {
    prefill: Duration,
    decode: Duration,
}

fn repeat(weights: &mut ModelWeights, prompt: &[u32], generate: u32) -> Result<Times> {
    weights.clear_kv_cache();
    let begin = Instant::now();
    let mut token = next(weights, prompt, 0)?;
    let prefill = begin.elapsed();
    let begin = Instant::now();
    for step in 0..generate as usize {
        token = next(weights, &[token], prompt.len() + step)?;
    }
    Ok(Times { prefill, decode: begin.elapsed() })
}

/// Computes `tokens` from position `offset` on, and returns the most probable next token.
fn next(weights: &mut ModelWeights, tokens: &[u32], offset: usize) -> Result<u32> {
    let input = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
    let logits = weights.forward(&input, offset)?.squeeze(0)?;
    Ok(logits.argmax(D::Minus1)?.to_scalar()?)
}

/// Returns the number of rows of the embedding matrix.
fn vocabulary(content: &gguf_file::Content) -> Result<u32> {
    let embedding =
        content.tensor_infos.get("token_embd.weight").context("the file has no token_embd.weight")?;
    let rows = *embedding.shape.dims().first().context("token_embd.weight has no dimensions")?;
    ensure!(rows > 0, "the vocabulary is empty");
    Ok(u32::try_from(rows)?)
}

/// Makes token ids that are spread over the vocabulary; which ones does not matter for speed.
fn prompt(tokens: u32, vocabulary: u32) -> Vec<u32> {
    (0..tokens).map(|i| i.wrapping_mul(2_654_435_761) % vocabulary).collect()
}

fn figures(tokens: u32, reps: u32, rates: &mut [f64]) -> Value {
    let median = median(rates);
    json!({
        "tokens": tokens,
        "reps": reps,
        "tokens_per_second": { "min": rates[0], "median": median, "max": rates[rates.len() - 1] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_stays_in_the_vocabulary() {
        let prompt = prompt(512, 100);
        assert_eq!(prompt.len(), 512);
        assert!(prompt.iter().all(|&token| token < 100));
    }
}
