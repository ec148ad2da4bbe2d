//! Loads whatever a path holds: a decoder or an encoder.

use std::sync::Arc;

use stack_chat::{ChatModel, Embedder, ModelCard};
use stack_seal::verified::Verified;

use crate::encoder::{BertDirectory, Encoder};
use crate::engine::{Engine, EngineOptions};
use crate::executor::{Executor, Placement, Progress, usable_threads};
use crate::spec::DecoderSpec;
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
    /// What the user should know before talking to it.
    pub warnings: Vec<String>,
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
pub fn load(
    files: Files,
    options: &EngineOptions,
    progress: Progress<'_>,
) -> Result<Verified<Loaded>, LoadError> {
    load_source(open(files)?, options, progress)
}

/// Loads a model that is open already. What it returns has been checked against what its files should be.
///
/// # Errors
///
/// Names the file, key or tensor that is at fault.
pub fn load_source(
    source: Box<dyn WeightSource>,
    options: &EngineOptions,
    progress: Progress<'_>,
) -> Result<Verified<Loaded>, LoadError> {
    let loaded = if Encoder::recognises(&*source) {
        Loaded::from(Encoder::load(&*source, options, progress)?)
    } else {
        Loaded::from(Engine::load(&*source, options, progress)?)
    };
    source.into_files().verify(loaded, usable_threads())
}

/// Loads a decoder alone, to be asked for logits, with the same checks.
///
/// # Errors
///
/// Names the file, key or tensor that is at fault.
pub fn load_executor(
    source: Box<dyn WeightSource>,
    spec: DecoderSpec,
    placement: &Placement,
    context: usize,
    progress: Progress<'_>,
) -> Result<Verified<Box<dyn Executor>>, LoadError> {
    let executor = placement.load(&*source, spec, context, progress)?;
    source.into_files().verify(executor, usable_threads())
}

impl From<Encoder> for Loaded {
    fn from(encoder: Encoder) -> Self {
        Self {
            card: encoder.card().clone(),
            chat: None,
            warnings: Vec::new(),
            tokenizer: encoder.tokenizer().cloned(),
            embedder: Some(Arc::new(encoder)),
        }
    }
}

impl From<Engine> for Loaded {
    fn from(engine: Engine) -> Self {
        let engine = Arc::new(engine);
        Self {
            card: engine.card().clone(),
            tokenizer: engine.tokenizer().cloned(),
            warnings: engine.warnings().to_vec(),
            embedder: Some(Arc::clone(&engine) as Arc<dyn Embedder>),
            chat: Some(engine),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::{self, File};

    use stack_chat::Ability;
    use stack_seal::digest::Root;
    use stack_seal::verified::{Expected, Pass};

    use super::*;
    use crate::weights::Opener;

    #[test]
    fn a_decoder_answers_and_embeds() {
        let Some(path) = stack_testkit::reference_data("stories260K/stories260K.gguf") else { return };
        let loaded =
            load(Files::at(&path).unwrap(), &EngineOptions::default(), &|_, _| ()).unwrap().into_inner();
        assert_eq!(loaded.card.architecture, "llama");
        assert!(loaded.card.abilities.contains(&Ability::Completes));
        assert!(loaded.chat.is_some() && loaded.embedder.is_some());
        assert_eq!(loaded.tokenizer.unwrap().vocabulary_size(), 512);
    }

    #[test]
    fn a_model_that_differs_from_what_was_expected_never_answers() {
        let Some(path) = stack_testkit::reference_data("stories260K/stories260K.gguf") else { return };
        let bytes = fs::read(&path).unwrap();
        let dir = tempfile::tempdir().unwrap();
        // One in the metadata that loading does not look at, one in a tensor, one in the last byte.
        let name = bytes.windows(11).position(|window| window == b"stories260K").unwrap();
        for at in [name, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let copy = dir.path().join("copy.gguf");
            fs::write(&copy, &changed).unwrap();
            let expected = Expected::pinned(Root::of(&bytes), bytes.len() as u64);
            let opener: Opener =
                Box::new(move || Pass::open(File::open(&copy).unwrap(), expected.clone(), None));
            let files = Files::listed("model", BTreeMap::from([("stories260K.gguf".to_owned(), opener)]));
            let Err(error) = load(files, &EngineOptions::default(), &|_, _| ()) else {
                panic!("byte {at} was changed and nobody noticed")
            };
            assert!(
                error.source.is_some_and(|cause| cause.to_string().contains("expected blake3:")),
                "byte {at}"
            );
        }
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
