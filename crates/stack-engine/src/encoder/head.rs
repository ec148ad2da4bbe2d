//! What becomes of a pooled hidden state: a vector to compare, or a score to rank by.

use stack_kernels::{Cpu, Level, Nonlinearity};

use super::family::HeadFunction;
use super::spec::EncoderSpec;
use crate::executor::cpu::linear::{Inputs, Linear};
use crate::executor::cpu::load::Packer;
use crate::executor::cpu::norm::NormLayer;
use crate::executor::load::{Backend, NormWeights, Part, ScaleRule, Tensors, missing};
use crate::weights::LoadError;

/// The matrices after the pooling.
///
/// One thread computes them, wherever the encoder itself is: each input passes them once, while every one of its tokens
/// passed all layers.
pub(super) struct Head {
    cpu: Cpu,
    inputs: Inputs,
    /// They make the vector that is compared, one after the other.
    dense: Vec<Linear>,
    ranking: Option<Ranking>,
}

/// The head of a model that ranks.
struct Ranking {
    first: Linear,
    function: HeadFunction,
    norm: Option<NormLayer>,
    /// Makes the score. Without it, that is what the function returns.
    output: Option<Linear>,
}

impl Head {
    /// Loads the matrices that the model has.
    pub(super) fn load(tensors: &Tensors<'_>, spec: &EncoderSpec, level: Level) -> Result<Self, LoadError> {
        let packer = Packer::new(Cpu::new(level, 1));
        let loader = Loader { packer: &packer, tensors };
        let mut dense = Vec::new();
        let mut length = spec.width;
        for name in ["dense_2", "dense_3"] {
            if let Some(matrix) = loader.linear(name, length)? {
                length = matrix.rows();
                dense.push(matrix);
            }
        }
        let ranking = loader.ranking(spec)?;
        let (cpu, _) = packer.into_parts();
        Ok(Self { cpu, inputs: Inputs::default(), dense, ranking })
    }

    /// Length of vectors that are compared, of a model of this width.
    pub(super) fn length(&self, width: usize) -> usize {
        self.dense.last().map_or(width, Linear::rows)
    }

    /// Whether the model ranks.
    pub(super) fn ranks(&self) -> bool {
        self.ranking.is_some()
    }

    /// The vector that a pooled hidden state becomes.
    pub(super) fn vector(&mut self, pooled: Vec<f32>) -> Vec<f32> {
        let Self { cpu, inputs, dense, .. } = self;
        dense.iter().fold(pooled, |x, dense| apply(cpu, inputs, dense, &x))
    }

    /// The score that a pooled hidden state becomes, if the model ranks.
    pub(super) fn score(&mut self, pooled: &[f32]) -> Option<f32> {
        let Self { cpu, inputs, ranking, .. } = self;
        let Ranking { first, function, norm, output } = ranking.as_ref()?;
        let mut x = apply(cpu, inputs, first, pooled);
        match function {
            HeadFunction::Tanh => x.iter_mut().for_each(|x| *x = x.tanh()),
            HeadFunction::Gelu => cpu.activate(&mut x, Nonlinearity::GeluErf),
        }
        if let Some(norm) = norm {
            norm.apply_in_place(cpu, &mut x);
        }
        if let Some(output) = output {
            x = apply(cpu, inputs, output, &x);
        }
        x.first().copied()
    }
}

fn apply(cpu: &Cpu, inputs: &mut Inputs, linear: &Linear, x: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; linear.rows()];
    linear.apply(cpu, inputs, x, &mut out);
    out
}

struct Loader<'a> {
    packer: &'a Packer,
    tensors: &'a Tensors<'a>,
}

impl Loader<'_> {
    fn ranking(&self, spec: &EncoderSpec) -> Result<Option<Ranking>, LoadError> {
        let first = self.linear("cls", spec.width)?;
        // A single row makes the score itself (jina-reranker-v1).
        let is_whole = first.as_ref().is_some_and(|first| first.rows() == 1);
        let output = if is_whole { None } else { self.linear("cls.output", spec.width)? };
        let norm = self.norm("cls.norm", spec)?;
        let problem = match (first, output) {
            (Some(first), None) if is_whole => {
                return Ok(Some(Ranking { first, function: spec.family.head, norm, output: None }));
            }
            (Some(first), Some(output)) if first.rows() == spec.width && output.rows() == 1 => {
                return Ok(Some(Ranking { first, function: spec.family.head, norm, output: Some(output) }));
            }
            (_, Some(output)) if output.rows() != 1 => {
                LoadError::new("cls.output.weight", format!("makes {} numbers, not one score", output.rows()))
            }
            (Some(first), Some(_)) => {
                LoadError::new("cls.weight", format!("has {} rows; expected {}", first.rows(), spec.width))
            }
            // Converters that leave it out make a file whose scores would not be the model's.
            (None, Some(_)) => missing("cls.weight"),
            (_, None) => missing("cls.output.weight"),
        };
        // A model that also embeds does that with or without a head that classifies.
        if spec.pooling.is_some() { Ok(None) } else { Err(problem) }
    }

    /// The matrix of this name, if there is one, which must have so many columns.
    fn linear(&self, name: &str, columns: usize) -> Result<Option<Linear>, LoadError> {
        let weight = format!("{name}.weight");
        if !self.tensors.has(&weight) {
            return Ok(None);
        }
        let tensor = self.tensors.matrices(&weight)?;
        let rows = match tensor.shape() {
            &[rows, found] if rows > 0 && found == columns => rows,
            // A vector is one row.
            &[found] if found == columns => 1,
            other => {
                let problem = format!("the tensor has shape {other:?}; expected [rows, {columns}]");
                return Err(LoadError::new(weight, problem));
            }
        };
        let scale = ScaleRule { always: false, scales_bias: false };
        let companions = self.tensors.companions(name, rows, scale)?;
        self.packer.pack(Part { companions, ..Part::new(&tensor, rows, columns) }).map(Some)
    }

    fn norm(&self, name: &str, spec: &EncoderSpec) -> Result<Option<NormLayer>, LoadError> {
        let (width, norm) = (spec.width, spec.norm);
        let weight = self.tensors.vector(&format!("{name}.weight"), width)?;
        if weight.is_none() {
            return Ok(None);
        }
        let bias = self.tensors.vector(&format!("{name}.bias"), width)?;
        self.packer.norm(NormWeights { norm, name: name.to_owned(), width, weight, bias }).map(Some)
    }
}
