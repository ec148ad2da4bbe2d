//! Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434).
//!
//! Per token the cache holds one vector: the rotated part of the key that all heads share, then the compressed keys and
//! values. The matrices that would decompress keys are applied to the queries instead ("absorbed"), and those of the
//! values to the mixed vectors, so that attention itself is multi-query attention over the compressed vectors.
//!
//! Files put the rotated part of a query last. Here it stands first, as in every other kind of attention; scores do not
//! change when queries and keys are permuted alike.

use stack_kernels::{Activations, AttentionParams, Cpu, Epilogue, Heads, Matrix, Product};

use super::Pass;
use super::arena::Scratch;
use super::grain::grain;
use super::linear::Linear;
use super::norm::NormLayer;
use crate::spec::LatentSpec;

/// Latent attention of one layer.
pub(super) struct Latent {
    pub(super) spec: LatentSpec,
    /// Its place among the layers with a cache.
    pub(super) cache: usize,
    pub(super) query: LatentQuery,
    /// Makes the compressed vector and the rotated part of the key.
    pub(super) compress: Linear,
    pub(super) compressed_norm: NormLayer,
    /// Takes each head's unrotated query to the compressed space; `None` if all of it rotates.
    pub(super) absorb: Option<Vec<Matrix>>,
    /// Takes each head's mixed vector to its value.
    pub(super) decompress: Vec<Matrix>,
    /// Its rotation among those of the model.
    pub(super) rope: usize,
    /// Applied to what [`Latent::mix`] returns.
    pub(super) output: Linear,
}

/// The matrices that make queries.
pub(super) enum LatentQuery {
    /// One matrix.
    Direct(Linear),
    /// Through a compressed vector of their own.
    Compressed { down: Linear, norm: NormLayer, up: Linear },
}

impl Latent {
    /// Mixes tokens and leaves what the heads return in `scratch.heads`; returns its length.
    pub(super) fn mix(&self, pass: &mut Pass<'_>, scratch: &mut Scratch, x: &[f32]) -> usize {
        let LatentSpec { heads: count, kv_rank: rank, key_length, value_length, ref rope, .. } = self.spec;
        let rotated = rope.dimensions;
        let (unrotated, width) = (key_length - rotated, rotated + rank);
        let rows = pass.rows;
        self.query(pass.cpu, scratch, rows, x);
        self.compress(pass, scratch, x);
        let Scratch { query, key, value, heads, gate, up, parts, .. } = scratch;

        // From rows of heads to heads of rows, through the matrices of the heads, and back.
        let given = query.get(rows * count * key_length);
        let absorbed = up.take(count * rows * rank);
        if let Some(absorb) = &self.absorb {
            let turned = gate.take(count * rows * unrotated);
            transpose(pass.cpu, given, key_length, rows, turned, unrotated);
            multiply_each(pass.cpu, absorb, turned, absorbed, parts);
        } else {
            absorbed.fill(0.0);
        }
        let placed = heads.take(rows * count * width);
        let absorbed = &*absorbed;
        pass.cpu.for_rows(placed, count * width, grain(count * width), |first, part| {
            for (row, placed) in part.chunks_exact_mut(count * width).enumerate() {
                let row = first + row;
                let given = given[row * count * key_length..].chunks_exact(key_length);
                for (head, (placed, given)) in placed.chunks_exact_mut(width).zip(given).enumerate() {
                    placed[..rotated].copy_from_slice(&given[unrotated..]);
                    placed[rotated..].copy_from_slice(&absorbed[(head * rows + row) * rank..][..rank]);
                }
            }
        });
        pass.rotate(self.rope, placed, Heads { first: 0, count, length: width }, None);
        if let Some(temperature) = self.spec.temperature {
            temperature.scale_queries(pass, placed, count * width);
        }

        pass.store(self.cache, (key.get(rows * width), width), (value.get(rows * rank), rank));
        let params = AttentionParams {
            heads: count,
            kv_heads: 1,
            key_length: width,
            value_length: rank,
            scale: self.spec.scale,
            softcap: None,
            slopes: None,
            sinks: None,
            first_seen: None,
            ahead: 0,
        };
        let mixed = query.take(rows * count * rank);
        pass.attend(&params, self.cache, placed, mixed);
        let turned = up.take(count * rows * rank);
        transpose(pass.cpu, mixed, rank, rows, turned, rank);
        let values = gate.take(count * rows * value_length);
        multiply_each(pass.cpu, &self.decompress, turned, values, parts);
        let length = rows * count * value_length;
        gather_heads(pass.cpu, values, rows, heads.take(length), value_length);
        length
    }

    /// Leaves the queries in `scratch.query`.
    fn query(&self, cpu: &Cpu, scratch: &mut Scratch, rows: usize, x: &[f32]) {
        let Scratch { inputs, query, gate, up, .. } = scratch;
        match &self.query {
            LatentQuery::Direct(linear) => linear.apply(cpu, inputs, x, query.take(rows * linear.rows())),
            LatentQuery::Compressed { down, norm, up: widen } => {
                let (compressed, normalized) = (gate.take(rows * down.rows()), up.take(rows * down.rows()));
                down.apply(cpu, inputs, x, compressed);
                norm.apply(cpu, compressed, normalized);
                widen.apply(cpu, inputs, normalized, query.take(rows * widen.rows()));
            }
        }
    }

    /// Leaves the vectors for the cache in `scratch.key`, and their compressed part alone in `scratch.value`.
    fn compress(&self, pass: &Pass<'_>, scratch: &mut Scratch, x: &[f32]) {
        let Scratch { inputs, key, value, gate, up, .. } = scratch;
        let (cpu, rows) = (pass.cpu, pass.rows);
        let (rank, rotated) = (self.spec.kv_rank, self.spec.rope.dimensions);
        let width = rotated + rank;
        let compressed = gate.take(rows * width);
        self.compress.apply(cpu, inputs, x, compressed);
        let compressed = &*compressed;
        let latent = up.take(rows * rank);
        cpu.for_rows(latent, rank, grain(rank), |first, part| {
            for (latent, row) in
                part.chunks_exact_mut(rank).zip(compressed[first * width..].chunks_exact(width))
            {
                latent.copy_from_slice(&row[..rank]);
            }
        });
        let value = value.take(rows * rank);
        self.compressed_norm.apply(cpu, latent, value);
        let (key, value) = (key.take(rows * width), &*value);
        cpu.for_rows(key, width, grain(width), |first, part| {
            for (row, key) in part.chunks_exact_mut(width).enumerate() {
                let row = first + row;
                key[..rotated].copy_from_slice(&compressed[row * width + rank..][..rotated]);
                key[rotated..].copy_from_slice(&value[row * rank..][..rank]);
            }
        });
        pass.rotate(self.rope, key, Heads { first: 0, count: 1, length: width }, None);
    }
}

/// Takes the first `width` numbers of each head from rows of heads of `length` to heads of rows.
fn transpose(cpu: &Cpu, x: &[f32], length: usize, rows: usize, out: &mut [f32], width: usize) {
    let heads = out.len() / (rows * width);
    cpu.for_rows(out, width, grain(width), |first, part| {
        for (index, out) in part.chunks_exact_mut(width).enumerate() {
            let (head, row) = ((first + index) / rows, (first + index) % rows);
            out.copy_from_slice(&x[(row * heads + head) * length..][..width]);
        }
    });
}

/// Takes heads of rows back to rows of heads.
fn gather_heads(cpu: &Cpu, x: &[f32], rows: usize, out: &mut [f32], width: usize) {
    let heads = out.len() / (rows * width);
    cpu.for_rows(out, width, grain(width), |first, part| {
        for (index, out) in part.chunks_exact_mut(width).enumerate() {
            let (row, head) = ((first + index) / heads, (first + index) % heads);
            out.copy_from_slice(&x[(head * rows + row) * width..][..width]);
        }
    });
}

/// Multiplies the rows of each head by the matrix of that head.
fn multiply_each(cpu: &Cpu, matrices: &[Matrix], x: &[f32], out: &mut [f32], parts: &mut Vec<Activations>) {
    if parts.len() < matrices.len() {
        parts.resize_with(matrices.len(), Activations::new);
    }
    let (given, returned) = (x.len() / matrices.len(), out.len() / matrices.len());
    for ((matrix, x), part) in matrices.iter().zip(x.chunks_exact(given)).zip(parts.iter_mut()) {
        cpu.quantize(matrix.format().input(), x, matrix.cols(), part);
    }
    let heads = matrices.iter().zip(&*parts).zip(out.chunks_exact_mut(returned));
    let mut products: Vec<Product<'_>> = heads
        .map(|((weights, input), output)| Product {
            weights,
            input,
            output,
            bias: None,
            epilogue: Epilogue::Set,
        })
        .collect();
    cpu.multiply(&mut products);
}

#[cfg(test)]
mod tests {
    use stack_kernels::Level;

    use super::*;

    #[test]
    fn heads_of_rows_and_rows_of_heads_are_each_other_turned() {
        let cpu = Cpu::new(Level::detect(), 1);
        // Two rows of three heads of length 2; the second number of each head is left out.
        let x: Vec<f32> = (0..12).map(|n| n as f32).collect();
        let mut turned = [0.0; 6];
        transpose(&cpu, &x, 2, 2, &mut turned, 1);
        assert_eq!(turned, [0.0, 6.0, 2.0, 8.0, 4.0, 10.0]);
        let mut back = [0.0; 6];
        gather_heads(&cpu, &turned, 2, &mut back, 1);
        assert_eq!(back, [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    }
}
