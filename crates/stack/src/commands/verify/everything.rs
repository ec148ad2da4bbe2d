//! `stack verify --all`: whether the store still holds what its names promise.

use stack_registry::model::{FileBytes, ModelFile, StoredModel};
use stack_registry::name::Name;
use stack_registry::store::{Blob, Store};

use super::Arguments;
use super::report::{Report, Stop};
use crate::error::{CommandError, Kind};
use crate::signing::{TargetFile, hash_twice};

/// Checks one model after the other. Signatures are not asked for: who may be trusted changes, bytes do not.
pub(super) fn examine(arguments: &Arguments, report: &mut Report) -> Result<(), Stop> {
    let Some(models) = report.record_with("store", models(arguments))? else { return Ok(()) };
    let Some((store, names)) = models else { return Ok(()) };
    names.iter().try_for_each(|name| report.record("model", model(&store, name)))
}

/// The names of the store, if there is one.
type Models = Option<(Store, Vec<Name>)>;

fn models(arguments: &Arguments) -> Result<(String, Models), CommandError> {
    let home = arguments.common.home()?;
    let Some(store) = home.existing_store()? else {
        return Ok(("no store yet".to_owned(), None));
    };
    if arguments.repair {
        for name in store.rebuild_index()? {
            arguments.common.talk(format!("recovered {}", name.short()));
        }
    }
    let names: Vec<_> = store.entries()?.into_iter().map(|entry| entry.name).collect();
    Ok((format!("{} names", names.len()), Some((store, names))))
}

fn model(store: &Store, name: &Name) -> Result<String, CommandError> {
    let model = StoredModel::open(store, name)?;
    for file in &model.files {
        match &file.bytes {
            FileBytes::Plain(blob) => blob_is_whole(name, file, blob)?,
            FileBytes::Sealed { header, payload } => {
                blob_is_whole(name, file, header)?;
                blob_is_whole(name, file, payload)?;
            }
        }
    }
    Ok(format!("{}: {} files", name.short(), model.files.len()))
}

fn blob_is_whole(name: &Name, file: &ModelFile, blob: &Blob) -> Result<(), CommandError> {
    let path = file.path.as_str();
    let hashed = hash_twice(&TargetFile { name: path.to_owned(), path: blob.path.clone(), sealed: false })?;
    let plain = matches!(file.bytes, FileBytes::Plain(_));
    let root_differs = plain && file.blake3.is_some_and(|root| root != hashed.file.root.into());
    if hashed.sha256 == blob.digest && !root_differs {
        return Ok(());
    }
    let message = format!("{path} of {} was modified after it was stored", name.short());
    Err(CommandError::new(Kind::Differs, message)
        .reason("digest-mismatch")
        .hint("download it again with `stack pull --update`"))
}
