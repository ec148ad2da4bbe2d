//! Feed-forward networks and experts, put together from tensors.

use std::thread;

use stack_kernels::Cpu;

use super::super::experts::Experts;
use super::super::feed_forward::Network;
use super::super::linear::{Companions, Linear};
use super::{Loader, Scale};
use crate::spec::{Activation, ExpertsSpec};
use crate::weights::{LoadError, TensorType};

impl Loader<'_> {
    /// A network of tensors `ffn_up{suffix}` and so on.
    pub(super) fn network(
        &self,
        prefix: &str,
        suffix: &str,
        activation: Activation,
        scaled: bool,
    ) -> Result<Network, LoadError> {
        let width = self.spec.embedding;
        let name = |part: &str| format!("{prefix}.ffn_{part}{suffix}");
        let inner = self.tensors.get(&format!("{}.weight", name("down")))?.shape.last().copied().unwrap_or(0);
        // In feed-forwards the reference implementation scales the sum with the bias.
        let scale = if scaled { Scale::AfterBias } else { Scale::IfNeeded };
        let linear = |part: &str, rows, columns| self.linear(&name(part), [rows, columns], scale);
        let gated = self.tensors.has(&format!("{}.weight", name("gate")));
        let (gate, up) = if gated {
            (Some(linear("gate", inner, width)?), linear("up", inner, width)?)
        } else if self.tensors.rows(&format!("{}.weight", name("up")))? == 2 * inner {
            let [gate, up] = self.linears(&name("up"), [inner, inner], width, scale)?;
            (Some(gate), up)
        } else {
            (None, linear("up", inner, width)?)
        };
        Ok(Network {
            activation,
            gate,
            up,
            inner_norm: self.weighted_norm(&format!("{prefix}.ffn_sub_norm"), inner)?,
            divisor: self.vector(&format!("{prefix}.ffn.act.scales"), inner)?,
            down: linear("down", width, inner)?,
        })
    }

    pub(super) fn experts(&self, prefix: &str, spec: &ExpertsSpec) -> Result<Experts, LoadError> {
        let width = self.spec.embedding;
        let name = |part: &str| format!("{prefix}.ffn_{part}");
        let has = |part: &str| self.tensors.has(&format!("{}.weight", name(part)));
        let down_name = format!("{}.weight", name("down_exps"));
        let inner = self.tensors.get(&down_name)?.shape.last().copied().unwrap_or(0);
        let (gate, up) = if has("gate_up_exps") {
            let [gate, up] = self.expert_parts(&name("gate_up_exps"), spec, [inner, inner], width)?;
            (Some(gate), up)
        } else {
            let part = |part: &str| self.expert_parts(&name(part), spec, [inner], width);
            let gate = if has("gate_exps") { Some(part("gate_exps")?) } else { None };
            let [up] = part("up_exps")?;
            (gate.map(|[gate]| gate), up)
        };
        let [down] = self.expert_parts(&name("down_exps"), spec, [width], inner)?;
        Ok(Experts {
            router: self.linear(&name("gate_inp"), [spec.count, width], Scale::BeforeBias)?,
            // Hunyuan 3 names it without a suffix.
            choice_bias: match self.vector(&format!("{prefix}.exp_probs_b.bias"), spec.count)? {
                None => self.vector(&format!("{prefix}.exp_probs_b"), spec.count)?,
                found => found,
            },
            gate,
            up,
            down,
            shared: if has(&format!("up{}", spec.shared_suffix)) {
                let scaled = self.spec.companion_scales.shared;
                Some(self.network(prefix, spec.shared_suffix, spec.activation, scaled)?)
            } else {
                None
            },
            shared_gate: self.vector(&format!("{prefix}.ffn_gate_inp_shexp.weight"), width)?,
            spec: spec.clone(),
        })
    }

    /// Matrices of all experts, which lie in one tensor: for each part, one matrix of so many rows for each expert.
    fn expert_parts<const N: usize>(
        &self,
        name: &str,
        spec: &ExpertsSpec,
        parts: [usize; N],
        columns: usize,
    ) -> Result<[Vec<Linear>; N], LoadError> {
        let weight = format!("{name}.weight");
        let (count, rows) = (spec.count, parts.iter().sum::<usize>());
        self.tensors.expect_shape(&weight, &[count, rows, columns])?;
        let biases = self.vector(&format!("{name}.bias"), count * rows)?;
        let found = self.find(&weight)?;
        let scaled = self.spec.companion_scales.experts || found.info.ty == Ok(TensorType::NVFP4);
        let scales = if scaled { self.tensors.vector(&format!("{name}.scale"), count)? } else { None };
        let mut all = parts.map(|_| Vec::with_capacity(count));
        let mut start = 0;
        for (part, rows_of_part) in all.iter_mut().zip(parts) {
            *part = self.spread(count, |cpu, expert| {
                let first = expert * rows + start;
                let matrix = self.matrix(cpu, &found, first, [rows_of_part, columns])?;
                let bias = biases.as_ref().map(|biases| biases[first..first + rows_of_part].to_vec());
                let scale = scales.as_ref().map(|scales| scales[expert]);
                Ok(Linear::new(matrix, Companions { bias, scale, scales_bias: false }))
            })?;
            start += rows_of_part;
        }
        Ok(all)
    }

    /// Loads `count` small things at once, each on one thread, and returns them in order.
    fn spread<T: Send>(
        &self,
        count: usize,
        load: impl Fn(&Cpu, usize) -> Result<T, LoadError> + Sync,
    ) -> Result<Vec<T>, LoadError> {
        let mut loaded: Vec<Option<Result<T, LoadError>>> = Vec::new();
        loaded.resize_with(count, || None);
        let share = count.div_ceil(self.cpu.threads());
        thread::scope(|scope| {
            for (number, places) in loaded.chunks_mut(share.max(1)).enumerate() {
                let load = &load;
                scope.spawn(move || {
                    let cpu = self.cpu.alone();
                    for (index, place) in places.iter_mut().enumerate() {
                        *place = Some(load(&cpu, number * share + index));
                    }
                });
            }
        });
        loaded.into_iter().map(|place| place.expect("every place was filled by its thread")).collect()
    }
}
