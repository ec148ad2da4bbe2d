//! Which models stay in memory.

use clap::Args;
use stack_server::{KeepAlive, Residency};

use crate::process::machine;
use crate::terminal::units;

#[derive(Debug, Args)]
pub(crate) struct ResidencyArguments {
    /// Unload a model that a request has loaded after this time without requests, such as `30s`, `5m` or `1h`; -1 = never
    /// [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = KeepAlive::parse, allow_negative_numbers = true)]
    #[arg(conflicts_with = "only")]
    keep_alive: Option<KeepAlive>,
    /// Memory that models may take together [default: four fifths of what is available]
    #[arg(long, value_name = "SIZE", value_parser = units::parse_bytes, conflicts_with = "only")]
    memory: Option<u64>,
    /// Serve the models that are given, and load no others
    #[arg(long)]
    only: bool,
}

impl ResidencyArguments {
    /// Returns what may be in memory; `None` = the models that are given, and no others.
    pub(super) fn limits(&self) -> Option<Residency> {
        let default = Residency::default();
        let available = || machine::available_bytes().map(|bytes| bytes / 5 * 4);
        (!self.only).then(|| Residency {
            bytes_max: self.memory.or_else(available).unwrap_or(default.bytes_max),
            keep_alive: self.keep_alive.unwrap_or(default.keep_alive),
            ..default
        })
    }
}
