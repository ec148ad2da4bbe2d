//! Probes: work that is done only to measure the machine.

mod bandwidth;
mod prefetch;

pub use bandwidth::BandwidthProbe;
pub use prefetch::PrefetchProbe;
