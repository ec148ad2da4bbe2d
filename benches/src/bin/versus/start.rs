//! From the start of a process to its first token.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::process::{self, Turn};

/// Runs a command that generates one token and ends, and returns how often a second it could.
pub(crate) fn measure(command: &mut Command, reps: u32) -> Result<Turn> {
    let mut shown = String::new();
    let mut rates = Vec::new();
    for _ in 0..reps {
        let begin = Instant::now();
        (_, shown) = process::output(command)?;
        rates.push(begin.elapsed().as_secs_f64().recip());
    }
    Ok(Turn::new(rates, shown))
}
