//! Names that mean several models, and the models of this process as candidates for them.

use std::sync::Arc;

use stack_chat::{Failure, ModelCard, Tier};

use super::{Entry, Models, Served, State, by_name};
use crate::error::ApiError;

/// A model of this process, and how many requests hold it.
#[derive(Clone, Debug)]
pub struct ModelState {
    /// The name by which requests select it.
    pub id: String,
    /// What it is, if it is in memory.
    pub card: Option<ModelCard>,
    /// How many requests it has.
    pub depth: u32,
}

impl Models {
    /// Finds what an alias means. Where the only model answers to every name, those that the program brings are none.
    pub(crate) fn alias(&self, asked: Option<&str>, any_model: bool) -> Option<Arc<Served>> {
        let (providers, name) = (self.providers.as_ref()?, asked?);
        let is_here = any_model || self.read(|entries| by_name(entries, |entry| &entry.id, name).is_some());
        providers.alias(name, is_here)
    }

    /// Finds the model of this process that stands for an alias, for what only models of this process do; `None` = it is no
    /// alias.
    pub(crate) fn stand_in(&self, asked: Option<&str>, any_model: bool) -> Option<Result<String, ApiError>> {
        let alias = self.alias(asked, any_model)?;
        let found = self.providers.as_ref().and_then(|providers| providers.stand_in(asked?));
        Some(found.ok_or_else(|| {
            let why = "is an alias for models elsewhere, and only models here can do this";
            ApiError::UnableModel { id: alias.id.clone(), why, able: None }
        }))
    }

    /// Returns how far a request that asks for this tier reaches, if anything reaches further than this process.
    pub(crate) fn effective_tier(&self, asked: Option<Tier>) -> Option<Tier> {
        let ceiling = self.providers.as_ref()?.tier();
        Some(asked.map_or(ceiling, |asked| asked.min(ceiling)))
    }

    /// Lists the models of this process that answer or will: those of the server in their order, then the others in memory.
    pub fn here(&self) -> Vec<ModelState> {
        self.read(|entries| {
            let (own, others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.is_own);
            let can_answer = |entry: &&&Entry| !matches!(entry.state, State::Failed);
            let here = |entry: &Entry| {
                let served = entry.ready();
                let holders = served.map_or(0, |served| Arc::strong_count(served).saturating_sub(1));
                ModelState {
                    id: entry.id.clone(),
                    card: served.map(|served| served.card.clone()),
                    depth: u32::try_from(holders).unwrap_or(u32::MAX),
                }
            };
            own.iter().chain(&others).filter(can_answer).map(|entry| here(entry)).collect()
        })
    }

    /// Lends a model of this process, which stays in memory as long as what is returned lives. One that is not in memory is
    /// loaded first.
    ///
    /// # Errors
    ///
    /// When there is none of that name, or it is not ready.
    pub async fn lend(self: &Arc<Self>, id: &str) -> Result<Arc<Served>, Failure> {
        let found = self.get_here(id).await;
        found.map_err(|error| error.problem().failure)
    }

    /// Names what a name that is unknown may have been meant to be.
    pub(super) fn suggestions(&self, asked: Option<&str>) -> Vec<String> {
        let suggest = |name| self.providers.as_ref().map(|providers| providers.suggest(name));
        asked.and_then(suggest).unwrap_or_default()
    }
}
