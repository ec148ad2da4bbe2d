//! An encoder in a `SafeTensors` directory, under the names that llama.cpp's conversion to GGUF would give it.

mod config;
mod kind;

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value as Json;

use self::kind::Kind;
use super::sentence::{Dense, Sentence, optional_json};
use crate::weights::{
    Files, LoadError, Metadata, SafeTensorsDir, TensorData, TensorInfo, TensorType, WeightSource,
};

/// A directory with a `config.json` that describes an encoder, as a source of weights.
pub struct EncoderDirectory {
    dir: SafeTensorsDir,
    kind: &'static Kind,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    /// For each tensor its place in `tensors` and where it comes from.
    places: HashMap<String, (usize, Origin)>,
}

/// Where a tensor comes from.
enum Origin {
    /// From the tensor of this name, as it is.
    Stored(String),
    /// From the tensor of this name, without some bytes at its beginning.
    Behind(String, usize),
    /// From the tensor of this name, each of its numbers more by one.
    MoreByOne(String),
    /// From a module of sentence-transformers.
    Dense(Vec<u8>),
}

impl EncoderDirectory {
    /// Whether there is a folder whose `config.json` says that it holds an encoder.
    pub fn recognises(files: &Files) -> bool {
        let json = optional_json::<Json>(files, "config.json").ok().flatten();
        json.is_some_and(|json| Kind::of(&json).is_some())
    }

    /// Opens a directory.
    ///
    /// # Errors
    ///
    /// Names the file, setting or tensor that is missing, wrong or not known.
    pub fn open(files: Files) -> Result<Self, LoadError> {
        let dir = SafeTensorsDir::read_from(files)?;
        let Some(kind) = Kind::of(dir.config()) else {
            return Err(LoadError::new(dir.files().subject("config.json"), "does not describe an encoder"));
        };
        let sentence = Sentence::read(dir.files())?;
        let offset = config::position_offset(&dir, kind)?;
        let metadata = config::metadata(&dir, kind, &sentence, offset)?;
        let mut found = Self { kind, metadata, tensors: Vec::new(), places: HashMap::new(), dir };
        found.add_stored(offset)?;
        for (number, Dense { rows, columns, bytes }) in sentence.dense.into_iter().enumerate() {
            let name = format!("dense_{}.weight", number + 2);
            let info = TensorInfo {
                name: name.clone(),
                ty: Ok(TensorType::F32),
                shape: vec![rows, columns],
                bytes: bytes.len() as u64,
            };
            found.add(info, Origin::Dense(bytes))?;
        }
        found.require_biases()?;
        Ok(found)
    }

    fn add_stored(&mut self, offset: usize) -> Result<(), LoadError> {
        let names: Vec<String> = self.dir.names().map(str::to_owned).collect();
        let ranks = names.iter().any(|name| name.starts_with("classifier."));
        for source in names {
            let wrong =
                |problem: String| LoadError::new(format!("tensor {}", source.escape_debug()), problem);
            let name = match destination(self.kind, ranks, &source) {
                Destination::Ignored => continue,
                Destination::Unknown => {
                    let problem = format!("is not a part of {} that is known here", self.kind.architecture);
                    return Err(wrong(problem));
                }
                Destination::Named(name) => name,
            };
            let mut info = describe(&self.dir, &source, &name).map_err(wrong)?;
            let origin = if name == "position_embd.weight" && offset > 0 {
                let row = info.bytes / info.shape.first().map_or(1, |&rows| rows.max(1) as u64);
                let left = info.shape.first().and_then(|rows| rows.checked_sub(offset));
                let Some(left) = left.filter(|&rows| rows > 0) else {
                    return Err(wrong(format!("has no rows behind the {offset} that belong to no position")));
                };
                info.shape[0] = left;
                info.bytes = row * left as u64;
                Origin::Behind(source, row as usize * offset)
            } else if self.kind.norms_less_one && name.ends_with("norm.weight") {
                info.ty = Ok(TensorType::F32);
                info.bytes = info.elements() as u64 * size_of::<f32>() as u64;
                Origin::MoreByOne(source)
            } else {
                Origin::Stored(source)
            };
            self.add(info, origin)?;
        }
        Ok(())
    }

    fn add(&mut self, info: TensorInfo, origin: Origin) -> Result<(), LoadError> {
        let name = info.name.clone();
        let place = self.tensors.len();
        if self.places.contains_key(&name) {
            let subject = origin.stored().unwrap_or(&name).escape_debug().to_string();
            return Err(LoadError::new(
                format!("tensor {subject}"),
                format!("is {name}, which is duplicated"),
            ));
        }
        self.tensors.push(info);
        self.places.insert(name, (place, origin));
        Ok(())
    }

    /// Models of BERT's own kind have a bias beside each matrix and norm, also where GGUF could do without it.
    fn require_biases(&self) -> Result<(), LoadError> {
        if self.kind.architecture != "bert" {
            return Ok(());
        }
        for TensorInfo { name, .. } in &self.tensors {
            if let Some(part) = name.strip_suffix(".weight").filter(|part| part.starts_with("blk."))
                && !self.places.contains_key(&format!("{part}.bias"))
            {
                let name = format!("{part}.bias");
                let name = name_in_directory(self.kind, &name).unwrap_or(name);
                return Err(LoadError::new(name, "the tensor is missing"));
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for EncoderDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncoderDirectory")
            .field("architecture", &self.kind.architecture)
            .finish_non_exhaustive()
    }
}

impl WeightSource for EncoderDirectory {
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
        let Some((_, origin)) = self.places.get(name) else {
            return Err(LoadError::new(format!("tensor {name}"), "is not in the model"));
        };
        Ok(TensorData::from_bytes(match origin {
            Origin::Stored(source) => self.dir.read(source)?,
            Origin::Behind(source, bytes) => self.dir.read(source)?.split_off(*bytes),
            Origin::MoreByOne(source) => {
                self.dir.read_f32(source)?.1.iter().flat_map(|x| (x + 1.0).to_le_bytes()).collect()
            }
            Origin::Dense(bytes) => bytes.clone(),
        }))
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
        let stored = self.places.get(name).and_then(|(_, origin)| origin.stored().map(str::to_owned));
        stored.or_else(|| name_in_directory(self.kind, name)).map_or(Cow::Borrowed(name), Cow::Owned)
    }
}

impl Origin {
    fn stored(&self) -> Option<&str> {
        match self {
            Self::Stored(name) | Self::Behind(name, _) | Self::MoreByOne(name) => Some(name),
            Self::Dense(_) => None,
        }
    }
}

/// What directories usually call a tensor.
fn name_in_directory(kind: &Kind, name: &str) -> Option<String> {
    let (stem, suffix) = name.rsplit_once('.')?;
    let find = |tables: &[&[(&'static str, &str)]], part: &str| {
        tables.iter().flat_map(|table| table.iter()).find(|(_, to)| *to == part).map(|(from, _)| *from)
    };
    Some(match stem.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
        None => format!("{}.{suffix}", find(&[kind.outside, kind.head], stem)?),
        Some((layer, part)) => format!("{}{layer}.{}.{suffix}", kind.layers, find(&[kind.inside], part)?),
    })
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

/// What becomes of a tensor of a model that has a head or not.
fn destination(kind: &Kind, ranks: bool, name: &str) -> Destination {
    let bare = kind.prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    // Adapters lie beside the matrices that they would change, and are not used without a task (jina-embeddings-v3).
    if bare.contains(".parametrizations.") && (bare.ends_with(".lora_A") || bare.ends_with(".lora_B")) {
        return Destination::Ignored;
    }
    let plain = bare.replace(".parametrizations.", ".");
    let plain = if plain == bare { bare } else { plain.trim_end_matches(".original") };
    let find = |table: &[(&str, &'static str)], stem: &str| {
        table.iter().find(|(from, _)| *from == stem).map(|(_, to)| *to)
    };
    let named = plain.rsplit_once('.').and_then(|(stem, suffix)| {
        let suffix = match suffix {
            // Checkpoints that came from TensorFlow call the parts of a norm so.
            "weight" | "gamma" => "weight",
            "bias" | "beta" => "bias",
            _ => return None,
        };
        let Some((layer, part)) = stem.strip_prefix(kind.layers).and_then(|rest| rest.split_once('.')) else {
            let head = if ranks { kind.head } else { &[] };
            return find(kind.outside, stem).or_else(|| find(head, stem)).map(|to| format!("{to}.{suffix}"));
        };
        let number = layer.parse::<u32>().ok().filter(|number| number.to_string() == layer);
        number.zip(find(kind.inside, part)).map(|(number, to)| format!("blk.{number}.{to}.{suffix}"))
    });
    match named {
        Some(name) => Destination::Named(name),
        None if kind.ignored.iter().any(|ignored| bare.starts_with(ignored)) => Destination::Ignored,
        None => Destination::Unknown,
    }
}

fn describe(dir: &SafeTensorsDir, source: &str, name: &str) -> Result<TensorInfo, String> {
    let ty = dir.dtype(source).ok_or("is not in the directory")?;
    let ty = ty.map_err(|ty| format!("has the unsupported type {ty}"))?;
    let shape = dir.shape(source).unwrap_or_default().to_vec();
    let elements = shape.iter().try_fold(1u64, |product, &n| product.checked_mul(n as u64));
    let bytes = elements.and_then(|elements| ty.bytes_for(elements)).ok_or("has a shape that overflows")?;
    Ok(TensorInfo { name: name.to_owned(), ty: Ok(ty), shape, bytes })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn destination_in(config: &Json, ranks: bool, name: &str) -> Destination {
        destination(Kind::of(config).unwrap(), ranks, name)
    }

    fn bert(name: &str) -> Destination {
        destination_in(&json!({"model_type": "bert"}), false, name)
    }

    #[test]
    fn names_become_those_of_gguf() {
        for (from, to) in [
            ("embeddings.word_embeddings.weight", "token_embd.weight"),
            ("bert.embeddings.LayerNorm.gamma", "token_embd_norm.weight"),
            ("encoder.layer.11.attention.output.LayerNorm.beta", "blk.11.attn_output_norm.bias"),
            ("bert.encoder.layer.0.output.dense.bias", "blk.0.ffn_down.bias"),
        ] {
            assert_eq!(bert(from), Destination::Named(to.to_owned()));
        }
        let jina = json!({"model_type": "xlm-roberta", "position_embedding_type": "rotary"});
        for (from, to) in [
            ("roberta.encoder.layers.3.mixer.Wqkv.parametrizations.weight.original", "blk.3.attn_qkv.weight"),
            ("roberta.embeddings.word_embeddings.parametrizations.weight.original", "token_embd.weight"),
            ("roberta.encoder.layers.3.mixer.Wqkv.bias", "blk.3.attn_qkv.bias"),
        ] {
            assert_eq!(destination_in(&jina, false, from), Destination::Named(to.to_owned()));
        }
        let adapter = "roberta.encoder.layers.3.mixer.Wqkv.parametrizations.weight.0.lora_A";
        assert_eq!(destination_in(&jina, false, adapter), Destination::Ignored);
    }

    #[test]
    fn a_head_is_read_where_the_model_has_one() {
        let named = |name: &str| Destination::Named(name.to_owned());
        let bert = json!({"model_type": "bert"});
        assert_eq!(destination_in(&bert, true, "bert.pooler.dense.bias"), named("cls.bias"));
        assert_eq!(destination_in(&bert, true, "classifier.weight"), named("cls.output.weight"));
        let modern = json!({"model_type": "modernbert"});
        assert_eq!(destination_in(&modern, true, "head.norm.weight"), named("cls.norm.weight"));
        assert_eq!(destination_in(&modern, false, "head.norm.weight"), Destination::Ignored);
    }

    #[test]
    fn heads_of_other_tasks_are_left_and_what_is_not_known_is_refused() {
        for ignored in ["embeddings.position_ids", "bert.pooler.dense.weight", "cls.predictions.bias"] {
            assert_eq!(bert(ignored), Destination::Ignored);
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
            assert_eq!(bert(unknown), Destination::Unknown, "{unknown}");
        }
    }
}
