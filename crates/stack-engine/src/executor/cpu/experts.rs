//! A mixture of experts: a router sends each row to a few of many networks.
//!
//! ```text
//! router → choices of each row → rows in the order of their experts
//! one region: gate and up matrices of every expert that is used → non-linearity
//! one region: their down matrices → each row sums what its experts returned
//! ```

use stack_kernels::{Activations, Cpu, Epilogue, ExpertRows, Product};

use super::arena::{Buffer, Scratch};
use super::assignment::Assignment;
use super::feed_forward::Network;
use super::grain::grain;
use super::linear::{Inputs, Linear};
use crate::executor::routing::choose;
use crate::spec::ExpertsSpec;

/// The experts of one layer.
pub(super) struct Experts {
    pub(super) spec: ExpertsSpec,
    pub(super) router: Linear,
    /// Added to the weights for choosing only, one per expert.
    pub(super) choice_bias: Option<Vec<f32>>,
    /// One matrix per expert, if the networks are gated.
    pub(super) gate: Option<Vec<Linear>>,
    pub(super) up: Vec<Linear>,
    pub(super) down: Vec<Linear>,
    /// A network that every row uses.
    pub(super) shared: Option<Network>,
    /// Weights the shared network by the logistic function of the product with this.
    pub(super) shared_gate: Option<Vec<f32>>,
}

impl Experts {
    /// Transforms rows `x`. The router reads `routed`.
    pub(super) fn forward(
        &self,
        cpu: &Cpu,
        scratch: &mut Scratch,
        x: &[f32],
        routed: &[f32],
        out: &mut [f32],
    ) {
        let mut assignment = self.route(cpu, scratch, routed);
        self.run(cpu, scratch, x, &assignment);
        let width = self.router.matrix.cols();
        let returned = scratch.spare.get(assignment.rows.len() * width);
        if self.spec.weights_first {
            // They were multiplied before.
            assignment.weights.fill(1.0);
        }
        let Assignment { weights, places, .. } = &assignment;
        cpu.moe_combine(ExpertRows { rows: returned, weights, indices: places }, out, width);
        if let Some(shared) = &self.shared {
            self.add_shared(cpu, scratch, shared, x, out);
        }
    }

    /// Bytes of the experts that one token does not use.
    pub(super) fn unused_bytes_per_token(&self) -> u64 {
        let ExpertsSpec { count, used, .. } = self.spec;
        let matrices = self.gate.iter().flatten().chain(&self.up).chain(&self.down);
        let bytes: u64 = matrices.map(|linear| linear.matrix.bytes() as u64).sum();
        // Experts are of one shape.
        bytes / count.max(1) as u64 * count.saturating_sub(used) as u64
    }

    fn route(&self, cpu: &Cpu, scratch: &mut Scratch, x: &[f32]) -> Assignment {
        let Scratch { inputs, gate, .. } = scratch;
        let rows = x.len() / self.router.matrix.cols();
        let logits = gate.take(rows * self.spec.count);
        self.router.apply(cpu, inputs, x, logits);
        let bias = self.choice_bias.as_deref();
        let choices = logits.chunks_exact(self.spec.count).map(|logits| choose(&self.spec, bias, logits));
        Assignment::new(choices, self.spec.count)
    }

    /// Runs the networks and leaves what each place returns in `scratch.spare`.
    fn run(&self, cpu: &Cpu, scratch: &mut Scratch, x: &[f32], assignment: &Assignment) {
        let Scratch { inputs, gate, up, inner, spare, parts, .. } = scratch;
        let places = assignment.rows.len();
        let in_order: Vec<u32> = (0..places as u32).collect();
        let length = places * self.up[0].rows();
        let mut grouped = Grouped { cpu, inputs, parts, assignment };
        let (x, order) = if self.spec.weights_first {
            (weighted(cpu, x, self.up[0].matrix.cols(), assignment, spare), &in_order)
        } else {
            (x, &assignment.rows)
        };
        let out = inner.take(length);
        let function = self.spec.activation.kernel();
        let set = |_| Epilogue::Set;
        match &self.gate {
            None => {
                grouped.multiply(x, order, [(&self.up, &mut *out)], set);
                cpu.activate(out, function);
            }
            Some(gates) if self.up.iter().zip(gates).all(|(up, gate)| up.takes_gate(gate)) => {
                let gate = |expert: usize| Epilogue::Gate { weights: &gates[expert].matrix, function };
                grouped.multiply(x, order, [(&self.up, &mut *out)], gate);
            }
            Some(matrices) => {
                let (gates, raised) = (gate.take(length), up.take(length));
                grouped.multiply(x, order, [(matrices, &mut *gates), (&self.up, &mut *raised)], set);
                cpu.gated(gates, raised, function, out);
            }
        }
        let returned = spare.take(places * self.down[0].rows());
        grouped.multiply(out, &in_order, [(&self.down, returned)], set);
    }

    /// Adds the shared network, and scales the sum.
    fn add_shared(&self, cpu: &Cpu, scratch: &mut Scratch, shared: &Network, x: &[f32], out: &mut [f32]) {
        let width = shared.down.rows();
        let length = shared.inner(cpu, scratch, out.len() / width, x);
        let Scratch { inputs, inner, spare, .. } = scratch;
        let returned = spare.take(out.len());
        shared.down.apply(cpu, inputs, inner.get(length), returned);
        let (returned, scale) = (&*returned, self.spec.shared_scale);
        cpu.for_rows(out, width, grain(width), |first, part| {
            for (row, out) in part.chunks_exact_mut(width).enumerate() {
                let range = (first + row) * width..(first + row + 1) * width;
                let weight = self.shared_gate.as_ref().map_or(1.0, |gate| {
                    let product: f32 = x[range.clone()].iter().zip(gate).map(|(x, weight)| x * weight).sum();
                    1.0 / (1.0 + (-product).exp())
                });
                for (sum, y) in out.iter_mut().zip(&returned[range]) {
                    *sum = (*sum + weight * y) * scale;
                }
            }
        });
    }
}

/// Each place's row, multiplied by its weight.
fn weighted<'a>(
    cpu: &Cpu,
    x: &[f32],
    width: usize,
    assignment: &Assignment,
    out: &'a mut Buffer,
) -> &'a [f32] {
    let out = out.take(assignment.rows.len() * width);
    cpu.for_rows(out, width, grain(width), |first, part| {
        for (place, out) in part.chunks_exact_mut(width).enumerate() {
            let (row, weight) = (assignment.rows[first + place] as usize, assignment.weights[first + place]);
            out.iter_mut().zip(&x[row * width..]).for_each(|(y, x)| *y = x * weight);
        }
    });
    out
}

/// Matrices of which each sees the rows that were sent to its expert.
struct Grouped<'a> {
    cpu: &'a Cpu,
    inputs: &'a mut Inputs,
    parts: &'a mut Vec<Activations>,
    assignment: &'a Assignment,
}

impl Grouped<'_> {
    /// Multiplies, for each place, row `order[place]` of `x` by the matrix of its expert, in one parallel region, and
    /// does with the results what `epilogue` says of the expert.
    fn multiply<'s, const N: usize>(
        &mut self,
        x: &[f32],
        order: &[u32],
        jobs: [(&Vec<Linear>, &mut [f32]); N],
        epilogue: impl Fn(usize) -> Epilogue<'s>,
    ) {
        let active = &self.assignment.active;
        // The matrices of all experts lie in one tensor, and so have one format.
        let forms = jobs.each_ref().map(|(linears, _)| linears[0].input());
        let width = jobs[0].0[0].matrix.cols();
        self.inputs.read(self.cpu, x, width, forms);
        // Jobs that take the same form share their parts. One thread copies a part.
        let first_with = forms.map(|form| forms.iter().position(|&other| other == form).unwrap_or(0));
        if self.parts.len() < N * active.len() {
            self.parts.resize_with(N * active.len(), Activations::new);
        }
        for job in (0..N).filter(|&job| first_with[job] == job) {
            let input = self.inputs.of(forms[job]);
            let parts = &mut self.parts[job * active.len()..][..active.len()];
            self.cpu.pool().for_chunks(parts, 1, &|index, parts| {
                for part in parts {
                    input.gather(&order[active[index].1.clone()], part);
                }
            });
        }
        let mut linears = Vec::with_capacity(N * active.len());
        let mut products = Vec::with_capacity(N * active.len());
        for ((all, mut rest), shared) in jobs.into_iter().zip(first_with) {
            let parts = &self.parts[shared * active.len()..];
            for ((expert, places), input) in active.iter().zip(parts) {
                let linear = &all[*expert];
                let (output, later) = rest.split_at_mut(places.len() * linear.rows());
                rest = later;
                linears.push(linear);
                let epilogue = epilogue(*expert);
                products.push(Product {
                    weights: &linear.matrix,
                    input,
                    output,
                    bias: linear.bias_of_sums(),
                    epilogue,
                });
            }
        }
        self.cpu.multiply(&mut products);
        for (linear, product) in linears.into_iter().zip(products) {
            linear.finish(self.cpu, product.output);
        }
    }
}
