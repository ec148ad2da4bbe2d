//! A model that can be asked, and what is known of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stack_chat::ChatModel;
use stack_engine::EngineOptions;
use stack_engine::spec::DecoderSpec;
use stack_registry::choice::ModelPath;
use stack_registry::store::Lease;

use crate::error::{CommandError, Kind};
use crate::models::path::OpenModel;
use crate::terminal::output::stderr;

/// A model that can be asked.
pub(crate) struct Ready {
    pub(crate) id: String,
    /// What it was opened as.
    pub(crate) path: ModelPath,
    pub(crate) chat: Arc<dyn ChatModel>,
    pub(crate) template: Option<String>,
    pub(crate) license: Option<String>,
    /// How long it took to load.
    pub(crate) load: Duration,
    /// Keep it in the store, and what guesses for it.
    _leases: Vec<Lease>,
}

/// A model whose header was read, and which can answer as far as that tells.
pub(crate) struct Candidate {
    path: ModelPath,
    model: OpenModel,
    options: EngineOptions,
    template: Option<String>,
    license: Option<String>,
}

/// How prompts are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prompts {
    /// As a conversation, by a chat template.
    Templated,
    /// As they are.
    Raw,
}

impl Candidate {
    /// Takes a model that is open. What it lacks to answer is found before its weights are read.
    pub(crate) fn new(
        path: ModelPath,
        model: OpenModel,
        options: EngineOptions,
        prompts: Prompts,
    ) -> Result<Self, CommandError> {
        if model.is_encoder() {
            return Err(cannot(
                &model.id,
                "turns texts into vectors and answers nothing",
                "`stack serve` has /v1/embeddings",
            ));
        }
        DecoderSpec::read(&*model.source)?;
        let template = match prompts {
            Prompts::Raw => None,
            Prompts::Templated => {
                let found = model.templates(&options)?;
                let usable = found.usable.map_err(|reason| {
                    let hint =
                        "let it continue the prompt with --raw, or give a template with --template FILE";
                    cannot(&model.id, &reason.to_string(), hint)
                })?;
                found.warnings.iter().for_each(|warning| stderr(format!("warning: {warning}")));
                Some(usable.choose(false).source().to_owned())
            }
        };
        if !model.has_vocabulary() {
            let why = "has no vocabulary, so it knows no text";
            return Err(cannot(&model.id, why, "`stack logits` takes token ids"));
        }
        let license = model.source.metadata().text("general.license").ok().flatten().map(str::to_owned);
        Ok(Self { path, model, options, template, license })
    }

    /// Reads the weights.
    pub(crate) fn load(self) -> Result<Ready, CommandError> {
        let Self { path, model, options, template, license } = self;
        let started = Instant::now();
        let id = model.id.clone();
        let (loaded, leases) = model.load(&options)?;
        let chat =
            loaded.chat().ok_or_else(|| cannot(&id, "answers nothing", "`stack show` says what it is"))?;
        Ok(Ready { id, path, chat, template, license, load: started.elapsed(), _leases: leases })
    }
}

fn cannot(id: &str, why: &str, hint: &str) -> CommandError {
    CommandError::new(Kind::Usage, format!("the model {id} {why}")).hint(hint)
}
