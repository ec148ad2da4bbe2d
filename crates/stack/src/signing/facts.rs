//! What a model is: its format and its chat template.

use stack_engine::engine;
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
        // A template that cannot be read is none; to load the model with it is an error.
        let own = engine::own_template(source).ok().flatten();
        let template = own.map(|(_, text)| Root::of(text.as_bytes()));
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

#[cfg(test)]
mod tests {
    use std::fs;

    use stack_testkit::GgufBuilder;

    use super::*;

    #[test]
    fn the_template_is_the_one_that_the_engine_takes() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("m.gguf"), GgufBuilder::new("llama").build()).unwrap();
        let facts = || ModelFacts::of(&*Files::at(folder.path()).and_then(load::open).unwrap());
        assert_eq!(facts().template, None);
        let beside = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        beside(
            "tokenizer_config.json",
            r#"{"chat_template": [{"name": "tools", "template": "A"}, {"name": "default", "template": "B"}]}"#,
        );
        assert_eq!(facts().template, Some(Root::of(b"B")));
        beside("chat_template.jinja", "C");
        assert_eq!(facts().template, Some(Root::of(b"C")));
    }
}
