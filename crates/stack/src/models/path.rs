//! Where a model is: in the program, in the store, or at a path.

use std::path::Path;

use stack_engine::EngineOptions;
use stack_engine::encoder;
use stack_engine::engine::FoundTemplates;
use stack_engine::executor::Placement;
use stack_engine::load::{self, Loaded, LoadedDraft, LoadedExecutor};
use stack_engine::tokenizer::Tokenizer;
use stack_engine::weights::{Files, LoadError, WeightSource};
use stack_gateway::privacy::recorded_tier;
use stack_registry::choice::ModelPath;
use stack_registry::store::{Lease, StoreError};
use stack_seal::verified::Basis;
use stack_trust::admission::{
    Admission, AdmissionError, AdmissionOptions, Applicant, ModelFiles, files_to_look_at,
};
use stack_trust::home::Home;
use stack_trust::target::{HasherOptions, StoredTarget, Target};
use stack_trust::trust_file::TrustFolder;

use super::{audited, default_model, facts};
use crate::config::{Config, PrivacyArguments};
use crate::error::{CommandError, Kind};
use crate::home::access::AccessArguments;
use crate::process::{machine, threads};
use crate::terminal::progress::{Bar, FileBars};
use crate::terminal::report::{warn_exposed, warn_passed_over};

/// A model that is there, and of the store is open. Nothing of it was read yet.
pub(crate) struct FoundModel {
    id: String,
    /// The model in the program is nobody's target.
    target: Option<Target>,
}

/// A model outside the store, to be looked at and never to be run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Inspected<'a> {
    /// The model that is part of the program.
    BuiltIn,
    /// What lies at a path.
    Path(&'a Path),
}

/// A model whose header has been read.
pub(crate) struct OpenModel {
    access: AccessArguments,
    /// Its name.
    pub(crate) id: String,
    /// Metadata and tensors.
    pub(crate) source: Box<dyn WeightSource>,
    admission: Option<Admission>,
    /// Whether any of its files is.
    pub(crate) is_sealed: bool,
    /// A smaller one that guesses for it.
    draft: Option<Box<OpenModel>>,
}

/// Finds a model, which may then be opened: one of the store is held there, and something lies at the path.
pub(crate) fn locate(model: &ModelPath, home: &Home) -> Result<FoundModel, CommandError> {
    let target = match model {
        ModelPath::BuiltIn => None,
        ModelPath::Stored(name) => {
            let store = home.existing_store()?.ok_or_else(|| StoreError::missing(name.short()))?;
            Some(Target::stored(store, name)?)
        }
        ModelPath::Path(path) => match path.metadata() {
            Ok(found) if found.is_dir() => Some(Target::Folder(path.clone())),
            Ok(_) => Some(Target::File(path.clone())),
            Err(error) => {
                return Err(LoadError::caused(path.display().to_string(), "cannot be opened", error).into());
            }
        },
    };
    Ok(FoundModel { id: model.id(), target })
}

/// Finds a model and reads its header, if the policy lets it pass.
pub(crate) fn open(model: &ModelPath, access: &AccessArguments) -> Result<OpenModel, CommandError> {
    locate(model, &access.home()?)?.open(access)
}

impl FoundModel {
    /// Reads the header of the model, if the policy lets it pass.
    pub(crate) fn open(self, access: &AccessArguments) -> Result<OpenModel, CommandError> {
        let Self { id, target } = self;
        let Some(target) = target else {
            let source = load::open(default_model::files())?;
            return Ok(OpenModel::new(access, id, source, None));
        };
        let is_sealed = target.is_sealed();
        apply(target, access, |applicant| {
            let source = load::open(engine_files(applicant.files()?)?)?;
            let admission = applicant.admit(&facts::of(&*source)).map_err(|error| match error {
                AdmissionError::Refused { .. } => audited::refused(access, &id, error.into()),
                _ => error.into(),
            })?;
            Ok(OpenModel { is_sealed, ..OpenModel::new(access, id, source, Some(admission)) })
        })
    }

    /// Says on which basis the model would be loaded; whether its bytes hold is found out when they are read.
    pub(crate) fn basis(self, access: &AccessArguments) -> Result<Basis, CommandError> {
        match self.target {
            None => Ok(Basis::BuiltIn),
            Some(target) => apply(target, access, |applicant| Ok(applicant.basis())),
        }
    }
}

impl From<StoredTarget> for FoundModel {
    fn from(stored: StoredTarget) -> Self {
        Self { id: stored.model.entry.name.short(), target: Some(Target::Stored(Box::new(stored))) }
    }
}

/// Asks the policy about a target, with what the operator and the machine say.
fn apply<T>(
    target: Target,
    access: &AccessArguments,
    ask: impl FnOnce(Applicant<'_>) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let home = access.home()?;
    let bars = FileBars::new("hashing");
    let progress = |name: &str, done, total| bars.show(name, done, total);
    let options = AdmissionOptions {
        opener: access.keys.opener(&home),
        tier: recorded_tier(PrivacyArguments::default().policy(&Config::read(&home)?)?.tier),
        now: machine::now(),
        hashing: HasherOptions { workers: threads::usable(), progress: &progress },
    };
    TrustFolder::new(&home).tamperings().iter().for_each(warn_exposed);
    ask(Applicant::new(target, options, &mut warn_passed_over)?)
}

impl Inspected<'_> {
    /// Names the model.
    pub(crate) fn id(self) -> String {
        match self {
            Self::BuiltIn => ModelPath::BuiltIn.id(),
            Self::Path(path) => ModelPath::Path(path.to_owned()).id(),
        }
    }

    /// Reads the header, to show it; the policy is not asked.
    pub(crate) fn open(self, access: &AccessArguments) -> Result<OpenModel, CommandError> {
        let files = match self {
            Self::BuiltIn => default_model::files(),
            Self::Path(path) => {
                let home = access.home()?;
                engine_files(files_to_look_at(path, &access.keys.opener(&home), threads::usable())?)?
            }
        };
        let source = load::open(files)?;
        Ok(OpenModel::new(access, self.id(), source, None))
    }
}

impl OpenModel {
    fn new(
        access: &AccessArguments,
        id: String,
        source: Box<dyn WeightSource>,
        admission: Option<Admission>,
    ) -> Self {
        Self { access: access.clone(), id, source, admission, is_sealed: false, draft: None }
    }

    /// Whether the model turns texts into vectors and answers nothing.
    pub(crate) fn is_encoder(&self) -> bool {
        encoder::recognises(&*self.source)
    }

    /// Whether the model has a vocabulary, as far as a look tells.
    pub(crate) fn has_vocabulary(&self) -> bool {
        let tokens = self.source.metadata().value("tokenizer.ggml.tokens");
        tokens.is_some() || self.source.files().has_companion("tokenizer.json")
    }

    /// Reads the vocabulary.
    pub(crate) fn tokenizer(&self) -> Result<Option<Tokenizer>, CommandError> {
        Ok(Tokenizer::read(&*self.source)?)
    }

    /// Reads the vocabulary of a model that is useless without one.
    pub(crate) fn needed_tokenizer(&self) -> Result<Tokenizer, CommandError> {
        self.tokenizer()?.ok_or_else(|| {
            CommandError::new(Kind::Malformed, format!("the model {} has no vocabulary", self.id))
                .hint("`stack logits` takes token ids")
        })
    }

    /// Finds the chat templates.
    pub(crate) fn templates(&self, options: &EngineOptions) -> Result<FoundTemplates, CommandError> {
        Ok(options.templates_for(&*self.source, || Tokenizer::read(&*self.source).ok().flatten())?)
    }

    /// Lets a smaller model guess for this one. It is admitted, verified and written down as any other.
    #[must_use]
    pub(crate) fn with_draft(self, draft: Option<OpenModel>) -> Self {
        Self { draft: draft.map(Box::new), ..self }
    }

    /// Loads the weights, showing a bar if it takes a while.
    ///
    /// Models of the store stay in use, and so are not removed, while the leases live.
    pub(crate) fn load(self, options: &EngineOptions) -> Result<(Loaded, Vec<Lease>), CommandError> {
        // Measured before the weights take theirs, so that a full page cache does not count twice.
        let options = EngineOptions {
            memory_bytes: options.memory_bytes.or_else(machine::available_bytes),
            ..options.clone()
        };
        let drafted = self.draft.map(|draft| draft.load_draft(&*self.source, &options)).transpose()?;
        let (draft, lease) = drafted.unzip();
        let mut leases: Vec<Lease> = lease.flatten().into_iter().collect();
        let bar = Bar::new("loading", &self.id, false);
        let show = |done, total| bar.show(done, total);
        self.access.audit()?.record(audited::load(&self.id), || {
            let loaded = load::load_source(self.source, draft, &options, &show)?;
            let about = audited::confirmed(self.admission.as_ref(), loaded.basis(), loaded.files())?;
            leases.extend(self.admission.and_then(Admission::into_lease));
            Ok(((loaded, leases), about))
        })
    }

    /// Loads the model to guess for another one.
    fn load_draft(
        self,
        target: &dyn WeightSource,
        options: &EngineOptions,
    ) -> Result<(LoadedDraft, Option<Lease>), CommandError> {
        let bar = Bar::new("loading", &self.id, false);
        let show = |done, total| bar.show(done, total);
        self.access.audit()?.record(audited::load(&self.id), || {
            let draft = load::load_draft(self.source, target, options, &show)?;
            let about = audited::confirmed(self.admission.as_ref(), draft.basis(), draft.files())?;
            Ok(((draft, self.admission.and_then(Admission::into_lease)), about))
        })
    }

    /// Loads the decoder alone.
    pub(crate) fn load_executor(
        self,
        placement: &Placement,
        context: usize,
    ) -> Result<LoadedExecutor, CommandError> {
        let bar = Bar::new("loading", &self.id, false);
        let show = |done, total| bar.show(done, total);
        self.access.audit()?.record(audited::load(&self.id), || {
            let loaded = load::load_executor(self.source, placement, context, &show)?;
            let about = audited::confirmed(self.admission.as_ref(), loaded.basis(), loaded.files())?;
            Ok((loaded, about))
        })
    }
}

/// Hands the files of a model to the engine.
fn engine_files(files: ModelFiles) -> Result<Files, LoadError> {
    Ok(match files {
        ModelFiles::At(path) => Files::at(&path)?,
        ModelFiles::Opened { path, files } => Files::opened(&path, files),
        ModelFiles::Listed { title, files } => Files::listed(&title, files),
    })
}
