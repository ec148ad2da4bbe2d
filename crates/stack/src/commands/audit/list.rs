//! `stack audit list`.

use clap::Args;
use serde_json::{Value, json};
use stack_audit::{Entry, StreamId, export};
use stack_seal::time::UnixTime;

use super::row;
use crate::audit::ActKind;
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::process::machine;
use crate::terminal::output::Data;
use crate::terminal::units;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only entries of this session or subsystem, such as `registry`
    #[arg(long, value_name = "ID", alias = "stream")]
    session: Option<StreamId>,
    /// Only entries of this kind, such as `registry.pull`
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<ActKind>,
    /// Only entries since a time, such as 7d, 2026-11-30 or 2026-11-30T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = Since::parse)]
    since: Option<Since>,
    /// Maximum number of entries
    #[arg(long, value_name = "N", default_value_t = 20, alias = "last")]
    limit: usize,
    #[command(flatten)]
    common: CommonArguments,
}

/// A time, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    Time(UnixTime),
    Ago(u64),
}

/// Prints the latest entries, the last one at the end.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let Arguments { session, kind, since, limit, .. } = arguments;
    let since_ms = since.map(|since| since.before(machine::now()).saturating_mul(1000));
    let wanted = |entry: &Entry| {
        session.is_none_or(|session| entry.stream == session)
            && kind.is_none_or(|kind| entry.kind == kind)
            && since_ms.is_none_or(|since| entry.wall_ms >= since)
    };
    let entries = super::log(&arguments.common)?.latest(*limit, wanted)?;
    let mut data = Data::new();
    if arguments.common.json {
        let entries: Vec<Value> = entries.iter().map(row::json).collect();
        return data.json(&json!({ "entries": entries }));
    }
    data.write(&export::lines(&entries))
}

/// Reads the name of a kind.
pub(super) fn kind(text: &str) -> Result<ActKind, String> {
    ActKind::from_name(text)
        .ok_or_else(|| "expected a kind such as registry.pull, as `stack audit list` shows it".to_owned())
}

impl Since {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(ago) = units::parse_duration(text) {
            return Ok(Self::Ago(ago.as_secs()));
        }
        let time = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
        let expected = "expected a time such as 7d, 2026-11-30 or 2026-11-30T12:00:00Z";
        time.parse().map(Self::Time).map_err(|_| expected.to_owned())
    }

    /// Returns when that was, in seconds since 1970.
    pub(super) fn before(self, now: UnixTime) -> u64 {
        match self {
            Self::Time(time) => time.seconds(),
            Self::Ago(seconds) => now.seconds().saturating_sub(seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_or_how_long_ago_they_were() {
        let now = UnixTime::from_seconds(1_000_000);
        let seconds = |text| Since::parse(text).map(|since| since.before(now));
        assert_eq!(seconds("10m"), Ok(999_400));
        assert_eq!(seconds("1970-01-02"), Ok(86_400));
        assert_eq!(seconds("1970-01-01T00:01:00Z"), Ok(60));
        for wrong in ["", "yesterday", "2026-13-01", "7"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
