//! Loading models when they are asked for, and letting them go.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use stack_chat::{Failure, FailureKind};
use stack_wire::KeepAlive;
use stack_wire::ollama::Running;

use super::residency::{Residency, Resident, Room};
use super::{Entry, Library, Models, Served, State, unknown};
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
        let (Some(library), Some(name)) = (&self.library, asked) else { return Err(missing) };
        if self.is_starting(name) {
            return Err(missing);
        }
        let (models, library, name) = (Arc::clone(self), Arc::clone(library), name.to_owned());
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
            return Err(self.read(|entries| unknown(name, entries, &library.names())).into());
        };
        if let Ok(served) = self.find(Some(&id), false) {
            return Ok(served);
        }
        self.set(&id, State::Loading);
        let mut taken = 0;
        let mut make_room = |bytes| {
            taken = bytes;
            self.make_room(&id, bytes)
        };
        match library.load(&id, &mut make_room) {
            Ok(served) => Ok(self.enter(served, taken, self.residency.keep_alive)),
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

    /// Lets a model go, when its last answer has ended; returns whether it was there.
    pub(crate) fn unload(&self, name: &str) -> bool {
        let found = self.find(Some(name), false).map(|served| served.id.clone());
        found.is_ok_and(|id| self.let_go(&id, |_| true))
    }

    /// Lets `render` look at what is in memory; `now_s` is the time in seconds since 1970.
    pub(crate) fn running<T>(&self, now_s: u64, render: impl FnOnce(&[Running<'_>]) -> T) -> T {
        self.read(|entries| {
            let running = entries.iter().filter_map(|entry| match &entry.state {
                State::Ready(served) => Some(Running {
                    id: &entry.id,
                    card: &served.card,
                    bytes: entry.bytes,
                    expires_s: match entry.keep_alive {
                        KeepAlive::Forever => None,
                        KeepAlive::For(_) if entry.is_busy() => Some(now_s),
                        KeepAlive::For(keep) => {
                            Some(now_s + keep.saturating_sub(entry.used.elapsed()).as_secs())
                        }
                    },
                }),
                State::Loading | State::Failed => None,
            });
            render(&running.collect::<Vec<_>>())
        })
    }

    /// Says how long a model stays.
    pub(crate) fn keep(&self, id: &str, keep_alive: KeepAlive) {
        self.change(id, |entry| entry.keep_alive = keep_alive);
    }

    fn touch(&self, id: &str) {
        self.change(id, |entry| entry.used = Instant::now());
    }

    fn residents(&self) -> Vec<Resident> {
        let mut residents: Vec<Resident> = self.read(|entries| {
            let resident = |entry: &Entry| match &entry.state {
                State::Ready(_) => Some(Resident {
                    id: entry.id.clone(),
                    bytes: entry.bytes,
                    is_busy: entry.is_busy(),
                    keep_alive: entry.keep_alive,
                    used: entry.used,
                }),
                State::Loading | State::Failed => None,
            };
            entries.iter().filter_map(resident).collect()
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
        let Some(Entry { state, bytes, .. }) = self.take(id, may) else { return false };
        if let State::Ready(served) = state {
            tracing::info!(model = id, "unloaded");
            self.leaving().push(Leaving { served: Arc::downgrade(&served), bytes });
        }
        true
    }
}

const PAUSE: Duration = Duration::from_millis(20);
const PAUSE_LONG: Duration = Duration::from_secs(1);
