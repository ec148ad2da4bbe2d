//! The parameters of a request, checked and completed.

use stack_chat::{Dry, Failure, Sampling, Xtc};

use crate::weights::{Metadata, MetadataError};

/// What a model's file recommends (`general.sampling.*`); a request wins over it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplingDefaults {
    temperature: Option<f32>,
    top_k: Option<u32>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    repeat_penalty: Option<f32>,
    repeat_last_n: Option<u32>,
}

impl SamplingDefaults {
    /// Reads a model's recommendations.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self, MetadataError> {
        let float = |name: &str| metadata.float(&format!("general.sampling.{name}"));
        let integer = |name: &str| {
            let found = metadata.integer(&format!("general.sampling.{name}"))?;
            Ok(found.and_then(|n| u32::try_from(n).ok()))
        };
        Ok(Self {
            temperature: float("temp")?,
            top_k: integer("top_k")?,
            top_p: float("top_p")?,
            min_p: float("min_p")?,
            repeat_penalty: float("penalty_repeat")?,
            repeat_last_n: integer("penalty_last_n")?,
        })
    }

    /// Says what a request that leaves everything open gets; nothing if that would be an error.
    pub fn completed(&self) -> Sampling {
        let Ok(parameters) = SamplingParameters::new(&Sampling::default(), self) else {
            return Sampling::default();
        };
        let whole = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Sampling {
            temperature: Some(parameters.temperature),
            top_k: Some(whole(parameters.top_k)),
            top_p: Some(parameters.top_p),
            min_p: Some(parameters.min_p),
            typical_p: Some(parameters.typical_p),
            xtc: parameters.xtc,
            dry: parameters.dry,
            repeat_penalty: Some(parameters.repeat_penalty),
            repeat_last_n: Some(whole(parameters.repeat_last_n)),
            frequency_penalty: Some(parameters.frequency_penalty),
            presence_penalty: Some(parameters.presence_penalty),
            logit_bias: Vec::new(),
            seed: None,
        }
    }
}

/// Every parameter with its final value.
#[derive(Clone, Debug)]
pub(super) struct SamplingParameters {
    pub(super) temperature: f32,
    /// 0 = all.
    pub(super) top_k: usize,
    pub(super) top_p: f32,
    pub(super) min_p: f32,
    pub(super) typical_p: f32,
    pub(super) xtc: Option<Xtc>,
    pub(super) dry: Option<Dry>,
    pub(super) repeat_penalty: f32,
    pub(super) repeat_last_n: usize,
    pub(super) frequency_penalty: f32,
    pub(super) presence_penalty: f32,
    pub(super) logit_bias: Vec<(u32, f32)>,
}

impl SamplingParameters {
    pub(super) fn new(sampling: &Sampling, defaults: &SamplingDefaults) -> Result<Self, Failure> {
        let within = |field: &str, value: f32, low: f32, high: f32| {
            if (low..=high).contains(&value) {
                return Ok(value);
            }
            Err(Failure::invalid(field, format!("{field} is {value}, but must be from {low} to {high}")))
        };
        let pick = |field, asked: Option<f32>, recommended: Option<f32>, otherwise, low, high| {
            within(field, asked.or(recommended).unwrap_or(otherwise), low, high)
        };
        let xtc = match sampling.xtc {
            None => None,
            Some(xtc) => {
                within("xtc_probability", xtc.probability, 0.0, 1.0)?;
                within("xtc_threshold", xtc.threshold, 0.0, 1.0)?;
                // Above one half at most one token can qualify, and the last that qualifies always stays.
                (xtc.probability > 0.0 && xtc.threshold <= 0.5).then_some(xtc)
            }
        };
        let dry = match &sampling.dry {
            None => None,
            Some(dry) => {
                within("dry_multiplier", dry.multiplier, 0.0, 1000.0)?;
                within("dry_base", dry.base, 1.0, 1000.0)?;
                (dry.multiplier > 0.0).then(|| dry.clone())
            }
        };
        let repeat_penalty = pick(
            "repeat_penalty",
            sampling.repeat_penalty,
            defaults.repeat_penalty,
            1.0,
            f32::MIN_POSITIVE,
            1000.0,
        )?;
        if let Some(bias) = sampling.logit_bias.iter().find(|bias| bias.bias.is_nan()) {
            let problem = format!("the bias of token {} is not a number", bias.token);
            return Err(Failure::invalid("logit_bias", problem));
        }
        Ok(Self {
            temperature: pick("temperature", sampling.temperature, defaults.temperature, 0.8, 0.0, 1000.0)?,
            top_k: sampling.top_k.or(defaults.top_k).unwrap_or(40) as usize,
            top_p: pick("top_p", sampling.top_p, defaults.top_p, 0.95, 0.0, 1.0)?,
            min_p: pick("min_p", sampling.min_p, defaults.min_p, 0.05, 0.0, 1.0)?,
            typical_p: pick("typical_p", sampling.typical_p, None, 1.0, 0.0, 1.0)?,
            xtc,
            dry,
            repeat_penalty,
            repeat_last_n: sampling.repeat_last_n.or(defaults.repeat_last_n).unwrap_or(64) as usize,
            frequency_penalty: within(
                "frequency_penalty",
                sampling.frequency_penalty.unwrap_or(0.0),
                -2.0,
                2.0,
            )?,
            presence_penalty: within(
                "presence_penalty",
                sampling.presence_penalty.unwrap_or(0.0),
                -2.0,
                2.0,
            )?,
            logit_bias: sampling.logit_bias.iter().map(|bias| (bias.token, bias.bias)).collect(),
        })
    }
}
