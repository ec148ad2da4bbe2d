//! Which norms a model has, and where they stand: what files call them.

use super::tensors::missing;
use super::{AdjacentHeads, Backend, Loader};
use crate::spec::{Norm, Residual};
use crate::weights::LoadError;

/// The weights of a norm, as the file has them.
pub(crate) struct NormWeights {
    pub(crate) norm: Norm,
    /// What the file calls it.
    pub(crate) name: String,
    /// Length of the vectors that are normalized.
    pub(crate) width: usize,
    pub(crate) weight: Option<Vec<f32>>,
    pub(crate) bias: Option<Vec<f32>>,
}

/// The weights of a norm of queries or keys.
pub(crate) struct HeadNormWeights {
    pub(crate) norm: Norm,
    /// What the file calls it.
    pub(crate) name: String,
    /// Heads that have weights: one where all share them.
    pub(crate) heads: usize,
    /// Length of a head.
    pub(crate) length: usize,
    /// Length of the vectors that are normalized: a head, or all heads at once.
    pub(crate) width: usize,
    pub(crate) weight: Option<Vec<f32>>,
    pub(crate) bias: Option<Vec<f32>>,
    /// Whether neighbouring dimensions of the heads are rotated together.
    pub(crate) adjacent: Option<AdjacentHeads>,
}

/// The norms of one layer. Those that the model does not have are `None`.
pub(in crate::executor) struct LayerNorms<N> {
    /// Before mixing.
    pub(in crate::executor) mixer: Option<N>,
    /// After mixing.
    pub(in crate::executor) post_mixer: Option<N>,
    /// Before the feed-forward. A parallel layer without it gives the feed-forward the mixer's input.
    pub(in crate::executor) feed_forward: Option<N>,
    /// After the feed-forward.
    pub(in crate::executor) post_feed_forward: Option<N>,
}

impl<B: Backend> Loader<'_, B> {
    /// A norm of `width` elements, if the model has it.
    fn norm(&self, name: &str, width: usize) -> Result<Option<B::Norm>, LoadError> {
        // PLaMo 3 names some norms without a suffix.
        let weight = match self.tensors.vector(&format!("{name}.weight"), width)? {
            None => self.tensors.vector(name, width)?,
            found => found,
        };
        let bias = self.tensors.vector(&format!("{name}.bias"), width)?;
        if weight.is_none() && self.spec.norm.weighted {
            return Ok(None);
        }
        let norm = self.spec.norm;
        self.backend.norm(NormWeights { norm, name: name.to_owned(), width, weight, bias }).map(Some)
    }

    /// A norm that exists only where it has weights, even in models whose norms have none.
    pub(super) fn weighted_norm(&self, name: &str, width: usize) -> Result<Option<B::Norm>, LoadError> {
        let exists = self.tensors.has(&format!("{name}.weight")) || self.tensors.has(name);
        if exists { self.norm(name, width) } else { Ok(None) }
    }

    /// The norms of a layer.
    pub(super) fn layer_norms(&self, index: usize) -> Result<LayerNorms<B::Norm>, LoadError> {
        let (spec, width) = (&self.spec.layers[index], self.spec.embedding);
        let norm = |name: &str| self.norm(&format!("blk.{index}.{name}"), width);
        let weighted = |name: &str| self.weighted_norm(&format!("blk.{index}.{name}"), width);
        // Falcon-40B normalizes the input of attention by a norm of its own.
        let (mixer, feed_forward) = match weighted("attn_norm_2")? {
            Some(own) if spec.residual == Residual::Parallel => (Some(own), norm("attn_norm")?),
            _ => (norm("attn_norm")?, norm(spec.feed_forward_norm)?),
        };
        Ok(LayerNorms {
            mixer,
            post_mixer: match spec.post_attention_norm {
                Some(name) => weighted(name)?,
                None => None,
            },
            feed_forward,
            post_feed_forward: match weighted("post_ffw_norm")? {
                None => weighted("layer_output_norm")?,
                found => found,
            },
        })
    }

    /// The norm through which the experts beside a feed-forward read their layer's input.
    pub(super) fn side_norm(&self, index: usize) -> Result<B::Norm, LoadError> {
        let name = format!("blk.{index}.ffn_norm_exps");
        self.weighted_norm(&name, self.spec.embedding)?.ok_or_else(|| missing(&name))
    }

    /// The norm after the embedding, if there is one, and the one before the output.
    pub(super) fn outer_norms(&self) -> Result<(Option<B::Norm>, B::Norm), LoadError> {
        let width = self.spec.embedding;
        // LFM2 calls the norm before the output what others call the norm after the embedding.
        let (embedding, output) = match self.norm("output_norm", width)? {
            Some(output) => (self.weighted_norm("token_embd_norm", width)?, Some(output)),
            None => (None, self.norm("token_embd_norm", width)?),
        };
        Ok((embedding, output.ok_or_else(|| missing("output_norm.weight"))?))
    }
}
