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
}

impl<'a> Rope<'a> {
    pub(super) fn new(top: &'a Config<'a>) -> Result<Self, LoadError> {
        let all = top.object(&["rope_parameters", "rope_scaling"])?;
        let layers = |name| all.and_then(|all| all.get(name)).and_then(Json::as_object);
        Ok(Self { top, global: layers("full_attention").or(all), local: layers("sliding_attention") })
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
            Some(local) => Config::of(Some(local)).float(&["rope_theta"]),
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
        Config::of(self.global)
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
