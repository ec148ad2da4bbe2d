//! Loading models when they are asked for, and letting them go.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use stack_chat::{Failure, FailureKind};
use stack_wire::KeepAlive;
use stack_wire::ollama::Running;

use super::residency::{Residency, Resident, Room};
use super::{Entry, Library, Models, Served, State, choose, missing, of_this_process};
use crate::error::ApiError;

/// A model that was let go while it still answers.
pub(super) struct Leaving {
    served: Weak<Served>,
    bytes: u64,
}

impl Models {
    /// Finds the model that a request asks for, and loads it first where it is not in memory.
    pub(crate) async fn get(
        self: &Arc<Self>,
        asked: Option<&str>,
        any_model: bool,
    ) -> Result<Arc<Served>, ApiError> {
        let missing = match self.find(asked, any_model) {
            Ok(served) => {
                self.touch(&served.id);
                return Ok(served);
            }
            Err(missing) => missing,
        };
        self.get_or_load(asked, any_model, missing, true).await
    }

    /// The same for a model of this process alone.
    pub(super) async fn get_here(self: &Arc<Self>, id: &str) -> Result<Arc<Served>, ApiError> {
        match self.find(Some(id), false) {
            Ok(served) => {
                self.touch(&served.id);
                Ok(served)
            }
            Err(missing) => self.get_or_load(Some(id), false, missing, false).await,
        }
    }

    async fn get_or_load(
        self: &Arc<Self>,
        asked: Option<&str>,
        any_model: bool,
        missing: ApiError,
        may_be_elsewhere: bool,
    ) -> Result<Arc<Served>, ApiError> {
        let (wanted, is_known) = self.read(|entries| match choose(entries, asked, any_model) {
            Some(entry) if entry.starting => (None, true),
            Some(entry) => (Some(entry.id.clone()), true),
            None => (asked.map(|name| of_this_process(name).unwrap_or(name).to_owned()), false),
        });
        let Some(name) = wanted else { return Err(missing) };
        let elsewhere = asked.filter(|_| may_be_elsewhere && !is_known).and_then(|name| self.elsewhere(name));
        if let Some(elsewhere) = elsewhere {
            // What could be answered here must not leave because of a provider of the same name.
            let asked = name.clone();
            let here = self.ask_library(move |library| library.find(&asked)).await;
            if self.library.is_none() || matches!(here, Some(None)) {
                return Ok(elsewhere);
            }
        }
        let Some(library) = &self.library else { return Err(missing) };
        let (models, library) = (Arc::clone(self), Arc::clone(library));
        // What has begun is finished, whether or not the client stays.
        let loaded = tokio::spawn(async move {
            let loader = Arc::clone(&models);
            let _turn = loader.loading.lock().await;
            let load = move || models.load(library.as_ref(), &name);
            tokio::task::spawn_blocking(load).await.unwrap_or(Err(ApiError::Panic))
        });
        loaded.await.unwrap_or(Err(ApiError::Panic))
    }

    fn load(&self, library: &dyn Library, name: &str) -> Result<Arc<Served>, ApiError> {
        if let Ok(served) = self.find(Some(name), false) {
            return Ok(served);
        }
        let Some(id) = library.find(name) else {
            let stored = library.names();
            let near = self.suggestions(Some(name));
            return Err(self.read(|entries| missing(Some(name), entries, &stored, &near)).into());
        };
        if let Ok(served) = self.find(Some(&id), false) {
            return Ok(served);
        }
        self.update(&id, |entry| entry.becomes(State::Loading));
        let mut taken = 0;
        let mut make_room = |bytes| {
            taken = bytes;
            self.make_room(&id, bytes)
        };
        match library.load(&id, &mut make_room) {
            Ok(served) => {
                let served = Arc::new(served);
                self.update(&id, |entry| {
                    let keep_alive =
                        if entry.is_own { KeepAlive::Forever } else { self.residency.keep_alive };
                    entry.answers(&served, taken, keep_alive);
                });
                Ok(served)
            }
            Err(failure) => {
                // The next request tries again.
                self.let_go(&id, |_| true);
                Err(failure.into())
            }
        }
    }

    /// Lets idle models go until `bytes` fit, and waits for busy ones.
    fn make_room(&self, id: &str, bytes: u64) -> Result<(), Failure> {
        let since = Instant::now();
        loop {
            match self.residency.room(&self.residents(), bytes) {
                // One that has got a request in the meantime stays, and another goes.
                Room::Without(gone) => {
                    if gone.iter().all(|id| self.let_go(id, |entry| !entry.is_busy())) {
                        return Ok(());
                    }
                }
                Room::Never { left } => {
                    let message = format!(
                        "the model {id:?} needs {bytes} bytes of memory, and beside the models that stay there are \
                         {left}; unload one of them, or start the server with more `--memory`"
                    );
                    return Err(Failure::new(FailureKind::Overloaded, message));
                }
                Room::Later if since.elapsed() >= self.residency.patience => {
                    let message = format!("the model {id:?} has to wait for others that are answering");
                    return Err(Failure::new(FailureKind::Overloaded, message).after(PAUSE_LONG));
                }
                Room::Later => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Lets models go whose time is over, for as long as the server runs.
    pub async fn tend(self: Arc<Self>) {
        loop {
            tokio::time::sleep(PAUSE_LONG).await;
            self.expire(Instant::now());
        }
    }

    pub(super) fn expire(&self, now: Instant) {
        let residents = self.residents();
        for resident in residents.iter().filter(|resident| resident.is_busy) {
            self.change(&resident.id, |entry| entry.used = now);
        }
        for id in Residency::expired(&residents, now) {
            self.let_go(&id, |entry| !entry.is_busy());
        }
    }

    /// Finds the name of the model that a request asks for, in memory or not.
    pub(crate) async fn named(&self, asked: Option<&str>, any_model: bool) -> Result<String, ApiError> {
        let known = self.read(|entries| choose(entries, asked, any_model).map(|entry| entry.id.clone()));
        if let Some(id) = known {
            return Ok(id);
        }
        let name = asked.map(|name| of_this_process(name).unwrap_or(name).to_owned());
        let look = move |library: &dyn Library| match name.and_then(|name| library.find(&name)) {
            Some(id) => Ok(id),
            None => Err(library.names()),
        };
        let stored = match self.ask_library(look).await {
            Some(Ok(id)) => return Ok(id),
            Some(Err(stored)) => stored,
            None => Vec::new(),
        };
        let near = self.suggestions(asked);
        Err(self.read(|entries| missing(asked, entries, &stored, &near)).into())
    }

    /// Asks the library, if there is one, on a thread where it holds nobody up.
    pub(super) async fn ask_library<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Library) -> T + Send + 'static,
    ) -> Option<T> {
        let library = self.library.clone()?;
        tokio::task::spawn_blocking(move || ask(library.as_ref())).await.ok()
    }

    /// Lets a model go, when its last answer has ended; returns whether it was in memory.
    pub(crate) fn unload(&self, name: &str) -> bool {
        let found = self.read(|entries| choose(entries, Some(name), false).map(|entry| entry.id.clone()));
        found.is_some_and(|id| self.let_go(&id, |entry| entry.ready().is_some()))
    }

    /// The same for the model that a request asks for, which need not be in memory; returns its name.
    pub(crate) async fn release(&self, asked: Option<&str>, any_model: bool) -> Result<String, ApiError> {
        let id = self.named(asked, any_model).await?;
        self.let_go(&id, |entry| entry.ready().is_some());
        Ok(id)
    }

    /// Lets `render` look at what is in memory; `now_s` is the time in seconds since 1970.
    pub(crate) fn running<T>(&self, now_s: u64, render: impl FnOnce(&[Running<'_>]) -> T) -> T {
        self.read(|entries| {
            let running = entries.iter().filter_map(|entry| {
                Some(Running {
                    id: &entry.id,
                    card: &entry.ready()?.card,
                    bytes: entry.bytes,
                    expires_s: match entry.keep_alive {
                        KeepAlive::Forever => None,
                        KeepAlive::For(_) if entry.is_busy() => Some(now_s),
                        KeepAlive::For(keep) => {
                            Some(now_s + keep.saturating_sub(entry.used.elapsed()).as_secs())
                        }
                    },
                })
            });
            render(&running.collect::<Vec<_>>())
        })
    }

    /// Says how long a model stays, unless it is one of the server's own: no client lets that go in passing.
    pub(crate) fn keep(&self, id: &str, keep_alive: KeepAlive) {
        self.change(id, |entry| {
            if !entry.is_own {
                entry.keep_alive = keep_alive;
            }
        });
    }

    fn touch(&self, id: &str) {
        self.change(id, |entry| entry.used = Instant::now());
    }

    fn residents(&self) -> Vec<Resident> {
        let mut residents: Vec<Resident> = self.read(|entries| {
            let resident = |entry: &Entry| Resident {
                id: entry.id.clone(),
                bytes: entry.bytes,
                is_busy: entry.is_busy(),
                keep_alive: entry.keep_alive,
                used: entry.used,
            };
            entries.iter().filter(|entry| entry.ready().is_some()).map(resident).collect()
        });
        let mut leaving = self.leaving();
        leaving.retain(|leaving| leaving.served.strong_count() > 0);
        residents.extend(leaving.iter().map(|leaving| Resident {
            id: String::new(),
            bytes: leaving.bytes,
            is_busy: true,
            keep_alive: KeepAlive::For(Duration::ZERO),
            used: Instant::now(),
        }));
        residents
    }

    /// Lets a model go, if `may` says so of it, and remembers its memory until its last answer has ended.
    fn let_go(&self, id: &str, may: impl FnOnce(&Entry) -> bool) -> bool {
        let Some((state, bytes)) = self.take(id, may) else { return false };
        if let State::Ready(served) = state {
            tracing::info!(model = id, "unloaded");
            self.leaving().push(Leaving { served: Arc::downgrade(&served), bytes });
        }
        true
    }
}

const PAUSE: Duration = Duration::from_millis(20);
const PAUSE_LONG: Duration = Duration::from_secs(1);
