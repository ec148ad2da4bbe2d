//! What an operator sees of the way to models, and does to it.

use std::pin::Pin;

use stack_chat::{Failure, Tier};
use stack_wire::native::{CircuitReport, CircuitRequest, HealthReport, RouteReport};

/// A report that takes a while.
pub type ReportFuture = Pin<Box<dyn Future<Output = HealthReport> + Send>>;

/// What an operator sees of the way to models, and does to it. Whoever routes requests implements it.
pub trait ControlPlane: Send + Sync {
    /// Decides about a request for this model without asking anybody.
    ///
    /// # Errors
    ///
    /// When there is no such model.
    fn route(&self, model: &str, tier: Option<Tier>) -> Result<RouteReport, Failure>;

    /// Lists the circuits.
    fn circuits(&self) -> Vec<CircuitReport>;

    /// Changes a circuit: that of a provider, or of one of its models. It may wait for the disk.
    ///
    /// # Errors
    ///
    /// When there is none of that name, or it cannot be kept over a restart.
    fn change_circuit(
        &self,
        name: &str,
        action: CircuitAction,
        request: &CircuitRequest,
    ) -> Result<CircuitReport, Failure>;

    /// Says how everybody is doing; with `probes`, each provider is asked for something that costs nothing.
    fn health(&self, probes: bool) -> ReportFuture;
}

/// What is done to a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitAction {
    /// It is held open.
    Open,
    /// It is closed.
    Close,
    /// It is closed, with those behind it, and what has happened is forgotten.
    Reset,
}

impl CircuitAction {
    /// Finds the action of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "open" => Some(Self::Open),
            "close" => Some(Self::Close),
            "reset" => Some(Self::Reset),
            _ => None,
        }
    }
}
