//! What mixes the tokens of a layer.

use super::keys::COUNT_MAX;
use super::{Model, Reader};
use crate::spec::row::{Alibi, AttentionScale, RopeLayers, Softcap, TemperatureRule, Windows};
use crate::spec::{AttentionSpec, LatentSpec, Mixer, Rotation, Temperature, Window};
use crate::weights::{LoadError, Value};

impl Reader<'_> {
    pub(super) fn mixer(&self, layer: usize, model: &Model) -> Result<Mixer, LoadError> {
        let heads = self.per_layer("attention.head_count", layer)?;
        let kv_heads = self.per_layer("attention.head_count_kv", layer)?;
        let is_convolution = self.has(layer, "shortconv.conv");
        if (is_convolution || matches!(self.row.windows, Windows::Every))
            && let Some(flag) = self.per_layer("attention.recurrent_layers", layer)?
            && (flag != 0) != is_convolution
            && self.list("attention.recurrent_layers")?.is_some_and(|flags| flags.len() > 1)
        {
            let problem = format!("says {flag} of layer {layer}, but its tensors say otherwise");
            return Err(self.wrong("attention.recurrent_layers", problem));
        }
        if is_convolution {
            return Ok(Mixer::ShortConvolution { taps: self.required("shortconv.l_cache")? });
        }
        if self.has(layer, "attn_kv_a_mqa") {
            return Ok(Mixer::Latent(self.latent(layer)?));
        }
        match (heads, kv_heads) {
            (Some(0), _) if self.row.pruned_layers => Ok(Mixer::None),
            (_, Some(0)) if self.row.pruned_layers => Ok(Mixer::Linear),
            _ => Ok(Mixer::Attention(self.attention(layer, model)?)),
        }
    }

    fn attention(&self, layer: usize, model: &Model) -> Result<AttentionSpec, LoadError> {
        let heads = self.heads(layer)?;
        let kv_heads = self.per_layer("attention.head_count_kv", layer)?.unwrap_or(heads);
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            let problem = format!("{heads} heads of layer {layer} cannot share {kv_heads} key heads");
            return Err(self.wrong("attention.head_count_kv", problem));
        }
        let window = model.windows[layer];
        let (key_length, value_length) = self.head_lengths(heads, model, window)?;
        let alibi_max = match self.row.alibi {
            Alibi::Key => self.positive("attention.max_alibi_bias")?.unwrap_or(0.0),
            Alibi::Max(max) => max,
            Alibi::MaxAt { layers, max } if layers == model.layers => max,
            Alibi::Never | Alibi::MaxAt { .. } => 0.0,
        };
        let rope = match self.row.rotation {
            Some(rotation) if self.rotates(layer, model)? => {
                Some(self.rope(rotation, key_length, window.is_some())?)
            }
            _ => None,
        };
        let inverse = 1.0 / (key_length as f32).sqrt();
        let scale = match self.row.attention_scale {
            AttentionScale::Key => self.positive("attention.scale")?.unwrap_or(inverse),
            AttentionScale::EmbeddingPerHeadAt(layers) if layers == model.layers => {
                1.0 / ((model.embedding / heads) as f32).sqrt()
            }
            AttentionScale::Inverse | AttentionScale::EmbeddingPerHeadAt(_) => inverse,
            AttentionScale::Whole => 1.0 / key_length as f32,
            AttentionScale::Rotated => {
                rope.as_ref().map_or(inverse, |rope| 1.0 / (rope.dimensions.max(1) as f32).sqrt())
            }
            AttentionScale::OutputKeyOr(scale) => self.positive("attention.output_scale")?.unwrap_or(scale),
        };
        Ok(AttentionSpec {
            heads,
            kv_heads,
            key_length,
            value_length,
            scale,
            window,
            softcap: self.softcap(self.row.attention_softcap, "attn_logit_softcapping")?,
            alibi_max,
            clamp: if self.row.clamp { self.positive("attention.clamp_kqv")? } else { None },
            qk_norm_last: self.row.qk_norm_last,
            qk_norm_weightless: self.row.qk_norm_weightless && rope.is_some(),
            gate: self.has(layer, "attn_gate").then_some(self.row.gate),
            output_scale: if self.row.value_scale {
                self.positive("attention.value_scale")?.unwrap_or(1.0)
            } else {
                1.0
            },
            temperature: self.temperature(model, rope.is_some())?,
            rope,
        })
    }

    fn heads(&self, layer: usize) -> Result<usize, LoadError> {
        let heads = self.per_layer("attention.head_count", layer)?.unwrap_or(0);
        if heads == 0 || heads > COUNT_MAX {
            return Err(self.wrong("attention.head_count", format!("layer {layer} has {heads} heads")));
        }
        Ok(heads)
    }

    /// The lengths of a key and of a value.
    fn head_lengths(
        &self,
        heads: usize,
        model: &Model,
        window: Option<Window>,
    ) -> Result<(usize, usize), LoadError> {
        // Where layers differ in heads, the first one's are those that share the embedding's length.
        let first = self.per_layer("attention.head_count", 0)?.filter(|&first| first > 0).unwrap_or(heads);
        let length = |name: &str| -> Result<usize, LoadError> {
            let own = if window.is_some() { self.length(&format!("{name}_swa"))? } else { None };
            let length = match own {
                Some(length) => length,
                None => self.length(name)?.unwrap_or(model.embedding / first),
            };
            if length == 0 {
                return Err(self.wrong(name, "is zero".to_owned()));
            }
            Ok(length)
        };
        Ok((length("attention.key_length")?, length("attention.value_length")?))
    }

    fn rotates(&self, layer: usize, model: &Model) -> Result<bool, LoadError> {
        let windowed = model.windows[layer].is_some();
        Ok(match self.row.rope_layers {
            RopeLayers::All => true,
            RopeLayers::NotEvery(step) => !(layer + 1).is_multiple_of(step),
            RopeLayers::NotEveryIfWindows(step) => !(layer + 1).is_multiple_of(step) || !model.has_windows(),
            RopeLayers::Windowed => windowed,
            RopeLayers::WindowedIfAny => windowed || !model.has_windows(),
            RopeLayers::AfterFirstOf(period) => !layer.is_multiple_of(period) || !model.has_windows(),
            RopeLayers::WindowedOrDense => {
                windowed || self.integer("leading_dense_block_count")?.is_some_and(|dense| layer < dense)
            }
            RopeLayers::UnlessNotFinetuned => self.flag("rope.scaling.finetuned")?.unwrap_or(true),
            RopeLayers::Pattern => {
                self.per_layer("attention.rope_pattern", layer)?.is_none_or(|flag| flag != 0)
            }
            RopeLayers::InModelsOf(layers) => layers == model.layers,
        })
    }

    fn latent(&self, layer: usize) -> Result<LatentSpec, LoadError> {
        let heads = self.heads(layer)?;
        let length = |mla: &str, plain: &str| match self.length(mla)? {
            Some(length) => Ok(length),
            None => match self.length(plain)? {
                Some(length) => Ok(length),
                None => Err(self.wrong(plain, "is missing".to_owned())),
            },
        };
        let key_length = length("attention.key_length_mla", "attention.key_length")?;
        let value_length = length("attention.value_length_mla", "attention.value_length")?;
        let rope = self.rope(self.row.rotation.unwrap_or(Rotation::Adjacent), key_length, false)?;
        // `YaRN`'s magnitude belongs on q·k, of which only a part is rotated, so it enters here once more.
        let logarithm = self.yarn_logarithm()?.unwrap_or(0.0);
        let magnitude = rope.magnitude * (1.0 + 0.1 * logarithm * rope.factor.ln());
        Ok(LatentSpec {
            heads,
            query_rank: self.length("attention.q_lora_rank")?.filter(|_| self.has(layer, "attn_q_a")),
            kv_rank: match self.length("attention.kv_lora_rank")? {
                Some(rank) => rank,
                None => return Err(self.wrong("attention.kv_lora_rank", "is missing".to_owned())),
            },
            key_length,
            value_length,
            scale: magnitude * magnitude / (key_length as f32).sqrt(),
            rope,
            temperature: match self.row.temperature {
                TemperatureRule::Key => self.temperature_of_keys()?,
                TemperatureRule::Never | TemperatureRule::Unrotated { .. } => None,
            },
        })
    }

    fn temperature(&self, model: &Model, rotated: bool) -> Result<Option<Temperature>, LoadError> {
        match self.row.temperature {
            TemperatureRule::Never => Ok(None),
            TemperatureRule::Key => self.temperature_of_keys(),
            TemperatureRule::Unrotated { scale, floor, offset } => {
                Ok((!rotated && model.has_windows()).then_some(Temperature { scale, floor, offset }))
            }
        }
    }

    fn temperature_of_keys(&self) -> Result<Option<Temperature>, LoadError> {
        let Some(scale) = self.positive("attention.temperature_scale")? else { return Ok(None) };
        let floor = match self.integer("attention.temperature_length")? {
            Some(length) if length > 0 => length,
            _ => match self.integer("rope.scaling.original_context_length")? {
                Some(length) if length > 0 => length,
                _ => self.required("context_length")?,
            },
        };
        Ok(Some(Temperature { scale, floor, offset: 0 }))
    }

    pub(super) fn softcap(&self, rule: Softcap, key: &str) -> Result<Option<f32>, LoadError> {
        match rule {
            Softcap::Never => Ok(None),
            Softcap::Key => self.positive(key),
            Softcap::KeyOr(cap) => Ok(Some(self.positive(key)?.unwrap_or(cap))),
        }
    }

    /// The window of each layer.
    pub(super) fn windows(&self, layers: usize) -> Result<Vec<Option<Window>>, LoadError> {
        let none = || Ok(vec![None; layers]);
        let (period, full_first, default_size, fixed_size, only, chunked) = match self.row.windows {
            Windows::Never => return self.explicit_windows(layers),
            Windows::Every => {
                let size = self.integer("attention.sliding_window")?.filter(|&size| size > 0);
                let flags = self.list("attention.sliding_window_pattern")?.unwrap_or_default();
                if size.is_some()
                    && flags.iter().enumerate().any(|(layer, &flag)| flag == 0 && self.attends(layer))
                {
                    let problem = format!("excepts layers, but all of {} have windows", self.architecture);
                    return Err(self.wrong("attention.sliding_window_pattern", problem));
                }
                return Ok(vec![size.map(Window::Sliding); layers]);
            }
            Windows::Pattern {
                period, full_first, default_size, fixed_size, layers: only, chunked, ..
            } => (period, full_first, default_size, fixed_size, only, chunked),
        };
        if only.is_some_and(|only| only != layers) {
            return none();
        }
        let found = self.integer("attention.sliding_window")?;
        let size = found.filter(|&size| size > 0);
        if fixed_size
            && let (Some(size), Some(only)) = (size, default_size)
            && size != only
        {
            let problem = format!("{size} is not {only}, the only size that {} has", self.architecture);
            return Err(self.wrong("attention.sliding_window", problem));
        }
        // A size of zero says that there are no windows; only a missing one has a default.
        let size = if found.is_some() { size } else { default_size };
        let Some(size) = size else { return none() };
        let window = if chunked { Window::Chunked(size) } else { Window::Sliding(size) };
        let pattern = self.list("attention.sliding_window_pattern")?;
        if let Some(flags) = pattern.as_deref().filter(|flags| flags.len() != 1) {
            self.check_flags(flags, layers)?;
        }
        let is_windowed = |layer: usize| match pattern.as_deref() {
            Some([period]) => match usize::try_from(*period) {
                Ok(0) => true,
                Ok(period) => is_windowed(layer, period, full_first),
                Err(_) => false,
            },
            Some(flags) => flags.get(layer).is_some_and(|&flag| flag != 0),
            None => is_windowed(layer, period, full_first),
        };
        Ok((0..layers).map(|layer| is_windowed(layer).then_some(window)).collect())
    }
}

impl Reader<'_> {
    /// The windows of an architecture that knows none by itself: those of a model whose metadata gives both the size
    /// and a flag for every layer. (llama.cpp reads neither; this is how the readers of `config.json` say it.)
    fn explicit_windows(&self, layers: usize) -> Result<Vec<Option<Window>>, LoadError> {
        let key = self.key("attention.sliding_window_pattern");
        let is_explicit =
            |value: &Value| matches!(value, Value::Integers(flags) if flags.iter().any(|&flag| flag != 0));
        if !self.ledger.peek(&key).is_some_and(is_explicit) {
            return Ok(vec![None; layers]);
        }
        let flags = self.list("attention.sliding_window_pattern")?.unwrap_or_default();
        self.check_flags(&flags, layers)?;
        let size = self.required("attention.sliding_window")?;
        Ok(flags.iter().take(layers).map(|&flag| (flag != 0).then_some(Window::Sliding(size))).collect())
    }

    fn attends(&self, layer: usize) -> bool {
        self.has(layer, "attn_q") || self.has(layer, "attn_qkv")
    }

    fn check_flags(&self, flags: &[i64], layers: usize) -> Result<(), LoadError> {
        let name = "attention.sliding_window_pattern";
        self.check_length(name, flags.len())?;
        if flags.len() < layers {
            return Err(self.wrong(name, format!("has {} values for {layers} layers", flags.len())));
        }
        Ok(())
    }
}

/// Whether a layer is not the one of its period that sees everything.
fn is_windowed(layer: usize, period: usize, full_first: bool) -> bool {
    let full = if full_first { 0 } else { period - 1 };
    layer % period != full
}
