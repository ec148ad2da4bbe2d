//! The witness of an act that has begun.

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::audit::Audit;
use crate::draft::{Draft, Receipt};
use crate::entry::Outcome;
use crate::error::AuditError;
use crate::payload::Payload;
use crate::writer::{Append, Order, Step, Ticket};

/// An act that has begun and must be ended.
///
/// It is a witness: [`Audit::begin`] alone makes it, after the intent was written, and it cannot be cloned. Dropped without
/// an end, it is written down as abandoned, and counted: that is a bug.
#[derive(Debug)]
#[must_use = "an act that has begun must be ended"]
pub struct OpenEntry {
    audit: Audit,
    ticket: Ticket,
    /// What the effect has in common with the intent.
    effect: Draft,
    receipt: Option<Receipt>,
    is_ended: bool,
}

impl OpenEntry {
    pub(crate) fn new(audit: Audit, ticket: Ticket, effect: Draft, receipt: Option<Receipt>) -> Self {
        Self { audit, ticket, effect, receipt, is_ended: false }
    }

    /// Returns the place of the intent, where the log waited for it to be durable.
    pub fn receipt(&self) -> Option<Receipt> {
        self.receipt
    }

    /// Ends it: it was done.
    ///
    /// # Errors
    ///
    /// When the effect was not written. The next opening of the log finds the intent, and calls it ambiguous.
    pub fn done(self, payload: impl Into<Payload>) -> Result<Receipt, AuditError> {
        self.end(Outcome::Done, payload.into())
    }

    /// Ends it: it was tried and failed.
    ///
    /// # Errors
    ///
    /// Those of [`OpenEntry::done`].
    pub fn failed(self, payload: impl Into<Payload>) -> Result<Receipt, AuditError> {
        self.end(Outcome::Failed, payload.into())
    }

    /// Ends it: it was not done, or not to its end.
    ///
    /// # Errors
    ///
    /// Those of [`OpenEntry::done`].
    pub fn abandoned(self, payload: impl Into<Payload>) -> Result<Receipt, AuditError> {
        self.end(Outcome::Abandoned, payload.into())
    }

    /// Ends it: it was not allowed.
    ///
    /// # Errors
    ///
    /// Those of [`OpenEntry::done`].
    pub fn denied(self, payload: impl Into<Payload>) -> Result<Receipt, AuditError> {
        self.end(Outcome::Denied, payload.into())
    }

    fn end(mut self, outcome: Outcome, payload: Payload) -> Result<Receipt, AuditError> {
        let effect = self.effect.clone().with(payload);
        let receipt = self.audit.append(effect, Step::Effect(self.ticket, outcome));
        // A payload that cannot be written leaves the act open, and dropping it then says so.
        self.is_ended = !matches!(receipt, Err(AuditError::Payload(_)));
        receipt
    }
}

impl Drop for OpenEntry {
    fn drop(&mut self) {
        if self.is_ended {
            return;
        }
        self.audit.counters().dropped.fetch_add(1, Ordering::Relaxed);
        let step = Step::Effect(self.ticket, Outcome::Abandoned);
        if let Ok(prepared) = self.audit.prepare(self.effect.clone().with(json!({"reason": "dropped"}))) {
            let append = Append { prepared, step, expected_seq: None, reply: None };
            // Where the log is closed, the next opening finds the intent.
            let _closed = self.audit.order(Order::Append(Box::new(append)));
        }
    }
}
