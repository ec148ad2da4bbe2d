//! Verifying a log where it lies.

use std::fs;
use std::io;

use stack_seal::key::PublicKey;

use super::Log;
use crate::entry::Entry;
use crate::identity::StreamId;
use crate::note::notes_in;
use crate::store::StoreError;
use crate::verify::{Evidence, Fault, FaultClass, Report, Source, Verifier, notes_of};

/// What a log, or an export of one, is compared with.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// A stream that has to be there.
    pub session: Option<StreamId>,
    /// Keys that sign for the log; without any, the key that it names itself. That proves that the log is consistent, not
    /// who made it.
    pub keys: Vec<PublicKey>,
    /// Texts of checkpoints from outside, each with the name of the place.
    pub checkpoints: Vec<(String, String)>,
    /// Whether a log that nothing from outside confirms is at fault.
    pub require_anchor: bool,
}

impl Log {
    /// Verifies the log: every entry, every payload, the tree, every checkpoint.
    ///
    /// # Errors
    ///
    /// Names the first thing that is wrong.
    pub fn verify(&self, options: &VerifyOptions) -> Result<Report, Fault> {
        if let Some(stream) = options.session
            && !self.has(stream).map_err(|error| unreadable(&error))?
        {
            return Err(Fault::new(FaultClass::UnknownSession, format!("an entry of {stream}"), "none"));
        }
        // Of its own keys only the first is taken at its word: the others are believed as the log is read.
        let keys = if options.keys.is_empty() { self.keys[..1].to_vec() } else { options.keys.clone() };
        let mut verifier = Verifier::new(self.id, keys, self.evidence(options)?);
        let stray = self.visit(|row| verifier.push(row).map(drop).map_err(Stop::Fault));
        let stray = stray.map_err(|stop| match stop {
            Stop::Fault(fault) => fault,
            Stop::Store(error) => unreadable(&error).at(verifier.size()),
        })?;
        let report = verifier.finish().map_err(|fault| self.with_entry(fault))?;
        if let Some(index) = stray {
            let fault = Fault::new(FaultClass::PayloadChanged, "no payload", "one of no entry");
            return Err(fault.at(index));
        }
        if options.require_anchor && report.anchored == 0 {
            return Err(Fault::new(FaultClass::NotAnchored, "a checkpoint from outside the log", "none"));
        }
        Ok(report)
    }

    /// Collects all checkpoints: those of the table, of the file beside it, and those given.
    fn evidence(&self, options: &VerifyOptions) -> Result<Vec<Evidence>, Fault> {
        let mut evidence: Vec<Evidence> = Vec::new();
        for (size, note) in self.checkpoints().map_err(|error| unreadable(&error))? {
            evidence.push(Evidence { source: Source::Table(size), note });
        }
        let path = self.folder.checkpoints();
        let beside = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|source| unreadable(&StoreError::Io { path, source }))?,
        };
        evidence
            .extend(notes_in(&beside).map(|note| Evidence { source: Source::Beside, note: note.to_owned() }));
        evidence.extend(
            notes_of(&options.checkpoints)?.into_iter().map(|(name, note)| Evidence {
                source: Source::Anchor(name.to_owned()),
                note: note.to_owned(),
            }),
        );
        Ok(evidence)
    }

    /// Adds what the entry says to a fault that names only its index.
    fn with_entry(&self, fault: Fault) -> Fault {
        let Some(index) = fault.index.filter(|_| fault.class == FaultClass::PayloadMissing) else {
            return fault;
        };
        let select = "SELECT body FROM entry WHERE idx = ?1";
        let body = self.connection.query_one(select, [index as i64], |row| row.get::<_, Vec<u8>>(0));
        match body.ok().and_then(|body| Entry::decode(&body).ok()) {
            Some(entry) => fault.of(&entry),
            None => fault,
        }
    }
}

/// Why reading ended early.
enum Stop {
    Fault(Fault),
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn unreadable(error: &StoreError) -> Fault {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Fault::new(FaultClass::Unreadable, "a log", format!("{error}{cause}"))
}
