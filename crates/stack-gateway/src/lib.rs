//! Who answers a request that leaves this process: what may leave, which provider is asked, when it is asked again, and
//! when no more.
//!
//! [`privacy`] decides what may leave and alone makes the permits that [`transport`] takes, the only place of the program
//! that opens a connection to elsewhere. A model at a [`provider`] is a [`stack_chat::ChatModel`] like any other; what
//! providers call otherwise than the codecs is data, in the [`AdapterSet`] that is in force.
//!
//! Around them stand decisions, each a machine without a clock or a socket: what happened and the present go in, what to do
//! comes out. [`route`] decides which candidates of a text are asked, and [`routed`] asks them. Whoever moves the bytes asks the [`Breakers`] before an attempt and tells them how it
//! ended, and asks [`Attempts`] what to do after a failure. A [`Queue`] says whether a request stays on this machine,
//! [`least_loaded`] which of several equal backends takes it, and [`Health`] when a provider has changed its ways.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use stack_chat::FailureKind;
//! use stack_gateway::{Breakers, BreakerOptions, Ended};
//!
//! let mut breakers = Breakers::new(BreakerOptions { failures: 1, ..BreakerOptions::default() });
//! let now = Instant::now();
//! let tickets = breakers.admit("acme", "m-1", now).expect("nothing has failed yet");
//! let ended = Ended::Failed { kind: FailureKind::ServerError, status: Some(500) };
//! breakers.settle("acme", "m-1", tickets, ended, now);
//! assert!(breakers.admit("acme", "m-1", now).is_err(), "this model rests");
//! assert!(breakers.admit("acme", "m-2", now).is_ok(), "the provider does not");
//! ```
//!
//! Invariants:
//! - No decision reads a clock, draws a number or waits.
//! - Nothing is sent without a permit, which is used up. What leaves the machine for a provider was written down before.
//! - Nothing is tried again once the caller has seen a part of the answer, and no end is good without its proof.
//! - What is a caller's fault, and what a caller gave up, never counts against a provider.
//! - While a breaker is half open, one attempt is under way and no more.

mod adapters;
mod breaker;
mod breakers;
mod health;
mod load;
pub mod privacy;
pub mod provider;
mod queue;
mod retry;
mod retry_budget;
pub mod route;
pub mod routed;
mod stable_hash;
pub mod transport;

pub use adapters::{AdapterEntry, AdapterFault, AdapterFiles, AdapterProblem, AdapterSet, Adapters};
pub use breaker::{Breaker, BreakerOptions, BreakerReport, BreakerState, Evidence, Refused, Ticket};
pub use breakers::{Breakers, Ended, Tickets};
pub use health::{Heal, Health, HealthClass, HealthOptions, Symptom};
pub use load::{Backend, Latency, least_loaded};
pub use queue::{InFlight, Occupancy, Queue, QueueLimits, Spillover};
pub use retry::{Attempts, Next, RetryOptions, Situation};
pub use retry_budget::RetryBudget;
