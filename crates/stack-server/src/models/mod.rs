//! The models that a server answers with.

mod library;
mod on_demand;
mod residency;

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use stack_chat::{ChatModel, Embedder, Failure, FailureKind, ModelCard, Prompts};
use stack_wire::{Availability, KeepAlive};

use self::on_demand::Leaving;
use crate::error::ApiError;

pub use self::library::Library;
pub use self::residency::Residency;

/// The models by name, in the order in which they were announced. It may change while the server runs.
#[derive(Default)]
pub struct Models {
    entries: RwLock<Vec<Entry>>,
    /// Where models come from that are asked for and not there.
    library: Option<Arc<dyn Library>>,
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
    /// Turns prompts into tokens, if it runs here.
    pub prompts: Option<Arc<dyn Prompts>>,
    /// What must not go before it, such as a lease of its files.
    pub held: Option<Arc<dyn Any + Send + Sync>>,
}

#[cfg(test)]
impl Served {
    /// Makes a model that can do nothing.
    pub(crate) fn named(id: &str) -> Self {
        let card = ModelCard::default();
        Self { id: id.into(), card, chat: None, embedder: None, prompts: None, held: None }
    }
}

struct Entry {
    id: String,
    state: State,
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
}

impl Models {
    /// Announces the models that a server is started with. Until each of them has loaded or failed, the server says
    /// that it is starting.
    pub fn starting<I: Into<String>>(ids: impl IntoIterator<Item = I>) -> Self {
        let entry = |id: I| Entry { starting: true, ..Entry::new(id.into(), State::Loading) };
        Self { entries: RwLock::new(ids.into_iter().map(entry).collect()), ..Self::default() }
    }

    /// Lets requests name models that are not in memory: they are loaded, and stay as `residency` says.
    #[must_use]
    pub fn with_library(self, library: Arc<dyn Library>, residency: Residency) -> Self {
        Self { library: Some(library), residency, ..self }
    }

    /// Announces a model that is being loaded; requests for it are told to come back.
    pub fn loading(&self, id: &str) {
        self.set(id, State::Loading);
    }

    /// Lets a model answer, until it is unloaded by name.
    pub fn ready(&self, served: Served) {
        let bytes = served.card.size_bytes;
        self.enter(served, bytes, KeepAlive::Forever);
    }

    fn enter(&self, served: Served, bytes: u64, keep_alive: KeepAlive) -> Arc<Served> {
        let served = Arc::new(served);
        let state = State::Ready(Arc::clone(&served));
        let entry = Entry { bytes, keep_alive, ..Entry::new(served.id.clone(), state) };
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        match entries.iter_mut().find(|known| known.id == entry.id) {
            Some(known) => *known = entry,
            None => entries.push(entry),
        }
        served
    }

    /// Notes that a model could not be loaded. Why is for the caller to log.
    pub fn failed(&self, id: &str) {
        self.set(id, State::Failed);
    }

    /// Tells whether at least one model can be asked.
    pub fn any_ready(&self) -> bool {
        self.read(|entries| entries.iter().any(|entry| matches!(entry.state, State::Ready(_))))
    }

    /// Tells whether every model that the server was started with has loaded or failed. Once true, it stays true.
    pub(crate) fn have_started(&self) -> bool {
        self.read(|entries| !entries.iter().any(|entry| entry.starting))
    }

    /// Finds the model that a request asks for. One that names none gets the only one there is, and with `any_model`
    /// one that names another gets it, too.
    pub(crate) fn find(&self, asked: Option<&str>, any_model: bool) -> Result<Arc<Served>, ApiError> {
        self.read(|entries| match (asked, entries) {
            (Some(id), _) => entry(entries, id, any_model)?.served(),
            (None, [entry]) => entry.served(),
            (None, _) => {
                let message = format!("`model` is required: {}", served_here(entries, &[]));
                Err(Failure::invalid("model", message).into())
            }
        })
    }

    /// Lists the names of the models for which `can` holds, for a message.
    pub(crate) fn names_where(&self, can: impl Fn(&Served) -> bool) -> Option<String> {
        self.read(|entries| {
            let ready = entries.iter().filter(|entry| match &entry.state {
                State::Ready(served) => can(served),
                State::Loading | State::Failed => false,
            });
            names(ready.map(|entry| &entry.id))
        })
    }

    /// Lets `render` look at all models: those of the server, then those that it would load.
    pub(crate) async fn list<T>(&self, render: impl FnOnce(&[(&str, Availability<'_>)]) -> T) -> T {
        let stored = match self.library.clone() {
            None => Vec::new(),
            Some(library) => tokio::task::spawn_blocking(move || library.names()).await.unwrap_or_default(),
        };
        self.read(|entries| {
            let here = entries.iter().map(|entry| (entry.id.as_str(), entry.availability()));
            let is_new = |name: &&String| !entries.iter().any(|entry| entry.id == **name);
            let stored = stored.iter().filter(is_new).map(|name| (name.as_str(), Availability::Stored));
            render(&here.chain(stored).collect::<Vec<_>>())
        })
    }

    /// Lets `render` look at one model.
    pub(crate) fn describe<T>(
        &self,
        id: &str,
        any_model: bool,
        render: impl FnOnce(&str, Availability<'_>) -> T,
    ) -> Result<T, ApiError> {
        self.read(|entries| {
            let entry = entry(entries, id, any_model)?;
            Ok(render(&entry.id, entry.availability()))
        })
    }

    fn set(&self, id: &str, state: State) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        match entries.iter_mut().find(|entry| entry.id == id) {
            Some(entry) => {
                entry.starting &= matches!(state, State::Loading);
                entry.state = state;
            }
            None => entries.push(Entry::new(id.to_owned(), state)),
        }
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.iter_mut().find(|entry| entry.id == id).map(change);
    }

    /// Takes a model out, if `may` says so of it.
    fn take(&self, id: &str, may: impl FnOnce(&Entry) -> bool) -> Option<Entry> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let place = entries.iter().position(|entry| entry.id == id)?;
        may(&entries[place]).then(|| entries.remove(place))
    }

    /// Whether the server was started with this model and has not loaded it yet.
    fn is_starting(&self, name: &str) -> bool {
        self.read(|entries| entry(entries, name, false).is_ok_and(|entry| entry.starting))
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
        Self { id, state, starting: false, bytes: 0, keep_alive, used: Instant::now() }
    }

    fn served(&self) -> Result<Arc<Served>, ApiError> {
        match &self.state {
            State::Ready(served) => Ok(Arc::clone(served)),
            State::Loading => {
                let message = format!("the model {:?} is still loading", self.id);
                Err(Failure::new(FailureKind::Loading, message).into())
            }
            State::Failed => Err(ApiError::FailedModel { id: self.id.clone() }),
        }
    }

    /// Whether it answers somebody, who then holds it, too.
    fn is_busy(&self) -> bool {
        matches!(&self.state, State::Ready(served) if Arc::strong_count(served) > 1)
    }

    fn availability(&self) -> Availability<'_> {
        match &self.state {
            State::Loading => Availability::Loading,
            State::Ready(served) => Availability::Ready(&served.card),
            State::Failed => Availability::Failed,
        }
    }
}

/// Finds a model by name; with `any_model` the only one there is has every name. A name without a tag means the tag
/// `latest`, and the other way round, as Ollama's clients have it.
fn entry<'a>(entries: &'a [Entry], id: &str, any_model: bool) -> Result<&'a Entry, ApiError> {
    let untagged = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
    let exactly = entries.iter().find(|entry| entry.id == id);
    let named = exactly.or_else(|| entries.iter().find(|entry| untagged(&entry.id) == untagged(id)));
    match (named, entries) {
        (Some(entry), _) => Ok(entry),
        (None, [only]) if any_model => Ok(only),
        (None, _) => Err(unknown(id, entries, &[]).into()),
    }
}

fn unknown(id: &str, entries: &[Entry], stored: &[String]) -> Failure {
    let message = format!(
        "there is no model {id:?}: {}. Start the server with `--alias NAME` to serve a model under another name, or \
         with `--any-model` to let the only model answer to every name",
        served_here(entries, stored)
    );
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
    fn a_name_without_a_tag_means_the_latest() {
        let models = Models::default();
        for id in ["a", "b:latest", "c", "c:latest", "d:8b"] {
            models.ready(Served::named(id));
        }
        let found = |name| models.find(Some(name), false).ok().map(|served| served.id.clone());
        for (name, id) in [("a:latest", "a"), ("b", "b:latest"), ("c", "c"), ("c:latest", "c:latest")] {
            assert_eq!(found(name).as_deref(), Some(id));
        }
        assert_eq!((found("d"), found("d:8b:latest")), (None, Some("d:8b".to_owned())));
    }

    #[test]
    fn with_any_model_the_only_one_answers_to_every_name() {
        let models = Models::default();
        models.ready(Served::named("small"));
        assert_eq!(models.find(Some("gpt-4"), true).unwrap().id, "small");
        assert!(models.describe("gpt-4", true, |id, _| id == "small").unwrap());
        assert!(models.find(Some("gpt-4"), false).is_err());
        models.ready(Served::named("large"));
        assert_eq!(models.find(Some("gpt-4"), true).err().unwrap().problem().status, 404);
        assert_eq!(models.find(Some("large"), true).unwrap().id, "large");
    }
}
