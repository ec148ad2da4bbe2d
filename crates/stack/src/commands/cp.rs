//! `stack cp`: a second name for a model of the store.

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use stack_registry::model::StoredModel;
use stack_registry::name::Name;
use stack_registry::store::{Entry, Rebind, Record, Store, StoreError};
use stack_trust::policy::Policy;
use stack_trust::target::{StoredTarget, Target};
use stack_trust::trust_file::{TargetCase, TrustFolder};

use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind};
use crate::models::facts;
use crate::options::CommonArguments;
use crate::process::machine;
use crate::terminal::output::Data;
use crate::terminal::report::warn_passed_over;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A model of the store
    #[arg(value_name = "SRC", value_parser = Name::parse)]
    source: Name,
    /// The second name, which must be free
    #[arg(value_name = "DST", value_parser = Name::parse)]
    destination: Name,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

#[derive(Serialize)]
struct Report {
    name: String,
    manifest: String,
    source: String,
}

/// Gives the second name. Nothing is copied on disk, and the first name stays.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let Arguments { source, destination, .. } = arguments;
    let store = arguments.common.store_with(source)?;
    // While the model is held, nothing of it is freed.
    let model = StoredModel::open(&store, source)?;
    let named = model.entry.clone();
    arguments.ask_the_policy(store.clone(), model)?;
    let record = Record { named_at: Some(machine::now().seconds()), ..named.record };
    let entry = Entry { name: destination.clone(), manifest: named.manifest, record };
    let manifest = entry.manifest.digest.to_string();
    let about = json!({"name": destination.short(), "source": source.short(), "manifest": manifest});
    arguments.common.audit()?.record(Act::new(ActKind::NAME, about), || {
        bind(&store, &entry)?;
        Ok(((), Value::Null))
    })?;
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&Report { name: destination.short(), manifest, source: source.short() });
    }
    data.line(&format!("{} {manifest}", destination.short()))
}

fn bind(store: &Store, entry: &Entry) -> Result<(), CommandError> {
    let lease = store.lease()?;
    store.bind(&lease, entry, Rebind::Never).map_err(|error| {
        let taken = matches!(error, StoreError::NameTaken { .. });
        let error = CommandError::from(error);
        if taken {
            error.hint(format!("take another name, or free this one with `stack rm {}`", entry.name.short()))
        } else {
            error
        }
    })
}

impl Arguments {
    /// Refuses a second name under which the model would be held to other rules than under its first, or would not be
    /// loaded: who may not load a model must not get at it by calling it something else.
    fn ask_the_policy(&self, store: Store, mut model: StoredModel) -> Result<(), CommandError> {
        let home = self.common.home()?;
        let trust = TrustFolder::new(&home).read()?;
        if let Some(why) = escaped(&trust.policy, &self.source, &self.destination) {
            return Err(CommandError::new(Kind::Refused, why).reason("rule-differs").hint(
                "`stack trust list` shows the rules; choose a name that the same rule covers, or add a rule for it",
            ));
        }
        model.entry.name = self.destination.clone();
        let target = Target::Stored(Box::new(StoredTarget { store, model }));
        let sealed = !target.sealed_files().is_empty();
        let signatures = target.signatures(&trust.policy.keys(), &mut warn_passed_over)?;
        let facts = facts::look(&target);
        let case = TargetCase { facts: facts.as_ref(), sealed, tier: None, level: None, now: machine::now() };
        let verdict = trust.judge(&target, &signatures, &case);
        match verdict.refusal() {
            Some((check, reason)) => {
                Err(CommandError::refused(&self.destination.short(), reason, &check.detail))
            }
            None => Ok(()),
        }
    }
}

/// Says how a model would get away from a rule by a second name, if it would.
fn escaped(policy: &Policy, source: &Name, destination: &Name) -> Option<String> {
    let rule = |name: &Name| policy.rule(&name.to_string());
    let from = rule(source)?;
    let covered = rule(destination).is_some_and(|to| to.pattern == from.pattern);
    (!covered).then(|| {
        format!("the rule for {} covers {}, and not {}", from.pattern, source.short(), destination.short())
    })
}
