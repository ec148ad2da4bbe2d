//! The executors that tests compare.

use stack_engine::executor::{CacheType, DeviceKind, Level, Placement};

/// This program's kernels with every instruction set that the machine has, and candle's.
pub(crate) fn all() -> Vec<Placement> {
    let levels = Level::available().into_iter().map(cpu);
    levels.chain([candle()]).collect()
}

/// This program's kernels, on two threads.
pub(crate) fn cpu(level: Level) -> Placement {
    Placement { level, threads: 2, ..Placement::default() }
}

/// This program's kernels with keys and values in eight bits.
pub(crate) fn short_cache() -> Placement {
    Placement { cache: CacheType::Q8_0, ..cpu(Level::detect()) }
}

/// candle's kernels.
pub(crate) fn candle() -> Placement {
    Placement { device: DeviceKind::Candle, ..Placement::default() }
}

/// Names an executor in messages.
pub(crate) fn name(placement: &Placement) -> String {
    match placement.device {
        DeviceKind::Cpu => {
            format!("{} on {} threads, cache {}", placement.level, placement.threads, placement.cache)
        }
        device => device.to_string(),
    }
}
