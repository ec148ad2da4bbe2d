//! One turn of one side, in a process of its own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::Work;

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Stack,
    Candle,
}

/// Median tokens per second of one turn.
pub(crate) struct Turn {
    pub(crate) side: Side,
    pub(crate) prefill: f64,
    pub(crate) decode: f64,
    pub(crate) command: String,
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::Candle => "candle",
        }
    }
}

impl Turn {
    /// Runs one turn with `program`.
    pub(crate) fn run(side: Side, program: &Path, model: &Path, work: Work) -> Result<Self> {
        let mut command = Command::new(program);
        match side {
            Side::Stack => command.arg("bench").arg(model).arg("--json"),
            Side::Candle => command.arg("--candle").arg(model),
        };
        for (flag, value) in [("--prompt", work.prompt), ("--generate", work.generate), ("--reps", work.reps)]
        {
            command.arg(flag).arg(value.to_string());
        }
        if let Some(threads) = work.threads {
            command.arg("--threads").arg(threads.to_string());
            // candle takes its threads from rayon's global pool; stack is told by its own option.
            if side == Side::Candle {
                command.env("RAYON_NUM_THREADS", threads.to_string());
            }
        }
        let shown = format!("{command:?}");
        let output = command.output().with_context(|| format!("running {shown}"))?;
        let talk = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{shown} failed: {}", talk.trim());
        let figures: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("reading the output of {shown}"))?;
        let rate = |part: &str| {
            figures[part]["tokens_per_second"]["median"]
                .as_f64()
                .with_context(|| format!("{shown} did not print the median of {part}"))
        };
        Ok(Self { side, prefill: rate("prefill")?, decode: rate("decode")?, command: shown })
    }
}
