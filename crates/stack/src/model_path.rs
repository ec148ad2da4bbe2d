//! Which model: a path, or the one that is part of the program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use stack_engine::encoder::Encoder;
use stack_engine::engine::{self, EngineOptions};
use stack_engine::executor::{Executor, Placement};
use stack_engine::load::{self, Loaded};
use stack_engine::spec::DecoderSpec;
use stack_engine::template::ChatTemplate;
use stack_engine::tokenizer::Tokenizer;
use stack_engine::weights::{LoadError, WeightSource};
use stack_registry::model::StoredModel;
use stack_registry::name::Reference;
use stack_registry::store::{Store, StoreError};
use stack_seal::verified::Verified;

use crate::access::AccessArguments;
use crate::admission::{self, Admission, Applicant};
use crate::command_error::{CommandError, Kind};
use crate::default_model;
use crate::home::Home;
use crate::progress::Bar;
use crate::sealed;
use crate::signing::Target;

/// The MODEL of a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ModelPath {
    /// The model that is part of the program, also called `default`.
    #[default]
    BuiltIn,
    /// A name of the store, a GGUF file, or a folder with a model.
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

impl From<OsString> for ModelPath {
    fn from(argument: OsString) -> Self {
        if argument == default_model::NAME { Self::BuiltIn } else { Self::Path(argument.into()) }
    }
}

impl ModelPath {
    /// Finds the model of the store that is meant: what is spelled like a path never is one, and a name of the store goes
    /// before a file of that name, so that nobody can put a file in its way.
    ///
    /// The files of the model stay as long as it lives; what they hold is still to be verified.
    pub(crate) fn stored(&self, home: &Home) -> Result<Option<(Store, StoredModel)>, CommandError> {
        let Self::Path(path) = self else { return Ok(None) };
        let named = path.to_str().map(Reference::parse);
        let Some(Ok(Reference::Name(name))) = named else { return Ok(None) };
        let Some(store) = Store::existing(home.root())? else { return Ok(None) };
        match store.resolve(&name) {
            Ok(_) => {}
            Err(StoreError::NotInStore { .. }) if path.exists() => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let model = StoredModel::open(&store, &name)?;
        Ok(Some((store, model)))
    }

    /// Fails where there is no such model.
    pub(crate) fn check(&self, access: &AccessArguments) -> Result<(), CommandError> {
        match self {
            Self::BuiltIn => Ok(()),
            Self::Path(_) => self.target(access).map(|_| ()),
        }
    }

    /// Reads the header of what lies at the path, to show it; the policy is not asked, and nothing may run it.
    pub(crate) fn inspect(&self, access: &AccessArguments) -> Result<OpenModel, CommandError> {
        let files = match self {
            Self::BuiltIn => default_model::files(),
            Self::Path(path) => admission::files_to_look_at(path, access)?,
        };
        Ok(OpenModel { id: self.id(), source: load::open(files)?, admission: None })
    }

    /// Reads the header of the model, if the policy lets it pass.
    pub(crate) fn open(&self, access: &AccessArguments) -> Result<OpenModel, CommandError> {
        let Self::Path(_) = self else {
            let source = load::open(default_model::files())?;
            return Ok(OpenModel { id: self.id(), source, admission: None });
        };
        let target = self.target(access)?;
        let id = match &target {
            Target::Stored(model) => model.entry.name.short(),
            Target::File(_) | Target::Folder(_) => self.id(),
        };
        let applicant = Applicant::find(target, access)?;
        let source = load::open(applicant.files()?)?;
        let admission = Some(applicant.admit(&*source)?);
        Ok(OpenModel { id, source, admission })
    }

    /// Finds the model of the store, or what lies at the path.
    fn target(&self, access: &AccessArguments) -> Result<Target, CommandError> {
        if let Some((_, model)) = self.stored(&access.home()?)? {
            return Ok(Target::Stored(Box::new(model)));
        }
        let Self::Path(path) = self else { unreachable!("the model in the program is no target") };
        match path.metadata() {
            Ok(found) if found.is_dir() => Ok(Target::Folder(path.clone())),
            Ok(_) => Ok(Target::File(path.clone())),
            Err(error) => {
                Err(LoadError::caused(path.display().to_string(), "cannot be opened", error).into())
            }
        }
    }

    /// Names the model after its file or folder.
    pub(crate) fn id(&self) -> String {
        let Self::Path(path) = self else { return default_model::NAME.to_owned() };
        // `.` and `models/..` have names too.
        let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
        let name = whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy();
        let name = name.strip_suffix(sealed::ENDING).unwrap_or(&name);
        let stem = name.strip_suffix(".gguf").unwrap_or(name);
        without_shard(stem).to_owned()
    }

    /// The name of the folder that the model lies in.
    pub(crate) fn folder(&self) -> Option<String> {
        let Self::Path(path) = self else { return None };
        let whole = path.canonicalize().ok()?;
        Some(whole.parent()?.file_name()?.to_string_lossy().into_owned())
    }
}

impl OpenModel {
    /// Whether the model turns texts into vectors and answers nothing.
    pub(crate) fn is_encoder(&self) -> bool {
        Encoder::recognises(&*self.source)
    }

    /// Whether the model has a vocabulary, as far as a look tells.
    pub(crate) fn has_vocabulary(&self) -> bool {
        let tokens = self.source.metadata().value("tokenizer.ggml.tokens");
        tokens.is_some() || self.source.files().has_companion("tokenizer.json")
    }

    /// Reads the vocabulary.
    pub(crate) fn tokenizer(&self) -> Result<Option<Tokenizer>, CommandError> {
        Ok(engine::tokenizer(&*self.source)?)
    }

    /// Reads the vocabulary of a model that is useless without one.
    pub(crate) fn needed_tokenizer(&self) -> Result<Tokenizer, CommandError> {
        self.tokenizer()?.ok_or_else(|| {
            CommandError::new(Kind::Malformed, format!("the model {} has no vocabulary", self.id))
                .hint("`stack logits` takes token ids")
        })
    }

    /// Finds the chat template.
    pub(crate) fn template(&self, options: &EngineOptions) -> Result<Option<ChatTemplate>, CommandError> {
        Ok(options.template_for(&*self.source)?)
    }

    /// Loads the weights, showing a bar if it takes a while.
    pub(crate) fn load(self, options: &EngineOptions) -> Result<Loaded, CommandError> {
        let bar = Bar::new("loading", &self.id, false);
        let show = |done, total| bar.show(done, total);
        verified(self.admission.as_ref(), load::load_source(self.source, options, &show)?)
    }

    /// Loads the decoder alone.
    pub(crate) fn load_executor(
        self,
        spec: DecoderSpec,
        placement: &Placement,
        context: usize,
    ) -> Result<Box<dyn Executor>, CommandError> {
        let bar = Bar::new("loading", &self.id, false);
        let show = |done, total| bar.show(done, total);
        let loaded = load::load_executor(self.source, spec, placement, context, &show)?;
        verified(self.admission.as_ref(), loaded)
    }
}

/// Remembers what was accepted, now that its bytes were verified, and hands it out.
fn verified<T>(admission: Option<&Admission>, loaded: Verified<T>) -> Result<T, CommandError> {
    if let Some(admission) = admission {
        admission.remember()?;
    }
    Ok(loaded.into_inner())
}

/// Whether a prompt is more likely meant as `-m`: an existing GGUF file, or a folder with a model in it.
pub(crate) fn is_model(prompt: &str) -> bool {
    let path = Path::new(prompt);
    let is_gguf = |path: &Path| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"));
    if path.is_file() {
        return is_gguf(path);
    }
    let Ok(entries) = path.read_dir() else { return false };
    path.join("config.json").is_file() || entries.flatten().any(|entry| is_gguf(&entry.path()))
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
        let id = |path: &str| ModelPath::from(OsString::from(path)).id();
        assert_eq!(id("default"), "default");
        assert_eq!(id("nowhere/Qwen2.5-0.5B-Q4_K_M.gguf"), "Qwen2.5-0.5B-Q4_K_M");
        assert_eq!(id("nowhere/Qwen2.5-0.5B"), "Qwen2.5-0.5B");
        assert_eq!(id("nowhere/big-00001-of-00003.gguf"), "big");
        assert_eq!(id("nowhere/seven-of-nine.gguf"), "seven-of-nine");
    }

    #[test]
    fn a_prompt_is_a_model_only_where_there_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("m.GGUF");
        assert!(!is_model(dir.path().to_str().unwrap()));
        fs::write(&file, b"").unwrap();
        assert!(is_model(file.to_str().unwrap()));
        assert!(is_model(dir.path().to_str().unwrap()));
        assert!(!is_model("Tell me about story.gguf"));
    }
}
