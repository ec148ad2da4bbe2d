//! Loads whatever a path holds: a decoder or an encoder.

use std::sync::Arc;

use stack_chat::{ChatModel, Embedder, ModelCard};

use crate::encoder::{BertDirectory, Encoder};
use crate::engine::{Engine, EngineOptions};
use crate::executor::Progress;
use crate::tokenizer::Tokenizer;
use crate::weights::{self, Files, LoadError, WeightSource};

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
pub fn open(files: Files) -> Result<Box<dyn WeightSource>, LoadError> {
    if BertDirectory::recognises(&files) {
        return Ok(Box::new(BertDirectory::open(files)?));
    }
    weights::open(files)
}

/// Opens and loads a model. `progress` is called with bytes loaded and bytes in all.
///
/// # Errors
///
/// Names the file, key or tensor that is at fault.
pub fn load(files: Files, options: &EngineOptions, progress: Progress<'_>) -> Result<Loaded, LoadError> {
    load_source(&*open(files)?, options, progress)
}

/// Loads a model that is open already.
///
/// # Errors
///
/// Names the file, key or tensor that is at fault.
pub fn load_source(
    source: &dyn WeightSource,
    options: &EngineOptions,
    progress: Progress<'_>,
) -> Result<Loaded, LoadError> {
    if Encoder::recognises(source) {
        let encoder = Encoder::load(source, options, progress)?;
        return Ok(Loaded {
            card: encoder.card().clone(),
            chat: None,
            tokenizer: encoder.tokenizer().cloned(),
            embedder: Some(Arc::new(encoder)),
        });
    }
    let engine = Arc::new(Engine::load(source, options, progress)?);
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
        let loaded = load(Files::at(&path).unwrap(), &EngineOptions::default(), &|_, _| ()).unwrap();
        assert_eq!(loaded.card.architecture, "llama");
        assert!(loaded.card.abilities.contains(&Ability::Completes));
        assert!(loaded.chat.is_some() && loaded.embedder.is_some());
        assert_eq!(loaded.tokenizer.unwrap().vocabulary_size(), 512);
    }

    #[test]
    fn a_path_without_a_model_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_owned(), dir.path().join("none.gguf")] {
            let error = Files::at(&path).and_then(|files| load(files, &EngineOptions::default(), &|_, _| ()));
            let error = error.err().unwrap();
            assert_eq!(error.subject, path.display().to_string());
        }
    }
}
