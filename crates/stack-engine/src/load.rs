//! Loads whatever a path holds: a decoder or an encoder.
//!
//! This is the one way to a model that answers. What is handed out holds the proof that every byte of the model's files
//! was checked, for as long as it can answer. Weights that were only read answer nothing:
//!
//! ```compile_fail,E0624
//! # use std::path::Path;
//! # use stack_engine::executor::Placement;
//! # use stack_engine::load;
//! # use stack_engine::spec::DecoderSpec;
//! # use stack_engine::weights::{Files, LoadError};
//! # fn unverified() -> Result<(), LoadError> {
//! let source = load::open(Files::at(Path::new("model.gguf"))?)?;
//! let spec = DecoderSpec::read(&*source)?;
//! // Private: this decoder would compute with bytes that may turn out to be wrong.
//! let executor = Placement::default().load(&*source, spec, 64, &|_, _| {})?;
//! # Ok(())
//! # }
//! ```

use std::io::Read;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use stack_chat::{
    Basis, ChatModel, ChatRequest, EmbedFuture, EmbedRequest, Embedder, EventStream, Failure, ModelCard,
    Prompts, RankFuture, RankRequest, RenderedPrompt, Reranker, Sampling, TokenizeOptions,
};
use stack_seal::digest::Root;
use stack_seal::verified::{self, Verified, VerifiedFile};

use crate::encoder::{self, Encoder, EncoderDirectory};
use crate::engine::{self, Engine, PrefixFile, PrefixFileError, PrefixOutcome};
use crate::executor::{DeviceKind, Executor, Placement, Progress, usable_threads};
use crate::options::EngineOptions;
use crate::spec::DecoderSpec;
use crate::tokenizer::Tokenizer;
use crate::weights::{self, Files, LoadError, LoadErrorKind, WeightSource};

/// A model that answers. It was verified, and it and whatever it hands out hold the proof.
#[derive(Clone)]
pub struct Loaded(Model);

#[derive(Clone)]
enum Model {
    Decoder(Arc<Proven<Engine>>),
    Encoder(Arc<Proven<Encoder>>),
}

/// A model beside the proof that it may answer.
struct Proven<T>(Verified<T>);

/// What a model's card says of how it was verified.
pub(crate) struct Proof {
    pub(crate) basis: Basis,
    pub(crate) digest: String,
}

impl Proof {
    fn of<T>(verified: &Verified<T>) -> Self {
        let roots: Vec<u8> = verified.files().iter().flat_map(|file| file.root.0).collect();
        // Several files are known by the root over all their roots.
        let root = if verified.files().len() == 1 { verified.root() } else { Root::of(&roots) };
        Self { basis: card_basis(verified.basis()), digest: root.to_string() }
    }

    /// Writes it into a card.
    pub(crate) fn enter(self, card: &mut ModelCard) {
        (card.basis, card.digest) = (Some(self.basis), Some(self.digest));
    }
}

/// A decoder to be asked for logits. It was verified, and holds the proof.
pub struct LoadedExecutor(Verified<Box<dyn Executor>>);

/// A smaller decoder that guesses what another one says next. It was verified, and holds the proof; what it guesses is said
/// only where the other one says it, too.
pub struct LoadedDraft(LoadedExecutor);

/// Opens a model without loading its weights: all that [`weights::open`] opens, and directories with an encoder.
///
/// # Errors
///
/// When there is no model, or not one that this program knows.
pub fn open(files: Files) -> Result<Box<dyn WeightSource>, LoadError> {
    if EncoderDirectory::recognises(&files) {
        return Ok(Box::new(EncoderDirectory::open(files)?));
    }
    weights::open(files)
}

/// Opens and loads a model. `progress` is called with bytes loaded and bytes in all.
///
/// # Errors
///
/// Names the file, key or tensor that is at fault, or the first file that is not what it should be.
pub fn load(files: Files, options: &EngineOptions, progress: Progress<'_>) -> Result<Loaded, LoadError> {
    load_source(open(files)?, None, options, progress)
}

/// Loads a model that is open already, for which `draft` guesses ahead.
///
/// # Errors
///
/// Names the file, key or tensor that is at fault, or the first file that is not what it should be.
pub fn load_source(
    source: Box<dyn WeightSource>,
    draft: Option<LoadedDraft>,
    options: &EngineOptions,
    progress: Progress<'_>,
) -> Result<Loaded, LoadError> {
    // Neither has a thread before its files were verified, so nothing can answer before.
    if encoder::recognises(&*source) {
        let idle = verify(source, |source| encoder::Idle::load(source, options, progress))?;
        let proof = Proof::of(&idle);
        let encoder = idle.try_map(|idle| idle.start(proof))?;
        Ok(Loaded(Model::Encoder(Arc::new(Proven(encoder)))))
    } else {
        let idle = verify(source, |source| engine::Idle::load(source, draft, options, progress))?;
        let proof = Proof::of(&idle);
        let engine = idle.try_map(|idle| idle.start(proof))?;
        Ok(Loaded(Model::Decoder(Arc::new(Proven(engine)))))
    }
}

/// Loads a decoder that is to guess for another one, which `target` is. Its vocabulary is compared before its weights are
/// read.
///
/// # Errors
///
/// When it cannot guess for that one, and as [`load_source`].
pub fn load_draft(
    source: Box<dyn WeightSource>,
    target: &dyn WeightSource,
    options: &EngineOptions,
    progress: Progress<'_>,
) -> Result<LoadedDraft, LoadError> {
    let unfit = |problem: String| Err(LoadError::new("draft model", problem).of_kind(LoadErrorKind::Draft));
    if options.placement.device != DeviceKind::Cpu {
        return unfit(format!("on {} nothing is guessed ahead, only on cpu", options.placement.device));
    }
    let specs = [DecoderSpec::read(&*source)?, DecoderSpec::read(target)?];
    if let Some(DecoderSpec { architecture, .. }) = specs.iter().find(|spec| !spec.cuts_anywhere()) {
        return unfit(format!("guesses cannot be taken back from the state of {architecture}"));
    }
    engine::check_vocabularies(&*source, target)?;
    let context = specs[0].context_trained.min(options.context.unwrap_or(usize::MAX));
    load_executor(source, &options.placement, context, progress).map(LoadedDraft)
}

/// Loads a decoder alone, to be asked for logits. A sequence may hold `context` tokens.
///
/// # Errors
///
/// Names the file, key or tensor that is at fault, or the first file that is not what it should be.
pub fn load_executor(
    source: Box<dyn WeightSource>,
    placement: &Placement,
    context: usize,
    progress: Progress<'_>,
) -> Result<LoadedExecutor, LoadError> {
    verify(source, |source| placement.load(source, DecoderSpec::read(source)?, context, progress))
        .map(LoadedExecutor)
}

/// Makes something of a model's files, and checks all of them.
fn verify<T>(
    source: Box<dyn WeightSource>,
    make: impl FnOnce(&dyn WeightSource) -> Result<T, LoadError>,
) -> Result<Verified<T>, LoadError> {
    let made = make(&*source)?;
    source.into_files().verify(made, usable_threads())
}

/// Says in the words of model cards on what basis a model is verified.
pub fn card_basis(basis: &verified::Basis) -> Basis {
    match basis {
        verified::Basis::BuiltIn => Basis::BuiltIn,
        verified::Basis::Signed(_) => Basis::Signed,
        verified::Basis::Pinned => Basis::Pinned,
        verified::Basis::FirstSeen => Basis::FirstSeen,
    }
}

impl Loaded {
    /// Describes the model.
    pub fn card(&self) -> &ModelCard {
        match &self.0 {
            Model::Decoder(engine) => engine.0.value().card(),
            Model::Encoder(encoder) => encoder.0.value().card(),
        }
    }

    /// The weakest reason for which one of its files was taken to be the right one.
    pub fn basis(&self) -> &verified::Basis {
        match &self.0 {
            Model::Decoder(engine) => engine.0.basis(),
            Model::Encoder(encoder) => encoder.0.basis(),
        }
    }

    /// The files that it was made of.
    pub fn files(&self) -> &[VerifiedFile] {
        match &self.0 {
            Model::Decoder(engine) => engine.0.files(),
            Model::Encoder(encoder) => encoder.0.files(),
        }
    }

    /// Answers; encoders do not.
    pub fn chat(&self) -> Option<Arc<dyn ChatModel>> {
        match &self.0 {
            Model::Decoder(engine) => Some(Arc::clone(engine) as _),
            Model::Encoder(_) => None,
        }
    }

    /// Embeds.
    pub fn embedder(&self) -> Arc<dyn Embedder> {
        match &self.0 {
            Model::Decoder(engine) => Arc::clone(engine) as _,
            Model::Encoder(encoder) => Arc::clone(encoder) as _,
        }
    }

    /// Ranks documents, if it can.
    pub fn reranker(&self) -> Option<Arc<dyn Reranker>> {
        match &self.0 {
            Model::Decoder(engine) => engine.0.value().ranks().then(|| Arc::clone(engine) as _),
            Model::Encoder(encoder) => encoder.0.value().ranks().then(|| Arc::clone(encoder) as _),
        }
    }

    /// Turns prompts into its tokens.
    pub fn prompts(&self) -> Arc<dyn Prompts> {
        match &self.0 {
            Model::Decoder(engine) => Arc::clone(engine) as _,
            Model::Encoder(encoder) => Arc::clone(encoder) as _,
        }
    }

    /// Its tokenizer; models without a vocabulary run on token ids.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        match &self.0 {
            Model::Decoder(engine) => engine.0.value().tokenizer(),
            Model::Encoder(encoder) => encoder.0.value().tokenizer(),
        }
    }

    /// Hands out what it keeps of prompts, no more than so many bytes, in a form that the same `build` of the program takes
    /// back for the same model. `None` if there is nothing, or nothing that can be kept in a file.
    pub fn saved_prefixes(&self, build: &str, bytes_max: u64) -> Option<PrefixFile> {
        match &self.0 {
            Model::Decoder(engine) => engine.0.value().saved_prefixes(build, bytes_max),
            Model::Encoder(_) => None,
        }
    }

    /// Takes back what was handed out before. What is read is held against the digests beside it; that nobody else has
    /// written it is for the caller to see to.
    pub fn restore_prefixes(&self, build: &str, from: impl Read) -> PrefixOutcome {
        match &self.0 {
            Model::Decoder(engine) => engine.0.value().restore_prefixes(build, from),
            Model::Encoder(_) => PrefixOutcome { tokens: 0, problem: Some(PrefixFileError::OtherOrigin) },
        }
    }

    /// What the user should know before talking to it.
    pub fn warnings(&self) -> &[String] {
        match &self.0 {
            Model::Decoder(engine) => engine.0.value().warnings(),
            Model::Encoder(_) => &[],
        }
    }
}

impl LoadedDraft {
    /// The weakest reason for which one of its files was taken to be the right one.
    pub fn basis(&self) -> &verified::Basis {
        self.0.basis()
    }

    /// The files that it was made of.
    pub fn files(&self) -> &[VerifiedFile] {
        self.0.files()
    }

    pub(crate) fn executor(&self) -> &dyn Executor {
        &*self.0
    }

    /// What computes, with the proof.
    pub(crate) fn into_executor(self) -> Box<dyn DerefMut<Target = dyn Executor> + Send> {
        Box::new(self.0)
    }
}

impl LoadedExecutor {
    /// The weakest reason for which one of its files was taken to be the right one.
    pub fn basis(&self) -> &verified::Basis {
        self.0.basis()
    }

    /// The files that it was made of.
    pub fn files(&self) -> &[VerifiedFile] {
        self.0.files()
    }
}

impl Deref for LoadedExecutor {
    type Target = dyn Executor;

    fn deref(&self) -> &Self::Target {
        &**self.0.value()
    }
}

impl DerefMut for LoadedExecutor {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut **self.0.value_mut()
    }
}

impl<T: ChatModel> ChatModel for Proven<T> {
    fn card(&self) -> &ModelCard {
        self.0.value().card()
    }

    fn sampling(&self) -> Sampling {
        self.0.value().sampling()
    }

    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure> {
        self.0.value().chat(request)
    }
}

impl<T: Prompts> Prompts for Proven<T> {
    fn tokenize(&self, text: &str, options: TokenizeOptions) -> Result<Vec<u32>, Failure> {
        self.0.value().tokenize(text, options)
    }

    fn piece(&self, token: u32) -> Result<&[u8], Failure> {
        self.0.value().piece(token)
    }

    fn render(&self, request: &ChatRequest) -> Result<RenderedPrompt, Failure> {
        self.0.value().render(request)
    }

    fn template(&self, has_tools: bool) -> Option<&str> {
        self.0.value().template(has_tools)
    }

    fn bounds(&self) -> (Option<u32>, Option<u32>) {
        self.0.value().bounds()
    }
}

impl<T: Reranker> Reranker for Proven<T> {
    fn rank(&self, request: RankRequest) -> RankFuture {
        self.0.value().rank(request)
    }
}

impl<T: Embedder> Embedder for Proven<T> {
    fn embed(&self, request: EmbedRequest) -> EmbedFuture {
        self.0.value().embed(request)
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
        let loaded = load(Files::at(&path).unwrap(), &EngineOptions::default(), &|_, _| ()).unwrap();
        assert_eq!(loaded.card().architecture, "llama");
        assert!(loaded.card().abilities.contains(&Ability::Completes));
        assert!(loaded.chat().is_some());
        assert_eq!(loaded.tokenizer().unwrap().vocabulary_size(), 512);
    }

    #[test]
    fn what_answers_says_why_its_bytes_are_the_right_ones() {
        let Some(path) = stack_testkit::reference_data("stories260K/stories260K.gguf") else { return };
        let loaded = load(Files::at(&path).unwrap(), &EngineOptions::default(), &|_, _| ()).unwrap();
        assert_eq!(loaded.basis(), &verified::Basis::FirstSeen);
        let bytes = fs::read(&path).unwrap();
        let expected = Expected::pinned(Root::of(&bytes), bytes.len() as u64);
        let opener: Opener = Box::new(move || Pass::open(File::open(&path).unwrap(), expected.clone(), None));
        let files = Files::listed("model", BTreeMap::from([("stories260K.gguf".to_owned(), opener)]));
        let loaded = load(files, &EngineOptions::default(), &|_, _| ()).unwrap();
        assert_eq!((loaded.basis(), loaded.card().basis), (&verified::Basis::Pinned, Some(Basis::Pinned)));
        let chat = loaded.chat().unwrap();
        drop(loaded);
        assert_eq!(chat.card().basis, Some(Basis::Pinned));
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
