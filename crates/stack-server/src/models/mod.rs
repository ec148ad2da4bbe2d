//! The models that a server answers with.

mod aliases;
mod library;
mod name;
mod on_demand;
mod providers;
mod residency;

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use stack_chat::{ChatModel, Embedder, Failure, FailureKind, ModelCard, Prompts, Reranker, Tier};
use stack_wire::native::PROVIDER;
use stack_wire::{Availability, KeepAlive};

use self::on_demand::Leaving;
use crate::error::ApiError;

pub use self::aliases::ModelState;
pub use self::library::Library;
pub use self::name::by_name;
pub use self::providers::Providers;
pub use self::residency::Residency;

/// The models by name, in the order in which they were announced. It may change while the server runs.
#[derive(Default)]
pub struct Models {
    entries: RwLock<Vec<Entry>>,
    /// Where models come from that are asked for and not there.
    library: Option<Arc<dyn Library>>,
    /// Models that run elsewhere.
    providers: Option<Arc<dyn Providers>>,
    residency: Residency,
    /// Held by whoever loads: one model at a time.
    loading: tokio::sync::Mutex<()>,
    leaving: Mutex<Vec<Leaving>>,
}

/// A model that can be asked.
pub struct Served {
    /// The name by which requests select it.
    pub id: String,
    /// What callers may know about it.
    pub card: ModelCard,
    /// Answers conversations and completions, if it can.
    pub chat: Option<Arc<dyn ChatModel>>,
    /// Makes embeddings, if it can.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// Ranks documents, if it can.
    pub reranker: Option<Arc<dyn Reranker>>,
    /// Turns prompts into tokens, if it runs here.
    pub prompts: Option<Arc<dyn Prompts>>,
    /// What must not go before it, such as a lease of its files.
    pub held: Option<Arc<dyn Any + Send + Sync>>,
}

/// The model that a request means.
pub(crate) enum Meant {
    /// One of this process, by its name.
    Here(String),
    /// One that runs elsewhere.
    Elsewhere(Arc<Served>),
}

impl Meant {
    /// Returns the name by which keys are for it.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Here(id) => id,
            Self::Elsewhere(served) => &served.id,
        }
    }
}

#[cfg(test)]
impl Served {
    /// Makes a model that can do nothing.
    pub(crate) fn named(id: &str) -> Self {
        let card = ModelCard::default();
        Self { id: id.into(), card, chat: None, embedder: None, reranker: None, prompts: None, held: None }
    }
}

struct Entry {
    id: String,
    state: State,
    /// Whether the server has it of its own, and not because a request named it.
    is_own: bool,
    /// Whether the server was started with it and it has neither loaded nor failed yet.
    starting: bool,
    /// Bytes that it takes.
    bytes: u64,
    keep_alive: KeepAlive,
    /// When it last answered.
    used: Instant,
}

enum State {
    Loading,
    Ready(Arc<Served>),
    Failed,
    /// It was unloaded, and is loaded again when it is asked for.
    Stored,
}

impl Models {
    /// Announces the models that a server is started with. Until each of them has loaded or failed, the server says
    /// that it is starting.
    pub fn starting<I: Into<String>>(ids: impl IntoIterator<Item = I>) -> Self {
        let entry = |id: I| Entry { is_own: true, starting: true, ..Entry::new(id.into(), State::Loading) };
        Self { entries: RwLock::new(ids.into_iter().map(entry).collect()), ..Self::default() }
    }

    /// Lets requests name models that are not in memory: they are loaded, and stay as `residency` says.
    #[must_use]
    pub fn with_library(self, library: Arc<dyn Library>, residency: Residency) -> Self {
        Self { library: Some(library), residency, ..self }
    }

    /// Lets requests name models that run elsewhere. A model of this process goes before one of the same name.
    #[must_use]
    pub fn with_providers(self, providers: Arc<dyn Providers>) -> Self {
        Self { providers: Some(providers), ..self }
    }

    /// Holds a request that says how far it may reach to what the operator allows.
    pub(crate) fn admit_tier(&self, asked: Option<Tier>) -> Result<(), Failure> {
        match (&self.providers, asked) {
            (Some(providers), Some(asked)) => providers.admit_tier(asked),
            _ => Ok(()),
        }
    }

    /// Finds the model of a provider that a request means. Nobody else is asked where it means this process.
    fn elsewhere(&self, name: &str) -> Option<Arc<Served>> {
        let elsewhere = self.providers.as_ref().filter(|_| of_this_process(name).is_none());
        elsewhere.and_then(|providers| providers.find(name))
    }

    /// Announces a model that is being loaded; requests for it are told to come back.
    pub fn loading(&self, id: &str) {
        self.own(id, State::Loading);
    }

    /// Lets a model answer, until it is unloaded by name.
    pub fn ready(&self, served: Served) {
        let served = Arc::new(served);
        self.update(&served.id, |entry| {
            entry.is_own = true;
            entry.answers(&served, served.card.size_bytes, KeepAlive::Forever);
        });
    }

    /// Notes that a model could not be loaded. Why is for the caller to log.
    pub fn failed(&self, id: &str) {
        self.own(id, State::Failed);
    }

    /// Tells whether at least one model can be asked: one that is in memory, or that the next request loads again.
    pub fn any_ready(&self) -> bool {
        let can_answer = |entry: &Entry| matches!(entry.state, State::Ready(_) | State::Stored);
        self.read(|entries| entries.iter().any(can_answer))
    }

    /// Tells whether every model that the server was started with has loaded or failed. Once true, it stays true.
    pub(crate) fn have_started(&self) -> bool {
        self.read(|entries| !entries.iter().any(|entry| entry.starting))
    }

    /// Finds the model that a request asks for. One that names none gets the only one that the server was started with, and
    /// with `any_model` one that names another gets it, too.
    pub(crate) fn find(&self, asked: Option<&str>, any_model: bool) -> Result<Arc<Served>, ApiError> {
        self.read(|entries| match choose(entries, asked, any_model) {
            Some(entry) => entry.served(),
            None => Err(missing(asked, entries, &[], &self.suggestions(asked)).into()),
        })
    }

    /// Lists the names of the models for which `can` holds, for a message.
    pub(crate) fn names_where(&self, can: impl Fn(&Served) -> bool) -> Option<String> {
        self.read(|entries| {
            let able = entries.iter().filter(|entry| entry.ready().is_some_and(|served| can(served)));
            names(able.map(|entry| &entry.id))
        })
    }

    /// Lets `render` look at all models: those of the server, then those that it would load.
    pub(crate) async fn list<T>(&self, render: impl FnOnce(&[(&str, Availability<'_>)]) -> T) -> T {
        let stored = self.ask_library(|library| library.names()).await.unwrap_or_default();
        let elsewhere = self.providers.as_ref().map(|providers| providers.list()).unwrap_or_default();
        self.read(|entries| {
            let here = entries.iter().map(|entry| (entry.id.as_str(), entry.availability()));
            let is_new = |name: &str| !entries.iter().any(|entry| entry.id == name);
            let stored = stored.iter().filter(|name| is_new(name));
            let known: Vec<_> =
                here.chain(stored.map(|name| (name.as_str(), Availability::Stored))).collect();
            let elsewhere = elsewhere.iter().filter(|served| !known.iter().any(|(id, _)| *id == served.id));
            let elsewhere = elsewhere.map(|served| (served.id.as_str(), Availability::Ready(&served.card)));
            render(&known.iter().copied().chain(elsewhere).collect::<Vec<_>>())
        })
    }

    /// Lets `render` look at one model, which need not be in memory for it.
    pub(crate) async fn describe<T>(
        &self,
        id: &str,
        any_model: bool,
        render: impl FnOnce(&str, Availability<'_>) -> T,
    ) -> Result<T, ApiError> {
        if let Some(alias) = self.alias(Some(id), any_model) {
            return Ok(render(&alias.id, Availability::Ready(&alias.card)));
        }
        match self.meant(Some(id), any_model).await? {
            Meant::Elsewhere(served) => Ok(render(&served.id, Availability::Ready(&served.card))),
            Meant::Here(id) => Ok(self.read(|entries| {
                let entry = entries.iter().find(|entry| entry.id == id);
                render(&id, entry.map_or(Availability::Stored, Entry::availability))
            })),
        }
    }

    /// Finds out which model a request means: one of this process, in memory or not, or one that runs elsewhere.
    pub(crate) async fn meant(&self, asked: Option<&str>, any_model: bool) -> Result<Meant, ApiError> {
        match self.named(asked, any_model).await {
            Ok(id) => Ok(Meant::Here(id)),
            Err(missing) => asked.and_then(|name| self.elsewhere(name)).map(Meant::Elsewhere).ok_or(missing),
        }
    }

    fn own(&self, id: &str, state: State) {
        self.update(id, |entry| {
            entry.is_own = true;
            entry.becomes(state);
        });
    }

    /// Changes an entry, which is made where there is none.
    fn update(&self, id: &str, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let place = entries.iter().position(|entry| entry.id == id).unwrap_or_else(|| {
            entries.push(Entry::new(id.to_owned(), State::Loading));
            entries.len() - 1
        });
        change(&mut entries[place]);
    }

    /// Changes an entry, if there is one.
    fn change(&self, id: &str, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.iter_mut().find(|entry| entry.id == id).map(change);
    }

    /// Takes a model out, if `may` says so of it, and returns what it was and how many bytes it takes. One of the server's own
    /// keeps its place as long as it can be loaded again.
    fn take(&self, id: &str, may: impl FnOnce(&Entry) -> bool) -> Option<(State, u64)> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let place = entries.iter().position(|entry| entry.id == id)?;
        let entry = &mut entries[place];
        if !may(entry) {
            return None;
        }
        if entry.is_own && self.library.is_some() {
            return Some((std::mem::replace(&mut entry.state, State::Stored), entry.bytes));
        }
        let Entry { state, bytes, .. } = entries.remove(place);
        Some((state, bytes))
    }

    fn leaving(&self) -> MutexGuard<'_, Vec<Leaving>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, look: impl FnOnce(&[Entry]) -> T) -> T {
        look(&self.entries.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Entry {
    fn new(id: String, state: State) -> Self {
        let keep_alive = KeepAlive::Forever;
        Self { id, state, is_own: false, starting: false, bytes: 0, keep_alive, used: Instant::now() }
    }

    fn becomes(&mut self, state: State) {
        self.starting &= matches!(state, State::Loading);
        self.state = state;
    }

    /// Lets it answer.
    fn answers(&mut self, served: &Arc<Served>, bytes: u64, keep_alive: KeepAlive) {
        self.becomes(State::Ready(Arc::clone(served)));
        (self.bytes, self.keep_alive, self.used) = (bytes, keep_alive, Instant::now());
    }

    fn served(&self) -> Result<Arc<Served>, ApiError> {
        match &self.state {
            State::Ready(served) => Ok(Arc::clone(served)),
            State::Loading => {
                let message = format!("the model {:?} is still loading", self.id);
                Err(Failure::new(FailureKind::Loading, message).into())
            }
            State::Failed => Err(ApiError::FailedModel { id: self.id.clone() }),
            State::Stored => {
                let message = format!("the model {:?} is not in memory", self.id);
                Err(unknown_model(message).into())
            }
        }
    }

    fn ready(&self) -> Option<&Arc<Served>> {
        match &self.state {
            State::Ready(served) => Some(served),
            State::Loading | State::Failed | State::Stored => None,
        }
    }

    /// Whether it answers somebody, who then holds it, too.
    fn is_busy(&self) -> bool {
        self.ready().is_some_and(|served| Arc::strong_count(served) > 1)
    }

    fn availability(&self) -> Availability<'_> {
        match &self.state {
            State::Loading => Availability::Loading,
            State::Ready(served) => Availability::Ready(&served.card),
            State::Failed => Availability::Failed,
            State::Stored => Availability::Stored,
        }
    }
}

/// Chooses the model that a request asks for: by its name, or where it says none, or says another and `any_model` holds, the
/// only one that the server was started with. What else was loaded in the meantime does not count: a request means the same
/// model from one time to the next.
fn choose<'a>(entries: &'a [Entry], asked: Option<&str>, any_model: bool) -> Option<&'a Entry> {
    let find = |name| by_name(entries, |entry| &entry.id, name);
    let named = asked.and_then(|name| find(name).or_else(|| of_this_process(name).and_then(find)));
    if named.is_some() || (asked.is_some() && !any_model) {
        return named;
    }
    let mut own = entries.iter().filter(|entry| entry.is_own);
    own.next().filter(|_| own.next().is_none())
}

/// Takes apart a name by which a request insists on a model of this process: `engine/NAME`.
fn of_this_process(name: &str) -> Option<&str> {
    name.strip_prefix(PROVIDER)?.strip_prefix('/')
}

/// Makes the error for a request whose model is not there.
fn missing(asked: Option<&str>, entries: &[Entry], stored: &[String], near: &[String]) -> Failure {
    let here = served_here(entries, stored);
    let Some(name) = asked else {
        return Failure::invalid("model", format!("`model` is required: {here}"));
    };
    let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
    let near =
        if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" or ")) };
    unknown_model(format!(
        "there is no model {shown:?}{near}: {here}. Start the server with `--alias NAME` to serve a model under another name, or \
         with `--any-model` to let the only model answer to every name"
    ))
}

/// Makes the error for a model that cannot be asked.
pub(crate) fn unknown_model(message: String) -> Failure {
    Failure { field: Some("model".into()), ..Failure::new(FailureKind::ModelUnknown, message) }
}

/// Says what there is: the models of the server, and those that it would load.
fn served_here(entries: &[Entry], stored: &[String]) -> String {
    let is_new = |name: &&String| !entries.iter().any(|entry| entry.id == **name);
    let all = entries.iter().map(|entry| &entry.id).chain(stored.iter().filter(is_new));
    names(all).map_or("the server has no model".to_owned(), |names| format!("the server has {names}"))
}

/// Lists names for a message, the first few of many.
fn names<'a>(ids: impl Iterator<Item = &'a String>) -> Option<String> {
    let names: Vec<_> = ids.map(|id| format!("{id:?}")).collect();
    let more = names.len().saturating_sub(NAMES_MAX);
    let shown = names.get(..NAMES_MAX).unwrap_or(&names).join(", ");
    match (names.len(), more) {
        (0, _) => None,
        (_, 0) => Some(shown),
        _ => Some(format!("{shown} and {more} more (GET /v1/models lists all)")),
    }
}

const NAMES_MAX: usize = 16;
const NAME_CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_over_when_every_model_has_loaded_or_failed_and_never_comes_back() {
        let models = Models::starting(["a", "b"]);
        models.loading("later");
        assert!(!models.have_started());
        models.ready(Served::named("a"));
        models.loading("b");
        assert!(!models.have_started());
        models.failed("b");
        assert!(models.have_started());
        for id in ["a", "b", "later", "another"] {
            models.loading(id);
            assert!(models.have_started(), "{id}");
        }
        assert!(Models::default().have_started(), "there is nothing to wait for");
    }

    #[test]
    fn an_unknown_name_is_told_what_there_is_and_what_helps() {
        let models = Models::starting((0..20).map(|number| format!("model-{number}")));
        let error = models.find(Some("gpt-4"), true).err().unwrap().problem();
        assert_eq!((error.status, error.failure.field.as_deref()), (404, Some("model")));
        for part in ["\"gpt-4\"", "\"model-0\"", "\"model-15\" and 4 more", "`--alias NAME`", "`--any-model`"]
        {
            assert!(error.failure.message.contains(part), "{part}: {}", error.failure.message);
        }
        let error = Models::default().find(Some("gpt-4"), true).err().unwrap().problem();
        assert!(error.failure.message.contains("the server has no model."), "{}", error.failure.message);
    }

    #[test]
    fn with_any_model_the_only_one_answers_to_every_name() {
        let models = Models::default();
        models.ready(Served::named("small"));
        assert_eq!(models.find(Some("gpt-4"), true).unwrap().id, "small");
        assert!(models.find(Some("gpt-4"), false).is_err());
        models.ready(Served::named("large"));
        assert_eq!(models.find(Some("gpt-4"), true).err().unwrap().problem().status, 404);
        assert_eq!(models.find(Some("large"), true).unwrap().id, "large");
    }
}
