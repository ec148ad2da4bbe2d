//! `stack gc`: frees what nothing needs, and says why.

use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use serde::Serialize;
use serde_json::json;
use stack_registry::gc::{self, GcOptions, Swept};

use crate::audit::{Act, ActKind};
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::process::machine;
use crate::terminal::output::{Data, sanitize};
use crate::terminal::units;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Print what would be freed and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Keep blobs younger than this
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = units::parse_duration)]
    grace: Duration,
    /// Keep interrupted downloads younger than this
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = units::parse_duration)]
    parts_older: Duration,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

#[derive(Serialize)]
struct Report {
    blobs: Vec<Blob>,
    freed_bytes: u64,
    dry_run: bool,
}

#[derive(Serialize)]
struct Blob {
    digest: String,
    bytes: u64,
    freed: bool,
    reason: String,
}

impl Report {
    fn of(swept: &[Swept], dry_run: bool) -> Self {
        let blob = |item: &Swept| Blob {
            digest: item.digest.to_string(),
            bytes: item.bytes,
            freed: item.reason.frees(),
            reason: item.reason.to_string(),
        };
        let blobs: Vec<Blob> = swept.iter().map(blob).collect();
        let freed_bytes = blobs.iter().filter(|blob| blob.freed).map(|blob| blob.bytes).sum();
        Self { blobs, freed_bytes, dry_run }
    }
}

fn audited(
    arguments: &Arguments,
    collect: impl FnOnce() -> Result<Report, CommandError>,
) -> Result<Report, CommandError> {
    let about =
        json!({"grace_s": arguments.grace.as_secs(), "parts_older_s": arguments.parts_older.as_secs()});
    arguments.common.audit()?.record(Act::new(ActKind::COLLECT, about), || {
        let report = collect()?;
        let freed = report.blobs.iter().filter(|blob| blob.freed).count();
        let about = json!({"blobs": freed, "freed_bytes": report.freed_bytes});
        Ok((report, about))
    })
}

/// Collects the garbage.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let now = UNIX_EPOCH + Duration::from_secs(machine::now().seconds());
    let Arguments { dry_run, grace, parts_older, .. } = *arguments;
    let report = match arguments.common.existing_store()? {
        None => Report::of(&[], dry_run),
        Some(store) => {
            let options = GcOptions { now, grace, parts_older, dry_run };
            let collect = || -> Result<Report, CommandError> {
                Ok(Report::of(&gc::collect(&store, &options)?, dry_run))
            };
            if dry_run { collect()? } else { audited(arguments, collect)? }
        }
    };
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&report);
    }
    let free = if dry_run { "would free" } else { "freed" };
    for blob in &report.blobs {
        let verb = if blob.freed { free } else { "kept" };
        data.line(&sanitize(&format!(
            "{verb} {} {}: {}",
            blob.digest,
            units::bytes(blob.bytes),
            blob.reason
        )))?;
    }
    data.line(&format!("{free} {}", units::bytes(report.freed_bytes)))
}
