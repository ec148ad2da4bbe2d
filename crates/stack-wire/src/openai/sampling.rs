//! Sampling parameters: OpenAI's own, and those that local engines add.

use serde_json::Value;
use stack_chat::{Dry, Failure, LogitBias, Sampling, Xtc};

use crate::fields::{Fields, bounded, mismatch};

/// Takes every sampling parameter, each within the range that OpenAI or llama-server documents for it.
pub(crate) fn sampling(fields: &mut Fields) -> Result<Sampling, Failure> {
    Ok(Sampling {
        temperature: fields.number("temperature", 0.0..=2.0)?,
        // vLLM's clients write -1 for what is 0 elsewhere: no limit.
        top_k: fields.integer("top_k", -1..=i32::MAX)?.map(|k| u32::try_from(k).unwrap_or(0)),
        top_p: fields.number("top_p", 0.0..=1.0)?,
        min_p: fields.number("min_p", 0.0..=1.0)?,
        typical_p: fields.number("typical_p", 0.0..=1.0)?,
        xtc: xtc(fields)?,
        dry: dry(fields)?,
        repeat_penalty: repeat_penalty(fields)?,
        repeat_last_n: fields
            .integer("repeat_last_n", -1..=WINDOW_MAX)?
            .map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
        frequency_penalty: fields.number("frequency_penalty", -2.0..=2.0)?,
        presence_penalty: fields.number("presence_penalty", -2.0..=2.0)?,
        logit_bias: logit_bias(fields)?,
        seed: seed(fields)?,
    })
}

/// vLLM's name for the repeat penalty is accepted too; llama-server's own wins.
fn repeat_penalty(fields: &mut Fields) -> Result<Option<f32>, Failure> {
    let alias = fields.number("repetition_penalty", 0.01..=100.0)?;
    Ok(fields.number("repeat_penalty", 0.01..=100.0)?.or(alias))
}

fn xtc(fields: &mut Fields) -> Result<Option<Xtc>, Failure> {
    let probability = fields.number("xtc_probability", 0.0..=1.0)?.unwrap_or(0.0);
    let threshold = fields.number("xtc_threshold", 0.0..=1.0)?.unwrap_or(0.1);
    Ok((probability > 0.0).then_some(Xtc { probability, threshold }))
}

fn dry(fields: &mut Fields) -> Result<Option<Dry>, Failure> {
    let mut dry = Dry::default();
    if let Some(multiplier) = fields.number("dry_multiplier", 0.0..=100.0)? {
        dry.multiplier = multiplier;
    }
    if let Some(base) = fields.number("dry_base", 1.0..=100.0)? {
        dry.base = base;
    }
    if let Some(length) = fields.integer("dry_allowed_length", 0..=u32::from(u16::MAX))? {
        dry.allowed_length = length;
    }
    dry.last_n = fields.integer("dry_penalty_last_n", -1..=WINDOW_MAX)?.and_then(|n| u32::try_from(n).ok());
    if let Some(breakers) = fields.list("dry_sequence_breakers", 32)? {
        let breaker = |value| match value {
            Value::String(text) if (1..=64).contains(&text.len()) => Ok(text),
            other => {
                Err(mismatch("dry_sequence_breakers".into(), "an array of texts of 1 to 64 bytes", &other))
            }
        };
        dry.sequence_breakers = breakers.into_iter().map(breaker).collect::<Result<_, _>>()?;
    }
    Ok((dry.multiplier > 0.0).then_some(dry))
}

/// Any 64-bit integer fixes the draw, except −1, which asks for a random seed as llama-server's clients expect.
fn seed(fields: &mut Fields) -> Result<Option<u64>, Failure> {
    let Some(value) = fields.take("seed") else { return Ok(None) };
    match (value.as_i64(), value.as_u64()) {
        (Some(-1), _) => Ok(None),
        (Some(signed), _) => Ok(Some(signed as u64)),
        (None, Some(unsigned)) => Ok(Some(unsigned)),
        (None, None) => Err(mismatch("seed".into(), "an integer of 64 bits", &value)),
    }
}

/// Takes `{"id": bias}` or `[[id, bias], …]`; a bias of `false` bans the token.
fn logit_bias(fields: &mut Fields) -> Result<Vec<LogitBias>, Failure> {
    let path = || "logit_bias".to_owned();
    let Some(value) = fields.take("logit_bias") else { return Ok(Vec::new()) };
    match value {
        Value::Object(map) => {
            bounded("logit_bias", map.len(), BIASES_MAX)?;
            map.into_iter().map(|(id, value)| bias(id.parse().ok(), &value)).collect()
        }
        Value::Array(pairs) => {
            bounded("logit_bias", pairs.len(), BIASES_MAX)?;
            let pair = |pair: Value| match pair.as_array().map(Vec::as_slice) {
                Some([id, value]) => bias(id.as_u64().and_then(|id| u32::try_from(id).ok()), value),
                _ => Err(mismatch(path(), "an array of pairs `[token id, bias]`", &pair)),
            };
            pairs.into_iter().map(pair).collect()
        }
        other => Err(mismatch(path(), "an object of token ids and biases", &other)),
    }
}

fn bias(token: Option<u32>, value: &Value) -> Result<LogitBias, Failure> {
    let Some(token) = token else {
        let message = "`logit_bias` must name tokens by their ids; texts are not supported";
        return Err(Failure::invalid("logit_bias", message));
    };
    if value == &Value::Bool(false) {
        return Ok(LogitBias { token, bias: f32::NEG_INFINITY });
    }
    match value.as_f64().filter(|bias| (-100.0..=100.0).contains(bias)) {
        Some(bias) => Ok(LogitBias { token, bias: bias as f32 }),
        None => Err(mismatch("logit_bias".into(), "a map to numbers from -100 to 100, or false", value)),
    }
}

/// The longest window of recent tokens that a request may name; −1 stands for the whole context.
const WINDOW_MAX: i32 = 1 << 20;
const BIASES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Sampling, Failure> {
        sampling(&mut Fields::parse(json.as_bytes())?)
    }

    #[test]
    fn an_empty_request_leaves_everything_to_the_model() {
        assert_eq!(parse("{}").unwrap(), Sampling::default());
    }

    #[test]
    fn every_parameter_arrives() {
        let got = parse(
            r#"{"temperature": 0.5, "top_k": 3, "top_p": 0.9, "min_p": 0.1, "typical_p": 0.8, "repeat_penalty": 1.1,
                "repeat_last_n": -1, "frequency_penalty": -2, "presence_penalty": 2, "seed": 7,
                "logit_bias": {"5": -100, "6": 1.5}, "xtc_probability": 0.5, "xtc_threshold": 0.2,
                "dry_multiplier": 0.8, "dry_base": 2, "dry_allowed_length": 3, "dry_penalty_last_n": 9,
                "dry_sequence_breakers": ["\n"]}"#,
        );
        let want = Sampling {
            temperature: Some(0.5),
            top_k: Some(3),
            top_p: Some(0.9),
            min_p: Some(0.1),
            typical_p: Some(0.8),
            xtc: Some(Xtc { probability: 0.5, threshold: 0.2 }),
            dry: Some(Dry {
                multiplier: 0.8,
                base: 2.0,
                allowed_length: 3,
                last_n: Some(9),
                sequence_breakers: vec!["\n".into()],
            }),
            repeat_penalty: Some(1.1),
            repeat_last_n: Some(u32::MAX),
            frequency_penalty: Some(-2.0),
            presence_penalty: Some(2.0),
            logit_bias: vec![LogitBias { token: 5, bias: -100.0 }, LogitBias { token: 6, bias: 1.5 }],
            seed: Some(7),
        };
        assert_eq!(got.unwrap(), want);
    }

    #[test]
    fn no_limit_to_the_candidates_is_written_in_two_ways() {
        assert_eq!(parse(r#"{"top_k": -1}"#).unwrap().top_k, Some(0));
        assert_eq!(parse(r#"{"top_k": 0}"#).unwrap().top_k, Some(0));
    }

    #[test]
    fn a_bias_of_false_bans_the_token() {
        let banned = vec![LogitBias { token: 9, bias: f32::NEG_INFINITY }];
        assert_eq!(parse(r#"{"logit_bias": [[9, false]]}"#).unwrap().logit_bias, banned);
        assert_eq!(parse(r#"{"logit_bias": {"9": false}}"#).unwrap().logit_bias, banned);
    }

    #[test]
    fn seeds_are_integers_of_either_sign() {
        assert_eq!(parse(r#"{"seed": -1}"#).unwrap().seed, None);
        assert_eq!(parse(r#"{"seed": -2}"#).unwrap().seed, Some(u64::MAX - 1));
        assert_eq!(parse(r#"{"seed": 18446744073709551615}"#).unwrap().seed, Some(u64::MAX));
        assert!(parse(r#"{"seed": 1.5}"#).is_err());
        assert!(parse(r#"{"seed": 1e40}"#).is_err());
    }

    #[test]
    fn values_outside_their_range_name_the_field() {
        for (field, values) in [
            ("temperature", ["-0.1", "2.1", "1e30", "\"hot\""]),
            ("top_p", ["-1", "1.01", "1e308", "[]"]),
            ("top_k", ["-2", "1.5", "4294967296", "{}"]),
            ("min_p", ["-1", "2", "true", "\"\""]),
            ("typical_p", ["-1", "2", "true", "\"\""]),
            ("repeat_penalty", ["0", "-1", "1e30", "\"1\""]),
            ("repeat_last_n", ["-2", "0.5", "9e18", "\"1\""]),
            ("frequency_penalty", ["-2.1", "2.1", "1e30", "\"1\""]),
            ("presence_penalty", ["-2.1", "2.1", "1e30", "\"1\""]),
            ("logit_bias", ["{\"x\": 1}", "{\"1\": 101}", "{\"-1\": 0}", "[[1]]"]),
            ("dry_sequence_breakers", ["[1]", "[\"\"]", "\"x\"", "{}"]),
        ] {
            for value in values {
                let error = parse(&format!("{{\"{field}\": {value}}}")).unwrap_err();
                assert_eq!(error.field.as_deref(), Some(field), "{value}");
            }
        }
    }
}
