//! `stack export`: one file that carries models over an air gap.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::json;
use stack_registry::attached::unchecked_claims;
use stack_registry::manifest::{Manifest, Role};
use stack_registry::name::Name;
use stack_registry::package::{Export, PackageError, VolumeWriter};
use stack_registry::store::Store;
use stack_seal::age::{Recipients, Sealing};
use stack_seal::digest::Digest;
use stack_seal::statement::Tier;
use stack_trust::identity;

use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind};
use crate::options::CommonArguments;
use crate::process::machine;
use crate::terminal::interruptible::Interruptible;
use crate::terminal::output::Data;
use crate::terminal::{input, units};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The models
    #[arg(required = true, value_name = "NAME", value_parser = Name::parse)]
    names: Vec<Name>,
    /// Output file; must not exist yet
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Split the package into volumes of at most this size, such as 4GB
    #[arg(long, value_name = "SIZE", value_parser = units::parse_bytes)]
    split: Option<u64>,
    /// Leave out blobs listed in this file, written by `stack list --inventory` on the receiver
    #[arg(long = "for", value_name = "INVENTORY")]
    inventory: Option<PathBuf>,
    /// Encrypt the package for this recipient: age1…, an identity or a .pub file; repeatable
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "split")]
    recipient: Vec<String>,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

#[derive(Serialize)]
struct Report {
    files: Vec<String>,
    bytes: u64,
    blobs: usize,
    left_out: Vec<String>,
}

/// Writes the package.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let names = &arguments.names;
    let store = arguments.common.store_with(&names[0])?;
    let recipients = recipients(arguments)?;
    if recipients.is_none() {
        names.iter().try_for_each(|name| check_tier(&store, name))?;
    }
    let receiver_has = arguments.inventory.as_deref().map(inventory).transpose()?.unwrap_or_default();
    let export = Export::collect(&store, names, &receiver_has, &|_| {})?;
    let bytes = export.bytes()?;
    let about = json!({
        "names": names.iter().map(Name::short).collect::<Vec<_>>(),
        "to": arguments.output.display().to_string(),
        "sealed": recipients.is_some(),
    });
    let files = arguments.common.audit()?.record(Act::new(ActKind::EXPORT, about), || {
        let work = Interruptible::start("exporting", bytes, arguments.common.quiet)?;
        let out = VolumeWriter::new(&arguments.output, arguments.split);
        let written = match &recipients {
            None => plain(&export, out, &work),
            Some(recipients) => sealed(&export, recipients, out, &work)?,
        };
        let files = written.map_err(|error| {
            let error = cannot_write(error, &arguments.output);
            work.failed_with(error, "nothing of the package is left, and the same command starts anew")
        })?;
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let about = json!({"files": files, "bytes": bytes});
        Ok((files, about))
    })?;
    let report = Report {
        files,
        bytes,
        // The layout and the index are no blobs.
        blobs: export.list().members().len() - 2,
        left_out: export.left_out().iter().map(ToString::to_string).collect(),
    };
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&report);
    }
    for file in &report.files {
        data.line(file)?;
    }
    let left_out = match report.left_out.len() {
        0 => String::new(),
        count => format!("; {count} left out because the receiver has them"),
    };
    data.line(&format!("{} in {} blobs{left_out}", units::bytes(bytes), report.blobs))
}

fn plain(export: &Export, mut out: VolumeWriter, work: &Interruptible) -> Result<Vec<PathBuf>, PackageError> {
    export.write(&mut work.watch(&mut out), &|done| work.show(done))?;
    out.finish().map_err(failed)
}

/// Seals the package while it is written; no byte of it touches the disk in clear.
fn sealed(
    export: &Export,
    recipients: &Recipients,
    out: VolumeWriter,
    work: &Interruptible,
) -> Result<Result<Vec<PathBuf>, PackageError>, CommandError> {
    let sealing = Sealing::new(recipients, &mut machine::random()?);
    let seal = || {
        let mut writer = sealing.writer(out, export.bytes()?).map_err(failed)?;
        export.write(&mut work.watch(&mut writer), &|done| work.show(done))?;
        writer.finish().and_then(VolumeWriter::finish).map_err(failed)
    };
    Ok(seal())
}

fn failed(source: std::io::Error) -> PackageError {
    PackageError::Io { attempt: "writing the package".to_owned(), source }
}

fn recipients(arguments: &Arguments) -> Result<Option<Recipients>, CommandError> {
    let home = arguments.common.home()?;
    let keys = arguments.recipient.iter().map(|text| identity::recipient(&home, text));
    Ok(Recipients::keys(keys.collect::<Result<Vec<_>, _>>()?))
}

/// Weights that may not leave the machine in clear do not. Anyone may claim so, and is believed.
fn check_tier(store: &Store, name: &Name) -> Result<(), CommandError> {
    let entry = store.resolve(name)?;
    let claims = unchecked_claims(store, &store.index()?, &entry.manifest.digest)?;
    let sovereign = claims.iter().any(|claim| claim.tier == Tier::Sovereign);
    let manifest = store.manifest(&entry.manifest.digest)?;
    if sovereign && has_plain_weights(&manifest) {
        let message = format!("{} has the tier sovereign, but its weights are not sealed", name.short());
        return Err(CommandError::new(Kind::Refused, message)
            .reason("weights-tier")
            .hint("seal it for the receiver first, with `stack encrypt`"));
    }
    Ok(())
}

fn has_plain_weights(manifest: &Manifest) -> bool {
    manifest.layers.iter().any(|layer| !matches!(layer.role(), Role::SealedHeader | Role::SealedPayload))
}

/// Reads the digests that `stack list --inventory` printed.
fn inventory(path: &Path) -> Result<BTreeSet<Digest>, CommandError> {
    let text = input::text(path)?;
    let mut digests = BTreeSet::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let digest = line.parse().map_err(|error| {
            CommandError::new(Kind::Malformed, format!("{}, line {}: no digest", path.display(), number + 1))
                .reason("bad-inventory")
                .caused(error)
                .hint("create one with `stack list --inventory` on the other machine")
        })?;
        digests.insert(digest);
    }
    Ok(digests)
}

fn cannot_write(error: PackageError, path: &Path) -> CommandError {
    match &error {
        PackageError::Io { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
            CommandError::new(Kind::Usage, format!("{} or one of its volumes exists", path.display()))
                .reason("exists")
                .hint("remove it or choose another name")
        }
        _ => error.into(),
    }
}
