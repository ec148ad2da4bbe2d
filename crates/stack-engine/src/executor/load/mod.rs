//! Layers from tensors: the one pass over a model's description.
//!
//! It knows what files call each part, which shape a part must have, what lies beside a matrix, and what several tensors
//! or one may hold. A [`Backend`] packs matrices and puts them where it computes; about files it decides nothing.

mod attention;
mod matrices;
mod mixers;
mod networks;
mod norms;
mod ropes;
mod tensors;
mod unused;

use crate::spec::{DecoderSpec, FeedForward, Mixer, Residual};
use crate::weights::LoadError;

pub(super) use attention::AttentionWeights;
pub(crate) use matrices::{AdjacentHeads, Companions, MatrixTensor, Part, ScaleRule};
pub(super) use mixers::{ConvolutionWeights, Decompression, LatentQueryWeights, LatentWeights};
pub(super) use networks::{ExpertsWeights, NetworkWeights, Up};
pub(super) use norms::LayerNorms;
pub(crate) use norms::{HeadNormWeights, NormWeights};
pub(crate) use ropes::Rope;
pub(crate) use tensors::{Tensors, missing};

/// Packs what an executor computes with, and puts it where it computes.
pub(crate) trait Backend: Sync {
    /// A matrix that was read; others may still be joined to it.
    type Packed: Send;
    /// A matrix with its bias and scale.
    type Linear: Send;
    /// Matrices that are multiplied by the same vectors.
    type Stack<const N: usize>: Send;
    /// The embeddings of all tokens.
    type Embedding;
    /// One matrix for each head.
    type HeadMatrices: Send;
    /// A norm.
    type Norm: Send;
    /// A norm of queries or keys.
    type HeadNorm: Send;
    /// Numbers.
    type Vector: Send;

    /// Reads a matrix and packs it.
    fn pack(&self, part: Part<'_>) -> Result<Self::Packed, LoadError>;

    /// Makes a matrix ready.
    fn linear(&self, packed: Self::Packed) -> Result<Self::Linear, LoadError>;

    /// Makes matrices ready that are tensors of their own.
    fn join<const N: usize>(&self, packed: [Self::Packed; N]) -> Result<Self::Stack<N>, LoadError>;

    /// Reads matrices of so many rows that lie one above the other in one tensor.
    fn split<const N: usize>(&self, whole: Part<'_>, rows: [usize; N]) -> Result<Self::Stack<N>, LoadError>;

    /// Reads the embeddings.
    fn embedding(&self, part: Part<'_>) -> Result<Self::Embedding, LoadError>;

    /// Reads the matrices by which latent attention takes queries into the compressed space, if any are, and mixed vectors
    /// out of it.
    fn decompression(
        &self,
        tensors: Decompression<'_>,
    ) -> Result<(Option<Self::HeadMatrices>, Self::HeadMatrices), LoadError>;

    fn norm(&self, weights: NormWeights) -> Result<Self::Norm, LoadError>;

    fn head_norm(&self, weights: HeadNormWeights) -> Result<Self::HeadNorm, LoadError>;

    /// Takes numbers that a tensor of this name holds.
    fn vector(&self, name: &str, values: Vec<f32>) -> Result<Self::Vector, LoadError>;

    /// Loads the layers, at once or one after the other, and returns them in order.
    fn layers<T: Send>(
        &self,
        count: usize,
        load: impl Fn(usize) -> Result<T, LoadError> + Sync,
    ) -> Result<Vec<T>, LoadError>;

    /// Loads `count` small things, at once or one after the other, and returns them in order. Each is loaded with the
    /// backend that `load` is given.
    fn each<T: Send>(
        &self,
        count: usize,
        load: impl Fn(&Self, usize) -> Result<T, LoadError> + Sync,
    ) -> Result<Vec<T>, LoadError>;
}

/// Everything that a decoder computes with.
pub(super) struct DecoderWeights<B: Backend> {
    pub(super) embedding: B::Embedding,
    /// The output matrix, if it is not the embedding's.
    pub(super) output: Option<B::Linear>,
    /// What is added to the embeddings by position, `[positions, embedding]`.
    pub(super) positions: Option<Vec<f32>>,
    /// Tokens that a sequence may hold: as many as were asked for, but not more than there are positions.
    pub(super) context: usize,
    pub(super) embedding_norm: Option<B::Norm>,
    pub(super) output_norm: B::Norm,
    /// The rotations; layers with the same one share it.
    pub(super) ropes: Vec<Rope>,
    pub(super) layers: Vec<LayerWeights<B>>,
}

/// One layer.
pub(super) struct LayerWeights<B: Backend> {
    pub(super) residual: Residual,
    pub(super) norms: LayerNorms<B::Norm>,
    pub(super) mixer: MixerWeights<B>,
    pub(super) feed_forward: Option<FeedForwardWeights<B>>,
    /// Experts beside the feed-forward, and the norm through which they read the layer's input.
    pub(super) side: Option<(B::Norm, ExpertsWeights<B>)>,
}

/// What mixes tokens.
pub(super) enum MixerWeights<B: Backend> {
    Attention(Box<AttentionWeights<B>>),
    Latent(Box<LatentWeights<B>>),
    ShortConvolution(ConvolutionWeights<B>),
    Linear(B::Linear),
    None,
}

/// The feed-forward part of a layer.
pub(super) enum FeedForwardWeights<B: Backend> {
    Dense(Box<NetworkWeights<B>>),
    Experts(Box<ExpertsWeights<B>>),
}

/// Reads a decoder of which sequences may hold up to `context` tokens.
///
/// # Errors
///
/// Names the tensor that is missing, of the wrong shape or of an unknown type, or that nothing here knows.
pub(super) fn decoder<B: Backend>(
    backend: &B,
    tensors: &Tensors<'_>,
    spec: &DecoderSpec,
    context: usize,
) -> Result<DecoderWeights<B>, LoadError> {
    let loader = Loader { backend, tensors, spec };
    let embedding = loader.embedding()?;
    let output = if tensors.has("output.weight") {
        Some(loader.linear("output", [spec.vocabulary, spec.embedding], ScaleRule::BEFORE_BIAS)?)
    } else {
        None
    };
    let positions = loader.positions()?;
    let context = positions.as_ref().map_or(context, |table| context.min(table.len() / spec.embedding));
    let (embedding_norm, output_norm) = loader.outer_norms()?;
    let (ropes, rope_of) = loader.ropes(context)?;
    let layers = backend.layers(spec.layers.len(), |index| loader.layer(index, rope_of[index]))?;
    loader.refuse_unused()?;
    Ok(DecoderWeights { embedding, output, positions, context, embedding_norm, output_norm, ropes, layers })
}

/// The pass over one model.
struct Loader<'a, B> {
    backend: &'a B,
    tensors: &'a Tensors<'a>,
    spec: &'a DecoderSpec,
}

impl<B: Backend> Loader<'_, B> {
    fn embedding(&self) -> Result<B::Embedding, LoadError> {
        let tensor = self.tensors.matrices("token_embd.weight")?;
        match tensor.shape() {
            &[rows, columns] if columns == self.spec.embedding => {
                self.backend.embedding(Part::new(&tensor, rows, columns))
            }
            other => {
                let problem =
                    format!("the tensor has shape {other:?}; expected [any, {}]", self.spec.embedding);
                Err(LoadError::new(tensor.name(), problem))
            }
        }
    }

    /// What is added to embeddings by position.
    fn positions(&self) -> Result<Option<Vec<f32>>, LoadError> {
        let name = "position_embd.weight";
        if !self.tensors.has(name) {
            return Ok(None);
        }
        self.tensors.expect_shape(name, &[self.tensors.rows(name)?, self.spec.embedding])?;
        self.tensors.floats(name).map(Some)
    }

    fn layer(&self, index: usize, rope: Option<usize>) -> Result<LayerWeights<B>, LoadError> {
        let spec = &self.spec.layers[index];
        let prefix = format!("blk.{index}");
        let width = self.spec.embedding;
        Ok(LayerWeights {
            residual: spec.residual,
            norms: self.layer_norms(index)?,
            mixer: match &spec.mixer {
                Mixer::Attention(spec) => {
                    MixerWeights::Attention(Box::new(self.attention(&prefix, spec, rope)?))
                }
                Mixer::Latent(spec) => {
                    let rope = rope.ok_or_else(|| missing(&format!("{prefix} rotation")))?;
                    MixerWeights::Latent(Box::new(self.latent(&prefix, spec, rope)?))
                }
                Mixer::ShortConvolution { taps } => {
                    MixerWeights::ShortConvolution(self.short_convolution(&prefix, *taps)?)
                }
                Mixer::Linear => {
                    let name = format!("{prefix}.attn_output");
                    MixerWeights::Linear(self.linear(&name, [width, width], ScaleRule::BEFORE_BIAS)?)
                }
                Mixer::None => MixerWeights::None,
            },
            feed_forward: match &spec.feed_forward {
                FeedForward::None => None,
                FeedForward::Dense { activation } => {
                    let scaled = self.spec.companion_scales.dense;
                    let network = self.network(&prefix, "", *activation, scaled)?;
                    Some(FeedForwardWeights::Dense(Box::new(network)))
                }
                FeedForward::Experts(experts) => {
                    Some(FeedForwardWeights::Experts(Box::new(self.experts(&prefix, experts)?)))
                }
            },
            side: match &spec.side_experts {
                Some(experts) => Some((self.side_norm(index)?, self.experts(&prefix, experts)?)),
                None => None,
            },
        })
    }

    /// A matrix with its bias and scale, `X.weight`, `X.bias` and `X.scale`.
    fn linear(&self, name: &str, shape: [usize; 2], scale: ScaleRule) -> Result<B::Linear, LoadError> {
        self.linear_of_heads(name, shape, scale, None)
    }

    /// The same, of which some rows are heads whose neighbouring dimensions are rotated together.
    fn linear_of_heads(
        &self,
        name: &str,
        shape: [usize; 2],
        scale: ScaleRule,
        heads: Option<AdjacentHeads>,
    ) -> Result<B::Linear, LoadError> {
        self.backend.linear(self.packed(name, shape, scale, heads)?)
    }

    fn packed(
        &self,
        name: &str,
        shape: [usize; 2],
        scale: ScaleRule,
        heads: Option<AdjacentHeads>,
    ) -> Result<B::Packed, LoadError> {
        let tensor = self.tensors.shaped_matrix(name, shape)?;
        let companions = self.tensors.companions(name, shape[0], scale)?;
        let heads = heads.into_iter().collect();
        self.backend.pack(Part { companions, heads, ..Part::new(&tensor, shape[0], shape[1]) })
    }

    /// The numbers of a tensor of `length` elements, if there is one.
    fn vector(&self, name: &str, length: usize) -> Result<Option<B::Vector>, LoadError> {
        self.tensors.vector(name, length)?.map(|values| self.backend.vector(name, values)).transpose()
    }
}
