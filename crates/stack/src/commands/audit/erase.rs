//! `stack audit erase`: payloads go for good, and the log says so.

use clap::{ArgGroup, Args};
use serde_json::json;
use stack_audit::{Selection, StreamId, retain};

use super::list::{Since, kind};
use crate::audit::ActKind;
use crate::config::Config;
use crate::error::{CommandError, Kind};
use crate::options::CommonArguments;
use crate::process::machine;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["session", "before", "kind", "due"]))]
pub(super) struct Arguments {
    /// Of this session or subsystem
    #[arg(long, value_name = "ID", alias = "stream")]
    session: Option<StreamId>,
    /// Written before a time, such as 90d, 2026-11-30 or 2026-11-30T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = Since::parse)]
    before: Option<Since>,
    /// Of this kind, such as `registry.pull`
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<ActKind>,
    /// Older than `[audit] payload_days` in stack.toml
    #[arg(long, conflicts_with = "before")]
    due: bool,
    /// Why; this stays in the log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    common: CommonArguments,
}

/// Erases payloads that meet every condition.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let now = machine::now();
    let before_ms = match arguments.before {
        Some(before) => Some(before.before(now).saturating_mul(1000)),
        None if arguments.due => Some(due(&arguments.common)?),
        None => None,
    };
    let selection = Selection { stream: arguments.session, before_ms, kind: arguments.kind };
    let (audit, actor) = arguments.common.audit()?.writable()?;
    let erased = audit.erase(&selection, &arguments.reason, actor)?;
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&json!({ "erased_payloads": erased }));
    }
    data.line(&format!("erased {erased} payloads"))
}

/// Returns before when payloads are to be erased, as the operator wants it.
fn due(common: &CommonArguments) -> Result<u64, CommandError> {
    let days = Config::read(&common.home()?)?.audit.payload_days().value;
    retain::due_before(machine::now_ms(), days.into()).ok_or_else(|| {
        CommandError::new(Kind::Usage, "payloads are kept for ever here")
            .hint("set `payload_days` under [audit] in stack.toml, or give --before TIME")
    })
}
