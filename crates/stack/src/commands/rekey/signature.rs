//! A statement that names the sealed form and for whom it is, in place of an older one by the same signer.

use std::collections::BTreeMap;

use stack_registry::manifest::{Role, kind};
use stack_registry::model::{FileBytes, StoredModel};
use stack_registry::name::Name;
use stack_registry::sealing::recipients_of;
use stack_registry::store::Store;
use stack_seal::age::X25519Recipient;
use stack_seal::bundle::{Bundle, Signed};
use stack_seal::digest::Digest;
use stack_seal::statement::{Claim, SealedFile, Statement};

use super::Arguments;
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::process::machine;
use crate::signing::{Target, hash_twice};

/// Signs again what this identity signed before, and returns the digest of what was attached.
pub(super) fn renew(arguments: &Arguments, home: &Home, name: &Name) -> Result<String, CommandError> {
    let store = Store::open(home.root()?)?;
    let identity = arguments.keys.identity(home)?;
    let key = identity.signing().public();
    let target = Target::Stored(Box::new(StoredModel::open(&store, name)?));
    let own = |(_, bundle): (String, Bundle)| bundle.open(std::slice::from_ref(&key)).ok();
    let own = target.bundles(home)?.into_iter().filter_map(own);
    let own = own.filter(|signed: &Signed<Statement>| signed.key() == &key);
    let newest = own.max_by_key(|signed| signed.payload().claim().map(|claim| claim.serial));
    let (old, claim) = newest
        .and_then(|signed| Some((signed.payload().clone(), signed.payload().claim()?.clone())))
        .ok_or_else(|| {
            CommandError::new(Kind::Missing, format!("{} is not signed by {key}", name.short()))
                .reason("no-signature")
                .hint("sign it before sealing, or sign the output of `stack decrypt`")
        })?;
    let issued = machine::now();
    let serial = issued.seconds().max(claim.serial + 1);
    let sealed = sealed_files(&target)?;
    let claim = Claim { serial, issued, sealed, ..claim };
    let unusable =
        |error| CommandError::new(Kind::Usage, "the statement is invalid").reason("bad-name").caused(error);
    let statement =
        Statement::new(old.model().to_owned(), old.files().to_vec(), old.ignored().to_vec(), Some(claim))
            .map_err(unusable)?;
    let bundle = Bundle::sign(statement.to_payload(), identity.signing());
    let Target::Stored(model) = &target else { unreachable!("it was just made") };
    let put = store.attach(&store.lease()?, &model.entry.manifest, kind::BUNDLE, &bundle.to_json())?;
    Ok(put.digest.to_string())
}

/// Describes the sealed files as they lie in the store.
fn sealed_files(target: &Target) -> Result<Vec<SealedFile>, CommandError> {
    let Target::Stored(model) = target else { return Ok(Vec::new()) };
    let headers = model.manifest.layers.iter().filter(|layer| layer.role() == Role::SealedHeader);
    let recipients: BTreeMap<Digest, Vec<X25519Recipient>> =
        headers.filter_map(|layer| Some((layer.digest, recipients_of(layer)?))).collect();
    let header_of = |path: &str| {
        model.files.iter().find(|file| file.path.as_str() == path).and_then(|file| match &file.bytes {
            FileBytes::Sealed { header, .. } => Some(header.digest),
            FileBytes::Plain(_) => None,
        })
    };
    let mut files = Vec::new();
    for file in target.files(&[])?.iter().filter(|file| file.sealed) {
        let hashed = hash_twice(file)?;
        let keys = header_of(&file.name).and_then(|digest| recipients.get(&digest));
        files.push(SealedFile {
            name: file.name.clone(),
            sha256: hashed.sha256.bytes,
            blake3: hashed.file.root,
            size: hashed.file.length,
            recipients: keys.into_iter().flatten().map(ToString::to_string).collect(),
        });
    }
    Ok(files)
}
