//! The sealed layers of a name get other headers; only `--rotate` touches payloads.

use std::slice;

use stack_registry::manifest::{Descriptor, Role};
use stack_registry::model::StoredModel;
use stack_registry::sealing::{LayersBuilder, SealingOptions, recipients_of};
use stack_registry::store::Blob;
use stack_seal::age::{Header, Identity, OpenError, UnlockedFile, X25519Recipient};
use stack_trust::home::Home;
use stack_trust::keyring::SealedHeader;
use stack_trust::rekey::RekeyPlan;
use stack_trust::sealed::SealedError;
use stack_trust::target::{SealedModelFile, StoredTarget};

use super::{Arguments, Report, signature};
use crate::commands::reclaimed::Reclaimed;
use crate::error::{CommandError, Kind};
use crate::process::{machine, threads};
use crate::terminal::interruptible::Interruptible;

/// A sealed file of the model, and what is to become of it.
struct SealedFile<'a> {
    header_layer: &'a Descriptor,
    payload_layer: &'a Descriptor,
    payload: &'a Blob,
    header: Header,
    plan: RekeyPlan,
    known: Option<Vec<X25519Recipient>>,
}

/// Gives the model new headers, or new payloads as well.
pub(super) fn rekey(
    arguments: &Arguments,
    home: &Home,
    stored: StoredTarget,
) -> Result<Report, CommandError> {
    let StoredTarget { store, model } = stored;
    let name = model.entry.name.short();
    let files = sealed_files(arguments, home, &model)?;
    let Some(first) = files.first() else {
        return Err(
            CommandError::new(Kind::Usage, format!("{name} is not sealed")).hint("`stack encrypt` seals it")
        );
    };
    let attempt = |keys: &[Identity]| {
        let payload = first.payload.file.try_clone().map_err(OpenError::Io)?;
        UnlockedFile::open_payload(&first.header, payload, keys)
    };
    let noted = first.known.as_deref().unwrap_or_default();
    let sealed = SealedHeader { name: &name, header: &first.header, noted };
    let (_, key) = arguments.keys.opener(home).open(&sealed, &attempt)?;
    let key = slice::from_ref(&*key);
    let recipients = first.plan.keys(first.known.as_deref());
    let mut report = Report::new(name.clone(), arguments.rotate, recipients.as_deref());
    let layers = LayersBuilder::new(&store, &model)?;
    let layers = if arguments.rotate {
        rotated(arguments, &name, &model, &files, key, layers)?
    } else {
        with_new_headers(&name, &model, &files, key, layers)?
    };
    let entry = layers.finish(model.entry.record.clone())?;
    let old = model.entry.manifest.clone();
    drop(files);
    // Nothing is freed while it is in use, by this process neither.
    drop(model);
    if arguments.sign {
        report.signature = Some(signature::renew(arguments, home, &store, &entry.name)?);
    }
    if entry.manifest.digest != old.digest {
        report.freed = Reclaimed::of(&store, &old, &store.manifest(&entry.manifest.digest)?)?;
    }
    report.manifest = Some(entry.manifest.digest.to_string());
    Ok(report)
}

/// Finds the sealed files, and reads their headers.
fn sealed_files<'a>(
    arguments: &Arguments,
    home: &Home,
    model: &'a StoredModel,
) -> Result<Vec<SealedFile<'a>>, CommandError> {
    let request = arguments.request(home)?;
    let mut found = Vec::new();
    for SealedModelFile { header, payload, .. } in model.files.iter().filter_map(SealedModelFile::of) {
        let layer = |role, blob: &Blob| {
            let is_it = |layer: &&Descriptor| layer.role() == role && layer.digest == blob.digest;
            model.manifest.layers.iter().find(is_it).expect("the file was made of its layers")
        };
        let (header_layer, payload_layer) =
            (layer(Role::SealedHeader, header), layer(Role::SealedPayload, payload));
        let known = recipients_of(header_layer);
        let (header, _) =
            Header::read(&header.file).map_err(SealedError::opening(model.entry.name.short()))?;
        let plan = RekeyPlan::new(&request, &header, known.as_deref())?;
        found.push(SealedFile { header_layer, payload_layer, payload, header, plan, known });
    }
    Ok(found)
}

fn with_new_headers<'a>(
    name: &str,
    model: &StoredModel,
    files: &[SealedFile<'_>],
    key: &[Identity],
    mut layers: LayersBuilder<'a>,
) -> Result<LayersBuilder<'a>, CommandError> {
    for layer in &model.manifest.layers {
        match files.iter().find(|file| std::ptr::eq(file.header_layer, layer)) {
            Some(file) => {
                let header = file.plan.header(&file.header, key, &mut machine::random()?);
                let header = header.map_err(SealedError::opening(name))?;
                layers.header(layer, &header, file.plan.keys(file.known.as_deref()).as_deref())?;
            }
            None => layers.keep(layer),
        }
    }
    Ok(layers)
}

fn rotated<'a>(
    arguments: &Arguments,
    name: &str,
    model: &StoredModel,
    files: &[SealedFile<'_>],
    key: &[Identity],
    mut layers: LayersBuilder<'a>,
) -> Result<LayersBuilder<'a>, CommandError> {
    let bytes = files.iter().map(|file| file.payload.length).sum();
    let recipients =
        files.iter().map(|file| arguments.recipients(&file.plan)).collect::<Result<Vec<_>, _>>()?;
    let work = Interruptible::start("sealing", bytes, arguments.common.quiet)?;
    let mut random = machine::random()?;
    let mut means = SealingOptions {
        workers: threads::usable(),
        random: &mut random,
        progress: &|bytes| work.advance(bytes),
    };
    for layer in &model.manifest.layers {
        match files.iter().zip(&recipients).find(|(file, _)| std::ptr::eq(file.header_layer, layer)) {
            Some((file, recipients)) => {
                let payload =
                    file.payload.file.try_clone().map_err(|error| CommandError::reading(name, error))?;
                let unlocked = UnlockedFile::open_payload(&file.header, payload, key)
                    .map_err(SealedError::opening(name))?;
                layers
                    .seal_anew(file.payload_layer, &unlocked, recipients, &mut means)
                    .map_err(|error| work.failed(CommandError::sealing(name, error)))?;
            }
            // The new payload came with the new header.
            None if layer.role() == Role::SealedPayload => {}
            None => layers.keep(layer),
        }
    }
    Ok(layers)
}
