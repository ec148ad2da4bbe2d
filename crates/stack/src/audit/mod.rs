//! The audit log of the home: what commands write down before and after they act.
//!
//! A command that has an effect says what it is about to do, does it, and says what came of it:
//!
//! ```text
//! log.record(Act::new(ActKind::REMOVE, json!({"names": names})), || {
//!     let removed = gc::remove(&store, &names)?;
//!     Ok((removed, json!({"freed_bytes": 7})))
//! })
//! ```
//!
//! The log belongs to nobody for longer than a commit takes, so that commands work beside each other and beside a server.
//! What happens where it cannot be written is decided in one place, [`accountability`].

mod actor;
pub(crate) mod secrets;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
pub(crate) use stack_audit::Kind as ActKind;
use stack_audit::requirement::{self, Accountability, Requirement, accountability};
use stack_audit::{
    Actor, Audit, AuditError, AuditOptions, Draft, OpenEntry, Ownership, Payload, Receipt, StoreError,
    StreamId, key,
};
use stack_chat::Tier;
use stack_gateway::privacy::{EgressLog, recorded_tier};
use stack_trust::home::Home;
use zeroize::Zeroizing;

use crate::config::{AuditSection, Config};
use crate::error::{self, CommandError};
use crate::process::machine;
use crate::terminal::output::{sanitize, stderr};

/// The log of a home, or why there is none.
#[derive(Debug)]
pub(crate) struct AuditLog {
    state: State,
    requirement: Requirement,
    /// Whether it was said that something is not audited.
    told: AtomicBool,
}

#[derive(Debug)]
enum State {
    Open(Audit, Actor),
    /// It cannot be written.
    Unusable(AuditError),
    /// Without a home there is no place for one.
    Homeless,
    /// The operator does not want one.
    Off,
}

/// What a command is about to do.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    kind: ActKind,
    tier: Option<Tier>,
    about: Value,
}

/// An act that has begun. Dropped without an end, it is written down as abandoned.
#[derive(Debug)]
#[must_use = "an act that has begun must be ended"]
struct OpenAct<'a> {
    log: &'a AuditLog,
    kind: ActKind,
    /// Nothing where the act is not audited.
    entry: Option<OpenEntry>,
}

impl AuditLog {
    /// Opens the log of a home, as the configuration there wants it.
    ///
    /// # Errors
    ///
    /// When the configuration is wrong. A log that cannot be written fails only the acts that need it.
    pub(crate) fn open(home: &Home) -> Result<Self, CommandError> {
        let Config { audit: config, providers, .. } = Config::read(home)?;
        let keys = secrets::of_providers(home, &providers);
        let state = match home.audit() {
            Err(_) => State::Homeless,
            Ok(_) if !config.enabled().value => State::Off,
            Ok(folder) => match open(&folder, &config, keys)? {
                Ok(audit) => State::Open(audit, actor::current()),
                Err(error) => State::Unusable(AuditError::Unavailable(Arc::new(error))),
            },
        };
        Ok(Self { state, requirement: config.requirement(), told: AtomicBool::new(false) })
    }

    /// Returns the log to do something with it, and who does.
    ///
    /// # Errors
    ///
    /// When it is off, or cannot be written.
    pub(crate) fn writable(&self) -> Result<(&Audit, Actor), CommandError> {
        match &self.state {
            State::Open(audit, actor) => Ok((audit, actor.clone())),
            State::Unusable(error) => Err(error.clone().into()),
            State::Homeless => Err(error::audit::homeless()),
            State::Off => Err(error::audit::off()),
        }
    }

    /// Returns where it is written down what leaves for providers.
    pub(crate) fn egress(&self) -> EgressLog {
        match &self.state {
            State::Open(audit, actor) => EgressLog::Kept { audit: audit.clone(), actor: actor.clone() },
            State::Unusable(error) => EgressLog::Unusable(error.clone()),
            State::Homeless | State::Off => EgressLog::Off,
        }
    }

    /// Does something between the two entries that say so. The work returns its result and what to write down of it.
    ///
    /// # Errors
    ///
    /// Those of the work, which are written down, too; and where it must not be done without a log, those of the log.
    pub(crate) fn record<T>(
        &self,
        act: Act,
        work: impl FnOnce() -> Result<(T, Value), CommandError>,
    ) -> Result<T, CommandError> {
        let open = self.begin(act)?;
        match work() {
            Ok((done, about)) => open.done(about).map(|()| done),
            Err(error) => {
                open.failed(&error);
                Err(error)
            }
        }
    }

    /// Writes down that something was not allowed.
    ///
    /// # Errors
    ///
    /// Where it would not have been done without a log, and that cannot be written.
    pub(crate) fn deny(&self, act: Act, error: &CommandError) -> Result<(), CommandError> {
        self.begin(act)?.end(error, OpenEntry::denied);
        Ok(())
    }

    fn begin(&self, act: Act) -> Result<OpenAct<'_>, CommandError> {
        let Act { kind, tier, about } = act;
        let begun = match &self.state {
            State::Open(audit, actor) => {
                let mut draft = Draft::new(stream_of(kind), kind, actor.clone()).with(about);
                draft.circumstances.tier = tier.map(recorded_tier);
                audit.begin(draft).map(Some)
            }
            State::Unusable(error) => Err(error.clone()),
            State::Homeless => {
                self.tell("there is no home folder");
                Ok(None)
            }
            State::Off => Ok(None),
        };
        let entry = begun.or_else(|error| self.without(kind, error).map(|()| None))?;
        Ok(OpenAct { log: self, kind, entry })
    }

    /// Decides whether something may be done that cannot be written down.
    fn without(&self, kind: ActKind, error: AuditError) -> Result<(), CommandError> {
        match accountability(weight_of(kind), self.requirement, false) {
            Accountability::Audited | Accountability::NotAudited => {
                self.tell(&CommandError::from(error).in_a_line());
                Ok(())
            }
            Accountability::Refused => Err(error.into()),
        }
    }

    /// Says once that something is not audited.
    fn tell(&self, why: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            stderr(sanitize(&format!("warning: not audited: {why}")));
        }
    }
}

/// Whoever has the log last waits for its anchors, and says which of them failed.
impl Drop for AuditLog {
    fn drop(&mut self) {
        let State::Open(audit, _) = &self.state else { return };
        if let Err(error) = audit.close() {
            stderr(sanitize(&format!("warning: {}", CommandError::from(error).in_a_line())));
        }
        if let Some(why) = audit.metrics().anchors.last {
            stderr(sanitize(&format!("warning: an anchor of the audit log took no checkpoint: {why}")));
        }
    }
}

impl Act {
    /// Names an act, and what it is about.
    pub(crate) fn new(kind: ActKind, about: Value) -> Self {
        Self { kind, tier: None, about }
    }

    /// Says how far it may reach.
    pub(crate) fn at_tier(self, tier: Tier) -> Self {
        Self { tier: Some(tier), ..self }
    }
}

impl OpenAct<'_> {
    fn done(self, about: Value) -> Result<(), CommandError> {
        let about = if about.is_null() { Payload::None } else { about.into() };
        match self.entry.map(|entry| entry.done(about)) {
            Some(Err(error)) => self.log.without(self.kind, error),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn failed(self, error: &CommandError) {
        self.end(
            error,
            match error.kind() {
                error::Kind::Refused | error::Kind::Untrusted => OpenEntry::denied,
                error::Kind::Interrupted => OpenEntry::abandoned,
                _ => OpenEntry::failed,
            },
        );
    }

    /// Writes down an error, which is told in any case.
    fn end(self, error: &CommandError, end: fn(OpenEntry, Value) -> Result<Receipt, AuditError>) {
        let Some(entry) = self.entry else { return };
        let about = json!({"code": error.code(), "kind": error.kind().name(), "message": error.message()});
        if let Err(error) = end(entry, about) {
            self.log.tell(&CommandError::from(error).in_a_line());
        }
    }
}

fn open(
    folder: &Path,
    config: &AuditSection,
    keys: Vec<(String, Zeroizing<String>)>,
) -> Result<Result<Audit, StoreError>, CommandError> {
    let random = machine::random_source()?;
    Ok(key::read_or_make(&key::default_path(folder), &*random).and_then(|key| {
        let mut options = AuditOptions::new(key, Box::new(machine::now_ms), random);
        options.scrubber = secrets::known_to(options.scrubber, keys);
        options.anchors = config.anchors();
        options.ownership = Ownership::Brief { patience: PATIENCE };
        env!("CARGO_PKG_VERSION").clone_into(&mut options.version);
        Audit::open(folder, options)
    }))
}

/// The stream that acts of a kind go to.
fn stream_of(kind: ActKind) -> StreamId {
    let is_of_server = matches!(kind, ActKind::SERVE | ActKind::ADMIN);
    StreamId::named(if is_of_server { "server" } else { "registry" })
}

/// How much it matters that an act is written down.
fn weight_of(kind: ActKind) -> requirement::Act {
    match kind {
        ActKind::PULL | ActKind::PUSH | ActKind::EGRESS => requirement::Act::Egress,
        ActKind::KEY | ActKind::SIGN | ActKind::DECRYPT | ActKind::REKEY => requirement::Act::Key,
        ActKind::TRUST => requirement::Act::Trust,
        ActKind::ADMIN => requirement::Act::Admin,
        ActKind::LOAD | ActKind::SERVE => requirement::Act::Load,
        _ => requirement::Act::Local,
    }
}

/// Whoever writes has the log for some milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
