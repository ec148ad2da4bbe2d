//! What the checks found.

use serde_json::{Value, json};
use stack_seal::statement::Statement;
use stack_trust::policy::Verdict;

use crate::error::CommandError;
use crate::terminal::output::{Data, sanitize};

/// The checks so far.
pub(super) struct Report {
    explain: bool,
    lines: Vec<Line>,
    statement: Option<Value>,
}

/// No further checks are to be made; the report says why.
pub(super) struct Stop;

struct Line {
    check: &'static str,
    outcome: Result<String, CommandError>,
}

impl Report {
    /// Starts a report that ends with the first failure, unless it explains everything.
    pub(super) fn new(explain: bool) -> Self {
        Self { explain, lines: Vec::new(), statement: None }
    }

    /// Writes down a check.
    pub(super) fn record(
        &mut self,
        check: &'static str,
        outcome: Result<String, CommandError>,
    ) -> Result<(), Stop> {
        let goes_on = outcome.is_ok() || self.explain;
        self.lines.push(Line { check, outcome });
        if goes_on { Ok(()) } else { Err(Stop) }
    }

    /// Writes down a check that yields something.
    pub(super) fn record_with<T>(
        &mut self,
        check: &'static str,
        outcome: Result<(String, T), CommandError>,
    ) -> Result<Option<T>, Stop> {
        match outcome {
            Ok((detail, found)) => self.record(check, Ok(detail)).map(|()| Some(found)),
            Err(error) => self.record(check, Err(error)).map(|()| None),
        }
    }

    /// Keeps what was signed, for those who read JSON.
    pub(super) fn describe(&mut self, statement: &Statement, verdict: &Verdict) {
        let claim = statement.claim();
        self.statement = Some(json!({
            "root": statement.root().to_string(),
            "name": claim.map(|claim| claim.name.clone()),
            "serial": claim.map(|claim| claim.serial),
            "issued": claim.map(|claim| claim.issued.to_string()),
            "expires": claim.and_then(|claim| claim.expires).map(|time| time.to_string()),
            "signers": verdict.identities,
            "keys": verdict.keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }));
    }

    /// Prints one line for each check.
    pub(super) fn print(&self, data: &mut Data) -> Result<(), CommandError> {
        for Line { check, outcome } in &self.lines {
            let (mark, detail) = match outcome {
                Ok(detail) => ("ok", detail.as_str()),
                Err(error) => ("FAIL", error.message()),
            };
            data.line(&sanitize(&format!("{mark:<6}{check:<12}{detail}")))?;
        }
        Ok(())
    }

    /// Prints one object.
    pub(super) fn print_json(&self, target: &str, data: &mut Data) -> Result<(), CommandError> {
        let line = |line: &Line| match &line.outcome {
            Ok(detail) => json!({"check": line.check, "ok": true, "detail": detail}),
            Err(error) => {
                json!({"check": line.check, "ok": false, "code": error.code(), "detail": error.message()})
            }
        };
        data.json(&json!({
            "target": target,
            "verified": self.lines.iter().all(|line| line.outcome.is_ok()),
            "checks": self.lines.iter().map(line).collect::<Vec<_>>(),
            "statement": self.statement,
        }))
    }

    /// The first failure, if there was one.
    pub(super) fn into_result(self) -> Result<(), CommandError> {
        self.lines.into_iter().try_for_each(|line| line.outcome.map(drop))
    }
}
