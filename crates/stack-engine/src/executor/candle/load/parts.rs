//! Layers, put together from tensors.

use std::sync::Arc;

use candle_core::Tensor;

use super::super::attention::{Attention, HeadNorm, Projections};
use super::super::convolution::ShortConvolution;
use super::super::experts::Experts;
use super::super::feed_forward::{Dense, FeedForwardLayer, Up};
use super::super::latent::{Latent, LatentQuery};
use super::super::layer::{Layer, MixerLayer};
use super::super::linear::Linear;
use super::super::norm::NormLayer;
use super::super::rope::Rope;
use super::{Loader, Part, device_error, halves_order, missing};
use crate::spec::{
    Activation, AttentionSpec, ExpertsSpec, FeedForward, GateFunction, LatentSpec, Mixer, Norm, NormKind,
    Residual, Rotation,
};
use crate::weights::LoadError;

impl Loader<'_> {
    pub(super) fn layer(&self, index: usize, ropes: &[Option<Arc<Rope>>]) -> Result<Layer, LoadError> {
        let spec = &self.spec.layers[index];
        let prefix = format!("blk.{index}");
        let width = self.spec.embedding;
        let norm = |name: &str| self.norm(&format!("{prefix}.{name}"), width);
        let rope = ropes[index].clone();
        let mixer = match &spec.mixer {
            Mixer::Attention(attention) => MixerLayer::Attention(self.attention(&prefix, attention, rope)?),
            Mixer::Latent(latent) => {
                let rope = rope.ok_or_else(|| missing(&format!("{prefix} rotation")))?;
                MixerLayer::Latent(self.latent(&prefix, latent, rope)?)
            }
            Mixer::ShortConvolution { taps } => {
                MixerLayer::ShortConvolution(self.short_convolution(&prefix, *taps)?)
            }
            Mixer::Linear => MixerLayer::Linear(self.linear(
                &format!("{prefix}.attn_output"),
                Some((width, width)),
                None,
                false,
            )?),
            Mixer::None => MixerLayer::None,
        };
        let feed_forward = match &spec.feed_forward {
            FeedForward::None => None,
            FeedForward::Dense { activation } => Some(FeedForwardLayer::Dense(self.dense_network(
                &prefix,
                "",
                *activation,
                self.spec.companion_scales.dense,
            )?)),
            FeedForward::Experts(experts) => Some(FeedForwardLayer::Experts(self.experts(&prefix, experts)?)),
        };
        // Falcon-40B normalizes the input of attention by a norm of its own.
        let (mixer_norm, feed_forward_norm) =
            match self.weighted_norm(&format!("{prefix}.attn_norm_2"), width)? {
                Some(own) if spec.residual == Residual::Parallel => (Some(own), norm("attn_norm")?),
                _ => (norm("attn_norm")?, norm(spec.feed_forward_norm)?),
            };
        Ok(Layer {
            residual: spec.residual,
            residual_scale: self.spec.residual_scale,
            mixer_norm,
            mixer,
            post_mixer_norm: match spec.post_attention_norm {
                Some(name) => self.weighted_norm(&format!("{prefix}.{name}"), width)?,
                None => None,
            },
            feed_forward_norm,
            feed_forward,
            side: match &spec.side_experts {
                Some(experts) => {
                    let name = format!("{prefix}.ffn_norm_exps");
                    let norm = self.weighted_norm(&name, width)?.ok_or_else(|| missing(&name))?;
                    Some((norm, self.experts(&prefix, experts)?))
                }
                None => None,
            },
            post_feed_forward_norm: match self.weighted_norm(&format!("{prefix}.post_ffw_norm"), width)? {
                None => self.weighted_norm(&format!("{prefix}.layer_output_norm"), width)?,
                found => found,
            },
        })
    }

    /// A norm that exists only where it has weights, even in models whose norms have none.
    pub(super) fn weighted_norm(&self, name: &str, width: usize) -> Result<Option<NormLayer>, LoadError> {
        if self.has(&format!("{name}.weight")) || self.has(name) { self.norm(name, width) } else { Ok(None) }
    }

    /// The gate of what the heads return: one number for each head, or for each of their elements.
    fn gate(&self, prefix: &str, spec: &AttentionSpec) -> Result<Option<(Linear, GateFunction)>, LoadError> {
        let Some(function) = spec.gate else { return Ok(None) };
        let name = format!("{prefix}.attn_gate");
        let rows = match self.rows(&format!("{name}.weight"))? {
            rows if rows == spec.heads => rows,
            _ => spec.heads * spec.value_length,
        };
        Ok(Some((self.linear_if(&name, (rows, self.spec.embedding), false)?, function)))
    }

    fn attention(
        &self,
        prefix: &str,
        spec: &AttentionSpec,
        rope: Option<Arc<Rope>>,
    ) -> Result<Attention, LoadError> {
        let width = self.spec.embedding;
        let (queries, keys) = (spec.heads * spec.key_length, spec.kv_heads * spec.key_length);
        let values = spec.kv_heads * spec.value_length;
        let order = |heads| match &spec.rope {
            Some(rope) if rope.rotation == Rotation::Adjacent => {
                Some(halves_order(heads, spec.key_length, 0, rope.dimensions))
            }
            _ => None,
        };
        let (query_order, key_order) = (order(spec.heads), order(spec.kv_heads));
        let projections = if self.has(&format!("{prefix}.attn_qkv.weight")) {
            let joined = query_order.as_ref().zip(key_order.as_ref()).map(|(query, key)| {
                let shifted = key.iter().map(|row| queries + row);
                query
                    .iter()
                    .copied()
                    .chain(shifted)
                    .chain(queries + keys..queries + keys + values)
                    .collect::<Vec<_>>()
            });
            let rows = queries + keys + values;
            let mut part = self.part(&format!("{prefix}.attn_qkv"), Some((rows, width)), true)?;
            if part.bias.is_none() {
                part.bias = self.separate_biases(prefix, [queries, keys, values])?;
            }
            Projections::Joined(self.finish(part.reorder(joined.as_deref()))?)
        } else {
            let part = |name: &str, rows, order: Option<&[usize]>| -> Result<Part, LoadError> {
                Ok(self.part(&format!("{prefix}.{name}"), Some((rows, width)), true)?.reorder(order))
            };
            let parts = vec![
                part("attn_q", queries, query_order.as_deref())?,
                part("attn_k", keys, key_order.as_deref())?,
                part("attn_v", values, None)?,
            ];
            match self.join(parts)? {
                Ok(joined) => Projections::Joined(joined),
                Err(parts) => {
                    let [query, key, value] = self.finish_all(parts)?;
                    Projections::Separate { query, key, value }
                }
            }
        };
        let output = self.linear(
            &format!("{prefix}.attn_output"),
            Some((width, spec.heads * spec.value_length)),
            None,
            false,
        )?;
        Ok(Attention {
            query_norm: self.head_norm(
                &format!("{prefix}.attn_q_norm"),
                spec.heads,
                spec,
                query_order.as_deref(),
            )?,
            key_norm: self.head_norm(
                &format!("{prefix}.attn_k_norm"),
                spec.kv_heads,
                spec,
                key_order.as_deref(),
            )?,
            weightless: NormLayer::new(self.spec.norm, None, None),
            rope,
            gate: self.gate(prefix, spec)?,
            sinks: self.vector(&format!("{prefix}.attn_sinks.weight"), spec.heads)?,
            inner_norm: self
                .weighted_norm(&format!("{prefix}.attn_sub_norm"), spec.heads * spec.value_length)?,
            projections,
            output,
            spec: spec.clone(),
        })
    }

    /// Files with one matrix for queries, keys and values may still have a bias for each.
    fn separate_biases(&self, prefix: &str, lengths: [usize; 3]) -> Result<Option<Vec<f32>>, LoadError> {
        let mut joined = Vec::new();
        for (name, length) in ["attn_q", "attn_k", "attn_v"].into_iter().zip(lengths) {
            match self.vector_values(&format!("{prefix}.{name}.bias"), length)? {
                Some(bias) => joined.extend(bias),
                None => return Ok(None),
            }
        }
        Ok(Some(joined))
    }

    /// The norm of queries or keys: over one head, over each head with weights of its own, or over all heads at once.
    fn head_norm(
        &self,
        name: &str,
        heads: usize,
        spec: &AttentionSpec,
        order: Option<&[usize]>,
    ) -> Result<Option<HeadNorm>, LoadError> {
        let (weight_name, bias_name) = (format!("{name}.weight"), format!("{name}.bias"));
        let Some(tensor) = self.source.tensor(&weight_name) else { return Ok(None) };
        let (length, all) = (spec.key_length, heads * spec.key_length);
        let (elements, whole) = match tensor.shape.as_slice() {
            [elements] if *elements == length => (length, false),
            [elements] if *elements == all => (all, true),
            [rows, columns] if (*rows, *columns) == (heads, length) => (all, false),
            other => {
                return Err(LoadError::new(weight_name, format!("{other:?} fits neither one head nor all")));
            }
        };
        let place = |name: &str| -> Result<Option<Tensor>, LoadError> {
            let Some(values) = self.vector_values(name, elements)? else { return Ok(None) };
            let values: Vec<f32> = match order {
                Some(order) => order[..elements].iter().map(|&row| values[row]).collect(),
                None => values,
            };
            let tensor = if !whole && elements == all && heads > 1 {
                Tensor::from_vec(values, (heads, length), self.device)
            } else {
                Tensor::from_vec(values, elements, self.device)
            };
            tensor.map(Some).map_err(|error| device_error(name, error))
        };
        let norm = NormLayer::new(self.spec.norm, place(&weight_name)?, place(&bias_name)?);
        Ok(Some(HeadNorm { norm, whole }))
    }

    fn latent(&self, prefix: &str, spec: &LatentSpec, rope: Arc<Rope>) -> Result<Latent, LoadError> {
        let width = self.spec.embedding;
        let rotated = spec.rope.dimensions;
        let unrotated = spec.key_length - rotated;
        let adjacent = spec.rope.rotation == Rotation::Adjacent;
        let query_order = adjacent.then(|| halves_order(spec.heads, spec.key_length, unrotated, rotated));
        let key_order = adjacent.then(|| halves_order(1, spec.kv_rank + rotated, spec.kv_rank, rotated));
        let queries = spec.heads * spec.key_length;
        let rms = Norm { kind: NormKind::Rms, ..self.spec.norm };
        let inner_norm = |name: &str, length| -> Result<NormLayer, LoadError> {
            let name = format!("{prefix}.{name}.weight");
            let weight = self.vector(&name, length)?.ok_or_else(|| missing(&name))?;
            Ok(NormLayer::new(rms, Some(weight), None))
        };
        let query = match spec.query_rank {
            None => LatentQuery::Direct(self.linear(
                &format!("{prefix}.attn_q"),
                Some((queries, width)),
                query_order.as_deref(),
                false,
            )?),
            Some(rank) => LatentQuery::Compressed {
                down: self.linear(&format!("{prefix}.attn_q_a"), Some((rank, width)), None, false)?,
                norm: inner_norm("attn_q_a_norm", rank)?,
                up: self.linear(
                    &format!("{prefix}.attn_q_b"),
                    Some((queries, rank)),
                    query_order.as_deref(),
                    false,
                )?,
            },
        };
        let compress = self.linear(
            &format!("{prefix}.attn_kv_a_mqa"),
            Some((spec.kv_rank + rotated, width)),
            key_order.as_deref(),
            false,
        )?;
        let (absorb, decompress) = self.latent_decompression(prefix, spec, unrotated)?;
        Ok(Latent {
            query,
            compress,
            compressed_norm: inner_norm("attn_kv_a_norm", spec.kv_rank)?,
            absorb,
            decompress,
            rope,
            output: self.linear(
                &format!("{prefix}.attn_output"),
                Some((width, spec.heads * spec.value_length)),
                None,
                false,
            )?,
            spec: spec.clone(),
        })
    }

    /// The matrices that decompress keys and values, from two tensors or, in older files, from one.
    fn latent_decompression(
        &self,
        prefix: &str,
        spec: &LatentSpec,
        unrotated: usize,
    ) -> Result<(Option<Tensor>, Tensor), LoadError> {
        let (heads, rank) = (spec.heads, spec.kv_rank);
        let turn = |x: &Tensor| x.transpose(1, 2)?.contiguous();
        let both = format!("{prefix}.attn_kv_b.weight");
        if self.has(&both) {
            let rows = unrotated + spec.value_length;
            self.expect_shape(&both, &[heads * rows, rank])?;
            let parts = self.dense(&both)?;
            return (|| {
                let parts = parts.reshape((heads, rows, rank))?;
                let keys = match unrotated {
                    0 => None,
                    _ => Some(parts.narrow(1, 0, unrotated)?.contiguous()?),
                };
                Ok((keys, turn(&parts.narrow(1, unrotated, spec.value_length)?)?))
            })()
            .map_err(|error| device_error(&both, error));
        }
        let (key_name, value_name) =
            (format!("{prefix}.attn_k_b.weight"), format!("{prefix}.attn_v_b.weight"));
        let three = |name: &str, shape: [usize; 3]| {
            // A tensor whose outermost dimension is 1 may lack it.
            let found = self.source.tensor(name).ok_or_else(|| missing(name))?.shape.clone();
            if found != shape && !(shape[0] == 1 && found == shape[1..]) {
                return Err(LoadError::new(
                    name,
                    format!("the tensor has shape {found:?}; expected {shape:?}"),
                ));
            }
            let dense = self.dense(name)?.reshape(&shape[..]).and_then(|x| turn(&x));
            dense.map_err(|error| device_error(name, error))
        };
        Ok((
            if unrotated > 0 { Some(three(&key_name, [heads, rank, unrotated])?) } else { None },
            three(&value_name, [heads, spec.value_length, rank])?,
        ))
    }

    fn short_convolution(&self, prefix: &str, taps: usize) -> Result<ShortConvolution, LoadError> {
        let width = self.spec.embedding;
        let name = format!("{prefix}.shortconv.conv.weight");
        self.expect_shape(&name, &[width, taps])?;
        if taps < 2 {
            return Err(LoadError::new(name, "a convolution needs at least two taps"));
        }
        let kernel = self.floats(&name)?;
        let tap = |tap: usize| {
            let column: Vec<f32> = kernel.iter().skip(tap).step_by(taps).copied().collect();
            Tensor::from_vec(column, width, self.device).map_err(|error| device_error(&name, error))
        };
        Ok(ShortConvolution {
            input: self.linear(
                &format!("{prefix}.shortconv.in_proj"),
                Some((3 * width, width)),
                None,
                false,
            )?,
            taps: (0..taps).map(tap).collect::<Result<_, _>>()?,
            output: self.linear(
                &format!("{prefix}.shortconv.out_proj"),
                Some((width, width)),
                None,
                false,
            )?,
        })
    }

    /// A network of tensors `ffn_up{suffix}` and so on.
    fn dense_network(
        &self,
        prefix: &str,
        suffix: &str,
        activation: Activation,
        scaled: bool,
    ) -> Result<Dense, LoadError> {
        let width = self.spec.embedding;
        let name = |part: &str| format!("{prefix}.ffn_{part}{suffix}");
        let down_name = format!("{}.weight", name("down"));
        let inner = self.source.tensor(&down_name).ok_or_else(|| missing(&down_name))?.shape.last().copied();
        let inner = inner.unwrap_or(0);
        let gated = self.has(&format!("{}.weight", name("gate")));
        let up_rows = self.rows(&format!("{}.weight", name("up")))?;
        let up = if gated {
            let part = |part: &str| self.part(&name(part), Some((inner, width)), scaled);
            let parts = vec![part("gate")?, part("up")?];
            match self.join(parts)? {
                Ok(joined) => Up::Joined(joined),
                Err(parts) => {
                    let [gate, up] = self.finish_all(parts)?;
                    Up::Gated { gate: scale_after_bias(gate), up: scale_after_bias(up) }
                }
            }
        } else if up_rows == 2 * inner {
            Up::Joined(self.linear_if(&name("up"), (up_rows, width), scaled)?)
        } else {
            Up::Plain(self.linear_if(&name("up"), (inner, width), scaled)?)
        };
        Ok(Dense {
            activation,
            up,
            inner_norm: self.weighted_norm(&format!("{prefix}.ffn_sub_norm"), inner)?,
            divisor: self.vector(&format!("{prefix}.ffn.act.scales"), inner)?,
            down: self.linear_if(&name("down"), (width, inner), scaled)?,
        })
    }

    fn linear_if(&self, name: &str, shape: (usize, usize), scaled: bool) -> Result<Linear, LoadError> {
        Ok(scale_after_bias(self.finish(self.part(name, Some(shape), scaled)?)?))
    }

    fn experts(&self, prefix: &str, spec: &ExpertsSpec) -> Result<Experts, LoadError> {
        let width = self.spec.embedding;
        let name = |part: &str| format!("{prefix}.ffn_{part}");
        let merged = self.has(&format!("{}.weight", name("gate_up_exps")));
        let gated = self.has(&format!("{}.weight", name("gate_exps")));
        let mut down = self.expert_parts(&name("down_exps"), spec.count)?.into_iter();
        let mut up = self
            .expert_parts(&name(if merged { "gate_up_exps" } else { "up_exps" }), spec.count)?
            .into_iter();
        let mut gate =
            if gated && !merged { self.expert_parts(&name("gate_exps"), spec.count)? } else { Vec::new() }
                .into_iter();
        let mut experts = Vec::with_capacity(spec.count);
        for (up, down) in up.by_ref().zip(down.by_ref()) {
            let inner = down.raw.columns();
            let fits = |part: &Part, rows, columns| {
                if (part.raw.rows(), part.raw.columns()) == (rows, columns) {
                    return Ok(());
                }
                let problem =
                    format!("an expert has shape {:?}; expected [{rows}, {columns}]", part.raw.shape);
                Err(LoadError::new(&part.raw.name, problem))
            };
            fits(&down, width, inner)?;
            fits(&up, if merged { 2 * inner } else { inner }, width)?;
            let up = match gate.next() {
                None if merged => Up::Joined(self.finish(up)?),
                None => Up::Plain(self.finish(up)?),
                Some(gate) => {
                    fits(&gate, inner, width)?;
                    match self.join(vec![gate, up])? {
                        Ok(joined) => Up::Joined(joined),
                        Err(parts) => {
                            let [gate, up] = self.finish_all(parts)?;
                            Up::Gated { gate, up }
                        }
                    }
                }
            };
            experts.push(Dense {
                activation: spec.activation,
                up,
                inner_norm: None,
                divisor: None,
                down: self.finish(down)?,
            });
        }
        let shared_gate = format!("{prefix}.ffn_gate_inp_shexp");
        Ok(Experts {
            router: self.linear(&name("gate_inp"), Some((spec.count, width)), None, false)?,
            // Hunyuan 3 names it without a suffix.
            choice_bias: match self.vector_values(&format!("{prefix}.exp_probs_b.bias"), spec.count)? {
                None => self.vector_values(&format!("{prefix}.exp_probs_b"), spec.count)?,
                found => found,
            },
            networks: experts,
            shared: if self.has(&format!("{prefix}.ffn_up{}.weight", spec.shared_suffix)) {
                Some(self.dense_network(
                    prefix,
                    spec.shared_suffix,
                    spec.activation,
                    self.spec.companion_scales.shared,
                )?)
            } else {
                None
            },
            shared_gate: match self.vector(&format!("{shared_gate}.weight"), width)? {
                Some(gate) => {
                    let row = gate.unsqueeze(0).map_err(|error| device_error(&shared_gate, error))?;
                    Some(super::super::linear::Matrix::Dense(row).into())
                }
                None => None,
            },
            spec: spec.clone(),
        })
    }

    /// The matrices of all experts, which lie in one tensor.
    fn expert_parts(&self, name: &str, count: usize) -> Result<Vec<Part>, LoadError> {
        let raw = self.raw(&format!("{name}.weight"))?;
        if raw.shape.len() != 3 || raw.shape[0] != count {
            let problem = format!("the tensor has shape {:?}; expected [{count}, rows, columns]", raw.shape);
            return Err(LoadError::new(&raw.name, problem));
        }
        let rows = raw.shape[1];
        let biases = self.vector_values(&format!("{name}.bias"), count * rows)?;
        let scaled = self.spec.companion_scales.experts || raw.ty == crate::weights::TensorType::NVFP4;
        let scales = if scaled { self.vector_values(&format!("{name}.scale"), count)? } else { None };
        Ok(raw
            .split()
            .enumerate()
            .map(|(expert, raw)| Part {
                raw,
                bias: biases.as_ref().map(|biases| biases[expert * rows..(expert + 1) * rows].to_vec()),
                scale: scales.as_ref().map(|scales| scales[expert]),
            })
            .collect())
    }

    fn finish_all<const N: usize>(&self, parts: Vec<Part>) -> Result<[Linear; N], LoadError> {
        let linears = parts.into_iter().map(|part| self.finish(part)).collect::<Result<Vec<_>, _>>()?;
        linears
            .try_into()
            .map_err(|_| LoadError::new("layer", "has another number of matrices than it was read with"))
    }
}

/// In feed-forwards the reference implementation scales the sum with the bias.
fn scale_after_bias(mut linear: Linear) -> Linear {
    linear.scale_after_bias = linear.scale.take();
    linear
}
