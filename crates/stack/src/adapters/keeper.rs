//! The adapters of a server while it runs.

use std::sync::Arc;

use serde_json::{Value, json};
use stack_gateway::privacy::EgressLog;
use stack_gateway::{AdapterFiles, AdapterSet, Adapters};
use stack_trust::home::Home;

use super::folder::{AdapterFolder, Stamp};
use super::{bad, digest};
use crate::commands::serve::FileWatch;
use crate::error::{CommandError, Kind};
use crate::terminal::output::{sanitize, stderr};
use crate::terminal::report::report;

/// The adapters of a server, and the folder that they follow.
#[derive(Debug)]
pub(crate) struct AdapterKeeper {
    folder: Option<AdapterFolder>,
    adapters: Adapters,
    log: EgressLog,
    seen: Stamp,
}

impl AdapterKeeper {
    /// Puts the adapters of a home in force. Where its folder is bad, they are the last good ones, and it is said why: a
    /// server must not stop answering because a file is being edited.
    pub(crate) fn start(home: &Home, log: EgressLog) -> Self {
        let folder = AdapterFolder::of(home);
        let adapters = Adapters::new(AdapterSet::shipped());
        let seen = folder.as_ref().map(AdapterFolder::stamp).unwrap_or_default();
        let keeper = Self { folder, adapters, log, seen };
        let Some(folder) = &keeper.folder else { return keeper };
        if let Err(error) = keeper.publish(folder) {
            report(&error);
            let kept = folder.last_known_good().and_then(|files| AdapterSet::load(&files).ok());
            let from = match kept.map(|set| keeper.put(set)) {
                Some(Ok(())) => "the last good ones of this folder",
                Some(Err(error)) => {
                    report(&error);
                    "those that are part of the program"
                }
                None => "those that are part of the program",
            };
            stderr(format!("the server starts with other adapters: {from}"));
        }
        keeper
    }

    /// Returns the adapters in force.
    pub(crate) fn in_force(&self) -> &Adapters {
        &self.adapters
    }

    /// Follows the folder as long as the server runs. A bad set is told once; the server goes on with what it had.
    pub(crate) async fn follow(self, mut watch: FileWatch) {
        let Some(folder) = self.folder.clone() else { return };
        let keeper = Arc::new(self);
        let mut seen = keeper.seen.clone();
        loop {
            let is_asked = watch.next().await;
            let (keeper, folder, before) = (Arc::clone(&keeper), folder.clone(), seen.clone());
            let look = move || {
                let now = folder.stamp();
                (is_asked || now != before).then(|| (now, keeper.publish(&folder)))
            };
            let Ok(Some((now, published))) = tokio::task::spawn_blocking(look).await else { continue };
            seen = now;
            match published {
                Ok(true) => stderr("other adapters are in force now"),
                Ok(false) => {}
                Err(error) => {
                    report(&error);
                    stderr("the server goes on with the adapters that it had");
                }
            }
        }
    }

    /// Puts the set of the folder in force, and tells whether it is another one.
    fn publish(&self, folder: &AdapterFolder) -> Result<bool, CommandError> {
        let files: AdapterFiles = folder.read()?;
        let set = AdapterSet::load(&files).map_err(|faults| bad(&folder.shown(), &faults))?;
        if set == *self.adapters.current() {
            return Ok(false);
        }
        self.put(set)?;
        // It is in force already; without the copy, only a start with a bad folder is worse off.
        if let Err(error) = folder.keep(&files) {
            stderr(sanitize(&format!("warning: {}", error.in_a_line())));
        }
        Ok(true)
    }

    /// Puts a set in force, once it is written down.
    fn put(&self, set: AdapterSet) -> Result<(), CommandError> {
        let own: Vec<Value> = set
            .entries()
            .filter(|entry| !entry.is_shipped)
            .map(|entry| {
                json!({
                    "provider": entry.adapter.provider(),
                    "family": entry.adapter.family().as_str(),
                    "version": entry.adapter.version(),
                    "file": entry.file,
                    "digest": digest(entry),
                })
            })
            .collect();
        let put = self.log.publish(json!({"adapters": own}), || self.adapters.publish(Arc::new(set)));
        put.map_err(|error| {
            CommandError::new(
                Kind::Machine,
                "the adapters are not put in force, because that cannot be written down",
            )
            .caused(error)
        })
    }
}
