//! `stack adopt`: uses models that lie on this machine already.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::json;
use stack_registry::adopt::{
    AdoptMode, AdoptOptions, AdoptOutcome, Adopted, Adoption, Found, FoundFile, hub_models, lm_studio_models,
    ollama_models, path_models,
};
use stack_registry::manifest::FilePath;
use stack_registry::name::Name;
use stack_registry::store::{Entry, Hashed, Rebind, StoreError};

use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind};
use crate::models::weights_check;
use crate::options::CommonArguments;
use crate::process::machine::{self, environment_path};
use crate::terminal::output::{Data, sanitize, stderr};
use crate::terminal::progress::Bar;
use crate::terminal::report::report as report_error;
use crate::terminal::{interruptible, units};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct Arguments {
    /// Where to look: `hf`, `ollama`, `lmstudio`, a file or a folder [default: all three caches]
    #[arg(value_name = "hf|ollama|lmstudio|PATH")]
    source: Option<PathBuf>,
    /// List what was found and change nothing
    #[arg(long)]
    list: bool,
    /// Share the bytes on disk (reflink), or fail
    #[arg(long, conflicts_with = "copy")]
    clone: bool,
    /// Copy the files into the store
    #[arg(long)]
    copy: bool,
    /// Name for the model, if exactly one is found
    #[arg(long = "as", value_name = "NAME", value_parser = Name::parse)]
    name: Option<Name>,
    /// Move existing names to these models
    #[arg(long)]
    update: bool,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

#[derive(Serialize)]
struct Report {
    models: Vec<Model>,
}

#[derive(Serialize)]
struct Model {
    name: String,
    /// The digest of the manifest, once it is adopted.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    origin: String,
    bytes: u64,
    files: Vec<File>,
}

#[derive(Serialize)]
struct File {
    path: String,
    at: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<&'static str>,
}

/// Adopts what is found, or lists it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let name = &arguments.name;
    let found = find(arguments.source.as_deref())?;
    if found.is_empty() {
        return Err(CommandError::new(Kind::Missing, "no GGUF model found to adopt")
            .reason("no-such-file")
            .hint("give a file or folder: `stack adopt PATH`"));
    }
    if name.is_some() && found.len() > 1 {
        let message = format!("{} models were found, and --as can name only one", found.len());
        return Err(CommandError::new(Kind::Usage, message)
            .hint("give the file of one model: `stack adopt PATH --as NAME`"));
    }
    let mut report = Report { models: Vec::new() };
    if !arguments.list {
        let kept = "the models that were adopted stay, and the same command goes on with the others";
        interruptible::end_on_interrupt(arguments.common.json, kept)?;
    }
    if arguments.list {
        report.models.extend(found.iter().map(Model::found));
    } else {
        let mut failures = Vec::new();
        let about = json!({"from": found.iter().map(|found| &*found.origin).collect::<Vec<_>>()});
        arguments.common.audit()?.record(Act::new(ActKind::ADOPT, about), || {
            adopt_all(arguments, &found, &mut |outcome| match outcome {
                Ok(model) => {
                    report.models.push(model);
                    Ok(())
                }
                // One bad file says nothing about the others.
                Err(error) if matches!(error.kind(), Kind::Malformed | Kind::Missing | Kind::Refused) => {
                    failures.push(error);
                    Ok(())
                }
                Err(error) => Err(error),
            })?;
            let models =
                report.models.iter().map(|model| json!({"name": model.name, "manifest": model.digest}));
            Ok(((), json!({"models": models.collect::<Vec<_>>(), "failed": failures.len()})))
        })?;
        if report.models.is_empty()
            && let Some(failure) = failures.pop()
        {
            failures.iter().for_each(report_error);
            return Err(failure);
        }
        for failure in failures {
            stderr(format!("skipped: {failure}"));
        }
    }
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&report);
    }
    for model in &report.models {
        let what = model.digest.as_deref().unwrap_or(&model.origin);
        data.line(&sanitize(&format!("{} {what} {}", model.name, units::bytes(model.bytes))))?;
        for file in &model.files {
            let kept = file.kept.unwrap_or("found");
            data.line(&sanitize(&format!("  {kept} {}", file.at.display())))?;
        }
    }
    Ok(())
}

/// Adopts what was found, and tells of each model what became of it.
fn adopt_all(
    arguments: &Arguments,
    found: &[Found],
    tell: &mut dyn FnMut(Result<Model, CommandError>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let store = arguments.common.store()?;
    let rebind = if arguments.update { Rebind::Allowed } else { Rebind::Never };
    let named = store.entries()?.into_iter().map(|entry| (entry.name.clone(), entry));
    let named: BTreeMap<Name, Entry> = named.collect();
    let mut adoption = Adoption::new(&store, rebind)?;
    for (position, model) in found.iter().enumerate() {
        if let Err(error) = arguments.take(&named, &mut adoption, model) {
            tell(Err(error))?;
        }
        if adoption.is_due() || position + 1 == found.len() {
            for (adopted, outcome) in adoption.finish()? {
                tell(outcome.map(|()| Model::adopted(&adopted)).map_err(CommandError::from))?;
            }
        }
    }
    Ok(())
}

impl Arguments {
    /// Reads one model.
    fn take(
        &self,
        named: &BTreeMap<Name, Entry>,
        adoption: &mut Adoption,
        found: &Found,
    ) -> Result<(), CommandError> {
        let name = self.name.as_ref().unwrap_or(&found.name);
        if !self.update
            && let Some(entry) = named.get(name)
            && entry.record.origin.as_deref() != Some(&*found.origin)
        {
            // Said before gigabytes are read for nothing.
            return Err(StoreError::NameTaken { name: name.clone(), digest: entry.manifest.digest }.into());
        }
        let mode = match (self.clone, self.copy) {
            (true, _) => AdoptMode::Clone,
            (_, true) => AdoptMode::Copy,
            _ => AdoptMode::Share,
        };
        let bytes = found.files.iter().map(|file| file.bytes).sum();
        if !self.common.quiet {
            stderr(format!("adopting {}, {}", name.short(), units::bytes(bytes)));
        }
        let bar = Bar::new("reading", &name.short(), self.common.quiet);
        let inspect = &|path: &FilePath, at: &Path| weights_check::check(path.as_str(), at);
        let options = AdoptOptions { name, mode, now: machine::now().seconds(), inspect };
        Ok(adoption.take(found, &options, &|done| bar.show(done, bytes))?)
    }
}

impl Model {
    fn adopted(adopted: &Adopted) -> Self {
        let file = |(file, _, kept): &(FoundFile, Hashed, AdoptOutcome)| File {
            path: file.path.to_string(),
            at: file.at.clone(),
            kept: Some(match kept {
                AdoptOutcome::Cloned => "cloned",
                AdoptOutcome::Copied => "copied",
                AdoptOutcome::InPlace => "in place",
                AdoptOutcome::Present => "present",
            }),
        };
        Self {
            name: adopted.entry.name.short(),
            digest: Some(adopted.entry.manifest.digest.to_string()),
            origin: adopted.entry.record.origin.clone().unwrap_or_default(),
            bytes: adopted.files.iter().map(|(_, hashed, _)| hashed.length).sum(),
            files: adopted.files.iter().map(file).collect(),
        }
    }

    fn found(found: &Found) -> Self {
        let file = |file: &FoundFile| File { path: file.path.to_string(), at: file.at.clone(), kept: None };
        Self {
            name: found.name.short(),
            digest: None,
            origin: found.origin.clone(),
            bytes: found.files.iter().map(|file| file.bytes).sum(),
            files: found.files.iter().map(file).collect(),
        }
    }
}

/// Looks where the arguments say.
fn find(source: Option<&Path>) -> Result<Vec<Found>, CommandError> {
    let caches = [("hf", hub()), ("ollama", ollama()), ("lmstudio", lm_studio())];
    let look = |name: &str, path: &Path| {
        let found = match name {
            "hf" => hub_models(path),
            "ollama" => ollama_models(path),
            _ => lm_studio_models(path),
        };
        found.map_err(|error| unreadable(path, error))
    };
    let named = source.and_then(|source| caches.iter().find(|(name, _)| source == Path::new(name)));
    match (source, named) {
        (None, _) => {
            let mut found = Vec::new();
            for (name, path) in &caches {
                if let Some(path) = path {
                    found.extend(look(name, path)?);
                }
            }
            Ok(found)
        }
        (Some(_), Some((name, Some(path)))) => look(name, path),
        (Some(_), Some((name, None))) => {
            let message = format!("the model folder of {name} is unknown on this system");
            Err(CommandError::new(Kind::Missing, message).reason("no-such-file").hint("set HOME"))
        }
        (Some(path), None) => path_models(path).map_err(|error| unreadable(path, error)),
    }
}

fn unreadable(path: &Path, error: io::Error) -> CommandError {
    let error_is_missing = error.kind() == io::ErrorKind::NotFound;
    CommandError::reading(path.display(), error).reason(if error_is_missing { "no-such-file" } else { "io" })
}

/// The Hugging Face hub's cache.
fn hub() -> Option<PathBuf> {
    let path = environment_path;
    path("HF_HUB_CACHE").or_else(|| Some(path("HF_HOME")?.join("hub"))).or_else(|| {
        Some(path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")))?.join("huggingface/hub"))
    })
}

fn ollama() -> Option<PathBuf> {
    environment_path("OLLAMA_MODELS").or_else(|| Some(environment_path("HOME")?.join(".ollama/models")))
}

fn lm_studio() -> Option<PathBuf> {
    Some(environment_path("HOME")?.join(".lmstudio/models"))
}
