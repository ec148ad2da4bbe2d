//! A local model that writes a text for another command: opened, counted with, and asked.

use clap::{Args, ValueHint};
use stack_chat::ChatModel;
use stack_engine::EngineOptions;
use stack_engine::executor::Placement;
use stack_engine::spec::DecoderSpec;
use stack_engine::tokenizer::{Control, Specials, Tokenizer};
use stack_registry::choice::ModelPath;
use tokio::runtime::{self, Runtime};

use crate::error::{CommandError, Kind};
use crate::home::access::AccessArguments;
use crate::models::choice::ModelArgument;
use crate::models::path::{self, OpenModel};
use crate::models::ready::{Candidate, Prompts, Ready};
use crate::options;
use crate::process::threads::{self, Workload};

/// Which model writes.
#[derive(Debug, Args)]
pub(crate) struct WriterArguments {
    /// The model: a name of the store, a GGUF file, a folder or an address, or `default`
    #[arg(short, long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    model: Option<ModelArgument>,
    #[command(flatten)]
    pub(crate) access: AccessArguments,
}

/// Counts tokens as a model does.
pub(crate) struct TokenCounter {
    tokenizer: Tokenizer,
    /// Tokens that the model was trained for.
    pub(crate) context: u32,
}

impl WriterArguments {
    /// Whether a model was named.
    pub(crate) fn is_named(&self) -> bool {
        self.model.is_some()
    }

    /// Opens the model's vocabulary.
    pub(crate) fn counter(&self) -> Result<TokenCounter, CommandError> {
        let model = self.open(&self.path()?)?;
        let context = u32::try_from(DecoderSpec::read(&*model.source)?.context_trained).unwrap_or(u32::MAX);
        Ok(TokenCounter { tokenizer: model.needed_tokenizer()?, context })
    }

    /// Loads the model.
    pub(crate) fn load(&self) -> Result<Writer, CommandError> {
        let path = self.path()?;
        let model = self.open(&path)?;
        let workload = if path == ModelPath::BuiltIn { Workload::Tiny } else { Workload::Unknown };
        let placement = Placement {
            level: options::level()?,
            threads: threads::count(None, workload),
            prefetch: options::prefetch()?,
            ..Placement::default()
        };
        let options = EngineOptions { placement, ..EngineOptions::default() };
        let ready = Candidate::new(path, model, options, Prompts::Templated)?.load()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            CommandError::new(Kind::Machine, "the program cannot wait for events").caused(error)
        })?;
        Ok(Writer { ready, runtime })
    }

    fn path(&self) -> Result<ModelPath, CommandError> {
        match &self.model {
            Some(model) => model.find(&self.access.home()?),
            None => Ok(ModelPath::BuiltIn),
        }
    }

    fn open(&self, path: &ModelPath) -> Result<OpenModel, CommandError> {
        path::open(path, &self.access)
    }
}

impl TokenCounter {
    pub(crate) fn count(&self, text: &str) -> u32 {
        u32::try_from(self.tokenizer.encode(text, Control::Literal, Specials::Omit).len()).unwrap_or(u32::MAX)
    }
}

/// A model that can be asked.
pub(crate) struct Writer {
    ready: Ready,
    runtime: Runtime,
}

impl Writer {
    pub(crate) fn id(&self) -> &str {
        &self.ready.id
    }

    /// Returns the model.
    pub(crate) fn model(&self) -> &dyn ChatModel {
        &*self.ready.chat
    }

    /// Waits for what was asked of it.
    pub(crate) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }
}
