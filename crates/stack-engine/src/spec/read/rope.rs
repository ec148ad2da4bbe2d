//! How a layer's positions become angles.

use super::Reader;
use crate::spec::rope::Yarn;
use crate::spec::row::{Sections, WindowBase, Windows};
use crate::spec::{RopeSpec, Rotation};
use crate::weights::LoadError;

impl Reader<'_> {
    pub(super) fn rope(
        &self,
        rotation: Rotation,
        key_length: usize,
        windowed: bool,
    ) -> Result<RopeSpec, LoadError> {
        let own_dimensions = if windowed { self.length("rope.dimension_count_swa")? } else { None };
        let dimensions = match own_dimensions {
            Some(dimensions) => dimensions,
            None => self.length("rope.dimension_count")?.unwrap_or(key_length),
        };
        if dimensions > key_length || !dimensions.is_multiple_of(2) {
            let problem =
                format!("{dimensions} dimensions of a head of {key_length} cannot be rotated in pairs");
            return Err(self.wrong("rope.dimension_count", problem));
        }
        let shared = self.positive("rope.freq_base")?.unwrap_or(BASE);
        let (base, scaled) = match self.row.windows {
            Windows::Pattern { rope, .. } if windowed => (self.window_base(rope.base, shared)?, rope.scaled),
            _ => (shared, true),
        };
        let pairs = dimensions / 2;
        let sections = match self.row.sections {
            Sections::Blocks => self.list("rope.dimension_sections")?.unwrap_or_default(),
            Sections::Ignored => Vec::new(),
        };
        let multimodal = sections.iter().any(|&pairs| pairs > 0);
        let covered: i64 = sections.iter().take(3).map(|&pairs| pairs.clamp(0, dimensions as i64)).sum();
        let mut spec = RopeSpec {
            rotation: if multimodal { Rotation::Halves } else { rotation },
            dimensions,
            base: self.stretched(base, key_length)?,
            factor: 1.0,
            yarn: None,
            magnitude: 1.0,
            pairs_rotated: if multimodal { pairs.min(covered as usize) } else { pairs },
            divisors: true,
        };
        if scaled {
            self.scale(&mut spec)?;
        }
        Ok(spec)
    }

    fn window_base(&self, rule: WindowBase, shared: f32) -> Result<f32, LoadError> {
        Ok(match rule {
            WindowBase::Same => shared,
            WindowBase::KeyOrSame => self.positive("rope.freq_base_swa")?.unwrap_or(shared),
            WindowBase::KeyOr(base) => self.positive("rope.freq_base_swa")?.unwrap_or(base),
        })
    }

    /// The base after NTK-aware scaling (Hunyuan's `alpha`).
    fn stretched(&self, base: f32, key_length: usize) -> Result<f32, LoadError> {
        if !self.row.alpha {
            return Ok(base);
        }
        match self.positive("rope.scaling.alpha")? {
            Some(alpha) if key_length > 2 => {
                Ok(base * alpha.powf(key_length as f32 / (key_length as f32 - 2.0)))
            }
            _ => Ok(base),
        }
    }

    fn scale(&self, spec: &mut RopeSpec) -> Result<(), LoadError> {
        let kind = self.text("rope.scaling.type")?.unwrap_or("linear");
        // The second is what the first was called before.
        let factor = match (self.positive("rope.scaling.factor")?, self.positive("rope.scale_linear")?) {
            (Some(factor), Some(old)) if factor != old => {
                let problem = format!("{old} is not the factor {factor} of rope.scaling.factor");
                return Err(self.wrong("rope.scale_linear", problem));
            }
            (Some(factor), _) | (None, Some(factor)) => factor,
            (None, None) => 1.0,
        };
        let attenuation = self.positive("rope.scaling.attn_factor")?.unwrap_or(1.0);
        match kind {
            "none" => spec.magnitude = attenuation,
            "linear" | "longrope" => {
                spec.factor = factor;
                spec.magnitude = attenuation;
                self.check_attenuation(1.0)?;
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
                let stretched = match self.yarn_logarithm()? {
                    // DeepSeek-V2 writes the same multiplier for both, which then cancel.
                    Some(weight) if self.row.yarn_log_divisor == Some(0.1) && weight != 1.0 => 1.0,
                    Some(weight) => magnitude(1.0) / magnitude(weight),
                    None => magnitude(1.0),
                };
                self.check_yarn(stretched)?;
                spec.magnitude = attenuation * stretched;
            }
            other => return Err(self.wrong("rope.scaling.type", format!("{other:?} is not a known scaling"))),
        }
        Ok(())
    }

    /// Refuses settings of `YaRN` by which llama.cpp does not compute, unless they say what is computed anyway.
    fn check_yarn(&self, magnitude: f32) -> Result<(), LoadError> {
        if let Some(extrapolation) = self.number("rope.scaling.yarn_ext_factor")?
            && extrapolation >= 0.0
            && extrapolation != 1.0
        {
            let problem = format!("{extrapolation} is not 1, the only mixture that is known here");
            return Err(self.wrong("rope.scaling.yarn_ext_factor", problem));
        }
        self.check_attenuation(magnitude)
    }

    /// Refuses a magnitude other than the computed one: llama.cpp has the key, and does not use it.
    fn check_attenuation(&self, magnitude: f32) -> Result<(), LoadError> {
        if let Some(stated) = self.positive("rope.scaling.yarn_attn_factor")?
            && stated != 1.0
            && (stated / magnitude - 1.0).abs() > 1e-4
        {
            let problem = format!("{stated} is not the {magnitude} that follows from the factor");
            return Err(self.wrong("rope.scaling.yarn_attn_factor", problem));
        }
        Ok(())
    }

    pub(super) fn yarn_logarithm(&self) -> Result<Option<f32>, LoadError> {
        let Some(divisor) = self.row.yarn_log_divisor else { return Ok(None) };
        Ok(self.positive("rope.scaling.yarn_log_multiplier")?.map(|weight| weight / divisor))
    }
}

/// The base of a file that names none.
const BASE: f32 = 10_000.0;
