//! The other side: llama.cpp's own benchmark programs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::point::{Point, Work};
use crate::process::{self, Turn};
use crate::start;

/// The folder with llama.cpp's programs.
pub(crate) struct Peer {
    folder: PathBuf,
}

/// How llama.cpp is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    repack: bool,
    flash_attention: FlashAttention,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlashAttention {
    Auto,
    On,
    Off,
}

impl Config {
    /// What llama.cpp does when nothing is said.
    pub(crate) const DEFAULT: Self = Self { repack: true, flash_attention: FlashAttention::Auto };

    /// Lists the configurations that may be the fastest.
    pub(crate) fn of(work: &Work) -> Vec<Self> {
        if *work == Work::Start {
            return vec![Self::DEFAULT, Self { repack: false, ..Self::DEFAULT }];
        }
        let both = [FlashAttention::On, FlashAttention::Off];
        let rest = [true, false]
            .into_iter()
            .flat_map(|repack| both.into_iter().map(move |flash_attention| Self { repack, flash_attention }));
        [Self::DEFAULT].into_iter().chain(rest).collect()
    }
}

impl Peer {
    /// Finds the programs.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        for program in [BENCH, BATCHED, COMPLETION] {
            let path = folder.join(program);
            ensure!(
                path.is_file(),
                "{} is not there; --peer names the folder of llama.cpp's programs",
                path.display()
            );
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Asks for the commit that was built.
    pub(crate) fn commit(&self, model: &Path) -> Result<String> {
        let mut command = Command::new(self.folder.join(BENCH));
        command.args(["-o", "json", "-p", "1", "-n", "0", "-r", "1", "--no-warmup", "-m"]).arg(model);
        let (printed, shown) = process::output(&mut command)?;
        let figures: Value =
            serde_json::from_slice(&printed).with_context(|| format!("reading the output of {shown}"))?;
        Ok(figures[0]["build_commit"].as_str().unwrap_or("unknown").to_owned())
    }

    /// Runs one turn.
    pub(crate) fn measure(&self, point: &Point, config: Config, reps: u32) -> Result<Turn> {
        match point.work {
            Work::Prefill { tokens, depth } => self.bench(point, config, reps, (tokens, 0, depth)),
            Work::Decode { tokens, depth } => self.bench(point, config, reps, (0, tokens, depth)),
            Work::Batch { sequences, prompt, tokens } => {
                self.batched(point, config, (sequences, prompt, tokens))
            }
            Work::Start => {
                let mut command = self.command(COMPLETION, point);
                command.args(["-n", "1", "-no-cnv", "--temp", "0", "-p", "a"]);
                if !config.repack {
                    command.arg("--no-repack");
                }
                start::measure(&mut command, reps)
            }
        }
    }

    fn bench(
        &self,
        point: &Point,
        config: Config,
        reps: u32,
        (prompt, generate, depth): (u32, u32, u32),
    ) -> Result<Turn> {
        let mut command = self.command(BENCH, point);
        for (flag, value) in [("-p", prompt), ("-n", generate), ("-d", depth), ("-r", reps)] {
            command.arg(flag).arg(value.to_string());
        }
        command.args(["--repack", if config.repack { "1" } else { "0" }]);
        command.args(["-fa", config.flash_attention.name(), "-o", "json"]);
        let (printed, command) = process::output(&mut command)?;
        let figures: Value =
            serde_json::from_slice(&printed).with_context(|| format!("reading the output of {command}"))?;
        let samples = figures[0]["samples_ts"].as_array().into_iter().flatten();
        let rates: Vec<f64> = samples.filter_map(Value::as_f64).collect();
        ensure!(!rates.is_empty(), "{command} printed no samples");
        Ok(Turn::new(rates, command))
    }

    fn batched(
        &self,
        point: &Point,
        config: Config,
        (sequences, prompt, tokens): (u32, u32, u32),
    ) -> Result<Turn> {
        let mut command = self.command(BATCHED, point);
        let context = sequences * (prompt + tokens);
        for (flag, value) in [("-c", context), ("-npp", prompt), ("-ntg", tokens), ("-npl", sequences)] {
            command.arg(flag).arg(value.to_string());
        }
        if !config.repack {
            command.arg("--no-repack");
        }
        command.args(["-fa", config.flash_attention.name(), "--output-format", "jsonl"]);
        let (printed, command) = process::output(&mut command)?;
        let printed = String::from_utf8_lossy(&printed);
        let line = printed.lines().find(|line| line.starts_with('{'));
        let line = line.with_context(|| format!("{command} printed no figures"))?;
        let figures: Value =
            serde_json::from_str(line).with_context(|| format!("reading the output of {command}"))?;
        let rate = figures["speed_tg"].as_f64().with_context(|| format!("{command} printed no speed_tg"))?;
        Ok(Turn::new(vec![rate], command))
    }

    fn command(&self, program: &str, point: &Point) -> Command {
        let mut command = Command::new(self.folder.join(program));
        command.arg("-m").arg(&point.model).arg("-t").arg(point.threads.to_string());
        command
    }
}

impl FlashAttention {
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// As llama.cpp's flags say it.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::DEFAULT {
            return f.write_str("default");
        }
        let repack = u8::from(self.repack);
        match self.flash_attention {
            FlashAttention::Auto => write!(f, "repack {repack}"),
            flash => write!(f, "repack {repack}, fa {}", flash.name()),
        }
    }
}

const BENCH: &str = "llama-bench";
const BATCHED: &str = "llama-batched-bench";
const COMPLETION: &str = "llama-completion";
