//! `stack import`: reads packages into the store, verified while they are copied.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::json;
use stack_registry::name::Name;
use stack_registry::package::{Import, ImportOptions, Imported, Outcome, PackageSource, Receipt, Volumes};
use stack_registry::store::{Rebind, Store};
use stack_seal::age::{Header, Identity, OpenError, UnlockedFile};
use stack_seal::digest::Digest;
use stack_seal::time::UnixTime;
use stack_trust::keyring::SealedHeader;
use stack_trust::private_file::{self, FileMode};

use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind};
use crate::home::access::KeyArguments;
use crate::options::CommonArguments;
use crate::process::machine;
use crate::terminal::interruptible::Interruptible;
use crate::terminal::output::Data;
use crate::terminal::units;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Package files; for a split package, any volume
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print what would be copied and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Name for the model, if the package holds exactly one
    #[arg(long = "as", value_name = "NAME", value_parser = Name::parse)]
    name: Option<Name>,
    /// Move existing names to the new models
    #[arg(long)]
    update: bool,
    /// Write a receipt of what was imported to this file
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    receipt: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArguments,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

#[derive(Default, Serialize)]
struct Report {
    models: Vec<Model>,
    copied: Vec<String>,
    copied_bytes: u64,
    present: Vec<String>,
    dry_run: bool,
}

#[derive(Serialize)]
struct Model {
    name: String,
    digest: String,
}

/// Imports the packages, one after the other.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let name = &arguments.name;
    if arguments.files.len() > 1 && (name.is_some() || arguments.receipt.is_some()) {
        let message = "--as and --receipt work with one package, but several were given";
        return Err(CommandError::new(Kind::Usage, message).hint("import them one at a time"));
    }
    if let Some(path) = arguments.receipt.as_deref().filter(|path| path.exists()) {
        return Err(receipt_exists(path));
    }
    let mut report = Report { dry_run: arguments.dry_run, ..Report::default() };
    for file in &arguments.files {
        let source = open(arguments, file)?;
        if arguments.dry_run {
            report.would_import(arguments, &Import::open(&*source)?)?;
            continue;
        }
        let now = machine::now();
        let about = json!({"from": file.display().to_string(), "as": name.as_ref().map(Name::short)});
        let imported = arguments.common.audit()?.record(Act::new(ActKind::IMPORT, about), || {
            let imported = import(arguments, &*source, now)?;
            let model = |(name, digest): &(Name, Digest)| json!({"name": name.short(), "manifest": digest.to_string()});
            let about = json!({"models": imported.models.iter().map(model).collect::<Vec<_>>()});
            Ok((imported, about))
        })?;
        if let Some(path) = &arguments.receipt {
            write_receipt(path, &Receipt::new(&imported, now.to_string()))?;
        }
        report.imported(&imported);
    }
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&report);
    }
    for model in &report.models {
        data.line(&format!("{} {}", model.name, model.digest))?;
    }
    let copied = if report.dry_run { "would copy" } else { "copied" };
    let (bytes, blobs) = (units::bytes(report.copied_bytes), report.copied.len());
    data.line(&format!("{copied} {bytes} in {blobs} blobs; {} already present", report.present.len()))
}

/// Imports a package.
fn import(
    arguments: &Arguments,
    source: &dyn PackageSource,
    now: UnixTime,
) -> Result<Imported, CommandError> {
    let work = Interruptible::start("importing", source.length(), arguments.common.quiet)?;
    let watched = work.watch(source);
    let import = Import::open(&watched)?;
    let store = arguments.common.store()?;
    let rebind = if arguments.update { Rebind::Allowed } else { Rebind::Never };
    let options = ImportOptions { name: arguments.name.clone(), rebind, now: now.seconds() };
    import.run(&store, &options, &|done| work.show(done)).map_err(|error| {
        work.failed_with(error.into(), "what was copied is kept, and the same command goes on from there")
    })
}

/// Opens a package. What is sealed is opened chunk by chunk, as it is read.
fn open(arguments: &Arguments, path: &Path) -> Result<Box<dyn PackageSource>, CommandError> {
    let volumes = Volumes::open(path)?;
    if !volumes.is_sealed() {
        return Ok(Box::new(volumes));
    }
    let file = volumes.into_file().ok_or_else(|| {
        CommandError::new(Kind::Usage, "a sealed package cannot be read as volumes")
            .hint("join the volumes with `cat` first")
    })?;
    let (header, _) = Header::read(&file).map_err(|error| cannot_open(path, error))?;
    let attempt = |keys: &[Identity]| UnlockedFile::open(file.try_clone().map_err(OpenError::Io)?, keys);
    let name = path.display().to_string();
    let home = arguments.common.home()?;
    let sealed = SealedHeader { name: &name, header: &header, noted: &[] };
    let (opened, _) = arguments.keys.opener(&home).open(&sealed, &attempt)?;
    Ok(Box::new(opened))
}

fn cannot_open(path: &Path, error: OpenError) -> CommandError {
    let (kind, code, hint) = match &error {
        OpenError::Io(_) => (Kind::Machine, "io", "look at who may read the file"),
        OpenError::NoIdentity => {
            (Kind::Closed, "no-identity", "give the identity it was sealed for with --identity")
        }
        _ => (Kind::Malformed, "bad-package", "copy it again, or request a new one"),
    };
    CommandError::new(kind, format!("{} cannot be opened", path.display()))
        .reason(code)
        .hint(hint)
        .caused(error)
}

impl Report {
    fn would_import(&mut self, arguments: &Arguments, import: &Import<'_>) -> Result<(), CommandError> {
        let store: Option<Store> = arguments.common.existing_store()?;
        let missing = match &store {
            Some(store) => import.missing(store)?,
            None => import.blobs().copied().collect(),
        };
        self.models.extend(
            import.models().map(|(name, digest)| Model { name: name.short(), digest: digest.to_string() }),
        );
        for member in import.blobs() {
            if missing.contains(member) {
                self.copied.push(member.sha256.to_string());
                self.copied_bytes += member.size;
            } else {
                self.present.push(member.sha256.to_string());
            }
        }
        Ok(())
    }

    fn imported(&mut self, imported: &Imported) {
        for (name, digest) in &imported.models {
            self.models.push(Model { name: name.short(), digest: digest.to_string() });
        }
        for (member, outcome) in &imported.blobs {
            match outcome {
                Outcome::Copied => {
                    self.copied.push(member.sha256.to_string());
                    self.copied_bytes += member.size;
                }
                Outcome::Present => self.present.push(member.sha256.to_string()),
            }
        }
    }
}

fn write_receipt(path: &Path, receipt: &Receipt) -> Result<(), CommandError> {
    private_file::create(path, &receipt.to_bytes(), FileMode::Public).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return receipt_exists(path);
        }
        CommandError::writing_file(format!("the receipt {}", path.display()), error)
            .hint("the models were imported; run the command again to write the receipt")
    })
}

fn receipt_exists(path: &Path) -> CommandError {
    CommandError::new(Kind::Usage, format!("the receipt {} exists", path.display()))
        .reason("exists")
        .hint("remove it or choose another name")
}
