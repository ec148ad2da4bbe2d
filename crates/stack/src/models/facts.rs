//! What the header of a model says, for the policy.

use stack_engine::weights::{Files, WeightSource};
use stack_engine::{engine, load};
use stack_registry::manifest::FileFormat;
use stack_seal::digest::Root;
use stack_trust::target::{ModelFacts, Target};

/// Looks at the header of a target; `None` where it is encrypted.
pub(crate) fn look(target: &Target) -> Option<ModelFacts> {
    let path = target.model_path()?;
    match Files::at(&path).and_then(load::open) {
        Ok(source) => Some(of(&*source)),
        Err(_) => Some(ModelFacts { format: None, template: None }),
    }
}

/// Takes the facts of a model that is open.
pub(crate) fn of(source: &dyn WeightSource) -> ModelFacts {
    // A template that cannot be read is none; to load the model with it is an error.
    let own = engine::own_template(source).ok().flatten();
    let template = own.map(|(_, text)| Root::of(text.as_bytes()));
    let is_safetensors = source.files().has_companion("config.json");
    let format = if is_safetensors { FileFormat::SafeTensors } else { FileFormat::Gguf };
    ModelFacts { format: Some(format), template }
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
        let facts = || of(&*Files::at(folder.path()).and_then(load::open).unwrap());
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
