//! Attention over the keys and values of each sequence.

use stack_kernels::{AttendSpan, AttentionParams, HeadNorm, Heads, KvSpan, Rope, RopeStyle};

use super::Pass;
use super::arena::Scratch;
use super::grain::grain;
use super::linear::{Linear, apply};
use super::norm::NormLayer;
use crate::spec::{AttentionSpec, GateFunction, Rotation, Temperature};

/// Attention of one layer.
pub(super) struct Attention {
    pub(super) spec: AttentionSpec,
    /// Its place among the layers with a cache.
    pub(super) cache: usize,
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) query_norm: Option<NormLayer>,
    pub(super) key_norm: Option<NormLayer>,
    /// Normalizes the heads of queries and keys after all else, where the model does.
    pub(super) last_norm: Option<NormLayer>,
    /// Its rotation among those of the model.
    pub(super) rope: Option<usize>,
    /// Makes what the heads' outputs are multiplied by, one number each or one for each of their elements.
    pub(super) gate: Option<(Linear, GateFunction)>,
    /// The slope of each head, where scores are biased by distance.
    pub(super) slopes: Option<Vec<f32>>,
    /// One extra score per head that takes weight but adds nothing.
    pub(super) sinks: Option<Vec<f32>>,
    /// Normalizes what the heads return.
    pub(super) inner_norm: Option<NormLayer>,
    /// Applied to what [`Attention::mix`] returns.
    pub(super) output: Linear,
}

impl Attention {
    /// Mixes tokens and leaves what the heads return in `scratch.heads`; returns its length.
    pub(super) fn mix(&self, pass: &mut Pass<'_>, scratch: &mut Scratch, x: &[f32]) -> usize {
        let spec = &self.spec;
        let (cpu, rows) = (pass.cpu, pass.rows);
        let Scratch { inputs, query, key, value, heads, gate, .. } = scratch;
        let (query_width, key_width, value_width) = (self.query.rows(), self.key.rows(), self.value.rows());
        let (query, key) = (query.take(rows * query_width), key.take(rows * key_width));
        let value = value.take(rows * value_width);
        apply(
            cpu,
            inputs,
            x,
            [(&self.query, &mut *query), (&self.key, &mut *key), (&self.value, &mut *value)],
        );
        if let Some(limit) = spec.clamp {
            for part in [&mut *query, &mut *key, &mut *value] {
                let clamp = |x: &mut f32| *x = x.clamp(-limit, limit);
                cpu.for_rows(part, 1, grain(1), |_, x| x.iter_mut().for_each(clamp));
            }
        }
        self.place(pass, query, spec.heads, self.query_norm.as_ref());
        self.place(pass, key, spec.kv_heads, self.key_norm.as_ref());
        if let Some(temperature) = spec.temperature {
            temperature.scale_queries(pass, query, query_width);
        }
        pass.store(self.cache, (key, key_width), (value, value_width));
        let first_seen = spec.window.map(|window| move |position| window.first_seen(position));
        let params = AttentionParams {
            heads: spec.heads,
            kv_heads: spec.kv_heads,
            key_length: spec.key_length,
            value_length: spec.value_length,
            scale: spec.scale,
            softcap: spec.softcap,
            slopes: self.slopes.as_deref(),
            sinks: self.sinks.as_deref(),
            first_seen: first_seen.as_ref().map(|seen| seen as _),
            ahead: 0,
        };
        let mixed = heads.take(rows * spec.heads * spec.value_length);
        pass.attend(&params, self.cache, query, mixed);
        if let Some(norm) = &self.inner_norm {
            norm.apply_in_place(cpu, mixed);
        }
        if let Some((linear, function)) = &self.gate {
            let weights = gate.take(rows * linear.rows());
            linear.apply(cpu, inputs, x, weights);
            cpu.activate(weights, function.kernel());
            let (weights, per_weight) = (&*weights, mixed.len() / weights.len());
            cpu.for_rows(mixed, per_weight, grain(per_weight), |first, part| {
                for (y, &weight) in part.chunks_exact_mut(per_weight).zip(&weights[first..]) {
                    y.iter_mut().for_each(|y| *y *= weight);
                }
            });
        }
        mixed.len()
    }

    /// Normalizes and rotates queries or keys.
    fn place(&self, pass: &Pass<'_>, x: &mut [f32], heads: usize, norm: Option<&NormLayer>) {
        let (last, length) = (self.spec.qk_norm_last, self.spec.key_length);
        let first = norm.filter(|_| !last);
        let joined = first.filter(|_| self.rope.is_some()).and_then(|norm| norm.of_heads(length));
        if let (Some(norm), None) = (first, joined) {
            norm.apply_in_place(pass.cpu, x);
        }
        if let Some(rope) = self.rope {
            pass.rotate(rope, x, Heads { first: 0, count: heads, length }, joined);
        }
        for norm in [norm.filter(|_| last), self.last_norm.as_ref()].into_iter().flatten() {
            norm.apply_in_place(pass.cpu, x);
        }
    }
}

impl Pass<'_> {
    /// Rotates the leading dimensions of each head of rows of heads, through a norm where one comes first.
    pub(super) fn rotate(&self, rope: usize, x: &mut [f32], heads: Heads, norm: Option<HeadNorm<'_>>) {
        let (rope, table) = self.tables.get(rope);
        let style = match rope.rotation {
            Rotation::Adjacent => RopeStyle::Norm,
            Rotation::Halves => RopeStyle::Neox,
        };
        let rope = Rope { heads, dimensions: 2 * rope.frequencies.len(), style, table };
        match norm {
            Some(norm) => self.cpu.rms_norm_rope(x, norm, rope),
            None => self.cpu.rope(x, heads.count * heads.length, rope),
        }
    }

    /// Appends keys and values, rows of the given lengths, to the caches of one layer.
    pub(super) fn store(&mut self, layer: usize, keys: (&[f32], usize), values: (&[f32], usize)) {
        fn rows((x, width): (&[f32], usize), start: usize, len: usize) -> &[f32] {
            &x[start * width..(start + len) * width]
        }
        for span in self.spans {
            let sequence = &mut self.sequences.get_mut(span.sequence).cache;
            let (k, v) = (rows(keys, span.start, span.len), rows(values, span.start, span.len));
            let span = KvSpan { sequence, position: span.position, rows: 0..span.len, k, v };
            self.cpu.store_kv(layer, &mut [span]);
        }
    }

    /// Attends with every row to all of its sequence.
    pub(super) fn attend(&self, params: &AttentionParams<'_>, layer: usize, query: &[f32], out: &mut [f32]) {
        let spans: Vec<AttendSpan<'_>> = self
            .spans
            .iter()
            .map(|span| AttendSpan {
                sequence: &self.sequences.get(span.sequence).cache,
                position: span.position,
                rows: span.start..span.start + span.len,
            })
            .collect();
        self.cpu.attend(params, layer, &spans, query, out);
    }
}

impl Temperature {
    /// Scales queries, rows of `width`, by their positions.
    pub(super) fn scale_queries(self, pass: &Pass<'_>, query: &mut [f32], width: usize) {
        for span in pass.spans {
            let part = &mut query[span.start * width..][..span.len * width];
            pass.cpu.for_rows(part, width, grain(width), |first, rows| {
                for (row, x) in rows.chunks_exact_mut(width).enumerate() {
                    let factor = self.factor(span.position + first + row);
                    x.iter_mut().for_each(|x| *x *= factor);
                }
            });
        }
    }
}
