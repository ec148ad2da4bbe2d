//! Matrices with what surrounds them, several at once.

use stack_kernels::{Activations, Cpu, Epilogue, Input, Matrix, Nonlinearity, Product};

use super::grain::grain;
use crate::executor::load::Companions;

/// An affine map: the matrix, times a number, plus a bias.
pub(crate) struct Linear {
    pub(super) matrix: Matrix,
    scale: f32,
    bias: Option<Vec<f32>>,
}

impl Linear {
    pub(super) fn new(matrix: Matrix, companions: Companions) -> Self {
        let Companions { mut bias, scale, scales_bias } = companions;
        let scale = scale.unwrap_or(1.0);
        if scales_bias {
            bias.iter_mut().flatten().for_each(|bias| *bias *= scale);
        }
        Self { matrix, scale, bias }
    }

    /// The same map, and what it returns multiplied by `factor`.
    pub(super) fn times(mut self, factor: f32) -> Self {
        self.scale *= factor;
        self.bias.iter_mut().flatten().for_each(|bias| *bias *= factor);
        self
    }

    /// Length of what it returns.
    pub(crate) fn rows(&self) -> usize {
        self.matrix.rows()
    }

    /// Whether what it returns may be added up row by row while it is computed.
    pub(crate) fn adds_in_place(&self) -> bool {
        self.scale == 1.0
    }

    /// Whether it is its matrix and nothing else.
    fn is_plain(&self) -> bool {
        self.scale == 1.0 && self.bias.is_none()
    }

    /// Whether results of this map may be multiplied by functions of `gate`'s while both are computed.
    pub(crate) fn takes_gate(&self, gate: &Self) -> bool {
        self.is_plain() && gate.is_plain() && self.input() == gate.input()
    }

    /// Multiplies rows of `x` by the matrix and stores what comes out.
    pub(crate) fn apply(&self, cpu: &Cpu, inputs: &mut Inputs, x: &[f32], out: &mut [f32]) {
        self.project(cpu, inputs, x, Epilogue::Set, out);
        self.finish(cpu, out);
    }

    /// Multiplies rows of `x` by the matrix and stores a function of what comes out.
    pub(crate) fn activated(
        &self,
        cpu: &Cpu,
        inputs: &mut Inputs,
        x: &[f32],
        function: Nonlinearity,
        out: &mut [f32],
    ) {
        if self.scale == 1.0 {
            return self.project(cpu, inputs, x, Epilogue::Activate(function), out);
        }
        self.apply(cpu, inputs, x, out);
        cpu.activate(out, function);
    }

    /// Multiplies rows of `x` by the matrix and by another one, and stores the product of what the first returns and a
    /// function of what the other does, which must be allowed by [`Self::takes_gate`].
    pub(crate) fn gated(
        &self,
        cpu: &Cpu,
        inputs: &mut Inputs,
        x: &[f32],
        (gate, function): (&Self, Nonlinearity),
        out: &mut [f32],
    ) {
        debug_assert!(self.takes_gate(gate), "a gate is a matrix and nothing else");
        self.project(cpu, inputs, x, Epilogue::Gate { weights: &gate.matrix, function }, out);
    }

    /// Multiplies rows of `x` by the matrix and adds what comes out, which must be allowed by
    /// [`Self::adds_in_place`].
    pub(crate) fn add(&self, cpu: &Cpu, inputs: &mut Inputs, x: &[f32], out: &mut [f32]) {
        debug_assert!(self.adds_in_place(), "a sum cannot be scaled in part");
        self.project(cpu, inputs, x, Epilogue::Add, out);
    }

    fn project(&self, cpu: &Cpu, inputs: &mut Inputs, x: &[f32], epilogue: Epilogue<'_>, out: &mut [f32]) {
        let form = self.input();
        let input = inputs.read(cpu, x, self.matrix.cols(), [form]).of(form);
        let bias = self.bias_of_sums();
        cpu.multiply(&mut [Product { weights: &self.matrix, input, output: out, bias, epilogue }]);
    }

    /// The bias, if it is added to the sums before they leave the registers: one pass over the results less.
    pub(super) fn bias_of_sums(&self) -> Option<&[f32]> {
        self.bias.as_deref().filter(|_| self.scale == 1.0)
    }

    pub(super) fn input(&self) -> Input {
        self.matrix.format().input()
    }

    /// Applies the scale, and the bias that comes after it, to what the matrix has returned.
    pub(super) fn finish(&self, cpu: &Cpu, out: &mut [f32]) {
        let (scale, width) = (self.scale, self.rows());
        if scale == 1.0 {
            return;
        }
        match &self.bias {
            None => cpu.for_rows(out, width, grain(width), |_, rows| {
                rows.iter_mut().for_each(|y| *y *= scale);
            }),
            Some(bias) => cpu.for_rows(out, width, grain(width), |_, rows| {
                for row in rows.chunks_exact_mut(width) {
                    row.iter_mut().zip(bias).for_each(|(y, bias)| *y = *y * scale + bias);
                }
            }),
        }
    }
}

/// Multiplies rows of `x` by several matrices in one parallel region, and stores what each returns.
pub(crate) fn apply<const N: usize>(
    cpu: &Cpu,
    inputs: &mut Inputs,
    x: &[f32],
    jobs: [(&Linear, &mut [f32]); N],
) {
    let linears = jobs.each_ref().map(|job| job.0);
    let Some(first) = linears.first() else { return };
    inputs.read(cpu, x, first.matrix.cols(), linears.map(Linear::input));
    let mut products = jobs.map(|(linear, output)| Product {
        weights: &linear.matrix,
        input: inputs.of(linear.input()),
        output,
        bias: linear.bias_of_sums(),
        epilogue: Epilogue::Set,
    });
    cpu.multiply(&mut products);
    for (linear, product) in linears.into_iter().zip(products) {
        linear.finish(cpu, product.output);
    }
}

/// Multiplies rows of `x` by a matrix alone.
pub(super) fn project(
    cpu: &Cpu,
    inputs: &mut Inputs,
    matrix: &Matrix,
    x: &[f32],
    epilogue: Epilogue<'_>,
    out: &mut [f32],
) {
    let form = matrix.format().input();
    let input = inputs.read(cpu, x, matrix.cols(), [form]).of(form);
    cpu.multiply(&mut [Product { weights: matrix, input, output: out, bias: None, epilogue }]);
}

/// Rows that matrices are multiplied with, in each form that one of them asks for.
#[derive(Default)]
pub(crate) struct Inputs {
    float: Activations,
    bf16: Activations,
    q8_0: Activations,
    q8_k: Activations,
}

impl Inputs {
    /// Takes in rows of `x`, of `width` numbers each, in these forms.
    pub(super) fn read(
        &mut self,
        cpu: &Cpu,
        x: &[f32],
        width: usize,
        forms: impl IntoIterator<Item = Input>,
    ) -> &Self {
        let mut done = [false; 4];
        for form in forms {
            let place = match form {
                Input::Float => 0,
                Input::Bf16 => 1,
                Input::Q8_0 => 2,
                Input::Q8K => 3,
            };
            if !std::mem::replace(&mut done[place], true) {
                cpu.quantize(form, x, width, self.of_mut(form));
            }
        }
        self
    }

    /// The rows in a form in which they were taken in.
    pub(super) fn of(&self, form: Input) -> &Activations {
        match form {
            Input::Float => &self.float,
            Input::Bf16 => &self.bf16,
            Input::Q8_0 => &self.q8_0,
            Input::Q8K => &self.q8_k,
        }
    }

    fn of_mut(&mut self, form: Input) -> &mut Activations {
        match form {
            Input::Float => &mut self.float,
            Input::Bf16 => &mut self.bf16,
            Input::Q8_0 => &mut self.q8_0,
            Input::Q8K => &mut self.q8_k,
        }
    }
}
