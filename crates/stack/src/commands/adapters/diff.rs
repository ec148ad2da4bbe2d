//! `stack adapters diff`.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value, json};
use stack_gateway::{AdapterEntry, AdapterSet};

use super::of_provider;
use crate::adapters;
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Provider; without one, all
    provider: Option<String>,
    #[command(flatten)]
    common: CommonArguments,
}

/// One place at which two specs differ.
struct Difference {
    pointer: String,
    before: Option<Value>,
    after: Option<Value>,
}

/// Prints where the specs of the home differ from those that they take the place of.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let set = adapters::read(&arguments.common.home()?)?;
    let entries = match &arguments.provider {
        Some(provider) => of_provider(&set, provider)?,
        None => set.entries().collect(),
    };
    let own = entries.into_iter().filter(|entry| !entry.is_shipped).collect::<Vec<_>>();
    let mut data = Data::new();
    if arguments.common.json {
        let rows = own.iter().map(|entry| {
            let changes = differences(entry).into_iter().map(|difference| {
                let Difference { pointer, before, after } = difference;
                json!({"pointer": pointer, "before": before, "after": after})
            });
            json!({"provider": entry.adapter.provider(), "file": entry.file, "changes": changes.collect::<Vec<_>>()})
        });
        return data.json(&rows.collect::<Vec<_>>());
    }
    for entry in own {
        data.line(&sanitize(&format!("{} ({})", entry.adapter.provider(), entry.file)))?;
        for Difference { pointer, before, after } in differences(entry) {
            for (sign, value) in [('-', before), ('+', after)] {
                if let Some(value) = value {
                    data.line(&sanitize(&format!("  {sign} {pointer} {value}")))?;
                }
            }
        }
    }
    Ok(())
}

/// Compares a spec with the one of the program in whose place it is; without one, everything is new.
fn differences(entry: &AdapterEntry) -> Vec<Difference> {
    let shipped = AdapterSet::shipped();
    let before = shipped.entries().find(|other| {
        other.adapter.provider() == entry.adapter.provider()
            && other.adapter.family() == entry.adapter.family()
    });
    let parts = |text: &str| {
        let mut parts = BTreeMap::new();
        take_apart("", &serde_json::from_str(text).unwrap_or(Value::Null), &mut parts);
        parts
    };
    let (mut before, after) =
        (before.map(|entry| parts(&entry.text)).unwrap_or_default(), parts(&entry.text));
    let mut found = Vec::new();
    for (pointer, value) in after {
        let old = before.remove(&pointer);
        if old.as_ref() != Some(&value) {
            found.push(Difference { pointer, before: old, after: Some(value) });
        }
    }
    let gone =
        before.into_iter().map(|(pointer, value)| Difference { pointer, before: Some(value), after: None });
    found.extend(gone);
    found
}

/// Cuts a spec into the pieces that people edit: the entries of its lists and tables, not their fields.
fn take_apart(at: &str, value: &Value, parts: &mut BTreeMap<String, Value>) {
    let depth = at.matches('/').count();
    match value {
        Value::Object(fields) if depth < 2 => {
            fields.iter().for_each(|(key, value)| take_apart(&format!("{at}/{key}"), value, parts));
        }
        Value::Array(values) if !values.is_empty() => {
            for (place, value) in values.iter().enumerate() {
                parts.insert(format!("{at}/{place}"), value.clone());
            }
        }
        other => drop(parts.insert(at.to_owned(), other.clone())),
    }
}
