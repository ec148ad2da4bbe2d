//! Our side: the shipped binary.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::point::{Point, Work};
use crate::process::{self, Turn};
use crate::start;

/// The binary `stack`.
pub(crate) struct Ours {
    binary: PathBuf,
    isa: Option<String>,
}

impl Ours {
    pub(crate) fn new(binary: PathBuf, isa: Option<String>) -> Self {
        Self { binary, isa }
    }

    /// Runs one turn.
    pub(crate) fn measure(&self, point: &Point, reps: u32) -> Result<Turn> {
        let mut command = Command::new(&self.binary);
        if let Some(isa) = &self.isa {
            command.env("STACK_ISA", isa);
        }
        if point.work == Work::Start {
            command.args(["run", "--raw", "--temperature", "0", "--max-tokens", "1", "--threads"]);
            command.arg(point.threads.to_string()).arg("-m").arg(&point.model).arg("a");
            return start::measure(&mut command, reps);
        }
        let (prompt, generate, depth, batch) = match point.work {
            Work::Prefill { tokens, depth } => (tokens, 0, depth, 1),
            Work::Decode { tokens, depth } => (0, tokens, depth, 1),
            Work::Batch { sequences, prompt, tokens } => (0, tokens, prompt, sequences),
            Work::Start => unreachable!("measured above"),
        };
        command.arg("bench").arg(&point.model).arg("--json");
        let flags = [
            ("--prompt", prompt),
            ("--generate", generate),
            ("--depth", depth),
            ("--batch", batch),
            ("--threads", point.threads),
            ("--reps", reps),
        ];
        for (flag, value) in flags {
            command.arg(flag).arg(value.to_string());
        }
        if matches!(point.work, Work::Decode { .. }) {
            command.arg("--memory");
        }
        let (printed, command) = process::output(&mut command)?;
        let figures: Value =
            serde_json::from_slice(&printed).with_context(|| format!("reading the output of {command}"))?;
        let part = if prompt > 0 { "prefill" } else { "decode" };
        let rate = figures[part]["tokens_per_second"]["median"]
            .as_f64()
            .with_context(|| format!("{command} did not print the median of {part}"))?;
        let memory = &figures["memory"];
        let bandwidth = memory["gigabytes_per_second"]["median"].as_f64();
        let share = memory["bytes_per_token"].as_f64().zip(bandwidth);
        let shares = share.map(|(bytes, bandwidth)| rate * bytes / 1e9 / bandwidth);
        Ok(Turn { rates: vec![rate], shares: shares.into_iter().collect(), command })
    }
}
