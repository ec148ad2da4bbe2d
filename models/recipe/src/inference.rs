//! Running the written file, one token at a time, in plain loops.
//!
//! This shares no code with training but the rotary angles, so that an evaluation also tests the file.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};

use crate::model::{Dimensions, ROTARY_BASE};
use crate::ops::{EPSILON, Rotary};
use crate::random::Random;
use crate::tokenizer::{END, Kind, Piece, Tokenizer};

/// A model as read from its file.
pub(crate) struct Runner {
    /// The file's vocabulary.
    pub(crate) tokenizer: Tokenizer,
    dimensions: Dimensions,
    embedding: Vec<f32>,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    rotary: Rotary,
}

struct Layer {
    attention_norm: Vec<f32>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    output: Vec<f32>,
    feed_forward_norm: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    down: Vec<f32>,
}

/// The keys and values of the tokens so far, one pair per layer.
#[derive(Default, Clone)]
struct Memory {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Runner {
    /// Reads a file that this recipe has written.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
        let content = Content::read(&mut file).with_context(|| format!("reading {}", path.display()))?;
        let key = |key: &str| content.metadata.get(key).with_context(|| format!("the file has no {key}"));
        let size = |name: &str| -> Result<usize> { Ok(key(&format!("llama.{name}"))?.to_u32()? as usize) };
        let dimensions = Dimensions {
            vocabulary: size("vocab_size")?,
            width: size("embedding_length")?,
            layers: size("block_count")?,
            heads: size("attention.head_count")?,
            feed_forward: size("feed_forward_length")?,
            context: size("context_length")?,
        };
        ensure!(
            dimensions.heads > 0 && dimensions.heads == size("attention.head_count_kv")?,
            "the recipe's models have as many key heads as heads"
        );
        let tokenizer = tokenizer(key("tokenizer.ggml.tokens")?, key("tokenizer.ggml.scores")?)?;
        let mut tensor = |name: &str, rows: usize, columns: usize| -> Result<Vec<f32>> {
            let tensor = content.tensor(&mut file, &format!("{name}.weight"), &Device::Cpu)?;
            let values = tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()?;
            ensure!(values.len() == rows * columns, "{name} has {} numbers", values.len());
            Ok(values)
        };
        let (width, inner) = (dimensions.width, dimensions.feed_forward);
        let layers = (0..dimensions.layers)
            .map(|index| {
                let mut part =
                    |name: &str, rows, columns| tensor(&format!("blk.{index}.{name}"), rows, columns);
                Ok(Layer {
                    attention_norm: part("attn_norm", 1, width)?,
                    query: part("attn_q", width, width)?,
                    key: part("attn_k", width, width)?,
                    value: part("attn_v", width, width)?,
                    output: part("attn_output", width, width)?,
                    feed_forward_norm: part("ffn_norm", 1, width)?,
                    gate: part("ffn_gate", inner, width)?,
                    up: part("ffn_up", inner, width)?,
                    down: part("ffn_down", width, inner)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            tokenizer,
            dimensions,
            embedding: tensor("token_embd", dimensions.vocabulary, width)?,
            norm: tensor("output_norm", 1, width)?,
            layers,
            rotary: Rotary::new(width / dimensions.heads, dimensions.context, ROTARY_BASE),
        })
    }

    /// Continues `prompt` until the model ends its message or `tokens_max` tokens are written; says which.
    pub(crate) fn answer(
        &self,
        prompt: &[u32],
        tokens_max: usize,
        temperature: f32,
        random: &mut Random,
    ) -> (String, bool) {
        let mut memory = vec![Memory::default(); self.layers.len()];
        let mut logits = Vec::new();
        for (position, &token) in prompt.iter().enumerate() {
            logits = self.step(token, position, &mut memory);
        }
        let mut written = Vec::new();
        while written.len() < tokens_max.min(self.dimensions.context - prompt.len()) {
            let token = sample(&logits, temperature, random);
            if token == END {
                return (self.tokenizer.decode(&written), true);
            }
            logits = self.step(token, prompt.len() + written.len(), &mut memory);
            written.push(token);
        }
        (self.tokenizer.decode(&written), false)
    }

    /// Returns the logits after one more token.
    fn step(&self, token: u32, position: usize, memory: &mut [Memory]) -> Vec<f32> {
        let width = self.dimensions.width;
        let mut stream = self.embedding[token as usize * width..][..width].to_vec();
        for (layer, memory) in self.layers.iter().zip(memory) {
            let normed = normalised(&stream, &layer.attention_norm);
            let attended = self.attend(layer, &normed, position, memory);
            add(&mut stream, &product(&layer.output, &attended));
            let normed = normalised(&stream, &layer.feed_forward_norm);
            let gate = product(&layer.gate, &normed);
            let mut inner = product(&layer.up, &normed);
            for (inner, gate) in inner.iter_mut().zip(gate) {
                *inner *= gate / (1.0 + (-gate).exp());
            }
            add(&mut stream, &product(&layer.down, &inner));
        }
        product(&self.embedding, &normalised(&stream, &self.norm))
    }

    fn attend(&self, layer: &Layer, input: &[f32], position: usize, memory: &mut Memory) -> Vec<f32> {
        let width = self.dimensions.width;
        let head_width = width / self.dimensions.heads;
        let mut query = product(&layer.query, input);
        let mut key = product(&layer.key, input);
        for head in query.chunks_exact_mut(head_width).chain(key.chunks_exact_mut(head_width)) {
            self.rotary.turn(position, head);
        }
        memory.keys.extend(key);
        memory.values.extend(product(&layer.value, input));
        let mut out = vec![0f32; width];
        for (head, out) in out.chunks_exact_mut(head_width).enumerate() {
            let part = head * head_width..(head + 1) * head_width;
            let query = &query[part.clone()];
            let scores: Vec<f32> = memory
                .keys
                .chunks_exact(width)
                .map(|key| dot(&key[part.clone()], query) / (head_width as f32).sqrt())
                .collect();
            let weights = softmax(&scores, 1.0);
            for (weight, value) in weights.iter().zip(memory.values.chunks_exact(width)) {
                for (out, value) in out.iter_mut().zip(&value[part.clone()]) {
                    *out += weight * value;
                }
            }
        }
        out
    }
}

fn tokenizer(texts: &Value, scores: &Value) -> Result<Tokenizer> {
    let pieces = texts.to_vec()?.iter().zip(scores.to_vec()?).skip(Tokenizer::FIXED).map(|(text, score)| {
        Ok(Piece { text: text.to_string()?.clone(), score: score.to_f32()?, kind: Kind::Normal })
    });
    Ok(Tokenizer::with_pieces(pieces.collect::<Result<_>>()?))
}

/// Draws a token; at temperature zero takes the likeliest.
fn sample(logits: &[f32], temperature: f32, random: &mut Random) -> u32 {
    if temperature == 0.0 {
        return (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0) as u32;
    }
    let mut left = random.unit();
    let weights = softmax(logits, temperature);
    for (token, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return token as u32;
        }
    }
    END
}

fn softmax(scores: &[f32], temperature: f32) -> Vec<f32> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = scores.iter().map(|score| ((score - highest) / temperature).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

fn normalised(row: &[f32], weights: &[f32]) -> Vec<f32> {
    let scale = 1.0 / (dot(row, row) / row.len() as f32 + EPSILON).sqrt();
    row.iter().zip(weights).map(|(x, weight)| x * scale * weight).collect()
}

/// Multiplies a matrix, given as rows, with a column.
fn product(matrix: &[f32], column: &[f32]) -> Vec<f32> {
    matrix.chunks_exact(column.len()).map(|row| dot(row, column)).collect()
}

fn add(sum: &mut [f32], summand: &[f32]) {
    sum.iter_mut().zip(summand).for_each(|(sum, summand)| *sum += summand);
}

/// Sums in eight lanes, which lets the compiler use vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let mut lanes = [0f32; 8];
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            lanes[i] += a[i] * b[i];
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::to_gguf;
    use crate::model::{Batch, Model};

    #[test]
    fn the_written_file_computes_what_the_model_computes() {
        let tokenizer =
            Tokenizer::learn(["Once upon a time there was a dog."].into_iter(), Tokenizer::FIXED + 100);
        let vocabulary = tokenizer.pieces().len();
        let dimensions =
            Dimensions { vocabulary, width: 32, layers: 2, heads: 2, feed_forward: 64, context: 16 };
        let model = Model::new(dimensions, &mut Random::new(2)).unwrap();
        let path = std::env::temp_dir().join(format!("stack-recipe-{}.gguf", std::process::id()));
        std::fs::write(&path, to_gguf(&model, &tokenizer).unwrap()).unwrap();
        let runner = Runner::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();

        let tokens = vec![1, 300, 270, 301, 2, 280];
        let batch = Batch { rows: vec![5], targets: vec![0], sequences: 1, tokens: tokens.clone() };
        let expected = model.logits(&batch).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let mut memory = vec![Memory::default(); 2];
        let mut logits = Vec::new();
        for (position, &token) in tokens.iter().enumerate() {
            logits = runner.step(token, position, &mut memory);
        }
        // The file holds its matrices as F16.
        let error: f32 = logits.iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum();
        let size: f32 = expected.iter().map(|x| x * x).sum();
        assert!(error / size < 1e-4, "{error} {size}");
    }
}
