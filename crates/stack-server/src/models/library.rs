//! Models that are not in memory, and how they get there.

use stack_chat::Failure;

use super::Served;

/// Models that can be loaded when somebody asks for them. Its methods may take long; they are called where that holds
/// nobody up.
pub trait Library: Send + Sync {
    /// Lists the names of all models.
    fn names(&self) -> Vec<String>;

    /// Finds the model that a request means by `name`, and returns the name under which it is served.
    fn find(&self, name: &str) -> Option<String>;

    /// Loads a model that was found. Before it takes memory it says how many bytes, and goes on when there is room.
    ///
    /// # Errors
    ///
    /// Why it is not loaded, in words for whoever asked.
    fn load(
        &self,
        id: &str,
        make_room: &mut dyn FnMut(u64) -> Result<(), Failure>,
    ) -> Result<Served, Failure>;
}
