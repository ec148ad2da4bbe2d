//! The weights of a name become sealed layers.

use serde::Serialize;
use serde_json::json;
use stack_registry::manifest::Role;
use stack_registry::sealing::{LayersBuilder, SealingOptions};
use stack_registry::store::Record;
use stack_trust::home::Home;
use stack_trust::target::StoredTarget;

use super::{Arguments, Readers};
use crate::commands::reclaimed::Reclaimed;
use crate::error::{CommandError, Kind};
use crate::process::{machine, threads};
use crate::terminal::interruptible::Interruptible;
use crate::terminal::output::Data;

#[derive(Serialize)]
struct Report<'a> {
    name: String,
    manifest: String,
    files: Vec<SealedFile>,
    #[serde(flatten)]
    readers: &'a Readers,
    #[serde(flatten)]
    freed: Reclaimed,
}

#[derive(Serialize)]
struct SealedFile {
    path: Option<String>,
    root: String,
    size_bytes: u64,
}

/// Seals the weights that are not sealed yet; the name means the sealed form from then on.
pub(super) fn seal(arguments: &Arguments, home: &Home, stored: StoredTarget) -> Result<(), CommandError> {
    let StoredTarget { store, model } = stored;
    let name = model.entry.name.short();
    if arguments.output.is_some() {
        let message = format!("{name} is a stored model, which is sealed in place");
        return Err(CommandError::new(Kind::Usage, message).hint("leave out -o"));
    }
    let plain = model.manifest.layers.iter().filter(|layer| layer.role() == Role::Weights);
    let bytes: u64 = plain.clone().map(|layer| layer.size).sum();
    if plain.count() == 0 {
        let message = format!("all weights of {name} are already sealed");
        return Err(CommandError::new(Kind::Usage, message).hint("`stack rekey` changes who can open it"));
    }
    let (recipients, readers) = arguments.recipients(home)?;
    let (entry, files, freed) = arguments.common.audit()?.record(readers.act(&name), || {
        let work = Interruptible::start("sealing", bytes, arguments.common.quiet)?;
        let mut random = machine::random()?;
        let mut means = SealingOptions {
            workers: threads::usable(),
            random: &mut random,
            progress: &|bytes| work.advance(bytes),
        };
        let mut layers = LayersBuilder::new(&store, &model)?;
        let mut files = Vec::new();
        for layer in &model.manifest.layers {
            if layer.role() != Role::Weights {
                layers.keep(layer);
                continue;
            }
            let hashed =
                layers.seal(layer, &recipients, &mut means).map_err(|error| work.failed(error.into()))?;
            let path = layer.file_path().map(|path| path.as_str().to_owned());
            files.push(SealedFile { path, root: hashed.root.to_string(), size_bytes: hashed.length });
        }
        let entry = layers.finish(Record { sealed_here: true, ..model.entry.record.clone() })?;
        let old = model.entry.manifest.clone();
        // Nothing is freed while it is in use, by this process neither.
        drop(model);
        let freed = Reclaimed::of(&store, &old, &store.manifest(&entry.manifest.digest)?)?;
        let about = json!({"manifest": entry.manifest.digest.to_string(), "before": old.digest.to_string()});
        Ok(((entry, files, freed), about))
    })?;
    let manifest = entry.manifest.digest.to_string();
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&Report { name, manifest, files, readers: &readers, freed });
    }
    arguments.common.stderr(format!("sealed {}", readers.describe()));
    for line in freed.lines("plain weights") {
        arguments.common.stderr(line);
    }
    data.line(&format!("{name} {manifest}"))
}
