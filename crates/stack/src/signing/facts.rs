//! What a model is: its format and its chat template.

use stack_engine::load;
use stack_engine::weights::{Files, WeightSource};
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
        match Files::at(&path).and_then(load::open) {
            Ok(source) => Some(Self::of(&*source)),
            Err(_) => Some(Self { format: "other", template: None }),
        }
    }

    /// Takes the facts of a model that is open.
    pub(crate) fn of(source: &dyn WeightSource) -> Self {
        let stored = source.metadata().text("tokenizer.chat_template").ok().flatten().map(str::to_owned);
        let template = stored.or_else(|| beside(source.files())).map(|text| Root::of(text.as_bytes()));
        let is_safetensors = source.files().has_companion("config.json");
        Self { format: if is_safetensors { "safetensors" } else { "gguf" }, template }
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
fn beside(files: &Files) -> Option<String> {
    let read = |name: &str| {
        let bytes = files.has_companion(name).then(|| files.read(name).ok()).flatten()?;
        String::from_utf8(bytes).ok()
    };
    read("chat_template.jinja").or_else(|| {
        let settings: serde_json::Value = serde_json::from_str(&read("tokenizer_config.json")?).ok()?;
        Some(settings.get("chat_template")?.as_str()?.to_owned())
    })
}
