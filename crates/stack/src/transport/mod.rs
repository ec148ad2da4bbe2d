//! The only module that opens a connection to elsewhere.
//!
//! Each request is decided by the [`EgressGate`] first. Until one is permitted there is no runtime, no resolver and no
//! socket. Redirects are not followed here, bodies are not unpacked, and proxies are those of the gate.

mod body;
mod client;
pub(crate) mod hub_token;
pub(crate) mod local_server;
mod login;
pub(crate) mod registry;
mod resolver;

use std::sync::{Arc, Mutex, PoisonError};

use client::Client;
use stack_registry::fetch::{Cancel, Fetch, FetchError, FetchErrorKind, Request, Response};

use crate::privacy::{EgressGate, Tier};

/// Sends what the gate lets through.
pub(crate) struct Transport {
    gate: Arc<EgressGate>,
    /// Ended by Ctrl-C.
    interrupt: Cancel,
    /// Made for the first request that is permitted.
    client: Mutex<Option<Arc<Client>>>,
}

impl Transport {
    /// Makes a transport; nothing is opened yet.
    pub(crate) fn new(gate: EgressGate) -> Self {
        Self { gate: Arc::new(gate), interrupt: Cancel::default(), client: Mutex::new(None) }
    }

    /// Returns how far it reaches.
    pub(crate) fn tier(&self) -> Tier {
        self.gate.tier()
    }

    /// Returns what Ctrl-C ends, once the first request was sent. Until then, Ctrl-C ends the program.
    pub(crate) fn interrupt(&self) -> &Cancel {
        &self.interrupt
    }

    fn client(&self) -> Result<Arc<Client>, FetchError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(Arc::clone(client));
        }
        let made = Arc::new(Client::start(&self.gate, &self.interrupt)?);
        *client = Some(Arc::clone(&made));
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
        self.client()?.send(permit, request, &self.interrupt)
    }
}
