//! What may leave this machine, decided before any name is looked up or socket opened.
//!
//! [`EgressPolicy`] decides, and is a pure function of its settings and what is asked. [`EgressGate`] is the policy with
//! the audit log beside it: it alone turns an [`EgressRequest`] into an [`EgressPermit`], which the transport takes and
//! uses up. What leaves for a provider has its entry in the log before the permit exists, and every refusal has one.
//! Where names are resolved, [`EgressPolicy::admits`] judges every answer, so that a name cannot lead to an address that
//! its spelling hides.
//!
//! Sovereign is this machine. Private adds hosts that the operator listed, Standard any public host over https.

mod address;
mod denials;
mod entry;
mod gate;
mod hosts;
mod network;
mod policy;

pub(crate) use address::is_name;
pub use address::{is_loopback_host, is_public};
pub use entry::{EgressEntry, EgressLog, recorded_tier};
pub use gate::{EgressGate, EgressPermit};
pub use hosts::HostPattern;
pub use policy::{Denied, EgressPolicy, EgressRequest, Proxy, Purpose, Refusal};

#[cfg(test)]
mod tests;
