//! What is known of a model before it is loaded.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Serialize, Serializer};
use stack_chat::Basis;
use stack_engine::EngineOptions;
use stack_engine::engine::NoTemplate;
use stack_engine::executor::Placement;
use stack_engine::load;
use stack_engine::tokenizer::Tokenizer;
use stack_engine::weights::{Metadata, SafeTensorsDir};
use stack_seal::verified::{self, Attested};

use super::stored::Stored;
use crate::error::CommandError;
use crate::home::access::AccessArguments;
use crate::models::memory::Memory;
use crate::models::path::{FoundModel, Inspected, OpenModel};
use crate::terminal::output::escaped;

/// The facts, in the order in which they are printed. What the file does not say is absent.
#[derive(Debug, Default, Serialize)]
pub(super) struct Facts {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) architecture: Option<String>,
    /// Whether this program can run it.
    pub(super) runs: bool,
    /// Why not.
    pub(super) problem: Option<String>,
    pub(super) parameters: u64,
    pub(super) size_bytes: u64,
    pub(super) types: Vec<Type>,
    /// Sizes by name, one number or one for each layer.
    pub(super) shape: BTreeMap<&'static str, Vec<i64>>,
    pub(super) tokenizer: Option<Vocabulary>,
    pub(super) template: Option<String>,
    /// Why its bytes would be taken to be the right ones.
    #[serde(serialize_with = "basis_name")]
    pub(super) basis: Option<Basis>,
    /// Who signed them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) signers: Vec<String>,
    pub(super) memory: Option<Memory>,
    /// What else is odd.
    pub(super) warnings: Vec<String>,
    /// What the store knows of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stored: Option<Stored>,
}

/// The tensors of one type.
#[derive(Debug, Serialize)]
pub(super) struct Type {
    #[serde(rename = "type")]
    pub(super) name: String,
    pub(super) tensors: usize,
    pub(super) bytes: u64,
}

/// The tokenizer.
#[derive(Debug, Serialize)]
pub(super) struct Vocabulary {
    pub(super) kind: String,
    pub(super) pre: Option<String>,
    pub(super) tokens: usize,
    pub(super) bos: Option<Token>,
    pub(super) eos: Option<Token>,
    pub(super) end_of_generation: Vec<Token>,
}

/// A token with a role.
#[derive(Debug, Serialize)]
pub(super) struct Token {
    pub(super) id: u32,
    pub(super) text: String,
}

impl Facts {
    /// Reads the facts of a model, with the memory for a context of so many tokens.
    pub(super) fn read(
        model: Inspected<'_>,
        access: &AccessArguments,
        context: Option<u32>,
    ) -> Result<Self, CommandError> {
        match (model.open(access), model) {
            (Ok(model), _) => Ok(Self::of(&model, context)),
            // A family that is not known still has tensors.
            (Err(error), Inspected::Path(path)) if path.join("config.json").is_file() => {
                match SafeTensorsDir::open(path) {
                    Ok(directory) => Ok(Self::of_unknown(path, &directory, &error)),
                    Err(_) => Err(error),
                }
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Adds on which basis the model would be loaded.
    pub(super) fn judge(&mut self, model: FoundModel, access: &AccessArguments) {
        match model.basis(access) {
            Ok(basis) => {
                self.basis = Some(load::card_basis(&basis));
                if let verified::Basis::Signed(Attested { signers }) = basis {
                    self.signers = signers;
                }
            }
            Err(error) => self.warnings.push(error.message().to_owned()),
        }
    }

    fn of(model: &OpenModel, context: Option<u32>) -> Self {
        let source = &*model.source;
        let metadata = source.metadata();
        let architecture = text(metadata, "general.architecture");
        let mut facts = Self {
            id: model.id.clone(),
            name: text(metadata, "general.name"),
            shape: shape(metadata, architecture.as_deref().unwrap_or_default()),
            architecture,
            size_bytes: source.size_bytes(),
            ..Self::default()
        };
        facts.count(source.tensors().iter().map(|tensor| {
            let name = tensor.ty.map_or_else(|id| format!("type {id}"), |ty| ty.name().to_owned());
            (name, tensor.elements(), tensor.bytes)
        }));
        match Memory::of(model, &Placement::default(), context) {
            Ok(memory) => {
                facts.runs = true;
                facts.memory = Some(memory);
            }
            Err(error) => facts.problem = Some(error.to_string()),
        }
        match model.tokenizer() {
            Ok(Some(tokenizer)) => {
                facts.tokenizer = Some(vocabulary(&tokenizer));
                facts.warnings.extend(tokenizer.warnings().iter().cloned());
            }
            Ok(None) => {}
            Err(error) => facts.warnings.push(error.message().to_owned()),
        }
        match model.templates(&EngineOptions::default()) {
            Ok(found) => {
                facts.template = match found.usable {
                    Ok(templates) => Some(templates.choose(false).source().to_owned()),
                    Err(NoTemplate::Broken { source, .. }) => source,
                    Err(NoTemplate::Absent) => None,
                };
                facts.warnings.extend(found.warnings);
            }
            Err(error) => facts.warnings.push(error.message().to_owned()),
        }
        facts
    }

    fn of_unknown(path: &Path, directory: &SafeTensorsDir, error: &CommandError) -> Self {
        let architecture = directory.config()["architectures"][0].as_str().map(str::to_owned);
        let mut facts = Self {
            id: Inspected::Path(path).id(),
            architecture,
            problem: Some(error.message().to_owned()),
            size_bytes: directory.size_bytes(),
            ..Self::default()
        };
        facts.count(directory.names().filter_map(|name| {
            let elements = directory.shape(name)?.iter().product();
            let (ty, bytes) = match directory.dtype(name)? {
                Ok(ty) => (ty.name().to_owned(), ty.bytes_for(elements as u64).unwrap_or_default()),
                Err(ty) => (ty.to_owned(), 0),
            };
            Some((ty, elements, bytes))
        }));
        facts
    }

    /// Counts tensors, given as type, elements and bytes; the type with most bytes comes first.
    fn count(&mut self, tensors: impl Iterator<Item = (String, usize, u64)>) {
        let mut types: BTreeMap<String, Type> = BTreeMap::new();
        for (name, elements, bytes) in tensors {
            self.parameters = self.parameters.saturating_add(elements as u64);
            let counted = types.entry(name.clone()).or_insert_with(|| Type { name, tensors: 0, bytes: 0 });
            counted.tensors += 1;
            counted.bytes = counted.bytes.saturating_add(bytes);
        }
        self.types = types.into_values().collect();
        self.types.sort_by_key(|counted| std::cmp::Reverse(counted.bytes));
    }
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde hands fields by reference")]
fn basis_name<S: Serializer>(basis: &Option<Basis>, serializer: S) -> Result<S::Ok, S::Error> {
    basis.map(Basis::name).serialize(serializer)
}

fn vocabulary(tokenizer: &Tokenizer) -> Vocabulary {
    let token = |id: u32| Token { id, text: escaped(tokenizer.piece(id)) };
    Vocabulary {
        kind: tokenizer.model_name().to_owned(),
        pre: tokenizer.pre_tokenizer().map(str::to_owned),
        tokens: tokenizer.vocabulary_size(),
        bos: tokenizer.bos().map(token),
        eos: tokenizer.eos().map(token),
        end_of_generation: tokenizer.end_of_generation().map(token).collect(),
    }
}

/// Collects the sizes that an architecture's keys give. A size that is the same for all layers is one number.
fn shape(metadata: &Metadata, architecture: &str) -> BTreeMap<&'static str, Vec<i64>> {
    let read = |key: &str| {
        let mut numbers = metadata.integers(&format!("{architecture}.{key}")).ok().flatten()?;
        if numbers.iter().all(|number| Some(number) == numbers.first()) {
            numbers.truncate(1);
        }
        Some(numbers).filter(|numbers| !numbers.is_empty())
    };
    SHAPE.iter().filter_map(|&(name, key)| Some((name, read(key)?))).collect()
}

fn text(metadata: &Metadata, key: &str) -> Option<String> {
    metadata.text(key).ok().flatten().map(str::to_owned)
}

/// What sizes are called here and in files.
const SHAPE: &[(&str, &str)] = &[
    ("context", "context_length"),
    ("embedding", "embedding_length"),
    ("experts", "expert_count"),
    ("experts_used", "expert_used_count"),
    ("feed_forward", "feed_forward_length"),
    ("heads", "attention.head_count"),
    ("kv_heads", "attention.head_count_kv"),
    ("layers", "block_count"),
    ("window", "attention.sliding_window"),
];
