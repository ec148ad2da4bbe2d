//! An encoder's weights from a model's files, for whatever computes with them.

use super::family::{Placement, Positions};
use super::network::Input;
use super::spec::EncoderSpec;
use crate::executor::load::{
    Backend, HeadNormWeights, MatrixTensor, NormWeights, Part, ScaleRule, Tensors, missing,
};
use crate::weights::LoadError;

/// Everything that an encoder computes hidden states with.
pub(super) struct EncoderWeights<B: Backend> {
    pub(super) embedding: B::Embedding,
    pub(super) added: Added,
    pub(super) embedding_norm: Option<B::Norm>,
    pub(super) layers: Vec<LayerWeights<B>>,
    pub(super) output_norm: Option<B::Norm>,
}

/// What is added to the embeddings of tokens.
#[derive(Debug, PartialEq)]
pub(super) struct Added {
    width: usize,
    /// For each position, `[positions, width]`.
    positions: Option<Vec<f32>>,
    /// For each type of token, `[types, width]`. A model with a single type has it everywhere.
    types: Option<Vec<f32>>,
}

impl Added {
    /// Adds it to the embedding of a token of an input.
    pub(super) fn add(&self, input: &Input, position: usize, embedding: &mut [f32]) {
        for (table, index) in [(&self.positions, position), (&self.types, input.kind(position))] {
            let Some(table) = table else { continue };
            let rows = table.len() / self.width;
            let more = &table[index.min(rows - 1) * self.width..][..self.width];
            embedding.iter_mut().zip(more).for_each(|(x, more)| *x += more);
        }
    }
}

/// One layer. Norms that a family does not have are `None`.
pub(super) struct LayerWeights<B: Backend> {
    /// Of what attention reads.
    pub(super) attention_norm: Option<B::Norm>,
    pub(super) projections: B::Stack<3>,
    pub(super) query_norm: Option<B::HeadNorm>,
    pub(super) key_norm: Option<B::HeadNorm>,
    pub(super) output: B::Linear,
    /// Of what attention returns.
    pub(super) returned_norm: Option<B::Norm>,
    /// Of the sum of both.
    pub(super) sum_norm: Option<B::Norm>,
    /// Of that and what attention read once more, which some models add twice.
    pub(super) second_sum_norm: Option<B::Norm>,
    pub(super) network_norm: Option<B::Norm>,
    pub(super) up: Up<B>,
    pub(super) down: B::Linear,
    pub(super) network_returned_norm: Option<B::Norm>,
    pub(super) network_sum_norm: Option<B::Norm>,
}

/// The first half of a feed-forward network.
pub(super) enum Up<B: Backend> {
    Plain(B::Linear),
    /// A gate, of which a function multiplies what the other matrix returns.
    Gated(B::Stack<2>),
}

/// Loads all tensors of a model, and cuts the context to the positions that there are.
pub(super) fn encoder<B: Backend>(
    backend: &B,
    tensors: &Tensors<'_>,
    spec: &mut EncoderSpec,
) -> Result<EncoderWeights<B>, LoadError> {
    let loader = Loader { backend, tensors, spec };
    let added = loader.added()?;
    let embedding = loader.embedding()?;
    let (embedding_norm, output_norm) = match spec.family.placement {
        Placement::AfterSums => (Some(loader.norm("token_embd_norm")?), None),
        Placement::Before => (Some(loader.norm("token_embd_norm")?), Some(loader.norm("output_norm")?)),
        Placement::Around => (None, Some(loader.norm("output_norm")?)),
    };
    // The count is only the file's word, so nothing is allocated by it.
    let mut layers = Vec::new();
    for index in 0..spec.layers {
        layers.push(loader.layer(index)?);
    }
    if let Some(table) = &added.positions {
        spec.context = spec.context.min(table.len() / spec.width);
    }
    Ok(EncoderWeights { embedding, added, embedding_norm, layers, output_norm })
}

struct Loader<'a, B> {
    backend: &'a B,
    tensors: &'a Tensors<'a>,
    spec: &'a EncoderSpec,
}

impl<B: Backend> Loader<'_, B> {
    fn layer(&self, index: usize) -> Result<LayerWeights<B>, LoadError> {
        let EncoderSpec { family, width, inner, heads, kv_heads, head_length, .. } = *self.spec;
        let name = |name: &str| format!("blk.{index}.{name}");
        let norm = |part: &str| self.norm(&name(part)).map(Some);
        let mut layer = LayerWeights {
            attention_norm: None,
            projections: self.projections(index)?,
            query_norm: self.head_norm(&name("attn_q_norm"), heads)?,
            key_norm: self.head_norm(&name("attn_k_norm"), kv_heads)?,
            output: self.linear(&name("attn_output"), [width, heads * head_length])?,
            returned_norm: None,
            sum_norm: None,
            second_sum_norm: None,
            network_norm: None,
            up: self.up(index)?,
            down: self.linear(&name("ffn_down"), [width, inner])?,
            network_returned_norm: None,
            network_sum_norm: None,
        };
        match family.placement {
            Placement::AfterSums => {
                layer.sum_norm = norm("attn_output_norm")?;
                layer.second_sum_norm = self.optional_norm(&name("attn_norm_2"))?;
                layer.network_sum_norm = norm("layer_output_norm")?;
            }
            Placement::Before => {
                // The norm after the embedding is that of the first layer, too.
                layer.attention_norm =
                    if index == 0 { self.optional_norm(&name("attn_norm"))? } else { norm("attn_norm")? };
                layer.network_norm = norm("ffn_norm")?;
            }
            Placement::Around => {
                layer.attention_norm = norm("attn_norm")?;
                layer.returned_norm = norm("post_attention_norm")?;
                layer.network_norm = norm("ffn_norm")?;
                layer.network_returned_norm = norm("post_ffw_norm")?;
            }
        }
        Ok(layer)
    }

    /// The matrices that make queries, keys and values, from one tensor or from three.
    fn projections(&self, index: usize) -> Result<B::Stack<3>, LoadError> {
        let EncoderSpec { width, heads, kv_heads, head_length, .. } = *self.spec;
        let name = |part: &str| format!("blk.{index}.{part}");
        let rows = [heads, kv_heads, kv_heads].map(|heads| heads * head_length);
        let joined = name("attn_qkv");
        if self.tensors.has(&format!("{joined}.weight")) {
            return self.split(&joined, rows, width);
        }
        self.backend.join([
            self.packed(&name("attn_q"), [rows[0], width])?,
            self.packed(&name("attn_k"), [rows[1], width])?,
            self.packed(&name("attn_v"), [rows[2], width])?,
        ])
    }

    /// The matrices before the non-linearity: one, a gate beside it, or both in one tensor, the gate first.
    fn up(&self, index: usize) -> Result<Up<B>, LoadError> {
        let EncoderSpec { width, inner, .. } = *self.spec;
        let (gate, up) = (format!("blk.{index}.ffn_gate"), format!("blk.{index}.ffn_up"));
        if self.tensors.has(&format!("{gate}.weight")) {
            let both = [self.packed(&gate, [inner, width])?, self.packed(&up, [inner, width])?];
            return self.backend.join(both).map(Up::Gated);
        }
        if self.tensors.rows(&format!("{up}.weight"))? == 2 * inner {
            return self.split(&up, [inner, inner], width).map(Up::Gated);
        }
        self.linear(&up, [inner, width]).map(Up::Plain)
    }

    /// What is added to embeddings.
    fn added(&self) -> Result<Added, LoadError> {
        let table = |name: &str| {
            self.table_rows(name)?;
            self.tensors.floats(name)
        };
        let types = "token_types.weight";
        let learned = self.spec.family.positions == Positions::Learned;
        Ok(Added {
            width: self.spec.width,
            positions: learned.then(|| table("position_embd.weight")).transpose()?,
            types: self.tensors.has(types).then(|| table(types)).transpose()?,
        })
    }

    fn embedding(&self) -> Result<B::Embedding, LoadError> {
        let name = "token_embd.weight";
        let rows = self.table_rows(name)?;
        self.backend.embedding(Part::new(&self.tensors.matrices(name)?, rows, self.spec.width))
    }

    /// The rows of a matrix, of which there is at least one.
    fn table_rows(&self, name: &str) -> Result<usize, LoadError> {
        let width = self.spec.width;
        match self.tensors.get(name)?.shape.as_slice() {
            &[rows, columns] if rows > 0 && columns == width => Ok(rows),
            other => {
                Err(LoadError::new(name, format!("the tensor has shape {other:?}; expected [rows, {width}]")))
            }
        }
    }

    fn norm(&self, name: &str) -> Result<B::Norm, LoadError> {
        let EncoderSpec { width, norm, family, .. } = *self.spec;
        let vector = |kind: &str| self.tensors.vector(&format!("{name}.{kind}"), width);
        let weight = vector("weight")?.ok_or_else(|| missing(&format!("{name}.weight")))?;
        let bias = vector("bias")?;
        if bias.is_none() && family.placement == Placement::AfterSums {
            return Err(missing(&format!("{name}.bias")));
        }
        self.backend.norm(NormWeights { norm, name: name.to_owned(), width, weight: Some(weight), bias })
    }

    fn optional_norm(&self, name: &str) -> Result<Option<B::Norm>, LoadError> {
        if self.tensors.has(&format!("{name}.weight")) { self.norm(name).map(Some) } else { Ok(None) }
    }

    /// The norm of queries or keys: over each head, or over all of them at once.
    fn head_norm(&self, name: &str, heads: usize) -> Result<Option<B::HeadNorm>, LoadError> {
        let weight = format!("{name}.weight");
        if !self.tensors.has(&weight) {
            return Ok(None);
        }
        let length = self.spec.head_length;
        let found = self.tensors.get(&weight)?.elements();
        let width = if found == heads * length { found } else { length };
        let weights = HeadNormWeights {
            norm: self.spec.norm,
            name: name.to_owned(),
            heads: width / length,
            length,
            width,
            weight: self.tensors.vector(&weight, width)?,
            bias: self.tensors.vector(&format!("{name}.bias"), width)?,
            adjacent: None,
        };
        self.backend.head_norm(weights).map(Some)
    }

    fn linear(&self, name: &str, shape: [usize; 2]) -> Result<B::Linear, LoadError> {
        self.backend.linear(self.packed(name, shape)?)
    }

    fn packed(&self, name: &str, shape: [usize; 2]) -> Result<B::Packed, LoadError> {
        let tensor = self.tensors.matrices(&format!("{name}.weight"))?;
        self.backend.pack(self.part(name, &tensor, shape)?)
    }

    /// Matrices of so many rows that one tensor holds.
    fn split<const N: usize>(
        &self,
        name: &str,
        rows: [usize; N],
        width: usize,
    ) -> Result<B::Stack<N>, LoadError> {
        let tensor = self.tensors.matrices(&format!("{name}.weight"))?;
        self.backend.split(self.part(name, &tensor, [rows.iter().sum(), width])?, rows)
    }

    /// A whole tensor with what lies beside it.
    fn part<'t>(
        &self,
        name: &str,
        tensor: &'t MatrixTensor<'t>,
        shape: [usize; 2],
    ) -> Result<Part<'t>, LoadError> {
        if tensor.shape() != shape {
            let problem = format!("the tensor has shape {:?}; expected {shape:?}", tensor.shape());
            return Err(LoadError::new(tensor.name(), problem));
        }
        let scale = ScaleRule { always: false, scales_bias: false };
        let companions = self.tensors.companions(name, shape[0], scale)?;
        Ok(Part { companions, ..Part::new(tensor, shape[0], shape[1]) })
    }
}

/// Refuses tensors that nothing has read: the model has a part that this program does not know.
pub(super) fn refuse_unused(tensors: &Tensors<'_>, spec: &EncoderSpec) -> Result<(), LoadError> {
    for tensor in tensors.unused() {
        let name = tensor.name.as_str();
        // Factors of matrices that need none.
        let matrix = name.strip_suffix(".input_scale").or_else(|| name.strip_suffix(".scale"));
        let is_factor = matrix.is_some_and(|matrix| tensors.has(&format!("{matrix}.weight")));
        // The output matrix, by which encoders guessed words while they were trained.
        let is_output = name == "output.weight";
        if !is_factor && !is_output {
            let problem = format!("is not a part of {} that is known here", spec.family.name);
            return Err(LoadError::new(name.escape_debug().to_string(), problem));
        }
    }
    Ok(())
}
