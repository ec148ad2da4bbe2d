//! Feed-forward networks and experts, put together from tensors.

use super::super::experts::Experts;
use super::super::feed_forward::{Dense, Up};
use super::super::linear::{Linear, Matrix};
use super::{Loader, Part, device_error};
use crate::spec::{Activation, ExpertsSpec};
use crate::weights::{LoadError, TensorType};

impl Loader<'_> {
    /// A network of tensors `ffn_up{suffix}` and so on.
    pub(super) fn dense_network(
        &self,
        prefix: &str,
        suffix: &str,
        activation: Activation,
        scaled: bool,
    ) -> Result<Dense, LoadError> {
        let width = self.spec.embedding;
        let name = |part: &str| format!("{prefix}.ffn_{part}{suffix}");
        let down_name = format!("{}.weight", name("down"));
        let inner = self.tensors.get(&down_name)?.shape.last().copied();
        let inner = inner.unwrap_or(0);
        let gated = self.tensors.has(&format!("{}.weight", name("gate")));
        let up_rows = self.tensors.rows(&format!("{}.weight", name("up")))?;
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

    pub(super) fn linear_if(
        &self,
        name: &str,
        shape: (usize, usize),
        scaled: bool,
    ) -> Result<Linear, LoadError> {
        Ok(scale_after_bias(self.finish(self.part(name, Some(shape), scaled)?)?))
    }

    pub(super) fn experts(&self, prefix: &str, spec: &ExpertsSpec) -> Result<Experts, LoadError> {
        let width = self.spec.embedding;
        let name = |part: &str| format!("{prefix}.ffn_{part}");
        let merged = self.tensors.has(&format!("{}.weight", name("gate_up_exps")));
        let gated = self.tensors.has(&format!("{}.weight", name("gate_exps")));
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
            choice_bias: match self.tensors.vector(&format!("{prefix}.exp_probs_b.bias"), spec.count)? {
                None => self.tensors.vector(&format!("{prefix}.exp_probs_b"), spec.count)?,
                found => found,
            },
            networks: experts,
            shared: if self.tensors.has(&format!("{prefix}.ffn_up{}.weight", spec.shared_suffix)) {
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
                    Some(Matrix::Dense(row).into())
                }
                None => None,
            },
            spec: spec.clone(),
        })
    }

    /// The matrices of all experts, which lie in one tensor.
    fn expert_parts(&self, name: &str, count: usize) -> Result<Vec<Part>, LoadError> {
        let mut raw = self.raw(&format!("{name}.weight"))?;
        if count == 1 && raw.shape.len() == 2 {
            raw.shape.insert(0, 1);
        }
        if raw.shape.len() != 3 || raw.shape[0] != count {
            let problem = format!("the tensor has shape {:?}; expected [{count}, rows, columns]", raw.shape);
            return Err(LoadError::new(&raw.name, problem));
        }
        let rows = raw.shape[1];
        let biases = self.tensors.vector(&format!("{name}.bias"), count * rows)?;
        let scaled = self.spec.companion_scales.experts || raw.ty == TensorType::NVFP4;
        let scales = if scaled { self.tensors.vector(&format!("{name}.scale"), count)? } else { None };
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
}

/// In feed-forwards the reference implementation scales the sum with the bias.
fn scale_after_bias(mut linear: Linear) -> Linear {
    linear.scale_after_bias = linear.scale.take();
    linear
}
