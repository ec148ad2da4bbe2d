//! Rotary positions: the settings, and the tensors that GGUF keeps for them.

use serde_json::{Map, Value as Json};

use super::super::LoadError;
use super::config::Config;

/// What `rope_scaling` or `rope_parameters` say, with what may stand at the top instead.
pub(super) struct Rope<'a> {
    top: &'a Config<'a>,
    /// The parameters for all layers, or for those without a window.
    global: Option<&'a Map<String, Json>>,
    /// The parameters for layers with a window.
    local: Option<&'a Map<String, Json>>,
    /// Where the parameters for all layers lie.
    path: &'static str,
}

impl<'a> Rope<'a> {
    pub(super) fn new(top: &'a Config<'a>) -> Result<Self, LoadError> {
        let names = ["rope_parameters", "rope_scaling"];
        let all = top.object(&names)?;
        let path = match top.value(&names) {
            Some(("rope_scaling", _)) => "rope_scaling.",
            _ => "rope_parameters.",
        };
        let layers = |name| all.and_then(|all| all.get(name)).and_then(Json::as_object);
        let (global, local) = (layers("full_attention"), layers("sliding_attention"));
        if global.is_none() && local.is_none() {
            return Ok(Self { top, global: all, local: None, path });
        }
        let kinds = top.part(path, all);
        kinds.object(&["full_attention"])?;
        kinds.object(&["sliding_attention"])?;
        kinds.refuse_unasked()?;
        Ok(Self { top, global, local, path: "rope_parameters.full_attention." })
    }

    /// The base of the frequencies.
    pub(super) fn base(&self) -> Result<Option<f64>, LoadError> {
        let top =
            ["global_rope_theta", "rope_global_theta", "rope_theta_global", "rope_theta", "rotary_emb_base"];
        either(self.scaling().float(&["rope_theta"])?, || self.top.float(&top))
    }

    /// The base of the frequencies in layers with a window.
    pub(super) fn local_base(&self) -> Result<Option<f64>, LoadError> {
        let top = [
            "local_rope_theta",
            "rope_local_theta",
            "rope_theta_local",
            "swa_rope_theta",
            "rope_local_base_freq",
        ];
        match self.local {
            Some(_) => self.local().float(&["rope_theta"]),
            None => self.top.float(&top),
        }
    }

    /// The part of a head that is rotated.
    pub(super) fn partial(&self) -> Result<Option<f64>, LoadError> {
        let found = self.scaling().float(&["partial_rotary_factor"])?;
        let top = ["partial_rotary_factor", "rotary_pct", "rope_pct", "rope_percent"];
        let found = either(found, || self.top.float(&top))?;
        match found {
            Some(part) if !(part > 0.0 && part <= 1.0) => Err(LoadError::new(
                "config.json, partial_rotary_factor",
                format!("is {part}, not between 0 and 1"),
            )),
            found => Ok(found),
        }
    }

    /// The context that the model was trained with before it was stretched.
    pub(super) fn original_context(&self) -> Result<Option<usize>, LoadError> {
        let names = ["original_max_position_embeddings"];
        either(self.scaling().integer(&names)?, || self.top.integer(&names))
    }

    /// How the frequencies are scaled.
    pub(super) fn kind(&self) -> Result<Option<&'a str>, LoadError> {
        self.scaling().text(&["rope_type", "type"])
    }

    /// The settings of the scaling itself.
    pub(super) fn scaling(&self) -> Config<'a> {
        self.top.part(self.path, self.global)
    }

    /// The settings for layers with a window.
    fn local(&self) -> Config<'a> {
        self.top.part("rope_parameters.sliding_attention.", self.local)
    }

    /// Refuses settings of the rotation that nothing asked for, and layers with a window that scale: their frequencies
    /// are never stretched here.
    pub(super) fn refuse_unasked(&self) -> Result<(), LoadError> {
        let kind = self.local().text(&["rope_type", "type"])?;
        if let Some(kind) = kind.filter(|kind| *kind != "default" && self.local != self.global) {
            let problem = format!("{kind:?} is not known for layers with a window");
            return Err(LoadError::new("config.json, rope_parameters.sliding_attention.rope_type", problem));
        }
        self.local().refuse_unasked()?;
        self.scaling().refuse_unasked()
    }

    /// What `YaRN`'s own magnitude is to be multiplied by, where the settings give another. Transformers takes the first
    /// of `attention_factor`, the quotient of both multipliers, and the formula of the paper.
    pub(super) fn yarn_attenuation(&self) -> Result<Option<f64>, LoadError> {
        let settings = self.scaling();
        if settings.boolean(&["truncate"])? == Some(false) {
            let problem = "is false; frequencies are only mixed between whole pairs here";
            return Err(LoadError::new("config.json, rope_scaling.truncate", problem));
        }
        let factor = settings.float(&["factor"])?.unwrap_or(1.0);
        let magnitude = |weight: f64| if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 };
        let stated = settings.float(&["attention_factor", "attn_factor"])?;
        let multipliers = (settings.float(&["mscale"])?, settings.float(&["mscale_all_dim"])?);
        let wanted = match (stated, multipliers) {
            (Some(stated), _) => stated,
            (None, (Some(scale), Some(all))) if scale != 0.0 && all != 0.0 => {
                magnitude(scale) / magnitude(all)
            }
            _ => return Ok(None),
        };
        if !(wanted.is_finite() && wanted > 0.0) {
            let problem = format!("{wanted} cannot multiply a rotation");
            return Err(LoadError::new("config.json, rope_scaling.attention_factor", problem));
        }
        Ok(Some(wanted / magnitude(1.0)))
    }

    /// What rotated vectors are multiplied by where long contexts have factors of their own.
    pub(super) fn long_attenuation(&self, context: Option<usize>) -> Result<Option<f64>, LoadError> {
        let settings = self.scaling();
        if let Some(stated) = settings.float(&["attention_factor"])? {
            return Ok(Some(stated));
        }
        let (Some(context), Some(original @ 2..)) = (context, self.original_context()?) else {
            return Ok(None);
        };
        let original = original as f64;
        let stretch = settings.float(&["factor"])?.unwrap_or(context as f64 / original);
        Ok(Some(if stretch > 1.0 { (1.0 + stretch.ln() / original.ln()).sqrt() } else { 1.0 }))
    }

    /// Returns the divisors of the frequencies that Llama 3.1 introduced, for `rope_freqs.weight`.
    pub(super) fn llama3_factors(&self, dimensions: usize) -> Result<Option<Vec<f32>>, LoadError> {
        if !self.kind()?.is_some_and(|kind| kind.eq_ignore_ascii_case("llama3")) {
            return Ok(None);
        }
        let settings = self.scaling();
        let setting =
            |name: &str, default: f64| settings.float(&[name]).map(|found| found.unwrap_or(default));
        let factor = setting("factor", 8.0)?;
        let (low, high) = (setting("low_freq_factor", 1.0)?, setting("high_freq_factor", 4.0)?);
        let context = self.original_context()?.unwrap_or(8192) as f64;
        let base = self.base()?.unwrap_or(10_000.0);
        let divisor = |i: usize| {
            let wavelength = std::f64::consts::TAU * base.powf((2 * i) as f64 / dimensions as f64);
            if wavelength < context / high {
                1.0
            } else if wavelength > context / low {
                factor
            } else {
                let smooth = (context / wavelength - low) / (high - low);
                1.0 / ((1.0 - smooth) / factor + smooth)
            }
        };
        Ok(Some((0..dimensions.div_ceil(2)).map(|i| divisor(i) as f32).collect()))
    }
}

fn either<T>(
    found: Option<T>,
    other: impl FnOnce() -> Result<Option<T>, LoadError>,
) -> Result<Option<T>, LoadError> {
    if found.is_some() { Ok(found) } else { other() }
}
