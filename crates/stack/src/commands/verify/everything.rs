//! `stack verify --all`: whether the store still holds what its names promise.

use stack_registry::model::StoredModel;
use stack_registry::name::Name;
use stack_registry::store::{Store, StoreError};
use stack_trust::target::HasherOptions;
use stack_trust::verification::check_stored;

use super::Arguments;
use super::report::{Report, Stop};
use crate::error::CommandError;

/// Checks one model after the other.
pub(super) fn examine(
    arguments: &Arguments,
    hashing: &HasherOptions<'_>,
    report: &mut Report,
) -> Result<(), Stop> {
    let Some(models) = report.record_with("store", models(arguments))? else { return Ok(()) };
    let Some((store, names)) = models else { return Ok(()) };
    names.iter().try_for_each(|name| report.record("model", model(&store, name, hashing)))
}

/// The names of the store, if there is one.
type Models = Option<(Store, Vec<Name>)>;

fn models(arguments: &Arguments) -> Result<(String, Models), CommandError> {
    let home = arguments.common.home()?;
    let Some(store) = home.existing_store()? else {
        return Ok(("no store yet".to_owned(), None));
    };
    if arguments.repair {
        for name in store.repair_index()? {
            arguments.common.stderr(format!("recovered {}", name.short()));
        }
    }
    let names: Vec<_> = store.entries()?.into_iter().map(|entry| entry.name).collect();
    Ok((format!("{} names", names.len()), Some((store, names))))
}

fn model(store: &Store, name: &Name, hashing: &HasherOptions<'_>) -> Result<String, CommandError> {
    let model = match StoredModel::open(store, name) {
        // Another process has removed it since it was listed.
        Err(StoreError::NotInStore { .. }) if store.resolve(name).is_err() => {
            return Ok(format!("{}: removed meanwhile", name.short()));
        }
        opened => opened?,
    };
    check_stored(&model, hashing)?;
    Ok(format!("{}: {} files", name.short(), model.files.len()))
}
