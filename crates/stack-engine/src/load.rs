//! Loads whatever a path holds: a decoder or an encoder.

use std::path::Path;
use std::sync::Arc;

use stack_chat::{ChatModel, Embedder, ModelCard};

use crate::encoder::{BertDirectory, Encoder};
use crate::engine::{Engine, EngineOptions};
use crate::executor::Progress;
use crate::tokenizer::Tokenizer;
use crate::weights::{self, LoadError, WeightSource};

/// A loaded model, as what it can be used for.
pub struct Loaded {
    /// Describes it.
    pub card: ModelCard,
    /// Answers; encoders do not.
    pub chat: Option<Arc<dyn ChatModel>>,
    /// Embeds.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// Its tokenizer; models without a vocabulary run on token ids.
    pub tokenizer: Option<Tokenizer>,
}

/// Opens a model without loading its weights: all that [`weights::open`] opens, and directories with an encoder.
///
/// # Errors
///
/// When there is no model, or not one that this program knows.
pub fn open(path: &Path) -> Result<Box<dyn WeightSource>, LoadError> {
    if BertDirectory::recognises(path) {
        return Ok(Box::new(BertDirectory::open(path)?));
    }
    weights::open(path)
}

/// Opens and loads a model. `progress` is called with bytes loaded and bytes in all.
///
/// # Errors
///
/// Names the file, key or tensor that is at fault.
pub fn load(path: &Path, options: &EngineOptions, progress: Progress<'_>) -> Result<Loaded, LoadError> {
    load_source(path, &*open(path)?, options, progress)
}

/// Loads a model that is open already. `path` names it; where it is a directory, companion files are looked for there.
///
/// # Errors
///
/// Names the file, key or tensor that is at fault.
pub fn load_source(
    path: &Path,
    source: &dyn WeightSource,
    options: &EngineOptions,
    progress: Progress<'_>,
) -> Result<Loaded, LoadError> {
    if Encoder::recognises(source) {
        let encoder = Encoder::load(path, source, options, progress)?;
        return Ok(Loaded {
            card: encoder.card().clone(),
            chat: None,
            tokenizer: encoder.tokenizer().cloned(),
            embedder: Some(Arc::new(encoder)),
        });
    }
    let engine = Arc::new(Engine::load(path, source, options, progress)?);
    Ok(Loaded {
        card: engine.card().clone(),
        tokenizer: engine.tokenizer().cloned(),
        embedder: Some(Arc::clone(&engine) as Arc<dyn Embedder>),
        chat: Some(engine),
    })
}

#[cfg(test)]
mod tests {
    use stack_chat::Ability;

    use super::*;

    #[test]
    fn a_decoder_answers_and_embeds() {
        let Some(path) = stack_testkit::reference_data("stories260K/stories260K.gguf") else { return };
        let loaded = load(&path, &EngineOptions::default(), &|_, _| ()).unwrap();
        assert_eq!(loaded.card.architecture, "llama");
        assert!(loaded.card.abilities.contains(&Ability::Completes));
        assert!(loaded.chat.is_some() && loaded.embedder.is_some());
        assert_eq!(loaded.tokenizer.unwrap().vocabulary_size(), 512);
    }

    #[test]
    fn a_path_without_a_model_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_owned(), dir.path().join("none.gguf")] {
            let error = load(&path, &EngineOptions::default(), &|_, _| ()).err().unwrap();
            assert_eq!(error.subject, path.display().to_string());
        }
    }
}
