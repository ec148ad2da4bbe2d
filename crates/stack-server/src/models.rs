//! The models that a server answers with.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use stack_chat::{ChatError, ChatModel, Embedder, ErrorKind, ModelCard};
use stack_wire::openai::{self, Availability, ErrorObject};

/// The models by name, in the order in which they were announced. It may change while the server runs.
#[derive(Default)]
pub struct Models {
    entries: RwLock<Vec<Entry>>,
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
}

struct Entry {
    id: String,
    state: State,
}

enum State {
    Loading,
    Ready(Arc<Served>),
    Failed,
}

impl Models {
    /// Announces a model that is being loaded; requests for it are told to come back.
    pub fn loading(&self, id: &str) {
        self.set(id, State::Loading);
    }

    /// Lets a model answer.
    pub fn ready(&self, served: Served) {
        let id = served.id.clone();
        self.set(&id, State::Ready(Arc::new(served)));
    }

    /// Notes that a model could not be loaded. Why is for the caller to log.
    pub fn failed(&self, id: &str) {
        self.set(id, State::Failed);
    }

    /// Tells whether at least one model can be asked.
    pub fn any_ready(&self) -> bool {
        self.read(|entries| entries.iter().any(|entry| matches!(entry.state, State::Ready(_))))
    }

    /// Finds the model that a request asks for. One that names none gets the only one there is.
    pub(crate) fn find(&self, asked: Option<&str>) -> Result<Arc<Served>, ErrorObject> {
        self.read(|entries| match (asked, entries) {
            (Some(id), _) => entries
                .iter()
                .find(|entry| entry.id == id)
                .ok_or_else(|| ErrorObject::from(&unknown(id)))?
                .served(),
            (None, [entry]) => entry.served(),
            (None, _) => {
                let message = "`model` is required: the server has not exactly one model";
                Err(ErrorObject::from(&ChatError::invalid("model", message)))
            }
        })
    }

    /// Renders the list of models.
    pub(crate) fn list(&self) -> String {
        self.read(|entries| {
            openai::model_list(entries.iter().map(|entry| (entry.id.as_str(), entry.availability())))
        })
    }

    /// Renders one model.
    pub(crate) fn describe(&self, id: &str) -> Result<String, ErrorObject> {
        self.read(|entries| match entries.iter().find(|entry| entry.id == id) {
            Some(entry) => Ok(openai::model_object(&entry.id, entry.availability())),
            None => Err(ErrorObject::from(&unknown(id))),
        })
    }

    fn set(&self, id: &str, state: State) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        match entries.iter_mut().find(|entry| entry.id == id) {
            Some(entry) => entry.state = state,
            None => entries.push(Entry { id: id.to_owned(), state }),
        }
    }

    fn read<T>(&self, look: impl FnOnce(&[Entry]) -> T) -> T {
        look(&self.entries.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Entry {
    fn served(&self) -> Result<Arc<Served>, ErrorObject> {
        match &self.state {
            State::Ready(served) => Ok(Arc::clone(served)),
            State::Loading => {
                let message = format!("the model {:?} is being loaded", self.id);
                Err(ErrorObject::from(&ChatError::new(ErrorKind::Loading, message)))
            }
            State::Failed => Err(ErrorObject {
                retry_after: Some(Duration::from_mins(1)),
                ..ErrorObject::new(
                    503,
                    "unavailable_error",
                    Some("model_failed"),
                    format!("the model {:?} could not be loaded; the server's log says why", self.id),
                )
            }),
        }
    }

    fn availability(&self) -> Availability<'_> {
        match &self.state {
            State::Loading => Availability::Loading,
            State::Ready(served) => Availability::Ready(&served.card),
            State::Failed => Availability::Failed,
        }
    }
}

fn unknown(id: &str) -> ChatError {
    let message = format!("there is no model {id:?}; GET /v1/models lists those there are");
    ChatError { field: Some("model".into()), ..ChatError::new(ErrorKind::UnknownModel, message) }
}
