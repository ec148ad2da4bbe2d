//! The sealed layers of a name get other headers; only `--rotate` touches payloads.

use std::slice;

use stack_registry::manifest::{Descriptor, Role};
use stack_registry::model::{FileBytes, StoredModel};
use stack_registry::sealing::{Means, NewLayers, SealingError, recipients_of};
use stack_registry::store::{Blob, Store};
use stack_seal::age::{Header, Identity, OpenError, UnlockedFile, X25519Recipient};

use super::wanted::Wanted;
use super::{Arguments, Report, signature};
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::process::{machine, threads};
use crate::sealing::reclaimed::Reclaimed;
use crate::sealing::sealed;
use crate::terminal::interruptible::Interruptible;

/// A sealed file of the model, and what is to become of it.
struct SealedFile<'a> {
    header_layer: &'a Descriptor,
    payload_layer: &'a Descriptor,
    payload: &'a Blob,
    header: Header,
    wanted: Wanted,
    known: Option<Vec<X25519Recipient>>,
}

/// Gives the model new headers, or new payloads as well.
pub(super) fn rekey(arguments: &Arguments, home: &Home, model: StoredModel) -> Result<Report, CommandError> {
    let name = model.entry.name.short();
    let store = Store::open(home.root()?)?;
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
    let (_, key) = arguments.keys.open(home, &name, &first.header, noted, &attempt)?;
    let key = slice::from_ref(&*key);
    let recipients = first.wanted.keys(first.known.as_deref());
    let mut report = Report::new(name.clone(), arguments.rotate, recipients.as_deref());
    let layers = NewLayers::new(&store, &model)?;
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
        report.signature = Some(signature::renew(arguments, home, &entry.name)?);
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
    let mut found = Vec::new();
    for file in &model.files {
        let FileBytes::Sealed { header, payload } = &file.bytes else { continue };
        let layer = |role, blob: &Blob| {
            let is_it = |layer: &&Descriptor| layer.role() == role && layer.digest == blob.digest;
            model.manifest.layers.iter().find(is_it).expect("the file was made of its layers")
        };
        let (header_layer, payload_layer) =
            (layer(Role::SealedHeader, header), layer(Role::SealedPayload, payload));
        let known = recipients_of(header_layer);
        let (header, _) = Header::read(&header.file)
            .map_err(|error| sealed::cannot_open(&model.entry.name.short(), error))?;
        let wanted = Wanted::of(arguments, home, &header, known.as_deref())?;
        found.push(SealedFile { header_layer, payload_layer, payload, header, wanted, known });
    }
    Ok(found)
}

fn with_new_headers<'a>(
    name: &str,
    model: &StoredModel,
    files: &[SealedFile<'_>],
    key: &[Identity],
    mut layers: NewLayers<'a>,
) -> Result<NewLayers<'a>, CommandError> {
    for layer in &model.manifest.layers {
        match files.iter().find(|file| std::ptr::eq(file.header_layer, layer)) {
            Some(file) => {
                let header = file.wanted.header(name, &file.header, key)?;
                layers.header(layer, &header, file.wanted.keys(file.known.as_deref()).as_deref())?;
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
    mut layers: NewLayers<'a>,
) -> Result<NewLayers<'a>, CommandError> {
    let bytes = files.iter().map(|file| file.payload.length).sum();
    let recipients =
        files.iter().map(|file| file.wanted.recipients(arguments)).collect::<Result<Vec<_>, _>>()?;
    let work = Interruptible::start("sealing", bytes, arguments.common.quiet)?;
    let mut random = machine::random()?;
    let mut means =
        Means { workers: threads::usable(), random: &mut random, progress: &|bytes| work.advance(bytes) };
    for layer in &model.manifest.layers {
        match files.iter().zip(&recipients).find(|(file, _)| std::ptr::eq(file.header_layer, layer)) {
            Some((file, recipients)) => {
                let payload =
                    file.payload.file.try_clone().map_err(|error| CommandError::reading(name, error))?;
                let unlocked = UnlockedFile::open_payload(&file.header, payload, key)
                    .map_err(|error| sealed::cannot_open(name, error))?;
                layers.seal_anew(file.payload_layer, &unlocked, recipients, &mut means).map_err(|error| {
                    work.failed(match error {
                        SealingError::Store(error) => error.into(),
                        SealingError::Open(error) => sealed::cannot_open(name, error),
                    })
                })?;
            }
            // The new payload came with the new header.
            None if layer.role() == Role::SealedPayload => {}
            None => layers.keep(layer),
        }
    }
    Ok(layers)
}
