//! A spec from a model's metadata and tensors.

use super::rope::Yarn;
use super::rows::{
    Alibi, AttentionScale, EmbeddingScale, LogitScale, ResidualRule, RopeLayers, Row, WindowRope, Windows,
    row,
};
use super::{
    AttentionSpec, CompanionScales, DecoderSpec, ExpertGroups, ExpertsSpec, FeedForward, Gating, LatentSpec,
    LayerSpec, Mixer, Norm, NormKind, Residual, RopeSpec, Rotation, Temperature, known_architectures,
};
use crate::weights::{LoadError, MetadataError, WeightSource};

impl DecoderSpec {
    /// Reads the spec of a model.
    ///
    /// # Errors
    ///
    /// Names the metadata key or tensor that is missing or contradicts another; an unknown architecture lists the
    /// known ones.
    pub fn read(source: &dyn WeightSource) -> Result<Self, LoadError> {
        let architecture =
            source.metadata().text("general.architecture").map_err(bad_key)?.ok_or_else(|| {
                LoadError::new("general.architecture", "the file does not name its architecture")
            })?;
        let row = row(architecture).ok_or_else(|| {
            LoadError::new(
                format!("architecture {architecture:?}"),
                format!("is not known here; known are {}", known_architectures().join(", ")),
            )
        })?;
        Reader { source, architecture, row }.decoder()
    }
}

/// Most layers, heads and experts that a file may claim.
const COUNT_MAX: usize = 65_536;

struct Reader<'a> {
    source: &'a dyn WeightSource,
    architecture: &'a str,
    row: &'static Row,
}

impl Reader<'_> {
    fn decoder(&self) -> Result<DecoderSpec, LoadError> {
        let embedding = self.required("embedding_length")?;
        let blocks = self.required("block_count")?;
        let predictors = self.integer("nextn_predict_layers")?.unwrap_or(0);
        let layer_count = blocks
            .checked_sub(predictors)
            .filter(|&count| count > 0)
            .ok_or_else(|| self.wrong("block_count", format!("{blocks} leaves no layer to run")))?;
        let vocabulary = ["output.weight", "token_embd.weight"]
            .iter()
            .find_map(|name| self.source.tensor(name))
            .map(|tensor| tensor.shape[0])
            .ok_or_else(|| LoadError::new("token_embd.weight", "the tensor is missing"))?;
        let windows = self.windows(layer_count)?;
        let layers = (0..layer_count)
            .map(|layer| self.layer(layer, embedding, layer_count, &windows))
            .collect::<Result<_, _>>()?;
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
                EmbeddingScale::Key => self.positive("embedding_scale")?.unwrap_or(1.0),
                EmbeddingScale::SqrtEmbedding => (embedding as f32).sqrt(),
            },
            residual_scale: if self.row.residual_scale {
                self.positive("residual_scale")?.unwrap_or(1.0)
            } else {
                1.0
            },
            logit_scale: match (self.row.logit_scale, self.positive("logit_scale")?) {
                (LogitScale::One, _) | (_, None) => 1.0,
                (LogitScale::Multiply, Some(scale)) => scale,
                (LogitScale::Divide, Some(scale)) => 1.0 / scale,
            },
            logit_softcap: if self.row.final_softcap {
                self.positive("final_logit_softcapping")?
            } else {
                None
            },
            companion_scales: CompanionScales {
                dense: self.row.dense_scales,
                experts: self.row.expert_scales,
            },
            layers,
        })
    }

    fn layer(
        &self,
        layer: usize,
        embedding: usize,
        layer_count: usize,
        windows: &[Option<usize>],
    ) -> Result<LayerSpec, LoadError> {
        let mixer = if self.has(layer, "shortconv.conv") {
            Mixer::ShortConvolution { taps: self.required("shortconv.l_cache")? }
        } else if self.has(layer, "attn_kv_a_mqa") {
            Mixer::Latent(self.latent(layer)?)
        } else {
            Mixer::Attention(self.attention(layer, embedding, layer_count, windows)?)
        };
        let feed_forward = if self.has(layer, "ffn_gate_inp") {
            FeedForward::Experts(self.experts(layer)?)
        } else if self.has(layer, "ffn_up") {
            FeedForward::Dense { activation: self.row.activation }
        } else {
            FeedForward::None
        };
        let residual = match self.row.residual {
            ResidualRule::Fixed(residual) => residual,
            ResidualRule::Key if self.flag("use_parallel_residual")?.unwrap_or(true) => Residual::Parallel,
            ResidualRule::ParallelWithoutNorm if !self.has(layer, "ffn_norm") => Residual::Parallel,
            ResidualRule::Key | ResidualRule::ParallelWithoutNorm => Residual::Sequential,
        };
        let trap = self.row.post_attention_norm_is_pre_ffn;
        Ok(LayerSpec {
            mixer,
            feed_forward,
            residual,
            feed_forward_norm: if trap { "post_attention_norm" } else { "ffn_norm" },
            post_attention_norm: (!trap).then_some("post_attention_norm"),
        })
    }

    fn attention(
        &self,
        layer: usize,
        embedding: usize,
        layer_count: usize,
        windows: &[Option<usize>],
    ) -> Result<AttentionSpec, LoadError> {
        let heads = self.per_layer("attention.head_count", layer)?.unwrap_or(0);
        if heads == 0 || heads > COUNT_MAX {
            return Err(self.wrong("attention.head_count", format!("layer {layer} has {heads} heads")));
        }
        let kv_heads = self.per_layer("attention.head_count_kv", layer)?.unwrap_or(heads);
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            let problem = format!("{heads} heads of layer {layer} cannot share {kv_heads} key heads");
            return Err(self.wrong("attention.head_count_kv", problem));
        }
        let key_length = self.length("attention.key_length")?.unwrap_or(embedding / heads);
        let value_length = self.length("attention.value_length")?.unwrap_or(embedding / heads);
        if key_length == 0 || value_length == 0 {
            return Err(self.wrong("attention.key_length", "is zero".to_owned()));
        }
        let window = windows[layer];
        let inverse = 1.0 / (key_length as f32).sqrt();
        let scale = match self.row.attention_scale {
            AttentionScale::Key => self.positive("attention.scale")?.unwrap_or(inverse),
            AttentionScale::EmbeddingPerHeadAt(layers) if layers == layer_count => {
                1.0 / ((embedding / heads) as f32).sqrt()
            }
            AttentionScale::Inverse | AttentionScale::EmbeddingPerHeadAt(_) => inverse,
        };
        let alibi_max = match self.row.alibi {
            Alibi::Never => 0.0,
            Alibi::Max(max) => self.positive("attention.max_alibi_bias")?.unwrap_or(max),
            Alibi::MaxAt { layers, max } => {
                if layers == layer_count {
                    max
                } else {
                    0.0
                }
            }
        };
        let rotates = match self.row.rope_layers {
            RopeLayers::All => true,
            RopeLayers::NotEvery(step) => !(layer + 1).is_multiple_of(step),
            RopeLayers::Windowed => window.is_some(),
            RopeLayers::WindowedIfAny => window.is_some() || windows.iter().all(Option::is_none),
            RopeLayers::UnlessNotFinetuned => self.flag("rope.scaling.finetuned")?.unwrap_or(true),
        };
        let rope = match self.row.rotation {
            Some(rotation) if rotates && alibi_max == 0.0 => {
                Some(self.rope(rotation, key_length, window.is_some())?)
            }
            _ => None,
        };
        Ok(AttentionSpec {
            heads,
            kv_heads,
            key_length,
            value_length,
            scale,
            rope,
            window,
            softcap: if self.row.attention_softcap { self.positive("attn_logit_softcapping")? } else { None },
            alibi_max,
            clamp: self.positive("attention.clamp_kqv")?,
            qk_norm_last: self.row.qk_norm_last,
            temperature: self.temperature()?,
        })
    }

    fn latent(&self, layer: usize) -> Result<LatentSpec, LoadError> {
        let heads = self.per_layer("attention.head_count", layer)?.unwrap_or(0);
        if heads == 0 || heads > COUNT_MAX {
            return Err(self.wrong("attention.head_count", format!("layer {layer} has {heads} heads")));
        }
        let length = |mla: &str, plain: &str| match self.length(mla)? {
            Some(length) => Ok(length),
            None => self.required(plain),
        };
        let key_length = length("attention.key_length_mla", "attention.key_length")?;
        let value_length = length("attention.value_length_mla", "attention.value_length")?;
        let rope = self.rope(self.row.rotation.unwrap_or(Rotation::Adjacent), key_length, false)?;
        if rope.dimensions >= key_length {
            return Err(
                self.wrong("rope.dimension_count", format!("leaves nothing of {key_length} dimensions"))
            );
        }
        // YaRN's magnitude belongs on q·k, of which only a part is rotated, so it enters here once more.
        let logarithm = self.yarn_logarithm()?.unwrap_or(0.0);
        let magnitude = rope.magnitude * (1.0 + 0.1 * logarithm * rope.factor.ln());
        Ok(LatentSpec {
            heads,
            query_rank: self.length("attention.q_lora_rank")?.filter(|_| self.has(layer, "attn_q_a")),
            kv_rank: self.required("attention.kv_lora_rank")?,
            key_length,
            value_length,
            scale: magnitude * magnitude / (key_length as f32).sqrt(),
            rope,
            temperature: self.temperature()?,
        })
    }

    fn experts(&self, layer: usize) -> Result<ExpertsSpec, LoadError> {
        let count = self.required("expert_count")?;
        let used = self.required("expert_used_count")?;
        if used > count || count > COUNT_MAX {
            return Err(self.wrong("expert_used_count", format!("{used} of {count} experts cannot be used")));
        }
        let router = format!("blk.{layer}.ffn_gate_inp.weight");
        if self.source.tensor(&router).is_some_and(|tensor| tensor.shape[0] != count) {
            return Err(LoadError::new(router, format!("does not have the {count} rows of expert_count")));
        }
        let gating = match self.integer("expert_gating_func")?.unwrap_or(0) {
            0 => self.row.gating,
            1 => Gating::Softmax,
            2 => Gating::Sigmoid,
            3 => Gating::SoftmaxOfChosen,
            4 => Gating::SqrtSoftplus,
            other => return Err(self.wrong("expert_gating_func", format!("{other} is not a known function"))),
        };
        let groups = match (self.integer("expert_group_count")?, self.integer("expert_group_used_count")?) {
            (Some(groups), Some(eligible)) if groups > 1 => {
                if !count.is_multiple_of(groups) || eligible == 0 || eligible > groups || count / groups < 2 {
                    let problem = format!("{eligible} of {groups} groups do not fit {count} experts");
                    return Err(self.wrong("expert_group_count", problem));
                }
                Some(ExpertGroups { count: groups, used: eligible })
            }
            _ => None,
        };
        Ok(ExpertsSpec {
            count,
            used,
            activation: self.row.activation,
            gating,
            normalize: match self.row.normalize_experts {
                Some(normalize) => normalize,
                None => self.flag("expert_weights_norm")?.unwrap_or(false),
            },
            scale: self.positive("expert_weights_scale")?.unwrap_or(1.0),
            groups,
        })
    }

    fn norm(&self) -> Result<Norm, LoadError> {
        let kind = self.row.norm;
        let key = match kind {
            NormKind::Rms => "attention.layer_norm_rms_epsilon",
            NormKind::Layer => "attention.layer_norm_epsilon",
        };
        Ok(Norm { kind, epsilon: self.number(key)?.unwrap_or(1e-5), weighted: self.row.norm_weights })
    }

    /// The window of each layer.
    fn windows(&self, layer_count: usize) -> Result<Vec<Option<usize>>, LoadError> {
        let size = self.integer("attention.sliding_window")?.filter(|&size| size > 0);
        let (period, size) = match self.row.windows {
            Windows::Never => return Ok(vec![None; layer_count]),
            Windows::Every => return Ok(vec![size; layer_count]),
            Windows::Pattern { period, default_size, .. } => (period, size.or(default_size)),
        };
        let pattern = self.list("attention.sliding_window_pattern")?;
        Ok((0..layer_count)
            .map(|layer| {
                let windowed = match pattern.as_deref() {
                    Some([period]) => *period > 1 && (layer as i64) % period < period - 1,
                    Some(flags) => flags.get(layer).is_some_and(|&flag| flag != 0),
                    None => layer % period < period - 1,
                };
                size.filter(|_| windowed)
            })
            .collect())
    }

    fn rope(&self, rotation: Rotation, key_length: usize, windowed: bool) -> Result<RopeSpec, LoadError> {
        let dimensions = self.length("rope.dimension_count")?.unwrap_or(key_length);
        if dimensions > key_length || !dimensions.is_multiple_of(2) {
            let problem =
                format!("{dimensions} dimensions of a head of {key_length} cannot be rotated in pairs");
            return Err(self.wrong("rope.dimension_count", problem));
        }
        let window_rope = match self.row.windows {
            Windows::Pattern { rope, .. } if windowed => rope,
            _ => WindowRope::Same,
        };
        let own_base = if windowed { self.positive("rope.freq_base_swa")? } else { None };
        let base = match (window_rope, own_base) {
            (WindowRope::Same | WindowRope::OwnBase, Some(base)) => base,
            (WindowRope::OwnBase, None) => 10_000.0,
            _ => self.positive("rope.freq_base")?.unwrap_or(10_000.0),
        };
        // Multimodal rotations leave the last section for positions that text does not have.
        let sections = self.list("rope.dimension_sections")?.unwrap_or_default();
        let multimodal = sections.iter().any(|&pairs| pairs > 0);
        let covered: i64 = sections.iter().take(3).map(|&pairs| pairs.clamp(0, dimensions as i64)).sum();
        let pairs = dimensions / 2;
        let mut spec = RopeSpec {
            rotation: if multimodal { Rotation::Halves } else { rotation },
            dimensions,
            base,
            factor: 1.0,
            yarn: None,
            magnitude: 1.0,
            pairs_rotated: if multimodal { pairs.min(covered as usize) } else { pairs },
            divisors: true,
        };
        if window_rope == WindowRope::Unscaled || (window_rope == WindowRope::OwnBase && windowed) {
            return Ok(spec);
        }
        self.scale(&mut spec)?;
        Ok(spec)
    }

    fn scale(&self, spec: &mut RopeSpec) -> Result<(), LoadError> {
        let kind = self.text("rope.scaling.type")?.unwrap_or("linear");
        let factor = match self.positive("rope.scaling.factor")? {
            Some(factor) => factor,
            None => self.positive("rope.scale_linear")?.unwrap_or(1.0),
        };
        let attenuation = self.positive("rope.scaling.attn_factor")?.unwrap_or(1.0);
        match kind {
            "none" => spec.magnitude = attenuation,
            "linear" | "longrope" => {
                spec.factor = factor;
                spec.magnitude = attenuation * self.positive("rope.scaling.yarn_attn_factor")?.unwrap_or(1.0);
            }
            "yarn" => {
                spec.factor = factor;
                let context = match self.integer("rope.scaling.original_context_length")? {
                    Some(context) if context > 0 => context,
                    _ => self.required("context_length")?,
                };
                spec.yarn = Some(Yarn {
                    context: context as f32,
                    beta_fast: self.positive("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
                    beta_slow: self.positive("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
                });
                let magnitude =
                    |weight: f32| if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 };
                spec.magnitude = attenuation
                    * match self.yarn_logarithm()? {
                        // DeepSeek-V2 writes the same multiplier for both, which then cancel.
                        Some(weight) if self.row.yarn_log_divisor == Some(0.1) && weight != 1.0 => 1.0,
                        Some(weight) => magnitude(1.0) / magnitude(weight),
                        None => magnitude(1.0),
                    };
            }
            other => return Err(self.wrong("rope.scaling.type", format!("{other:?} is not a known scaling"))),
        }
        Ok(())
    }

    fn yarn_logarithm(&self) -> Result<Option<f32>, LoadError> {
        let Some(divisor) = self.row.yarn_log_divisor else { return Ok(None) };
        Ok(self.positive("rope.scaling.yarn_log_multiplier")?.map(|weight| weight / divisor))
    }

    fn temperature(&self) -> Result<Option<Temperature>, LoadError> {
        if !self.row.temperature {
            return Ok(None);
        }
        let Some(scale) = self.positive("attention.temperature_scale")? else { return Ok(None) };
        let floor = match self.integer("attention.temperature_length")? {
            Some(length) if length > 0 => length,
            _ => match self.integer("rope.scaling.original_context_length")? {
                Some(length) if length > 0 => length,
                _ => self.required("context_length")?,
            },
        };
        Ok(Some(Temperature { scale, floor }))
    }

    fn has(&self, layer: usize, name: &str) -> bool {
        self.source.tensor(&format!("blk.{layer}.{name}.weight")).is_some()
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn wrong(&self, name: &str, problem: String) -> LoadError {
        LoadError::new(format!("metadata key {}", self.key(name)), problem)
    }

    fn required(&self, name: &str) -> Result<usize, LoadError> {
        let found = self.integer(name)?.ok_or_else(|| self.wrong(name, "is missing".to_owned()))?;
        // No real model has a dimension beyond 2³¹, and products of two must not overflow.
        if found == 0 || found > i32::MAX as usize {
            return Err(self.wrong(name, format!("{found} is out of range")));
        }
        Ok(found)
    }

    fn integer(&self, name: &str) -> Result<Option<usize>, LoadError> {
        self.source.metadata().integer(&self.key(name)).map_err(bad_key)
    }

    /// An integer whose absence may be written as 0, and which must be a plausible length.
    fn length(&self, name: &str) -> Result<Option<usize>, LoadError> {
        match self.integer(name)? {
            Some(length) if length > COUNT_MAX * 16 => {
                Err(self.wrong(name, format!("{length} is out of range")))
            }
            found => Ok(found.filter(|&length| length > 0)),
        }
    }

    fn number(&self, name: &str) -> Result<Option<f32>, LoadError> {
        let found = self.source.metadata().float(&self.key(name)).map_err(bad_key)?;
        match found {
            Some(number) if !number.is_finite() => Err(self.wrong(name, format!("{number} is not a number"))),
            found => Ok(found),
        }
    }

    /// A number whose absence may be written as 0.
    fn positive(&self, name: &str) -> Result<Option<f32>, LoadError> {
        match self.number(name)? {
            Some(number) if number < 0.0 => Err(self.wrong(name, format!("{number} is negative"))),
            found => Ok(found.filter(|&number| number != 0.0)),
        }
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, LoadError> {
        self.source.metadata().boolean(&self.key(name)).map_err(bad_key)
    }

    fn text(&self, name: &str) -> Result<Option<&str>, LoadError> {
        self.source.metadata().text(&self.key(name)).map_err(bad_key)
    }

    fn list(&self, name: &str) -> Result<Option<Vec<i64>>, LoadError> {
        self.source.metadata().integers(&self.key(name)).map_err(bad_key)
    }

    /// A value that is either the same for all layers or listed for each.
    fn per_layer(&self, name: &str, layer: usize) -> Result<Option<usize>, LoadError> {
        let Some(list) = self.list(name)? else { return Ok(None) };
        let value = if list.len() == 1 { list.first() } else { list.get(layer) };
        match value.map(|&value| usize::try_from(value)) {
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(self.wrong(name, format!("is negative for layer {layer}"))),
            None => Err(self.wrong(name, format!("has no value for layer {layer}"))),
        }
    }
}

fn bad_key(error: MetadataError) -> LoadError {
    LoadError::new(format!("metadata key {}", error.key), error.problem)
}
