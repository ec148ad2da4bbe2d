//! A statement that names the sealed form and for whom it is, in place of an older one by the same signer.

use stack_registry::manifest::kind;
use stack_registry::model::StoredModel;
use stack_registry::name::Name;
use stack_registry::store::Store;
use stack_seal::bundle::{Bundle, Signed};
use stack_seal::statement::{Claim, Statement};
use stack_trust::home::Home;
use stack_trust::signatures::FoundBundle;
use stack_trust::statement::describe_sealed;
use stack_trust::target::{HasherOptions, StoredTarget};

use super::Arguments;
use crate::error::{CommandError, Kind};
use crate::process::{machine, threads};
use crate::terminal::progress::FileBars;
use crate::terminal::report::warn_passed_over;

/// Signs again what this identity signed before, and returns the digest of what was attached.
pub(super) fn renew(
    arguments: &Arguments,
    home: &Home,
    store: &Store,
    name: &Name,
) -> Result<String, CommandError> {
    let identity = arguments.keys.opener(home).identity()?;
    let key = identity.signing().public();
    let stored = StoredTarget { store: store.clone(), model: StoredModel::open(store, name)? };
    let bundles = stored.bundles(&mut warn_passed_over)?;
    let own = |named: FoundBundle| named.open(std::slice::from_ref(&key)).ok();
    let own = bundles.into_iter().filter_map(own).filter(|signed: &Signed<Statement>| signed.key() == &key);
    let newest = own.max_by_key(|signed| signed.payload().claim().map(|claim| claim.serial));
    let (old, claim) = newest
        .and_then(|signed| Some((signed.payload().clone(), signed.payload().claim()?.clone())))
        .ok_or_else(|| {
            CommandError::new(Kind::Missing, format!("{} is not signed by {key}", name.short()))
                .reason("no-signature")
                .hint("sign it before sealing, or sign the output of `stack decrypt`")
        })?;
    let bars = FileBars::new("hashing");
    let progress = |name: &str, done, total| bars.show(name, done, total);
    let sealed =
        describe_sealed(&stored, &HasherOptions { workers: threads::usable(), progress: &progress })?;
    let issued = machine::now();
    let serial = issued.seconds().max(claim.serial + 1);
    let claim = Claim { serial, issued, sealed, ..claim };
    let statement =
        Statement::new(old.model().to_owned(), old.files().to_vec(), old.ignored().to_vec(), Some(claim))?;
    let bundle = Bundle::sign(statement.to_payload(), identity.signing());
    let put = store.attach(&store.lease()?, &stored.model.entry.manifest, kind::BUNDLE, &bundle.to_json())?;
    Ok(put.digest.to_string())
}
