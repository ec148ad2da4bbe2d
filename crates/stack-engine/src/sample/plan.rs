//! The parameters of one request, resolved and checked.

use stack_chat::{ChatError, Dry, LogitBias, Sampling, Xtc};

use super::penalties::Penalties;
use crate::weights::{Metadata, MetadataError};

/// What a model's file says about sampling it (`general.sampling.*`); a request goes before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplingDefaults {
    /// See [`Sampling::temperature`].
    pub temperature: Option<f32>,
    /// See [`Sampling::top_k`].
    pub top_k: Option<u32>,
    /// See [`Sampling::top_p`].
    pub top_p: Option<f32>,
    /// See [`Sampling::min_p`].
    pub min_p: Option<f32>,
    /// See [`Sampling::xtc`].
    pub xtc: Option<Xtc>,
    /// See [`Sampling::repeat_penalty`].
    pub repeat_penalty: Option<f32>,
    /// See [`Sampling::repeat_last_n`].
    pub repeat_last_n: Option<u32>,
}

impl SamplingDefaults {
    /// Reads them from a model's metadata.
    ///
    /// # Errors
    ///
    /// When a key holds something else than a number.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self, MetadataError> {
        let integer = |key: &str| -> Result<Option<u32>, MetadataError> {
            Ok(metadata.integer(key)?.and_then(|value| u32::try_from(value).ok()))
        };
        let xtc = match metadata.float("general.sampling.xtc_probability")? {
            None => None,
            Some(probability) => {
                let threshold = metadata.float("general.sampling.xtc_threshold")?.unwrap_or(0.1);
                Some(Xtc { probability, threshold })
            }
        };
        Ok(Self {
            temperature: metadata.float("general.sampling.temp")?,
            top_k: integer("general.sampling.top_k")?,
            top_p: metadata.float("general.sampling.top_p")?,
            min_p: metadata.float("general.sampling.min_p")?,
            xtc,
            repeat_penalty: metadata.float("general.sampling.penalty_repeat")?,
            repeat_last_n: integer("general.sampling.penalty_last_n")?,
        })
    }
}

/// Parameters that can be used as they are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// Zero means greedy.
    pub(super) temperature: f32,
    pub(super) top_k: usize,
    pub(super) top_p: f32,
    pub(super) min_p: f32,
    pub(super) typical_p: f32,
    pub(super) xtc: Option<Xtc>,
    pub(super) dry: Option<Dry>,
    pub(super) penalties: Penalties,
    pub(super) logit_bias: Vec<LogitBias>,
}

impl Plan {
    /// Puts request, model and program together, and checks every value.
    pub(super) fn new(
        sampling: &Sampling,
        defaults: &SamplingDefaults,
        vocabulary: usize,
    ) -> Result<Self, ChatError> {
        let temperature = sampling.temperature.or(defaults.temperature).unwrap_or(0.8);
        let xtc = sampling.xtc.or(defaults.xtc);
        if let Some(xtc) = &xtc {
            check("xtc_probability", xtc.probability, 0.0, 1.0)?;
            check("xtc_threshold", xtc.threshold, 0.0, 1.0)?;
        }
        if let Some(dry) = &sampling.dry {
            check("dry_multiplier", dry.multiplier, 0.0, f32::MAX)?;
            check("dry_base", dry.base, 0.0, f32::MAX)?;
        }
        let repeat = sampling.repeat_penalty.or(defaults.repeat_penalty).unwrap_or(1.0);
        if repeat <= 0.0 {
            return Err(ChatError::invalid("repeat_penalty", "repeat_penalty must be above 0"));
        }
        let penalties = Penalties {
            repeat: check("repeat_penalty", repeat, 0.0, f32::MAX)?,
            frequency: check("frequency_penalty", sampling.frequency_penalty.unwrap_or(0.0), -2.0, 2.0)?,
            presence: check("presence_penalty", sampling.presence_penalty.unwrap_or(0.0), -2.0, 2.0)?,
            last_n: sampling.repeat_last_n.or(defaults.repeat_last_n).unwrap_or(64) as usize,
        };
        Ok(Self {
            temperature: check("temperature", temperature, f32::MIN, f32::MAX)?.max(0.0),
            top_k: sampling.top_k.or(defaults.top_k).unwrap_or(40) as usize,
            top_p: check("top_p", sampling.top_p.or(defaults.top_p).unwrap_or(0.95), 0.0, 1.0)?,
            min_p: check("min_p", sampling.min_p.or(defaults.min_p).unwrap_or(0.05), 0.0, 1.0)?,
            typical_p: check("typical_p", sampling.typical_p.unwrap_or(1.0), 0.0, 1.0)?,
            xtc,
            dry: sampling.dry.clone(),
            penalties,
            logit_bias: checked_bias(&sampling.logit_bias, vocabulary)?,
        })
    }
}

/// Returns the value if it lies in the range; NaN lies in none.
fn check(field: &str, value: f32, low: f32, high: f32) -> Result<f32, ChatError> {
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    let range = match (low, high) {
        (f32::MIN, _) => "a finite number".to_owned(),
        (low, f32::MAX) => format!("a finite number, {low} or more"),
        (low, high) => format!("between {low} and {high}"),
    };
    Err(ChatError::invalid(field, format!("{field} must be {range}, not {value}")))
}

fn checked_bias(bias: &[LogitBias], vocabulary: usize) -> Result<Vec<LogitBias>, ChatError> {
    for entry in bias {
        if entry.token as usize >= vocabulary {
            let message =
                format!("logit_bias names token {}, but the vocabulary has {vocabulary} tokens", entry.token);
            return Err(ChatError::invalid("logit_bias", message));
        }
        if entry.bias.is_nan() || entry.bias == f32::INFINITY {
            let message = format!("logit_bias of token {} must be a finite number", entry.token);
            return Err(ChatError::invalid("logit_bias", message));
        }
    }
    Ok(bias.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Value;

    fn plan(change: impl FnOnce(&mut Sampling)) -> Result<Plan, ChatError> {
        let mut sampling = Sampling::default();
        change(&mut sampling);
        Plan::new(&sampling, &SamplingDefaults::default(), 100)
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let plan = plan(|_| {}).unwrap();
        assert_eq!(
            (plan.temperature, plan.top_k, plan.top_p, plan.min_p, plan.typical_p),
            (0.8, 40, 0.95, 0.05, 1.0)
        );
        assert_eq!(plan.penalties, Penalties { repeat: 1.0, frequency: 0.0, presence: 0.0, last_n: 64 });
        assert!(plan.xtc.is_none() && plan.dry.is_none());
    }

    #[test]
    fn the_request_goes_before_the_model() {
        let mut metadata = Metadata::default();
        metadata.insert("general.sampling.temp", Value::Float(0.6));
        metadata.insert("general.sampling.top_k", Value::Signed(20));
        let defaults = SamplingDefaults::from_metadata(&metadata).unwrap();
        let sampling = Sampling { temperature: Some(0.1), ..Sampling::default() };
        let plan = Plan::new(&sampling, &defaults, 100).unwrap();
        assert_eq!((plan.temperature, plan.top_k), (0.1, 20));
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        type Change = fn(&mut Sampling);
        let bad: [(&str, Change); 14] = [
            ("temperature", |s| s.temperature = Some(f32::NAN)),
            ("temperature", |s| s.temperature = Some(f32::INFINITY)),
            ("top_p", |s| s.top_p = Some(1.1)),
            ("top_p", |s| s.top_p = Some(f32::NAN)),
            ("min_p", |s| s.min_p = Some(-0.1)),
            ("typical_p", |s| s.typical_p = Some(2.0)),
            ("xtc_probability", |s| s.xtc = Some(Xtc { probability: 1.5, threshold: 0.1 })),
            ("xtc_threshold", |s| s.xtc = Some(Xtc { probability: 0.5, threshold: -1.0 })),
            ("dry_multiplier", |s| s.dry = Some(Dry { multiplier: -1.0, ..Dry::default() })),
            ("repeat_penalty", |s| s.repeat_penalty = Some(0.0)),
            ("frequency_penalty", |s| s.frequency_penalty = Some(2.1)),
            ("presence_penalty", |s| s.presence_penalty = Some(-2.1)),
            ("logit_bias", |s| s.logit_bias = vec![LogitBias { token: 100, bias: 1.0 }]),
            ("logit_bias", |s| s.logit_bias = vec![LogitBias { token: 1, bias: f32::NAN }]),
        ];
        for (field, change) in bad {
            let error = plan(change).unwrap_err();
            assert_eq!(error.field.as_deref(), Some(field), "{error}");
        }
    }

    #[test]
    fn a_negative_temperature_is_greedy_and_a_ban_is_a_bias() {
        let plan = plan(|s| {
            s.temperature = Some(-1.0);
            s.logit_bias = vec![LogitBias { token: 3, bias: f32::NEG_INFINITY }];
        });
        assert_eq!(plan.unwrap().temperature, 0.0);
    }
}
