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
