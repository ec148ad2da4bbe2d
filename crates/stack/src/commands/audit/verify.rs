//! `stack audit verify`: whether a log, or an export of one, is what was written.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::json;
use stack_audit::export::{self, CheckedExport};
use stack_audit::{Fault, Log, Report, StreamId, VerifyOptions};
use stack_seal::hex;
use stack_seal::key::PublicKey;

use crate::config::Config;
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::input;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// An export, or the folder of a log [default: the log of this home]
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath)]
    file: Option<PathBuf>,
    /// Session or subsystem that must have entries
    #[arg(long, value_name = "ID", alias = "stream")]
    session: Option<StreamId>,
    /// File with checkpoints from elsewhere to compare with; repeatable
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, alias = "checkpoint")]
    anchor: Vec<PathBuf>,
    /// Key that must have signed, such as ed25519:…; repeatable [default: the key that the log names]
    #[arg(long, value_name = "KEY")]
    key: Vec<PublicKey>,
    /// Fail if no checkpoint from elsewhere confirms it
    #[arg(long)]
    require_anchor: bool,
    #[command(flatten)]
    common: CommonArguments,
}

/// Verifies, and writes nothing.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let anchors = arguments.anchor.iter().map(|path| Ok((path.display().to_string(), text(path)?)));
    let mut anchors = anchors.collect::<Result<Vec<_>, CommandError>>()?;
    match &arguments.file {
        Some(path) if !path.is_dir() => return arguments.export(path, anchors),
        Some(_) => {}
        None => anchors.extend(configured(&arguments.common)?),
    }
    let log = match &arguments.file {
        Some(folder) => Log::open(folder)?,
        None => super::log(&arguments.common)?,
    };
    arguments.log(&log.verify(&arguments.options(anchors)).map_err(explained)?)
}

impl Arguments {
    fn options(&self, checkpoints: Vec<(String, String)>) -> VerifyOptions {
        let (session, keys, require_anchor) = (self.session, self.key.clone(), self.require_anchor);
        VerifyOptions { session, keys, checkpoints, require_anchor }
    }

    /// Prints what a log holds that verifies.
    fn log(&self, report: &Report) -> Result<(), CommandError> {
        let mut data = Data::new();
        if self.common.json {
            return data.json(&json!({
                "ok": true,
                "anchored": report.anchored > 0,
                "root": hex::encode(&report.root),
                "entries": report.entries,
                "streams": report.streams,
                "open_intents": report.open_intents,
                "ambiguous": report.ambiguous,
                "erased_payloads": report.erased_payloads,
                "checkpoints": report.checkpoints,
                "checkpoints_from_elsewhere": report.anchored,
            }));
        }
        data.line(&format!("verified: {} entries in {} streams", report.entries, report.streams))?;
        data.line(&format!("root {}", hex::encode(&report.root)))?;
        for (count, what) in [
            (report.open_intents, "acts that have begun and not ended"),
            (report.ambiguous, "acts of which nobody knows whether they happened"),
            (report.erased_payloads, "payloads erased"),
        ] {
            if count > 0 {
                data.line(&format!("{count} {what}"))?;
            }
        }
        data.line(&format!("{} checkpoints agree, {} from elsewhere", report.checkpoints, report.anchored))?;
        self.limit(report.anchored);
        Ok(())
    }

    /// Checks an export, and prints what it holds.
    fn export(&self, path: &Path, anchors: Vec<(String, String)>) -> Result<(), CommandError> {
        let checked = export::check(&text(path)?, &self.options(anchors)).map_err(explained)?;
        let CheckedExport { checkpoint, key, entries, payloads, open_intents, ambiguous, anchored, .. } =
            checked;
        let mut data = Data::new();
        if self.common.json {
            return data.json(&json!({
                "ok": true,
                "anchored": anchored > 0,
                "log": checkpoint.log.to_string(),
                "key": key.to_string(),
                "size": checkpoint.size,
                "root": hex::encode(&checkpoint.root),
                "entries": entries,
                "payloads": payloads,
                "open_intents": open_intents,
                "ambiguous": ambiguous,
                "checkpoints_from_elsewhere": anchored,
            }));
        }
        data.line(&format!("verified: {entries} entries, {payloads} payloads of them here"))?;
        data.line(&format!(
            "log {}, {} entries, root {}",
            checkpoint.log,
            checkpoint.size,
            hex::encode(&checkpoint.root)
        ))?;
        data.line(&format!("signed by {key}"))?;
        self.limit(anchored);
        Ok(())
    }

    /// Says what was not proved.
    fn limit(&self, anchored: u64) {
        if anchored == 0 {
            self.common.stderr(
                "note: whoever has the log and its key could have written it anew; a copy of its checkpoints \
                 elsewhere, given with --anchor, rules that out",
            );
        }
    }
}

/// Reads the files to which the configuration has checkpoints copied.
fn configured(common: &CommonArguments) -> Result<Vec<(String, String)>, CommandError> {
    let places = Config::read(&common.home()?)?.audit.anchor_files();
    // Without an entry there is no checkpoint yet, and a disk may be somewhere else.
    let there = places.into_iter().filter(|path| {
        let is_there = path.exists();
        if !is_there {
            common.stderr(sanitize(&format!("note: the anchor {} is not there", path.display())));
        }
        is_there
    });
    there.map(|path| Ok((path.display().to_string(), text(&path)?))).collect()
}

fn text(path: &Path) -> Result<String, CommandError> {
    input::file(path, FILE_MAX, "give an export, or a file of checkpoints")
}

/// Tells of a fault, for programs field by field.
fn explained(fault: Fault) -> CommandError {
    let details = json!({
        "class": fault.class.name(),
        "index": fault.index,
        "stream": fault.stream.map(|stream| stream.to_string()),
        "seq": fault.seq,
        "kind": fault.kind.map(|kind| kind.to_string()),
        "expected": fault.expected,
        "found": fault.found,
    });
    CommandError::from(fault).details(details)
}

/// No export is larger.
const FILE_MAX: u64 = 1 << 30;
