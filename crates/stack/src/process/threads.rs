//! How many threads compute.
//!
//! This program's own kernels are told when a model is loaded. candle is not: it and rayon read `RAYON_NUM_THREADS` once,
//! when they first compute. To set a variable of the own process is `unsafe`, because other threads may read it, and this
//! program has no unsafe code. So where candle may compute (on other devices, and for an encoder, which a server may be
//! given), the program starts itself again, in the same process and before anything else happened, with the variable set.
//!
//! Left to themselves, rayon takes every hardware thread and candle every physical core, even where a container may
//! use only a few of them; both are slower than one thread per core that may be used.

use std::env;
use std::num::NonZero;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread::available_parallelism;

use crate::error::{CommandError, Kind};
use crate::process::machine::{self, environment};

/// How much there is to share among threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// The default model: its matrices are so small that a thread takes longer to wake than to multiply its part.
    Tiny,
    /// Any other model.
    Unknown,
}

/// Returns how many threads compute: those asked for, else those of the environment, else as many as suit the work.
pub(crate) fn count(asked: Option<u16>, work: Workload) -> usize {
    let suitable = || if work == Workload::Tiny { 1 } else { preferred() };
    asked.map(usize::from).or_else(from_environment).unwrap_or_else(suitable)
}

/// Makes candle compute with so many threads.
pub(crate) fn settle_candle(threads: usize) -> Result<(), CommandError> {
    if from_environment() == Some(threads) { Ok(()) } else { restart(threads) }
}

/// Returns how many threads this process may use; work on files takes all of them.
pub(crate) fn usable() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

fn preferred() -> usize {
    let usable = usable();
    machine::physical_cores().map_or(usable, |cores| cores.min(usable))
}

fn from_environment() -> Option<usize> {
    environment(VARIABLE)?.parse().ok().filter(|&threads| threads > 0)
}

/// Replaces the process by one with the variable set.
fn restart(threads: usize) -> Result<(), CommandError> {
    let failed = |error| {
        CommandError::new(Kind::Machine, "the number of threads cannot be set")
            .caused(error)
            .hint(format!("set {VARIABLE}={threads} in the environment"))
    };
    let program = env::current_exe().map_err(failed)?;
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    Err(failed(Command::new(program).arg0(name).args(arguments).env(VARIABLE, threads.to_string()).exec()))
}

const VARIABLE: &str = "RAYON_NUM_THREADS";
