//! Which norms a model has, and where they stand: what files call them is the same for every executor.

use super::tensors::{Tensors, missing};
use crate::spec::Residual;
use crate::weights::LoadError;

/// The weights of a norm, as the file has them.
pub(super) struct NormWeights {
    /// What the file calls it.
    pub(super) name: String,
    /// Length of the vectors that are normalized.
    pub(super) width: usize,
    pub(super) weight: Option<Vec<f32>>,
    pub(super) bias: Option<Vec<f32>>,
}

/// The norms of one layer. Those that the model does not have are `None`.
pub(super) struct LayerNorms<N> {
    /// Before mixing.
    pub(super) mixer: Option<N>,
    /// After mixing.
    pub(super) post_mixer: Option<N>,
    /// Before the feed-forward. A parallel layer without it gives the feed-forward the mixer's input.
    pub(super) feed_forward: Option<N>,
    /// After the feed-forward.
    pub(super) post_feed_forward: Option<N>,
}

/// The norms around the layers.
pub(super) struct OuterNorms<N> {
    pub(super) embedding: Option<N>,
    pub(super) output: N,
}

impl Tensors<'_> {
    /// A norm of `width` elements, if the model has it.
    pub(super) fn norm(&self, name: &str, width: usize) -> Result<Option<NormWeights>, LoadError> {
        // PLaMo 3 names some norms without a suffix.
        let weight = match self.vector(&format!("{name}.weight"), width)? {
            None => self.vector(name, width)?,
            found => found,
        };
        let bias = self.vector(&format!("{name}.bias"), width)?;
        let exists = weight.is_some() || !self.spec().norm.weighted;
        Ok(exists.then_some(NormWeights { name: name.to_owned(), width, weight, bias }))
    }

    /// A norm that exists only where it has weights, even in models whose norms have none.
    pub(super) fn weighted_norm(&self, name: &str, width: usize) -> Result<Option<NormWeights>, LoadError> {
        let exists = self.has(&format!("{name}.weight")) || self.has(name);
        if exists { self.norm(name, width) } else { Ok(None) }
    }

    /// The norms of a layer.
    pub(super) fn layer_norms(&self, index: usize) -> Result<LayerNorms<NormWeights>, LoadError> {
        let (spec, width) = (&self.spec().layers[index], self.spec().embedding);
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
    pub(super) fn side_norm(&self, index: usize) -> Result<NormWeights, LoadError> {
        let name = format!("blk.{index}.ffn_norm_exps");
        self.weighted_norm(&name, self.spec().embedding)?.ok_or_else(|| missing(&name))
    }

    /// The norms after the embedding and before the output.
    pub(super) fn outer_norms(&self) -> Result<OuterNorms<NormWeights>, LoadError> {
        let width = self.spec().embedding;
        // LFM2 calls the norm before the output what others call the norm after the embedding.
        let (embedding, output) = match self.norm("output_norm", width)? {
            Some(output) => (self.weighted_norm("token_embd_norm", width)?, Some(output)),
            None => (None, self.norm("token_embd_norm", width)?),
        };
        let output = output.ok_or_else(|| missing("output_norm.weight"))?;
        Ok(OuterNorms { embedding, output })
    }
}

impl<N> LayerNorms<N> {
    /// Makes each norm into another form.
    pub(super) fn try_map<M, E>(self, form: impl Fn(N) -> Result<M, E>) -> Result<LayerNorms<M>, E> {
        let form = |norm: Option<N>| norm.map(&form).transpose();
        Ok(LayerNorms {
            mixer: form(self.mixer)?,
            post_mixer: form(self.post_mixer)?,
            feed_forward: form(self.feed_forward)?,
            post_feed_forward: form(self.post_feed_forward)?,
        })
    }
}
