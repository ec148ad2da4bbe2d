//! One layer: attention, then the feed-forward network, each added to what it read.

use stack_kernels::{
    AttendSpan, AttentionParams, Cpu, Heads, KvSequence, KvSpan, Rope as KernelRope, RopeStyle,
};

use crate::encoder::load::{LayerWeights, Up};
use crate::encoder::spec::EncoderSpec;
use crate::executor::batch::Span;
use crate::executor::cpu::arena::Buffer;
use crate::executor::cpu::linear::{Inputs, Linear, apply};
use crate::executor::cpu::load::Packer;
use crate::executor::cpu::norm::NormLayer;
use crate::executor::cpu::rope::Tables;

/// One layer.
pub(super) struct Layer {
    pub(super) weights: LayerWeights<Packer>,
    /// Its rotation among those of the model.
    pub(super) rope: Option<usize>,
    /// Tokens that are seen on each side.
    pub(super) reach: usize,
}

/// One batch on its way through the layers.
pub(super) struct Pass<'a> {
    pub(super) spec: &'a EncoderSpec,
    pub(super) cpu: &'a Cpu,
    /// The tokens of each input.
    pub(super) spans: &'a [Span],
    /// Tokens of all inputs.
    pub(super) rows: usize,
    /// The slope of each head, where scores are biased by distance.
    pub(super) slopes: Option<&'a [f32]>,
    pub(super) tables: &'a Tables,
    /// The keys and values of each input, one layer after the other.
    pub(super) sequences: Vec<KvSequence>,
}

/// What layers compute in. It grows to the largest batch and stays.
#[derive(Default)]
pub(super) struct Scratch {
    /// The stream of hidden states, `[rows, width]`.
    pub(super) hidden: Buffer,
    /// What the layer was given, where it is added twice.
    origin: Buffer,
    normalized: Buffer,
    returned: Buffer,
    inputs: Inputs,
    query: Buffer,
    key: Buffer,
    value: Buffer,
    mixed: Buffer,
    gate: Buffer,
    raised: Buffer,
    inner: Buffer,
}

impl Layer {
    /// Computes the layer on `scratch.hidden`.
    pub(super) fn forward(&self, pass: &mut Pass<'_>, scratch: &mut Scratch) {
        let weights = &self.weights;
        let length = pass.rows * pass.spec.width;
        let twice = weights.second_sum_norm.as_ref();
        if twice.is_some() {
            scratch.origin.take(length).copy_from_slice(scratch.hidden.get(length));
        }
        let mixed = self.mix(pass, scratch);
        let Scratch { hidden, origin, returned, inputs, mixed: heads, .. } = scratch;
        let hidden = hidden.take(length);
        let (cpu, mut sum) = (pass.cpu, Sum { cpu: pass.cpu, hidden, returned, inputs });
        sum.add(&weights.output, heads.get(mixed), weights.returned_norm.as_ref(), weights.sum_norm.as_ref());
        if let Some(norm) = twice {
            cpu.add(sum.hidden, origin.get(length), 1.0);
            norm.apply_in_place(cpu, sum.hidden);
        }
        let inner = self.raise(pass, scratch);
        let Scratch { hidden, returned, inputs, inner: raised, .. } = scratch;
        let mut sum = Sum { cpu, hidden: hidden.take(length), returned, inputs };
        let norms = (weights.network_returned_norm.as_ref(), weights.network_sum_norm.as_ref());
        sum.add(&weights.down, raised.get(inner), norms.0, norms.1);
    }

    /// Attends, and leaves what the heads return in `scratch.mixed`; returns its length.
    fn mix(&self, pass: &mut Pass<'_>, scratch: &mut Scratch) -> usize {
        let EncoderSpec { heads, kv_heads, head_length, width, .. } = *pass.spec;
        let (cpu, rows, weights) = (pass.cpu, pass.rows, &self.weights);
        let Scratch { hidden, normalized, inputs, query, key, value, mixed, .. } = scratch;
        let (query_width, key_width) = (heads * head_length, kv_heads * head_length);
        let query = query.take(rows * query_width);
        let (key, value) = (key.take(rows * key_width), value.take(rows * key_width));
        let x = normalize(cpu, weights.attention_norm.as_ref(), hidden.get(rows * width), normalized);
        let [queries, keys, values] = &weights.projections;
        apply(cpu, inputs, x, [(queries, &mut *query), (keys, &mut *key), (values, &mut *value)]);
        self.place(pass, query, heads, weights.query_norm.as_ref());
        self.place(pass, key, kv_heads, weights.key_norm.as_ref());
        let spans = pass.sequences.iter_mut().zip(pass.spans).map(|(sequence, span)| KvSpan {
            sequence,
            position: 0,
            rows: span.start..span.start + span.len,
            k: key,
            v: value,
        });
        cpu.store_kv(0, &mut spans.collect::<Vec<_>>());
        let first_seen = |position: usize| position.saturating_sub(self.reach);
        let params = AttentionParams {
            heads,
            kv_heads,
            key_length: head_length,
            value_length: head_length,
            scale: pass.spec.attention_scale(),
            softcap: None,
            slopes: pass.slopes,
            sinks: None,
            first_seen: Some(&first_seen),
            ahead: self.reach,
        };
        let spans = pass.sequences.iter().zip(pass.spans).map(|(sequence, span)| AttendSpan {
            sequence,
            position: 0,
            rows: span.start..span.start + span.len,
        });
        let mixed = mixed.take(rows * query_width);
        cpu.attend(&params, 0, &spans.collect::<Vec<_>>(), query, mixed);
        mixed.len()
    }

    /// Normalizes and rotates queries or keys.
    fn place(&self, pass: &Pass<'_>, x: &mut [f32], heads: usize, norm: Option<&NormLayer>) {
        let length = pass.spec.head_length;
        let joined = norm.filter(|_| self.rope.is_some()).and_then(|norm| norm.of_heads(length));
        if let (Some(norm), None) = (norm, joined) {
            norm.apply_in_place(pass.cpu, x);
        }
        let Some(rope) = self.rope else { return };
        let (rope, table) = pass.tables.get(rope);
        let heads = Heads { first: 0, count: heads, length };
        let dimensions = 2 * rope.frequencies.len();
        let rope = KernelRope { heads, dimensions, style: RopeStyle::Neox, table };
        match joined {
            Some(norm) => pass.cpu.rms_norm_rope(x, norm, rope),
            None => pass.cpu.rope(x, heads.count * length, rope),
        }
    }

    /// Computes the network but for its last matrix, and leaves the result in `scratch.inner`; returns its length.
    fn raise(&self, pass: &Pass<'_>, scratch: &mut Scratch) -> usize {
        let EncoderSpec { width, inner: inner_width, activation, .. } = *pass.spec;
        let (cpu, rows) = (pass.cpu, pass.rows);
        let Scratch { hidden, normalized, inputs, gate, raised, inner, .. } = scratch;
        let norm = self.weights.network_norm.as_ref();
        let x = normalize(cpu, norm, hidden.get(rows * width), normalized);
        let out = inner.take(rows * inner_width);
        match &self.weights.up {
            Up::Plain(up) => up.activated(cpu, inputs, x, activation.kernel(), out),
            Up::Gated([gates, up]) if up.takes_gate(gates) => {
                up.gated(cpu, inputs, x, (gates, activation.kernel()), out);
            }
            Up::Gated([gates, up]) => {
                let (gate, raised) = (gate.take(out.len()), raised.take(out.len()));
                apply(cpu, inputs, x, [(gates, &mut *gate), (up, &mut *raised)]);
                cpu.gated(gate, raised, activation.kernel(), out);
            }
        }
        out.len()
    }
}

/// What a norm makes of rows, or the rows themselves.
fn normalize<'a>(cpu: &Cpu, norm: Option<&NormLayer>, x: &'a [f32], out: &'a mut Buffer) -> &'a [f32] {
    let Some(norm) = norm else { return x };
    let out = out.take(x.len());
    norm.apply(cpu, x, out);
    out
}

/// The stream of hidden states, to which the halves of a layer are added.
struct Sum<'a> {
    cpu: &'a Cpu,
    hidden: &'a mut [f32],
    returned: &'a mut Buffer,
    inputs: &'a mut Inputs,
}

impl Sum<'_> {
    /// Adds what a matrix makes of `x`, through a norm where there is one, and normalizes the sum where that is done.
    fn add(
        &mut self,
        linear: &Linear,
        x: &[f32],
        returned_norm: Option<&NormLayer>,
        sum_norm: Option<&NormLayer>,
    ) {
        let Self { cpu, hidden, returned, inputs } = self;
        if returned_norm.is_none() && linear.adds_in_place() {
            linear.add(cpu, inputs, x, hidden);
        } else {
            let returned = returned.take(hidden.len());
            linear.apply(cpu, inputs, x, returned);
            if let Some(norm) = returned_norm {
                norm.apply_in_place(cpu, returned);
            }
            cpu.add(hidden, returned, 1.0);
        }
        if let Some(norm) = sum_norm {
            norm.apply_in_place(cpu, hidden);
        }
    }
}
