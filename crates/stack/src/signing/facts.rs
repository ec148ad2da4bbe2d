//! What a model is: its format and its chat template.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use stack_engine::load;
use stack_registry::trust::Template;
use stack_seal::digest::Root;

use super::Target;

/// What the header of a model says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelFacts {
    /// `gguf`, `safetensors`, or `other` for what is no model.
    pub(crate) format: &'static str,
    /// The digest of the chat template's bytes.
    pub(crate) template: Option<Root>,
}

impl ModelFacts {
    /// Looks at the header; `None` where it is encrypted.
    pub(crate) fn look(target: &Target) -> Option<Self> {
        let path = target.model_path()?;
        let Ok(source) = load::open(&path) else { return Some(Self { format: "other", template: None }) };
        let stored = source.metadata().text("tokenizer.chat_template").ok().flatten().map(str::to_owned);
        let template = stored.or_else(|| beside(&path)).map(|text| Root::of(text.as_bytes()));
        let is_safetensors = path.is_dir() && path.join("config.json").is_file();
        Some(Self { format: if is_safetensors { "safetensors" } else { "gguf" }, template })
    }

    /// The template, for a policy.
    pub(crate) fn judged_template(facts: Option<&Self>) -> Template {
        match facts {
            Some(Self { format: "other", .. }) | None => Template::Unknown,
            Some(Self { template: Some(root), .. }) => Template::Digest(*root),
            Some(Self { template: None, .. }) => Template::Nothing,
        }
    }
}

/// Finds the template that a folder has in a file of its own.
fn beside(folder: &Path) -> Option<String> {
    let read = |name: &str| {
        let mut text = String::new();
        File::open(folder.join(name)).ok()?.take(TEXT_MAX).read_to_string(&mut text).ok()?;
        Some(text)
    };
    if !fs::metadata(folder).ok()?.is_dir() {
        return None;
    }
    read("chat_template.jinja").or_else(|| {
        let settings: serde_json::Value = serde_json::from_str(&read("tokenizer_config.json")?).ok()?;
        Some(settings.get("chat_template")?.as_str()?.to_owned())
    })
}

const TEXT_MAX: u64 = 16 << 20;
