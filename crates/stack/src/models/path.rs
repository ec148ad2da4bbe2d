//! Where a model is: in the program, in the store, or at a path.

use std::path::{Path, PathBuf};

use stack_engine::EngineOptions;
use stack_engine::encoder;
use stack_engine::engine::FoundTemplates;
use stack_engine::executor::Placement;
use stack_engine::load::{self, Loaded, LoadedExecutor};
use stack_engine::tokenizer::Tokenizer;
use stack_engine::weights::{LoadError, WeightSource};
use stack_registry::lease::Lease;
use stack_registry::model::StoredModel;
use stack_registry::name::Name;
use stack_registry::store::{Store, StoreError};
use stack_seal::verified::Basis;

use crate::cli::access::AccessArguments;
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::models::default_model;
use crate::process::machine;
use crate::sealing::sealed;
use crate::signing::Target;
use crate::terminal::progress::Bar;
use crate::trust::admission::{self, Admission, Applicant};

/// Where the model is that a command line means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ModelPath {
    /// The model that is part of the program, also called `default`.
    #[default]
    BuiltIn,
    /// A model of the store.
    Stored(Name),
    /// A GGUF file, or a folder with a model.
    Path(PathBuf),
}

/// A model whose header has been read.
pub(crate) struct OpenModel {
    /// Its name.
    pub(crate) id: String,
    /// Metadata and tensors.
    pub(crate) source: Box<dyn WeightSource>,
    admission: Option<Admission>,
}

impl ModelPath {
    /// Opens the model if it is one of the store.
    ///
    /// Its files stay as long as it lives; what they hold is still to be verified.
    pub(crate) fn stored(&self, home: &Home) -> Result<Option<(Store, StoredModel)>, CommandError> {
        let Self::Stored(name) = self else { return Ok(None) };
        let store = home.existing_store()?.ok_or_else(|| StoreError::missing(name.short()))?;
        let model = StoredModel::open(&store, name)?;
        Ok(Some((store, model)))
    }

    /// Fails where there is no such model.
    pub(crate) fn check(&self, access: &AccessArguments) -> Result<(), CommandError> {
        self.target(access).map(|_| ())
    }

    /// Reads the header of what lies at the path, to show it; the policy is not asked, and nothing may run it.
    pub(crate) fn inspect(&self, access: &AccessArguments) -> Result<OpenModel, CommandError> {
        let files = match self {
            Self::BuiltIn => default_model::files(),
            Self::Path(path) => admission::files_to_look_at(path, access)?,
            Self::Stored(name) => unreachable!("{name} is shown by its files"),
        };
        Ok(OpenModel { id: self.id(), source: load::open(files)?, admission: None })
    }

    /// Reads the header of the model, if the policy lets it pass.
    pub(crate) fn open(&self, access: &AccessArguments) -> Result<OpenModel, CommandError> {
        let id = self.id();
        let Some(target) = self.target(access)? else {
            return Ok(OpenModel { id, source: load::open(default_model::files())?, admission: None });
        };
        let applicant = Applicant::find(target, access)?;
        let source = load::open(applicant.files()?)?;
        let admission = Some(applicant.admit(&*source)?);
        Ok(OpenModel { id, source, admission })
    }

    /// Says on which basis the model would be loaded; whether its bytes hold is found out when they are read.
    pub(crate) fn basis(&self, access: &AccessArguments) -> Result<Basis, CommandError> {
        match self.target(access)? {
            None => Ok(Basis::BuiltIn),
            Some(target) => Ok(Applicant::find(target, access)?.basis()),
        }
    }

    /// Finds the model of the store, or what lies at the path. The model in the program is nobody's target.
    fn target(&self, access: &AccessArguments) -> Result<Option<Target>, CommandError> {
        let path = match self {
            Self::BuiltIn => return Ok(None),
            Self::Stored(_) => {
                let stored = self.stored(&access.home()?)?;
                return Ok(stored.map(|(_, model)| Target::Stored(Box::new(model))));
            }
            Self::Path(path) => path,
        };
        match path.metadata() {
            Ok(found) if found.is_dir() => Ok(Some(Target::Folder(path.clone()))),
            Ok(_) => Ok(Some(Target::File(path.clone()))),
            Err(error) => {
                Err(LoadError::caused(path.display().to_string(), "cannot be opened", error).into())
            }
        }
    }

    /// Names the model as it was asked for: by its name in the store, or after its file or folder. A link has a name of
    /// its own, which somebody chose; what it leads to is often a blob that is named by its digest.
    pub(crate) fn id(&self) -> String {
        let path = match self {
            Self::BuiltIn => return default_model::NAME.to_owned(),
            Self::Stored(name) => return name.short(),
            Self::Path(path) => path,
        };
        let Some(name) = file_name(path) else { return path.to_string_lossy().into_owned() };
        let name = without_ending(&name, sealed::ENDING);
        without_shard(without_ending(name, ".gguf")).to_owned()
    }

    /// The name of the folder that the model lies in.
    pub(crate) fn folder(&self) -> Option<String> {
        let Self::Path(path) = self else { return None };
        let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        file_name(parent)
    }

    /// Tells two arguments apart that mean two models, or one model under two names. Who spells the path of one file in
    /// two ways means one model.
    pub(crate) fn identity(&self) -> Self {
        let Self::Path(path) = self else { return self.clone() };
        let folder = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        let place = match (folder.canonicalize(), path.file_name()) {
            (Ok(folder), Some(name)) => folder.join(name),
            _ => path.canonicalize().unwrap_or_else(|_| path.clone()),
        };
        Self::Path(place)
    }
}

impl OpenModel {
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

    /// Loads the weights, showing a bar if it takes a while.
    ///
    /// A model of the store stays in use, and so is not removed, while the lease lives.
    pub(crate) fn load(self, options: &EngineOptions) -> Result<(Loaded, Option<Lease>), CommandError> {
        let bar = Bar::new("loading", &self.id, false);
        let show = |done, total| bar.show(done, total);
        // Measured before the weights take theirs, so that a full page cache does not count twice.
        let options = EngineOptions { memory_bytes: machine::available_bytes(), ..options.clone() };
        let loaded = load::load_source(self.source, &options, &show)?;
        if let Some(admission) = &self.admission {
            admission.confirm(loaded.basis())?;
        }
        Ok((loaded, self.admission.and_then(Admission::into_lease)))
    }

    /// Loads the decoder alone.
    pub(crate) fn load_executor(
        self,
        placement: &Placement,
        context: usize,
    ) -> Result<LoadedExecutor, CommandError> {
        let bar = Bar::new("loading", &self.id, false);
        let show = |done, total| bar.show(done, total);
        let loaded = load::load_executor(self.source, placement, context, &show)?;
        if let Some(admission) = &self.admission {
            admission.confirm(loaded.basis())?;
        }
        Ok(loaded)
    }
}

/// The last part of a path; that of `.` and `models/..` is what they lead to.
fn file_name(path: &Path) -> Option<String> {
    match path.file_name() {
        Some(name) => Some(name.to_string_lossy().into_owned()),
        None => Some(path.canonicalize().ok()?.file_name()?.to_string_lossy().into_owned()),
    }
}

/// Cuts an ending off, however it is spelled.
fn without_ending<'a>(name: &'a str, ending: &str) -> &'a str {
    let stem = name.len().checked_sub(ending.len()).and_then(|at| name.split_at_checked(at));
    stem.filter(|(stem, end)| !stem.is_empty() && end.eq_ignore_ascii_case(ending))
        .map_or(name, |(stem, _)| stem)
}

/// Cuts `-00001-of-00003` off the name of a part of a model.
fn without_shard(stem: &str) -> &str {
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let part = stem.rsplit_once("-of-").filter(|(_, count)| is_number(count));
    match part.and_then(|(rest, _)| rest.rsplit_once('-')) {
        Some((name, number)) if is_number(number) => name,
        _ => stem,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn models_are_named_after_files_and_folders() {
        let id = |path: &str| ModelPath::Path(path.into()).id();
        assert_eq!(ModelPath::BuiltIn.id(), "default");
        assert_eq!(ModelPath::Stored(Name::parse("med/tiny").unwrap()).id(), "med/tiny");
        assert_eq!(id("nowhere/Qwen2.5-0.5B-Q4_K_M.gguf"), "Qwen2.5-0.5B-Q4_K_M");
        assert_eq!(id("nowhere/Qwen2.5-0.5B"), "Qwen2.5-0.5B");
        assert_eq!(id("nowhere/big-00001-of-00003.GGUF"), "big");
        assert_eq!(id("nowhere/seven-of-nine.gguf"), "seven-of-nine");
        assert_eq!(
            (id("sealed.gguf.age"), id(".gguf"), id("/")),
            ("sealed".into(), ".gguf".into(), "/".into())
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_has_a_name_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let blob = dir.path().join("blobs/0123abcd");
        let link = dir.path().join("snapshots/main/smol.gguf");
        for path in [&blob, &link] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        fs::write(&blob, b"").unwrap();
        std::os::unix::fs::symlink(&blob, &link).unwrap();
        let model = ModelPath::Path(link);
        assert_eq!((model.id().as_str(), model.folder().as_deref()), ("smol", Some("main")));
        let folder = ModelPath::Path(dir.path().join("snapshots/main/."));
        assert_eq!(folder.id(), "main");
        assert_eq!(ModelPath::Path(dir.path().join("snapshots/main/..")).id(), "snapshots");
    }

    #[test]
    fn one_file_has_one_identity_however_it_is_spelled() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        let path = dir.path().join("m.gguf");
        fs::write(&path, b"").unwrap();
        let identity = |path: std::path::PathBuf| ModelPath::Path(path).identity();
        assert_eq!(identity(path.clone()), identity(dir.path().join("sub/../m.gguf")));
        assert_ne!(identity(path), identity(dir.path().join("n.gguf")));
    }
}
