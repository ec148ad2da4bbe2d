//! An encoder's weights from a model's files onto a device.

use candle_core::{Device, Tensor};

use super::network::{Attention, Layer, Network};
use super::spec::EncoderSpec;
use crate::executor::Progress;
use crate::executor::candle::{Embedding, Linear, NormLayer, Placer, Stack, place};
use crate::executor::load::{Backend, NormWeights, Part, ScaleRule, Tensors, missing};
use crate::weights::{LoadError, WeightSource};

/// Loads all tensors of a model, and cuts the context to the positions that there are.
pub(super) fn network(
    source: &dyn WeightSource,
    spec: &mut EncoderSpec,
    device: Device,
    progress: Progress<'_>,
) -> Result<Network, LoadError> {
    let tensors = Tensors::new(source, &[], progress);
    let placer = Placer { device: &device };
    let loader = Loader { tensors: &tensors, placer: &placer };
    let positions = loader.positions(spec.width)?;
    spec.context = spec.context.min(positions.dims()[0]);
    let embedding = loader.embedding(spec.width)?;
    let norm = loader.norm("token_embd_norm", spec)?;
    // The count is only the file's word, so nothing is allocated by it.
    let mut layers = Vec::new();
    for index in 0..spec.layers {
        layers.push(loader.layer(index, spec)?);
    }
    loader.refuse_unused()?;
    Ok(Network { device, embedding, positions, norm, layers })
}

struct Loader<'a> {
    tensors: &'a Tensors<'a>,
    placer: &'a Placer<'a>,
}

impl Loader<'_> {
    fn layer(&self, index: usize, spec: &EncoderSpec) -> Result<Layer, LoadError> {
        let EncoderSpec { width, inner, heads, .. } = *spec;
        let name = |name: &str| format!("blk.{index}.{name}");
        let linear = |part: &str, shape| self.linear(&name(part), shape);
        let projections = if self.tensors.has(&name("attn_qkv.weight")) {
            Stack::Joined(linear("attn_qkv", [3 * width, width])?)
        } else {
            Stack::Separate([
                linear("attn_q", [width, width])?,
                linear("attn_k", [width, width])?,
                linear("attn_v", [width, width])?,
            ])
        };
        Ok(Layer {
            attention: Attention { heads, projections, output: linear("attn_output", [width, width])? },
            attention_norm: self.norm(&name("attn_output_norm"), spec)?,
            up: linear("ffn_up", [inner, width])?,
            activation: spec.activation,
            down: linear("ffn_down", [width, inner])?,
            output_norm: self.norm(&name("layer_output_norm"), spec)?,
        })
    }

    /// The embeddings of positions, with that of the first token type added to each.
    fn positions(&self, width: usize) -> Result<Tensor, LoadError> {
        let name = "position_embd.weight";
        let rows = self.table_rows(name, width)?;
        let mut values = self.tensors.floats(name)?;
        let types = "token_types.weight";
        if self.tensors.has(types) {
            self.table_rows(types, width)?;
            let types = self.tensors.floats(types)?;
            let first = &types[..width];
            for row in values.chunks_exact_mut(width) {
                row.iter_mut().zip(first).for_each(|(position, kind)| *position += kind);
            }
        }
        place(name, values, (rows, width), self.placer.device)
    }

    fn embedding(&self, width: usize) -> Result<Embedding, LoadError> {
        let name = "token_embd.weight";
        let rows = self.table_rows(name, width)?;
        self.placer.embedding(Part::new(&self.tensors.matrices(name)?, rows, width))
    }

    /// The rows of a matrix, of which there is at least one.
    fn table_rows(&self, name: &str, width: usize) -> Result<usize, LoadError> {
        match self.tensors.get(name)?.shape.as_slice() {
            &[rows, columns] if rows > 0 && columns == width => Ok(rows),
            other => {
                Err(LoadError::new(name, format!("the tensor has shape {other:?}; expected [rows, {width}]")))
            }
        }
    }

    fn norm(&self, name: &str, spec: &EncoderSpec) -> Result<NormLayer, LoadError> {
        let vector = |kind: &str| {
            let name = format!("{name}.{kind}");
            self.tensors.vector(&name, spec.width)?.ok_or_else(|| missing(&name)).map(Some)
        };
        self.placer.norm(NormWeights {
            norm: spec.norm,
            name: name.to_owned(),
            width: spec.width,
            weight: vector("weight")?,
            bias: vector("bias")?,
        })
    }

    fn linear(&self, name: &str, shape: [usize; 2]) -> Result<Linear, LoadError> {
        let tensor = self.tensors.matrices(&format!("{name}.weight"))?;
        if tensor.shape() != shape {
            let problem = format!("the tensor has shape {:?}; expected {shape:?}", tensor.shape());
            return Err(LoadError::new(tensor.name(), problem));
        }
        let scale = ScaleRule { always: false, scales_bias: false };
        let companions = self.tensors.companions(name, shape[0], scale)?;
        let part = Part { companions, ..Part::new(&tensor, shape[0], shape[1]) };
        self.placer.linear(self.placer.pack(part)?)
    }

    /// Refuses tensors that nothing has read: the model has a part that this program does not know.
    fn refuse_unused(&self) -> Result<(), LoadError> {
        for tensor in self.tensors.unused() {
            let name = tensor.name.as_str();
            // The head of a model that ranks is not a part of its encoder, nor are factors of matrices that need none.
            let matrix = name.strip_suffix(".input_scale").or_else(|| name.strip_suffix(".scale"));
            let is_factor = matrix.is_some_and(|matrix| self.tensors.has(&format!("{matrix}.weight")));
            if !name.starts_with("cls.") && !is_factor {
                return Err(LoadError::new(
                    name.escape_debug().to_string(),
                    "is not a part of a BERT encoder",
                ));
            }
        }
        Ok(())
    }
}
