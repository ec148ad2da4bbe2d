//! An encoder's weights from a model's files onto a device.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use candle_core::{Device, Tensor};

use super::network::{Attention, Layer, Network};
use super::spec::EncoderSpec;
use crate::executor::Progress;
use crate::executor::candle::{Embedding, Linear, NormLayer, Projections, Raw};
use crate::weights::{LoadError, TensorType, WeightSource};

/// Loads all tensors of a model, and cuts the context to the positions that there are.
pub(super) fn network(
    source: &dyn WeightSource,
    spec: &mut EncoderSpec,
    device: Device,
    progress: Progress<'_>,
) -> Result<Network, LoadError> {
    let total = source.tensors().iter().map(|tensor| tensor.bytes).sum();
    let loader =
        Loader { source, device: &device, used: RefCell::default(), loaded: Cell::new(0), total, progress };
    let positions = loader.positions(spec.width)?;
    spec.context = spec.context.min(positions.dims()[0]);
    let embedding = loader.table("token_embd.weight", spec.width)?;
    let embedding = Embedding(embedding.place(&device)?);
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
    source: &'a dyn WeightSource,
    device: &'a Device,
    /// The names of the tensors that were read.
    used: RefCell<HashSet<String>>,
    loaded: Cell<u64>,
    total: u64,
    progress: Progress<'a>,
}

impl Loader<'_> {
    fn layer(&self, index: usize, spec: &EncoderSpec) -> Result<Layer, LoadError> {
        let EncoderSpec { width, inner, heads, .. } = *spec;
        let name = |name: &str| format!("blk.{index}.{name}");
        let linear = |part: &str, shape| self.linear(&name(part), shape);
        let projections = if self.has(&name("attn_qkv.weight")) {
            Projections::Joined(linear("attn_qkv", [3 * width, width])?)
        } else {
            Projections::Separate {
                query: linear("attn_q", [width, width])?,
                key: linear("attn_k", [width, width])?,
                value: linear("attn_v", [width, width])?,
            }
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
        let table = self.table("position_embd.weight", width)?;
        let mut values = table.to_f32()?;
        if self.has("token_types.weight") {
            let types = self.table("token_types.weight", width)?.to_f32()?;
            let first = &types[..width];
            for row in values.chunks_exact_mut(width) {
                row.iter_mut().zip(first).for_each(|(position, kind)| *position += kind);
            }
        }
        self.place(&table.name, values, &table.shape)
    }

    fn norm(&self, name: &str, spec: &EncoderSpec) -> Result<NormLayer, LoadError> {
        let vector = |kind: &str| {
            let name = format!("{name}.{kind}");
            self.vector(&name, spec.width)?.ok_or_else(|| LoadError::new(name, "the tensor is missing"))
        };
        Ok(NormLayer::new(spec.norm, Some(vector("weight")?), Some(vector("bias")?)))
    }

    fn linear(&self, name: &str, shape: [usize; 2]) -> Result<Linear, LoadError> {
        let weight = format!("{name}.weight");
        let raw = self.raw(&weight)?;
        if raw.shape != shape {
            let problem = format!("the tensor has shape {:?}; expected {shape:?}", raw.shape);
            return Err(LoadError::new(weight, problem));
        }
        let scale = match raw.ty {
            TensorType::NVFP4 => Some(self.values(&format!("{name}.scale"), 1)?[0]),
            _ => None,
        };
        let bias = self.vector(&format!("{name}.bias"), shape[0])?;
        Ok(Linear { matrix: raw.place(self.device)?, bias, scale, scale_after_bias: None })
    }

    /// A matrix of at least one row.
    fn table(&self, name: &str, width: usize) -> Result<Raw, LoadError> {
        let raw = self.raw(name)?;
        match raw.shape.as_slice() {
            [rows, columns] if *rows > 0 && *columns == width => Ok(raw),
            other => {
                Err(LoadError::new(name, format!("the tensor has shape {other:?}; expected [rows, {width}]")))
            }
        }
    }

    /// A tensor of `length` elements, if there is one.
    fn vector(&self, name: &str, length: usize) -> Result<Option<Tensor>, LoadError> {
        if !self.has(name) {
            return Ok(None);
        }
        self.place(name, self.values(name, length)?, &[length]).map(Some)
    }

    fn values(&self, name: &str, length: usize) -> Result<Vec<f32>, LoadError> {
        let values = self.raw(name)?.to_f32()?;
        if values.len() != length {
            let problem = format!("the tensor has {} elements; expected {length}", values.len());
            return Err(LoadError::new(name, problem));
        }
        Ok(values)
    }

    fn place(&self, name: &str, values: Vec<f32>, shape: &[usize]) -> Result<Tensor, LoadError> {
        Tensor::from_vec(values, shape, self.device)
            .map_err(|error| LoadError::caused(name, "the tensor cannot be put on the device", error))
    }

    fn raw(&self, name: &str) -> Result<Raw, LoadError> {
        let raw = Raw::read(self.source, name)?;
        self.used.borrow_mut().insert(name.to_owned());
        self.loaded.set(self.loaded.get() + raw.bytes.len() as u64);
        (self.progress)(self.loaded.get(), self.total);
        Ok(raw)
    }

    /// Refuses tensors that nothing has read: the model has a part that this program does not know.
    fn refuse_unused(&self) -> Result<(), LoadError> {
        let used = self.used.borrow();
        for tensor in self.source.tensors() {
            let name = tensor.name.as_str();
            // The head of a model that ranks is not a part of its encoder, nor are factors of matrices that need none.
            let matrix = name.strip_suffix(".input_scale").or_else(|| name.strip_suffix(".scale"));
            let is_factor = matrix.is_some_and(|matrix| self.has(&format!("{matrix}.weight")));
            if !used.contains(name) && !name.starts_with("cls.") && !is_factor {
                return Err(LoadError::new(
                    name.escape_debug().to_string(),
                    "is not a part of a BERT encoder",
                ));
            }
        }
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.source.tensor(name).is_some()
    }
}
