//! Metadata under GGUF's keys from `config.json` and what sentence-transformers keeps beside it.

use serde_json::{Map, Value as Json};

use super::kind::{Kind, Setting};
use crate::encoder::sentence::Sentence;
use crate::pooling::Pooling;
use crate::weights::{LoadError, Metadata, SafeTensorsDir, Value, irrelevant_setting};

/// Reads the metadata of a directory of this kind. `offset` rows of the table of positions belong to none.
pub(super) fn metadata(
    dir: &SafeTensorsDir,
    kind: &Kind,
    sentence: &Sentence,
    offset: usize,
) -> Result<Metadata, LoadError> {
    let config = dir.config().as_object().cloned().unwrap_or_default();
    let mut reader = Reader { dir, kind, config, metadata: Metadata::default() };
    reader.read_settings()?;
    let mut metadata = reader.finish(sentence, offset)?;
    metadata.insert("general.architecture", Value::String(kind.architecture.into()));
    Ok(metadata)
}

/// How many rows of the table of positions belong to none.
pub(super) fn position_offset(dir: &SafeTensorsDir, kind: &Kind) -> Result<usize, LoadError> {
    if !kind.padded_positions {
        return Ok(0);
    }
    match &dir.config()["pad_token_id"] {
        Json::Null => Ok(2),
        found => match found.as_u64().and_then(|id| u16::try_from(id).ok()) {
            Some(id) => Ok(usize::from(id) + 1),
            None => {
                Err(wrong(dir, format!("says pad_token_id {found}, behind which no positions can begin")))
            }
        },
    }
}

struct Reader<'a> {
    dir: &'a SafeTensorsDir,
    kind: &'a Kind,
    /// Settings that nobody has taken yet.
    config: Map<String, Json>,
    metadata: Metadata,
}

impl Reader<'_> {
    fn read_settings(&mut self) -> Result<(), LoadError> {
        self.flatten_ropes()?;
        if self.config.remove("is_decoder") == Some(Json::Bool(true)) {
            return Err(wrong(self.dir, "says is_decoder; only encoders are known"));
        }
        if self.config.remove("quantization_config").is_some_and(|value| !value.is_null()) {
            return Err(wrong(self.dir, "says that the weights are quantized; F32, F16 and BF16 are read"));
        }
        self.check_scale()?;
        for (name, setting) in self.kind.settings {
            let found = self.config.remove(*name).filter(|value| !value.is_null());
            let value = match (found, setting) {
                (None, Setting::Count(_)) => return Err(self.unfit(name, "is missing")),
                (None, _) => continue,
                (Some(found), setting) => self.value(name, &found, *setting)?,
            };
            if let Some((key, value)) = value {
                self.metadata.insert(self.key(key), value);
            }
        }
        Ok(())
    }

    /// What a setting becomes, if it becomes anything.
    fn value(
        &self,
        name: &str,
        found: &Json,
        setting: Setting,
    ) -> Result<Option<(&'static str, Value)>, LoadError> {
        let unfit = |expected: &str| self.unfit(name, &format!("is {found}; expected {expected}"));
        // Numbers of 32 bits, so that no sum or product of two can overflow.
        let count = |value: &Json| value.as_u64().filter(|&number| u32::try_from(number).is_ok());
        Ok(Some(match setting {
            Setting::Count(key) | Setting::OptionalCount(key) => {
                (key, Value::Unsigned(count(found).ok_or_else(|| unfit("a whole number"))?))
            }
            Setting::Number(key) => (key, Value::Float(found.as_f64().ok_or_else(|| unfit("a number"))?)),
            Setting::Text(key) => (key, Value::String(found.as_str().ok_or_else(|| unfit("a name"))?.into())),
            Setting::Pooling(key) => match found.as_str() {
                Some("mean") => (key, Value::Unsigned(1)),
                Some("cls") => (key, Value::Unsigned(2)),
                _ => return Err(unfit("\"mean\" or \"cls\"")),
            },
            Setting::Counts(key) => {
                let list = found.as_array().into_iter().flatten().map(|value| count(value).map(|n| n as i64));
                let list: Option<Vec<i64>> = list.collect();
                (key, Value::Integers(list.ok_or_else(|| unfit("a list of whole numbers"))?))
            }
            Setting::LayerTypes(key) => {
                let types = found.as_array().into_iter().flatten().map(|value| match value.as_str() {
                    Some("sliding_attention") => Some(1),
                    Some("full_attention") => Some(0),
                    _ => None,
                });
                let list: Option<Vec<i64>> = types.collect();
                let expected = "a list of \"sliding_attention\" and \"full_attention\"";
                (key, Value::Integers(list.ok_or_else(|| unfit(expected))?))
            }
            Setting::Is(known) => {
                let said = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
                if !known.contains(&said.as_str()) {
                    return Err(wrong(
                        self.dir,
                        format!("says {name} {found}; known is {}", known.join(", ")),
                    ));
                }
                return Ok(None);
            }
        }))
    }

    /// Takes the bases of rotations out of the object that holds them in newer files.
    fn flatten_ropes(&mut self) -> Result<(), LoadError> {
        let Some(Json::Object(parameters)) = self.config.remove("rope_parameters") else { return Ok(()) };
        let bases: &[(&str, &str)] = match self.kind.architecture {
            "modern-bert" => {
                &[("full_attention", "global_rope_theta"), ("sliding_attention", "local_rope_theta")]
            }
            "gemma-embedding" => {
                &[("full_attention", "rope_theta"), ("sliding_attention", "rope_local_base_freq")]
            }
            _ => return Err(wrong(self.dir, "says rope_parameters, which are not known for this model")),
        };
        for (layers, flat) in bases {
            let Some(rope) = parameters.get(*layers) else { continue };
            match rope["rope_type"].as_str() {
                None | Some("default") => {}
                Some(other) => {
                    return Err(wrong(self.dir, format!("says rope_type {other:?}; known is \"default\"")));
                }
            }
            if let Some(base) = rope.get("rope_theta") {
                self.config.insert((*flat).to_owned(), base.clone());
            }
        }
        Ok(())
    }

    /// Refuses a scale of scores that is not the length of a head.
    fn check_scale(&self) -> Result<(), LoadError> {
        let Some(scale) = self.config.get("query_pre_attn_scalar") else { return Ok(()) };
        if scale.as_f64() == self.config.get("head_dim").and_then(Json::as_f64) {
            return Ok(());
        }
        Err(wrong(self.dir, format!("says query_pre_attn_scalar {scale}; known is the length of a head")))
    }

    /// Refuses what was not taken, and adds what the files beside it say.
    fn finish(mut self, sentence: &Sentence, offset: usize) -> Result<Metadata, LoadError> {
        for (name, value) in &self.config {
            let is_known = self.kind.irrelevant.contains(&name.as_str()) || name.starts_with("pooler_");
            if !is_known && irrelevant_setting(name, value).is_none() {
                let subject = format!("config.json, {}", name.escape_debug());
                let problem = "this program does not know what it does to the model, and will not guess";
                return Err(LoadError::new(subject, problem));
            }
        }
        let mut metadata = Metadata::default();
        let context = self.key("context_length");
        let tokens = self.metadata.integer(&context)?.unwrap_or(0).saturating_sub(offset);
        let tokens = sentence.tokens_max.map_or(tokens, |most| most.min(tokens));
        metadata.insert(context, Value::Unsigned(tokens as u64));
        if let Some(pooling) = sentence.pooling {
            let code = match pooling {
                Pooling::Mean => 1,
                Pooling::First => 2,
                Pooling::Last => 3,
            };
            metadata.insert(self.key("pooling_type"), Value::Unsigned(code));
        }
        if sentence.lowercase {
            metadata.insert(self.key("lowercase_texts"), Value::Bool(true));
        }
        for (key, default) in [
            ("attention.layer_norm_epsilon", Value::Float(usual_epsilon(self.kind))),
            ("attention.causal", Value::Bool(false)),
        ] {
            self.metadata.insert(self.key(key), default);
        }
        for (key, value) in self.metadata.iter() {
            metadata.insert(key, value.clone());
        }
        Ok(metadata)
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.kind.architecture)
    }

    fn unfit(&self, name: &str, problem: &str) -> LoadError {
        wrong(self.dir, format!("does not describe an encoder: {name} {problem}"))
    }
}

/// What a file means that names no epsilon.
fn usual_epsilon(kind: &Kind) -> f64 {
    if kind.architecture == "modern-bert" { 1e-5 } else { 1e-12 }
}

fn wrong(dir: &SafeTensorsDir, problem: impl Into<String>) -> LoadError {
    LoadError::new(dir.files().subject("config.json"), problem)
}
