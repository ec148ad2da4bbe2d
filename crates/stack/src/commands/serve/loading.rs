//! Loading models: those that the server is started with, and those that requests name.

use std::sync::Arc;
use std::time::Instant;

use stack_chat::{Failure, FailureKind, ModelCard};
use stack_engine::EngineOptions;
use stack_registry::choice::ModelPath;
use stack_registry::name::Name;
use stack_registry::store::{Lease, Store};
use stack_server::{Library, Served, by_name};

use crate::error::{CommandError, Kind};
use crate::home::access::AccessArguments;
use crate::models::memory::Memory;
use crate::models::path::{self, FoundModel, OpenModel, locate};
use crate::models::prefixes::{KeptPrefixes, PrefixFolder};
use crate::models::sampling_defaults::WithDefaults;
use crate::options::SamplingArguments;
use crate::terminal::output::stderr;
use crate::terminal::report::report;

/// How models are loaded.
#[derive(Clone)]
pub(super) struct Loading {
    pub(super) options: EngineOptions,
    pub(super) access: AccessArguments,
    pub(super) sampling: SamplingArguments,
    /// What guesses for the one model that the server was started with.
    pub(super) draft: Option<ModelPath>,
    /// Where prefixes are kept.
    pub(super) prefixes: Option<PrefixFolder>,
}

impl Loading {
    /// Loads a model once, and serves it under each of its names.
    pub(super) fn load(&self, model: FoundModel, ids: &[String]) -> Result<Vec<Served>, CommandError> {
        let model = model.open(&self.access)?.with_draft(self.open_draft()?);
        self.serve(model, &self.options, ids)
    }

    fn open_draft(&self) -> Result<Option<OpenModel>, CommandError> {
        self.draft.as_ref().map(|draft| path::open(draft, &self.access)).transpose()
    }

    fn serve(
        &self,
        model: OpenModel,
        options: &EngineOptions,
        ids: &[String],
    ) -> Result<Vec<Served>, CommandError> {
        let is_sealed = model.is_sealed;
        let (loaded, leases) = model.load(options)?;
        let name = ids.first().map_or("the model", String::as_str);
        let prefixes = self.prefixes.as_ref().and_then(|folder| folder.restore(&loaded, name, is_sealed));
        let held = Arc::new(Held { _prefixes: prefixes, _leases: leases });
        loaded.warnings().iter().for_each(|warning| stderr(format!("warning: {name}: {warning}")));
        let (sampling, max_tokens) = (self.sampling.sampling(), self.sampling.max_tokens());
        let chat = loaded.chat().map(|chat| WithDefaults::wrap(chat, &sampling, max_tokens));
        let served = |id: &String| Served {
            id: id.clone(),
            card: ModelCard { id: id.clone(), ..loaded.card().clone() },
            chat: chat.clone(),
            embedder: Some(loaded.embedder()),
            reranker: loaded.reranker(),
            prompts: Some(loaded.prompts()),
            held: Some(Arc::clone(&held) as _),
        };
        Ok(ids.iter().map(served).collect())
    }
}

/// What goes with a model: its prefixes are kept, and then its files may be removed.
struct Held {
    _prefixes: Option<KeptPrefixes>,
    _leases: Vec<Lease>,
}

/// The models of the store, and those that the server was started with, wherever they are.
pub(super) struct StoredModels {
    loading: Loading,
    named: Vec<(String, ModelPath)>,
}

impl StoredModels {
    pub(super) fn new(loading: &Loading, named: Vec<(String, ModelPath)>) -> Self {
        // A request comes when nobody looks at the terminal.
        let access = loading.access.clone().silent();
        Self { loading: Loading { access, ..loading.clone() }, named }
    }

    fn store(&self) -> Option<Store> {
        self.loading.access.home().ok()?.existing_store().ok()?
    }

    fn path(&self, id: &str) -> Option<ModelPath> {
        let named = self.named.iter().find(|(name, _)| name == id).map(|(_, path)| path.clone());
        named.or_else(|| {
            let name = Name::parse(id).ok()?;
            self.store()?.resolve(&name).ok().map(|entry| ModelPath::Stored(entry.name))
        })
    }

    fn load_one(
        &self,
        id: &str,
        make_room: &mut dyn FnMut(u64) -> Result<(), Failure>,
    ) -> Result<Served, NotLoaded> {
        let path = self.path(id).ok_or_else(|| CommandError::new(Kind::Missing, format!("{id} is gone")))?;
        let model = locate(&path, &self.loading.access.home()?)?.open(&self.loading.access)?;
        let wanted = self.loading.options.context.map(|tokens| tokens as u32);
        let placement = &self.loading.options.placement;
        let mut memory = Memory::of(&model, placement, wanted).map_err(CommandError::from)?;
        let is_named = self.named.iter().any(|(name, _)| name == id);
        let draft = if is_named { self.loading.open_draft()? } else { None };
        if let Some(draft) = &draft {
            memory = memory.with_draft(Memory::of(draft, placement, wanted).map_err(CommandError::from)?);
        }
        let cache_bytes = memory.serving_cache_bytes(wanted);
        make_room(memory.weights_bytes.saturating_add(cache_bytes)).map_err(NotLoaded::NoRoom)?;
        let options = EngineOptions { cache_bytes: Some(cache_bytes), ..self.loading.options.clone() };
        let mut served = self.loading.serve(model.with_draft(draft), &options, &[id.to_owned()])?;
        served.pop().ok_or_else(|| CommandError::new(Kind::Bug, "a model has a name").into())
    }
}

/// Why a model is not loaded.
enum NotLoaded {
    NoRoom(Failure),
    Failed(CommandError),
}

impl From<CommandError> for NotLoaded {
    fn from(error: CommandError) -> Self {
        Self::Failed(error)
    }
}

impl Library for StoredModels {
    fn names(&self) -> Vec<String> {
        let entries = self.store().and_then(|store| store.entries().ok()).unwrap_or_default();
        entries.iter().map(|entry| entry.name.short()).collect()
    }

    fn find(&self, name: &str) -> Option<String> {
        if let Some((named, _)) = by_name(&self.named, |(named, _)| named, name) {
            return Some(named.clone());
        }
        match self.path(name)? {
            ModelPath::Stored(name) => Some(name.short()),
            ModelPath::BuiltIn | ModelPath::Path(_) => None,
        }
    }

    fn load(
        &self,
        id: &str,
        make_room: &mut dyn FnMut(u64) -> Result<(), Failure>,
    ) -> Result<Served, Failure> {
        let started = Instant::now();
        match self.load_one(id, make_room) {
            Ok(served) => {
                stderr(format!("{id} is ready, loaded in {:.1} s", started.elapsed().as_secs_f64()));
                Ok(served)
            }
            Err(NotLoaded::NoRoom(failure)) => Err(failure),
            Err(NotLoaded::Failed(error)) => {
                report(&error);
                Err(for_client(id, error.kind()))
            }
        }
    }
}

/// What a client learns of a model that is not loaded; the operator has been told why.
fn for_client(id: &str, kind: Kind) -> Failure {
    let (kind, why) = match kind {
        Kind::Missing => (FailureKind::ModelMissing, "it is not there any more"),
        Kind::Untrusted | Kind::Refused => {
            (FailureKind::ModelBlocked, "the policy of this server forbids it")
        }
        Kind::Closed => (FailureKind::ModelBlocked, "it is sealed, and the server has no key that opens it"),
        Kind::Differs => (FailureKind::Internal, "its bytes are not the ones that were recorded"),
        _ => (FailureKind::Internal, "the server's log says why"),
    };
    Failure::new(kind, format!("the model {id:?} was not loaded: {why}"))
}
