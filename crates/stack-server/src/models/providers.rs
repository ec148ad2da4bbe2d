//! Models that run elsewhere.

use std::sync::Arc;

use stack_chat::{Failure, Tier};

use super::Served;

/// The models of providers and the aliases, which are asked by name like those of this process. Its methods answer at once; that a
/// request may not leave, or that nobody answers it, is said by the answer.
pub trait Providers: Send + Sync {
    /// Lists the models that are known by name.
    fn list(&self) -> Vec<Arc<Served>>;

    /// Finds the model that a request means by `PROVIDER/MODEL`, which need not be listed.
    fn find(&self, name: &str) -> Option<Arc<Served>>;

    /// Finds what an alias means. `is_here` tells whether a model of this process has the name.
    fn alias(&self, name: &str, is_here: bool) -> Option<Arc<Served>>;

    /// Finds the model of this process that stands for an alias, for what only models of this process do.
    fn stand_in(&self, alias: &str) -> Option<String>;

    /// Names what a name that is unknown may have been meant to be.
    fn suggest(&self, name: &str) -> Vec<String>;

    /// Returns how far requests may reach at most.
    fn tier(&self) -> Tier;

    /// Holds a request that says how far it may reach to what the operator allows.
    ///
    /// # Errors
    ///
    /// When it asks for more: it is refused, whoever would answer it.
    fn admit_tier(&self, asked: Tier) -> Result<(), Failure>;
}
