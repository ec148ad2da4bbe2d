//! The first weights: random, but wired to copy.
//!
//! A story keeps its names, objects and subject by copying them from the text before. A small model finds the
//! circuit for that late and by luck: a head that reads the right place is of no use until it also writes what it
//! reads, and the other way round. So the circuit (Olsson and others, "In-context learning and induction heads", 2022)
//! is there from the start, and training only has to refine it:
//!
//! ```text
//! embeddings    share one direction, so that a head can look for a position and not for a content
//! layer 0       two heads look one position back, and write what stood there
//! layer 1       two heads look for places whose predecessor is the current token: whatever stands
//!               there came next the last time
//! layers 1..    every head writes what it reads back where it found it: it votes for the token it looks at
//! ```

use std::ops::Range;

use crate::model::Dimensions;
use crate::random::Random;

/// A matrix as rows of `columns` numbers.
pub(crate) struct Matrix {
    /// Its numbers, row after row.
    pub(crate) values: Vec<f32>,
    columns: usize,
}

/// Query, key and value side by side as (width, 3 · width), and the output as (width, width).
pub(crate) struct AttentionStart {
    /// Query, key, value.
    pub(crate) joint: Matrix,
    /// Output.
    pub(crate) output: Matrix,
}

/// Heads of each of the first two layers that take part in the circuit.
const CIRCUIT_HEADS: usize = 2;
/// The direction that all embeddings share.
const SHARED: usize = 0;
/// The standard deviation of embeddings.
const EMBEDDING: f32 = 0.1;
/// How far all embeddings lie in the shared direction.
const SHARED_PART: f32 = 0.4;

impl Matrix {
    /// Draws a matrix of normally distributed numbers.
    pub(crate) fn draw(rows: usize, columns: usize, deviation: f32, random: &mut Random) -> Self {
        Self { values: (0..rows * columns).map(|_| random.normal() * deviation).collect(), columns }
    }

    fn at(&mut self, row: usize, column: usize) -> &mut f32 {
        &mut self.values[row * self.columns + column]
    }
}

/// Draws the token embeddings.
pub(crate) fn embedding(dimensions: Dimensions, random: &mut Random) -> Matrix {
    let mut embedding = Matrix::draw(dimensions.vocabulary, dimensions.width, EMBEDDING, random);
    for token in 0..dimensions.vocabulary {
        *embedding.at(token, SHARED) = SHARED_PART;
    }
    embedding
}

/// Draws the attention weights of all layers.
pub(crate) fn attention(dimensions: Dimensions, random: &mut Random) -> Vec<AttentionStart> {
    let width = dimensions.width;
    let unit = 1.0 / (width as f32).sqrt();
    let mut layers: Vec<AttentionStart> = (0..dimensions.layers)
        .map(|_| AttentionStart {
            joint: Matrix::draw(width, 3 * width, 0.5 * unit, random),
            output: Matrix::draw(width, width, 0.2 * unit, random),
        })
        .collect();
    for layer in layers.iter_mut().skip(1) {
        for head in 0..dimensions.heads {
            layer.write_what_is_read(columns(dimensions, head), if head < CIRCUIT_HEADS { 0.6 } else { 0.2 });
        }
    }
    if let [first, second, ..] = &mut layers[..] {
        for head in 0..CIRCUIT_HEADS.min(dimensions.heads) {
            first.look_one_back(columns(dimensions, head));
            second.look_for_what_followed(first, columns(dimensions, head));
        }
    }
    layers
}

/// The columns of one head, within the queries.
fn columns(dimensions: Dimensions, head: usize) -> Range<usize> {
    let width = dimensions.width / dimensions.heads;
    head * width..(head + 1) * width
}

impl AttentionStart {
    fn width(&self) -> usize {
        self.output.columns
    }

    /// Makes a head write each number that it reads back to where it was read from.
    fn write_what_is_read(&mut self, head: Range<usize>, gain: f32) {
        let width = self.width();
        for column in head {
            for row in 0..width {
                let value = self.joint.at(row, 2 * width + column);
                *value *= 2.0;
                *self.output.at(column, row) = gain * *value;
            }
        }
    }

    /// Makes a head attend to the position before, whatever stands there.
    ///
    /// Query and key are constant but for the turns of their positions; the key is turned one step ahead.
    fn look_one_back(&mut self, head: Range<usize>) {
        const STRENGTH: f32 = 1.35;
        const PAIRS: usize = 3;
        let width = self.width();
        let half = head.len() / 2;
        for column in head.clone() {
            for row in 0..width {
                *self.joint.at(row, column) = 0.0;
                *self.joint.at(row, width + column) = 0.0;
                *self.joint.at(row, 2 * width + column) *= 2.0;
            }
        }
        for pair in 0..PAIRS.min(half) {
            let angle = crate::model::ROTARY_BASE.powf(-(pair as f32) / half as f32);
            let column = head.start + 2 * pair;
            *self.joint.at(SHARED, column) = STRENGTH;
            *self.joint.at(SHARED, width + column) = STRENGTH * angle.cos();
            *self.joint.at(SHARED, width + column + 1) = STRENGTH * angle.sin();
        }
    }

    /// Makes a head compare the current token with what `below` wrote about the token before each place.
    ///
    /// Only the slowly turning numbers of the head are used: the others mean something else at every distance.
    fn look_for_what_followed(&mut self, below: &mut Self, head: Range<usize>) {
        const STRENGTH: f32 = 1.7;
        let width = self.width();
        let slow = head.start + head.len() * 3 / 8..head.end;
        for column in head {
            for row in 0..width {
                let slow = slow.contains(&column);
                *self.joint.at(row, column) =
                    if slow { STRENGTH * *below.joint.at(row, 2 * width + column) } else { 0.0 };
                *self.joint.at(row, width + column) =
                    if slow { STRENGTH * *below.output.at(column, row) * 5.0 } else { 0.0 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Batch, Model};

    #[test]
    fn an_untrained_model_already_continues_a_repetition() {
        let dimensions =
            Dimensions { vocabulary: 512, width: 128, layers: 2, heads: 4, feed_forward: 128, context: 64 };
        let mut random = Random::new(4);
        let model = Model::new(dimensions, &mut random).unwrap();
        let mut loss = |repeated: bool| {
            let words: Vec<u32> = (0..20).map(|_| random.below(512) as u32).collect();
            let again =
                if repeated { words.clone() } else { (0..20).map(|_| random.below(512) as u32).collect() };
            let tokens = [words, again].concat();
            let (rows, targets) = (24..39).map(|row| (row, tokens[row as usize + 1])).unzip();
            let batch = Batch { tokens, sequences: 1, rows, targets };
            model.loss(&batch, 1.0 / 15.0).unwrap().to_scalar::<f32>().unwrap()
        };
        let (repeated, fresh) = (0..8).fold((0.0, 0.0), |sum, _| (sum.0 + loss(true), sum.1 + loss(false)));
        assert!(repeated + 4.0 < fresh, "{} against {}", repeated / 8.0, fresh / 8.0);
    }
}
