//! A spec from a model's metadata and tensors.

mod attention;
mod experts;
mod keys;
mod parts;
mod rope;
mod stated;

use self::keys::{COUNT_MAX, bad_key};
use super::architectures::{may_have_experts, row};
use super::row::{ActivationRule, EmbeddingScale, LogitScale, NormRule, ResidualRule, ResidualScale, Row};
use super::{
    Activation, CompanionScales, DecoderSpec, FeedForward, LayerSpec, Norm, NormKind, Residual, Window,
    Xielu, known_architectures,
};
use crate::weights::{Foreign, Ledger, LoadError, LoadErrorKind, WeightSource};

impl DecoderSpec {
    /// Reads the spec of a model.
    ///
    /// # Errors
    ///
    /// Names the metadata key or tensor that is missing, contradicts another or asks for something that this program
    /// does not do; an unknown architecture lists the known ones.
    pub fn read(source: &dyn WeightSource) -> Result<Self, LoadError> {
        Self::of(source).map_err(|error| error.of_model().in_words_of(source))
    }

    fn of(source: &dyn WeightSource) -> Result<Self, LoadError> {
        let ledger = Ledger::new(source.metadata());
        match ledger.ask("general.type").text("general.type").map_err(bad_key)? {
            None | Some("model") => {}
            Some(other) => {
                return Err(match part_of_model(other) {
                    Some(foreign) => LoadError::foreign(source.files().path().display().to_string(), foreign),
                    None => LoadError::new("general.type", format!("{other:?} is not a model that can run")),
                });
            }
        }
        let key = "general.architecture";
        let architecture = ledger
            .ask(key)
            .text(key)
            .map_err(bad_key)?
            .ok_or_else(|| LoadError::new(key, "the file does not name its architecture"))?;
        let row = row(architecture).ok_or_else(|| match part_of_model(architecture) {
            Some(foreign) => LoadError::foreign(source.files().path().display().to_string(), foreign),
            None => LoadError::new(
                format!("architecture {architecture:?}"),
                format!("is not known here; known are {}", known_architectures().join(", ")),
            )
            .of_kind(LoadErrorKind::UnknownArchitecture),
        })?;
        let reader = Reader { tensors: source, ledger, architecture, row };
        reader.refuse_what_is_not_done()?;
        let spec = reader.decoder()?;
        reader.check_parts(&spec)?;
        reader.check_stated(&spec)?;
        reader.refuse_unasked(&spec)?;
        Ok(spec)
    }
}

/// What a GGUF file of this type or architecture is, if it is not a model.
fn part_of_model(name: &str) -> Option<Foreign> {
    Some(match name {
        "adapter" => Foreign::LoraAdapter,
        "mmproj" | "clip" | "projector" => Foreign::Projector,
        "imatrix" => Foreign::ImportanceMatrix,
        "vocab" => Foreign::Vocabulary,
        _ => return None,
    })
}

struct Reader<'a> {
    /// Only the names and shapes of tensors are looked at.
    tensors: &'a dyn WeightSource,
    ledger: Ledger<'a>,
    architecture: &'a str,
    row: &'static Row,
}

/// What reading a layer needs to know of the whole.
struct Model {
    embedding: usize,
    layers: usize,
    windows: Vec<Option<Window>>,
}

impl Model {
    fn has_windows(&self) -> bool {
        self.windows.iter().any(Option::is_some)
    }
}

impl Reader<'_> {
    /// Refuses metadata that changes the computation in ways that the spec cannot say.
    fn refuse_what_is_not_done(&self) -> Result<(), LoadError> {
        if self.flag("attention.causal")? == Some(false) {
            return Err(self.wrong("attention.causal", "only models that look back are run".to_owned()));
        }
        if self.integer("num_loops")?.is_some_and(|loops| loops > 1) {
            return Err(self.wrong("num_loops", "layers that run several times are not supported".to_owned()));
        }
        for name in ["swiglu_clamp_exp", "swiglu_clamp_shexp"] {
            let key = self.key(name);
            let limits = self.ledger.ask(&key).floats(&key).map_err(bad_key)?;
            if limits.is_some_and(|limits| limits.iter().any(|&limit| limit != 0.0)) {
                return Err(self.wrong(name, "clamped SwiGLU is not supported here".to_owned()));
            }
        }
        Ok(())
    }

    fn decoder(&self) -> Result<DecoderSpec, LoadError> {
        let embedding = self.required("embedding_length")?;
        let blocks = self.required("block_count")?;
        if blocks > COUNT_MAX || blocks > self.tensors.tensors().len() {
            return Err(self.wrong("block_count", format!("there are no tensors for {blocks} layers")));
        }
        let predictors = self.integer("nextn_predict_layers")?.unwrap_or(0);
        let layer_count = blocks
            .checked_sub(predictors)
            .filter(|&count| count > 0)
            .ok_or_else(|| self.wrong("block_count", format!("{blocks} leaves no layer to run")))?;
        let rows = |name: &str| self.tensors.tensor(name).and_then(|tensor| tensor.shape.first().copied());
        let embeddings = rows("token_embd.weight");
        let vocabulary = rows("output.weight")
            .or(embeddings)
            .ok_or_else(|| LoadError::new("token_embd.weight", "the tensor is missing"))?;
        if let Some(embeddings) = embeddings.filter(|&rows| rows != vocabulary) {
            // A token that is sampled is read in the next step.
            let problem = format!("has {vocabulary} rows, but token_embd.weight has {embeddings}");
            return Err(LoadError::new("output.weight", problem));
        }
        let model = Model { embedding, layers: layer_count, windows: self.windows(layer_count)? };
        let layers = (0..layer_count).map(|layer| self.layer(layer, &model)).collect::<Result<_, _>>()?;
        let context_trained = self.integer("context_length")?.filter(|&n| n > 0).unwrap_or(2048);
        Ok(DecoderSpec {
            architecture: self.architecture.to_owned(),
            embedding,
            vocabulary,
            context_trained,
            context_original: self
                .integer("rope.scaling.original_context_length")?
                .filter(|&n| n > 0)
                .unwrap_or(context_trained),
            norm: self.norm()?,
            embedding_scale: match self.row.embedding_scale {
                EmbeddingScale::One => 1.0,
                EmbeddingScale::KeyOr(scale) => self.positive("embedding_scale")?.unwrap_or(scale),
                EmbeddingScale::SqrtEmbedding => (embedding as f32).sqrt(),
            },
            embedding_norm: self.row.embedding_norm,
            residual_scale: match self.row.residual_scale {
                ResidualScale::One => 1.0,
                ResidualScale::Key => self.positive("residual_scale")?.unwrap_or(1.0),
                ResidualScale::KeyOrDepth(scale) => {
                    self.positive("residual_scale")?.unwrap_or(scale / (layer_count as f32).sqrt())
                }
            },
            logit_scale: self.logit_scale(embedding)?,
            logit_softcap: self.softcap(self.row.final_softcap, "final_logit_softcapping")?,
            companion_scales: CompanionScales {
                dense: self.row.dense_scales,
                experts: self.row.expert_scales,
                shared: self.row.shared_scales,
            },
            ignored: self.row.ignored,
            layers,
            predictors,
        })
    }

    fn logit_scale(&self, embedding: usize) -> Result<f32, LoadError> {
        let found = || self.positive("logit_scale");
        Ok(match self.row.logit_scale {
            LogitScale::One => 1.0,
            LogitScale::Multiply(scale) => found()?.unwrap_or(scale),
            LogitScale::Divide => 1.0 / found()?.unwrap_or(1.0),
            LogitScale::DivideByWidthOver(base) => 1.0 / found()?.unwrap_or(embedding as f32 / base),
        })
    }

    fn layer(&self, layer: usize, model: &Model) -> Result<LayerSpec, LoadError> {
        let side = self.has(layer, "ffn_norm_exps");
        if self.has(layer, "ffn_gate_inp") && !may_have_experts(self.architecture) {
            let problem = format!("{} has no experts that are known here", self.architecture);
            return Err(LoadError::new(format!("blk.{layer}.ffn_gate_inp.weight"), problem));
        }
        let feed_forward = if self.has(layer, "ffn_gate_inp") && !side {
            FeedForward::Experts(self.experts(layer)?)
        } else if self.has(layer, "ffn_up") || self.has(layer, "ffn_down") {
            FeedForward::Dense { activation: self.activation(layer)? }
        } else {
            FeedForward::None
        };
        let residual = match self.row.residual {
            ResidualRule::Fixed(residual) => residual,
            ResidualRule::Key if self.flag("use_parallel_residual")?.unwrap_or(true) => Residual::Parallel,
            ResidualRule::ParallelWithoutNorm if !self.has(layer, "ffn_norm") => Residual::Parallel,
            ResidualRule::Key | ResidualRule::ParallelWithoutNorm => Residual::Sequential,
        };
        Ok(LayerSpec {
            mixer: self.mixer(layer, model)?,
            feed_forward,
            side_experts: if side { Some(self.experts(layer)?) } else { None },
            residual,
            feed_forward_norm: self.row.feed_forward_norm,
            post_attention_norm: self.row.post_attention_norm,
        })
    }

    fn activation(&self, layer: usize) -> Result<Activation, LoadError> {
        let parameter = |name: &str| {
            let key = format!("xielu.{name}");
            self.number_per_layer(&key, layer)?
                .ok_or_else(|| LoadError::new(format!("metadata key {key}"), "is missing"))
        };
        match self.row.activation {
            ActivationRule::Fixed(activation) => Ok(activation),
            ActivationRule::Xielu => {
                let beta = parameter("beta")?;
                Ok(Activation::Xielu(Xielu {
                    positive: softplus(parameter("alpha_p")?),
                    negative: beta + softplus(parameter("alpha_n")?),
                    beta,
                    epsilon: parameter("eps")?,
                }))
            }
        }
    }

    fn norm(&self) -> Result<Norm, LoadError> {
        let (rms, layer) = ("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon");
        let kind = match self.row.norm {
            NormRule::Fixed(kind) => kind,
            NormRule::RmsIfKey if self.positive(rms)?.is_some() => NormKind::Rms,
            NormRule::RmsIfKey => NormKind::Layer,
        };
        let key = match kind {
            NormKind::Rms => rms,
            NormKind::Layer => layer,
        };
        let epsilon = self.number(key)?.ok_or_else(|| self.wrong(key, "is missing".to_owned()))?;
        if epsilon < 0.0 {
            return Err(self.wrong(key, format!("{epsilon} is negative")));
        }
        Ok(Norm { kind, epsilon, weighted: self.row.norm_weights })
    }
}

fn softplus(x: f32) -> f32 {
    if x > 20.0 { x } else { x.exp().ln_1p() }
}
