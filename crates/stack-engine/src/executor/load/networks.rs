//! Feed-forward networks and experts, put together from tensors.

use super::{Backend, Companions, Loader, MatrixTensor, Part, ScaleRule};
use crate::spec::{Activation, ExpertsSpec};
use crate::weights::{LoadError, TensorType};

/// One network.
pub(in crate::executor) struct NetworkWeights<B: Backend> {
    pub(in crate::executor) activation: Activation,
    pub(in crate::executor) up: Up<B::Linear, B::Stack<2>>,
    /// Normalizes what the non-linearity returns.
    pub(in crate::executor) inner_norm: Option<B::Norm>,
    /// Divides what the non-linearity returns (MPT after activation-aware quantization).
    pub(in crate::executor) divisor: Option<B::Vector>,
    pub(in crate::executor) down: B::Linear,
}

/// The matrices before the non-linearity.
pub(in crate::executor) enum Up<P, G> {
    /// No gate.
    Plain(P),
    /// Gate and up.
    Gated(G),
}

/// The experts of one layer.
pub(in crate::executor) struct ExpertsWeights<B: Backend> {
    pub(in crate::executor) spec: ExpertsSpec,
    pub(in crate::executor) router: B::Linear,
    /// Added to the weights for choosing only, one per expert.
    pub(in crate::executor) choice_bias: Option<Vec<f32>>,
    /// One for each expert.
    pub(in crate::executor) up: Up<Vec<B::Linear>, Vec<B::Stack<2>>>,
    pub(in crate::executor) down: Vec<B::Linear>,
    /// A network that every token uses.
    pub(in crate::executor) shared: Option<NetworkWeights<B>>,
    /// Weights the shared network by the logistic function of the product with this.
    pub(in crate::executor) shared_gate: Option<B::Vector>,
}

/// The matrices of all experts, which lie in one tensor, one above the other.
struct ExpertTensor<'a> {
    tensor: MatrixTensor<'a>,
    rows: usize,
    columns: usize,
    /// One number for each row of each expert.
    biases: Option<Vec<f32>>,
    /// One number for each expert.
    scales: Option<Vec<f32>>,
}

impl<B: Backend> Loader<'_, B> {
    /// A network of tensors `ffn_up{suffix}` and so on.
    pub(super) fn network(
        &self,
        prefix: &str,
        suffix: &str,
        activation: Activation,
        scaled: bool,
    ) -> Result<NetworkWeights<B>, LoadError> {
        let width = self.spec.embedding;
        let name = |part: &str| format!("{prefix}.ffn_{part}{suffix}");
        let inner = self.inner_length(&name("down"))?;
        // In feed-forwards the reference implementation scales the sum with the bias.
        let scale = ScaleRule { always: scaled, scales_bias: true };
        let packed = |part: &str| self.packed(&name(part), [inner, width], scale, None);
        let up = if self.tensors.has(&format!("{}.weight", name("gate"))) {
            Up::Gated(self.backend.join([packed("gate")?, packed("up")?])?)
        } else if self.tensors.rows(&format!("{}.weight", name("up")))? == 2 * inner {
            let tensor = self.tensors.shaped_matrix(&name("up"), [2 * inner, width])?;
            let companions = self.tensors.companions(&name("up"), 2 * inner, scale)?;
            let both = Part { companions, ..Part::new(&tensor, 2 * inner, width) };
            Up::Gated(self.backend.split(both, [inner, inner])?)
        } else {
            Up::Plain(self.backend.linear(packed("up")?)?)
        };
        Ok(NetworkWeights {
            activation,
            up,
            inner_norm: self.weighted_norm(&format!("{prefix}.ffn_sub_norm"), inner)?,
            divisor: self.vector(&format!("{prefix}.ffn.act.scales"), inner)?,
            down: self.linear(&name("down"), [width, inner], scale)?,
        })
    }

    pub(super) fn experts(&self, prefix: &str, spec: &ExpertsSpec) -> Result<ExpertsWeights<B>, LoadError> {
        let width = self.spec.embedding;
        let name = |part: &str| format!("{prefix}.ffn_{part}");
        let has = |part: &str| self.tensors.has(&format!("{}.weight", name(part)));
        let inner = self.inner_length(&name("down_exps"))?;
        let tensor = |part: &str, rows, columns| self.expert_tensor(&name(part), spec, rows, columns);
        let up = if has("gate_up_exps") {
            let both = tensor("gate_up_exps", 2 * inner, width)?;
            Up::Gated(
                self.backend
                    .each(spec.count, |backend, expert| backend.split(both.of(expert), [inner, inner]))?,
            )
        } else {
            let gates = if has("gate_exps") {
                Some(self.pack_experts(&tensor("gate_exps", inner, width)?, spec.count)?)
            } else {
                None
            };
            let ups = self.pack_experts(&tensor("up_exps", inner, width)?, spec.count)?;
            match gates {
                Some(gates) => {
                    let pairs = gates.into_iter().zip(ups);
                    Up::Gated(
                        pairs.map(|(gate, up)| self.backend.join([gate, up])).collect::<Result<_, _>>()?,
                    )
                }
                None => Up::Plain(self.place_experts(ups)?),
            }
        };
        let down = self.pack_experts(&tensor("down_exps", width, inner)?, spec.count)?;
        Ok(ExpertsWeights {
            spec: spec.clone(),
            router: self.linear(&name("gate_inp"), [spec.count, width], ScaleRule::BEFORE_BIAS)?,
            // Hunyuan 3 names it without a suffix.
            choice_bias: match self.tensors.vector(&format!("{prefix}.exp_probs_b.bias"), spec.count)? {
                None => self.tensors.vector(&format!("{prefix}.exp_probs_b"), spec.count)?,
                found => found,
            },
            up,
            down: self.place_experts(down)?,
            shared: if has(&format!("up{}", spec.shared_suffix)) {
                let scaled = self.spec.companion_scales.shared;
                Some(self.network(prefix, spec.shared_suffix, spec.activation, scaled)?)
            } else {
                None
            },
            shared_gate: self.vector(&format!("{prefix}.ffn_gate_inp_shexp.weight"), width)?,
        })
    }

    /// Length of the vectors inside a network, of which `down` names the last matrix.
    fn inner_length(&self, down: &str) -> Result<usize, LoadError> {
        Ok(self.tensors.get(&format!("{down}.weight"))?.shape.last().copied().unwrap_or(0))
    }

    fn expert_tensor(
        &self,
        name: &str,
        spec: &ExpertsSpec,
        rows: usize,
        columns: usize,
    ) -> Result<ExpertTensor<'_>, LoadError> {
        let weight = format!("{name}.weight");
        self.tensors.expect_shape(&weight, &[spec.count, rows, columns])?;
        let tensor = self.tensors.matrices(&weight)?;
        let scaled = self.spec.companion_scales.experts || tensor.ty() == TensorType::NVFP4;
        Ok(ExpertTensor {
            rows,
            columns,
            biases: self.tensors.vector(&format!("{name}.bias"), spec.count * rows)?,
            scales: if scaled { self.tensors.vector(&format!("{name}.scale"), spec.count)? } else { None },
            tensor,
        })
    }

    /// Packs the matrices of one tensor after the other: a file is read from its beginning to its end.
    fn pack_experts(&self, tensor: &ExpertTensor<'_>, count: usize) -> Result<Vec<B::Packed>, LoadError> {
        self.backend.each(count, |backend, expert| backend.pack(tensor.of(expert)))
    }

    fn place_experts(&self, packed: Vec<B::Packed>) -> Result<Vec<B::Linear>, LoadError> {
        packed.into_iter().map(|packed| self.backend.linear(packed)).collect()
    }
}

impl ExpertTensor<'_> {
    /// The matrix of one expert.
    fn of(&self, expert: usize) -> Part<'_> {
        let first_row = expert * self.rows;
        let companions = Companions {
            bias: self.biases.as_ref().map(|biases| biases[first_row..first_row + self.rows].to_vec()),
            scale: self.scales.as_ref().map(|scales| scales[expert]),
            scales_bias: false,
        };
        Part { first_row, companions, ..Part::new(&self.tensor, self.rows, self.columns) }
    }
}
