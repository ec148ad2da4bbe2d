//! The only module that opens a connection to elsewhere.
//!
//! Each request is decided by the [`Gate`] first. Until one is permitted there is no runtime, no resolver and no
//! socket. Redirects are not followed here, bodies are not unpacked, and proxies are those of the gate.

mod body;
mod engine;
pub(crate) mod hub_token;
pub(crate) mod local_server;
mod login;
pub(crate) mod registry;
mod resolver;

use std::sync::{Arc, Mutex, PoisonError};

use engine::Engine;
use stack_registry::fetch::{Cancel, Fetch, FetchError, FetchErrorKind, Request, Response};

use crate::privacy::Gate;

/// Sends what the gate lets through.
pub(crate) struct Transport {
    gate: Arc<Gate>,
    /// Ended by Ctrl-C.
    interrupt: Cancel,
    /// Made for the first request that is permitted.
    engine: Mutex<Option<Arc<Engine>>>,
}

impl Transport {
    /// Makes a transport; nothing is opened yet.
    pub(crate) fn new(gate: Gate) -> Self {
        Self { gate: Arc::new(gate), interrupt: Cancel::default(), engine: Mutex::new(None) }
    }

    /// Returns what Ctrl-C ends, once the first request was sent. Until then, Ctrl-C ends the program.
    pub(crate) fn interrupt(&self) -> &Cancel {
        &self.interrupt
    }

    fn engine(&self) -> Result<Arc<Engine>, FetchError> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*engine {
            return Ok(Arc::clone(engine));
        }
        let made = Arc::new(Engine::start(&self.gate, &self.interrupt)?);
        *engine = Some(Arc::clone(&made));
        Ok(made)
    }
}

impl Fetch for Transport {
    fn send(&self, request: &Request) -> Result<Response, FetchError> {
        let permit = self.gate.permit(&request.url, &request.hop).map_err(|denied| {
            FetchError::new(
                FetchErrorKind::Refused(denied.refusal),
                request.url.origin().authority(),
                denied.message,
            )
        })?;
        self.engine()?.send(permit, request, &self.interrupt)
    }
}
