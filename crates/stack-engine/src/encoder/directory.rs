//! A BERT model in a `SafeTensors` directory, under the names that llama.cpp's conversion to GGUF would give it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value as Json;

use super::sentence::{Sentence, optional_json};
use super::spec::{ARCHITECTURE, LOWERCASE_KEY};
use crate::pooling::Pooling;
use crate::weights::{
    Files, LoadError, Metadata, SafeTensorsDir, TensorData, TensorInfo, Value, WeightSource,
    irrelevant_setting,
};

/// A directory with `config.json` of model type `bert`, as a source of weights.
#[derive(Debug)]
pub struct BertDirectory {
    dir: SafeTensorsDir,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    /// For each tensor its place in `tensors` and its name in the directory.
    places: HashMap<String, (usize, String)>,
}

impl BertDirectory {
    /// Whether there is a folder whose `config.json` says that it holds a BERT model.
    pub fn recognises(files: &Files) -> bool {
        let json = optional_json::<Json>(files, "config.json").ok().flatten();
        json.is_some_and(|json| json["model_type"] == "bert")
    }

    /// Opens a directory.
    ///
    /// # Errors
    ///
    /// Names the file, setting or tensor that is missing, wrong or not known.
    pub fn open(files: Files) -> Result<Self, LoadError> {
        let dir = SafeTensorsDir::read_from(files)?;
        let metadata = metadata(&dir, &Sentence::read(dir.files())?)?;
        let mut tensors = Vec::new();
        let mut places = HashMap::new();
        for source in dir.names() {
            let wrong =
                |problem: String| LoadError::new(format!("tensor {}", source.escape_debug()), problem);
            let name = match destination(source) {
                Destination::Ignored => continue,
                Destination::Unknown => return Err(wrong("is not part of a BERT encoder".to_owned())),
                Destination::Named(name) => name,
            };
            let info = describe(&dir, source, &name).map_err(wrong)?;
            if places.insert(name.clone(), (tensors.len(), source.to_owned())).is_some() {
                return Err(wrong(format!("is {name}, which is duplicated")));
            }
            tensors.push(info);
        }
        for TensorInfo { name, .. } in &tensors {
            if let Some(layer_part) = name.strip_suffix(".weight").filter(|part| part.starts_with("blk."))
                && !places.contains_key(&format!("{layer_part}.bias"))
            {
                let name = format!("{layer_part}.bias");
                let name = name_in_directory(&name).unwrap_or(name);
                return Err(LoadError::new(name, "the tensor is missing"));
            }
        }
        Ok(Self { dir, metadata, tensors, places })
    }
}

impl WeightSource for BertDirectory {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.places.get(name).map(|(index, _)| &self.tensors[*index])
    }

    fn data(&self, name: &str) -> Result<TensorData<'_>, LoadError> {
        let Some((_, source)) = self.places.get(name) else {
            return Err(LoadError::new(format!("tensor {name}"), "is not in the model"));
        };
        Ok(TensorData::from_bytes(self.dir.read(source)?))
    }

    fn files(&self) -> &Files {
        self.dir.files()
    }

    fn into_files(self: Box<Self>) -> Files {
        self.dir.into_files()
    }

    fn size_bytes(&self) -> u64 {
        self.dir.size_bytes()
    }

    fn name_in_files<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let stored = self.places.get(name).map(|(_, stored)| stored.clone());
        stored.or_else(|| name_in_directory(name)).map_or(Cow::Borrowed(name), Cow::Owned)
    }
}

/// What directories usually call a tensor.
fn name_in_directory(name: &str) -> Option<String> {
    let (stem, kind) = name.rsplit_once('.')?;
    let find = |table: &[(&'static str, &str)], part: &str| {
        table.iter().find(|(_, to)| *to == part).map(|(from, _)| *from)
    };
    Some(match stem.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
        None => format!("{}.{kind}", find(MODEL, stem)?),
        Some((layer, part)) => format!("encoder.layer.{layer}.{}.{kind}", find(LAYER, part)?),
    })
}

/// What matters of `config.json`. Numbers are of 32 bits, so that no sum or product of two can overflow.
#[derive(Deserialize)]
struct Config {
    model_type: String,
    vocab_size: u32,
    hidden_size: u32,
    num_hidden_layers: u32,
    num_attention_heads: u32,
    intermediate_size: u32,
    max_position_embeddings: u32,
    #[serde(default = "usual_epsilon")]
    layer_norm_eps: f64,
    #[serde(default = "usual_activation")]
    hidden_act: String,
    #[serde(default)]
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: Option<bool>,
    #[serde(default, rename = "quantization_config")]
    quantization: Option<Json>,
    /// Settings that nothing here asks for.
    #[serde(flatten)]
    others: BTreeMap<String, Json>,
}

fn metadata(dir: &SafeTensorsDir, sentence: &Sentence) -> Result<Metadata, LoadError> {
    let wrong = |problem: String| LoadError::new(dir.files().subject("config.json"), problem);
    let config = Config::deserialize(dir.config())
        .map_err(|error| wrong(format!("does not describe a BERT encoder: {error}")))?;
    if config.model_type != "bert" {
        return Err(wrong(format!("says model type {:?}; expected \"bert\"", config.model_type)));
    }
    if let Some(other) = config.position_embedding_type.as_deref().filter(|&kind| kind != "absolute") {
        return Err(wrong(format!("says position_embedding_type {other:?}; only \"absolute\" is known")));
    }
    if config.is_decoder == Some(true) {
        return Err(wrong("says is_decoder; only encoders are known".to_owned()));
    }
    if config.quantization.is_some() {
        return Err(wrong("says that the weights are quantized; F32, F16 and BF16 are read".to_owned()));
    }
    for (name, value) in &config.others {
        let is_known = IRRELEVANT.contains(&name.as_str()) || name.starts_with("pooler_");
        if !is_known && irrelevant_setting(name, value).is_none() {
            let subject = format!("config.json, {}", name.escape_debug());
            let problem = "this program does not know what it does to the model, and will not guess";
            return Err(LoadError::new(subject, problem));
        }
    }
    let positions = config.max_position_embeddings as usize;
    let context = sentence.tokens_max.map_or(positions, |most| most.min(positions));
    let number = |number: u32| Value::Unsigned(number.into());
    let text = |text: &str| Value::String(text.into());
    let mut metadata = Metadata::default();
    metadata.insert("general.architecture", text(ARCHITECTURE));
    for (key, value) in [
        ("vocab_size", number(config.vocab_size)),
        ("context_length", Value::Unsigned(context as u64)),
        ("embedding_length", number(config.hidden_size)),
        ("block_count", number(config.num_hidden_layers)),
        ("feed_forward_length", number(config.intermediate_size)),
        ("attention.head_count", number(config.num_attention_heads)),
        ("attention.layer_norm_epsilon", Value::Float(config.layer_norm_eps)),
        ("attention.causal", Value::Bool(false)),
        ("hidden_activation", text(&config.hidden_act)),
    ] {
        metadata.insert(format!("{ARCHITECTURE}.{key}"), value);
    }
    if let Some(pooling) = sentence.pooling {
        let code = match pooling {
            Pooling::Mean => 1,
            Pooling::First => 2,
            Pooling::Last => 3,
        };
        metadata.insert(format!("{ARCHITECTURE}.pooling_type"), Value::Unsigned(code));
    }
    if sentence.lowercase {
        metadata.insert(LOWERCASE_KEY, Value::Bool(true));
    }
    Ok(metadata)
}

/// What becomes of a tensor.
#[derive(Debug, PartialEq, Eq)]
enum Destination {
    /// It has this name in GGUF.
    Named(String),
    /// It is not needed.
    Ignored,
    Unknown,
}

fn destination(name: &str) -> Destination {
    let name = name.strip_prefix("bert.").unwrap_or(name);
    if IGNORED.iter().any(|ignored| name.starts_with(ignored)) {
        return Destination::Ignored;
    }
    let Some((stem, kind)) = name.rsplit_once('.') else { return Destination::Unknown };
    let kind = match kind {
        // Checkpoints that came from TensorFlow call the parts of a norm so.
        "weight" | "gamma" => "weight",
        "bias" | "beta" => "bias",
        _ => return Destination::Unknown,
    };
    let find = |table: &[(&str, &'static str)], stem: &str| {
        table.iter().find(|(from, _)| *from == stem).map(|(_, to)| *to)
    };
    let found = match stem.strip_prefix("encoder.layer.").and_then(|rest| rest.split_once('.')) {
        None => find(MODEL, stem).map(|to| format!("{to}.{kind}")),
        Some((layer, stem)) => {
            let number = layer.parse::<u32>().ok().filter(|number| number.to_string() == layer);
            number.zip(find(LAYER, stem)).map(|(number, to)| format!("blk.{number}.{to}.{kind}"))
        }
    };
    found.map_or(Destination::Unknown, Destination::Named)
}

fn describe(dir: &SafeTensorsDir, source: &str, name: &str) -> Result<TensorInfo, String> {
    let ty = dir.dtype(source).ok_or("is not in the directory")?;
    let ty = ty.map_err(|ty| format!("has the unsupported type {ty}"))?;
    let shape = dir.shape(source).unwrap_or_default().to_vec();
    let elements = shape.iter().try_fold(1u64, |product, &n| product.checked_mul(n as u64));
    let bytes = elements.and_then(|elements| ty.bytes_for(elements)).ok_or("has a shape that overflows")?;
    Ok(TensorInfo { name: name.to_owned(), ty: Ok(ty), shape, bytes })
}

fn usual_epsilon() -> f64 {
    1e-12
}

fn usual_activation() -> String {
    "gelu".to_owned()
}

/// Settings whose meaning the tensors show, or that mean what is always so.
const IRRELEVANT: &[&str] = &["type_vocab_size", "directionality"];

/// The pooler was trained for another task, and the heads of other tasks are not part of the encoder.
const IGNORED: &[&str] = &["embeddings.position_ids", "embeddings.token_type_ids", "pooler.", "cls."];

const MODEL: &[(&str, &str)] = &[
    ("embeddings.word_embeddings", "token_embd"),
    ("embeddings.position_embeddings", "position_embd"),
    ("embeddings.token_type_embeddings", "token_types"),
    ("embeddings.LayerNorm", "token_embd_norm"),
];

const LAYER: &[(&str, &str)] = &[
    ("attention.self.query", "attn_q"),
    ("attention.self.key", "attn_k"),
    ("attention.self.value", "attn_v"),
    ("attention.output.dense", "attn_output"),
    ("attention.output.LayerNorm", "attn_output_norm"),
    ("intermediate.dense", "ffn_up"),
    ("output.dense", "ffn_down"),
    ("output.LayerNorm", "layer_output_norm"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_those_of_gguf() {
        for (from, to) in [
            ("embeddings.word_embeddings.weight", "token_embd.weight"),
            ("bert.embeddings.LayerNorm.gamma", "token_embd_norm.weight"),
            ("encoder.layer.11.attention.output.LayerNorm.beta", "blk.11.attn_output_norm.bias"),
            ("bert.encoder.layer.0.output.dense.bias", "blk.0.ffn_down.bias"),
        ] {
            assert_eq!(destination(from), Destination::Named(to.to_owned()));
        }
    }

    #[test]
    fn heads_of_other_tasks_are_left_and_what_is_not_known_is_refused() {
        for ignored in ["embeddings.position_ids", "bert.pooler.dense.weight", "cls.predictions.bias"] {
            assert_eq!(destination(ignored), Destination::Ignored);
        }
        for unknown in [
            "",
            "weight",
            "classifier.weight",
            "encoder.layer.x.output.dense.bias",
            "encoder.layer.00.output.dense.bias",
            "encoder.layer.0.crossattention.self.query.weight",
            "encoder.layer.0.output.dense.weight_scale",
        ] {
            assert_eq!(destination(unknown), Destination::Unknown, "{unknown}");
        }
    }
}
