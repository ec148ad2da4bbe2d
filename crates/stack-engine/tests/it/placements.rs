//! The executors that tests compare.

use std::path::Path;

use stack_engine::executor::{CacheType, DeviceKind, Level, Placement};
use stack_engine::load::{self, LoadedExecutor};
use stack_engine::weights::{GgufFile, LoadError};

/// This program's kernels with every instruction set that is tested, and candle's.
pub(crate) fn all() -> Vec<Placement> {
    levels().into_iter().map(cpu).chain([candle()]).collect()
}

/// The instruction sets that are tested, best first: those that the machine has, or the one that `STACK_ISA` names.
pub(crate) fn levels() -> Vec<Level> {
    match variable("STACK_ISA") {
        Some(name) => vec![Level::named(&name).unwrap()],
        None => Level::available(),
    }
}

/// This program's kernels with the best instruction set that is tested.
pub(crate) fn best() -> Placement {
    cpu(levels()[0])
}

/// This program's kernels, on two threads.
pub(crate) fn cpu(level: Level) -> Placement {
    Placement { level, threads: 2, ..Placement::default() }
}

/// This program's kernels with keys and values in eight bits.
pub(crate) fn short_cache() -> Placement {
    Placement { cache: CacheType::Q8_0, ..best() }
}

/// candle's kernels.
pub(crate) fn candle() -> Placement {
    Placement { device: DeviceKind::Candle, ..Placement::default() }
}

/// Loads the decoder of a file.
pub(crate) fn load(path: &Path, placement: &Placement, context: usize) -> Result<LoadedExecutor, LoadError> {
    load::load_executor(Box::new(GgufFile::open(path)?), placement, context, &|_, _| ())
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

#[expect(clippy::disallowed_methods, reason = "a test has no other way to be told of instruction sets")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// `.ci/run` promises what the system says of the processor, in words that are not ours.
#[test]
fn every_promised_level_is_tested() {
    let Some(promised) = variable("STACK_ISA_PROMISED") else {
        println!("SKIPPED: STACK_ISA_PROMISED promises no instruction set");
        return;
    };
    let tested: Vec<_> =
        all().into_iter().filter(|p| p.device == DeviceKind::Cpu).map(|p| p.level.name()).collect();
    for level in promised.split_whitespace() {
        assert!(tested.contains(&level), "{level} was promised, but {tested:?} are tested");
    }
}
