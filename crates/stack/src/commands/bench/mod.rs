//! `stack bench`: how fast a model computes.

mod measure;
mod memory;
mod spread;

use std::time::Instant;

use clap::{Args, value_parser};
use serde::Serialize;
use stack_engine::engine::cache_bytes_per_token;
use stack_engine::executor::Placement;
use stack_engine::spec::DecoderSpec;

use self::measure::{Bench, Work};
use self::memory::Memory;
use self::spread::Spread;
use crate::error::{CommandError, Kind};
use crate::home::access::AccessArguments;
use crate::models::choice::OneModel;
use crate::models::path;
use crate::options::Compute;
use crate::process::machine;
use crate::process::threads::Workload;
use crate::terminal::output::Data;
use crate::terminal::units;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: OneModel,
    /// Prompt tokens to prefill; 0 skips prefill
    #[arg(short, long, value_name = "TOKENS", default_value_t = 512, value_parser = value_parser!(u32).range(..=TOKENS_MAX))]
    prompt: u32,
    /// Tokens to generate; 0 skips decode
    #[arg(short = 'n', long, value_name = "TOKENS", default_value_t = 64, value_parser = value_parser!(u32).range(..=TOKENS_MAX))]
    generate: u32,
    /// Tokens already in the KV cache
    #[arg(short, long, value_name = "TOKENS", default_value_t = 0, value_parser = value_parser!(u32).range(..=TOKENS_MAX))]
    depth: u32,
    /// Sequences in one batch; their speeds add up
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=256))]
    batch: u32,
    /// Repetitions, after one warm-up run
    #[arg(short, long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u32).range(1..=1000))]
    reps: u32,
    /// Also measure the memory bandwidth, which limits decode
    #[arg(long)]
    memory: bool,
    #[command(flatten)]
    access: AccessArguments,
    #[command(flatten)]
    pub(crate) compute: Compute,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    model: String,
    size_bytes: u64,
    threads: usize,
    device: String,
    isa: String,
    commit: &'static str,
    load_seconds: f64,
    peak_rss_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefill: Option<Speed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decode: Option<Speed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
}

#[derive(Serialize)]
struct Speed {
    tokens: u32,
    reps: u32,
    tokens_per_second: Spread,
}

impl Report {
    /// What decoding reads of what memory gives, if both are known.
    fn share_read(&self) -> Option<f64> {
        let (decode, memory) = (self.decode.as_ref()?, self.memory.as_ref()?);
        let read = memory.bytes_per_token? as f64 / 1e9 * decode.tokens_per_second.median;
        Some(read / memory.gigabytes_per_second.median)
    }
}

/// Measures.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let started = Instant::now();
    let model = path::open(&arguments.model.find(&arguments.access.home()?)?, &arguments.access)?;
    let spec = DecoderSpec::read(&*model.source)?;
    let context = arguments.context(&spec)?;
    let placement = arguments.compute.placement(Workload::Unknown)?;
    let (id, size_bytes) = (model.id.clone(), model.source.size_bytes());
    let executor = model.load_executor(&placement, context)?;
    let load_seconds = started.elapsed().as_secs_f64();

    let mut bench = Bench::new(executor, arguments.depth as usize)?;
    let prefill = arguments
        .speed(&mut bench, Work::Prefill { tokens: arguments.prompt, sequences: arguments.batch })?;
    let decode = Work::Decode { tokens: arguments.generate, sequences: arguments.batch };
    let decode = arguments.speed(&mut bench, decode)?;
    let peak_rss_bytes = machine::peak_memory_bytes();
    let memory = if arguments.memory {
        Memory::measure(&placement, arguments.bytes_per_token(&bench, &placement))
    } else {
        None
    };
    let report = Report {
        model: id,
        size_bytes,
        threads: placement.threads,
        device: placement.device.to_string(),
        isa: machine::instruction_set(&placement),
        commit: env!("STACK_COMMIT"),
        load_seconds,
        peak_rss_bytes,
        prefill,
        decode,
        memory,
    };
    let mut data = Data::new();
    if arguments.json { data.json(&report) } else { print(&report, &mut data) }
}

impl Arguments {
    /// Returns the tokens that a sequence will hold at most.
    fn context(&self, spec: &DecoderSpec) -> Result<usize, CommandError> {
        // No sum of two of these overflows: each is at most `TOKENS_MAX`.
        let needed = (self.depth + self.prompt.max(self.generate)) as usize;
        if needed <= spec.context_trained {
            return Ok(needed.max(1));
        }
        let message = format!("{needed} tokens exceed the context length of {}", spec.context_trained);
        Err(CommandError::new(Kind::Limit, message).hint("lower --depth, --prompt or --generate"))
    }

    /// Returns what generating one token of one sequence reads: its weights, and half way to the last token the cache.
    fn bytes_per_token(&self, bench: &Bench, placement: &Placement) -> Option<u64> {
        let executor = bench.executor();
        let weights = executor.weight_bytes_per_token().filter(|_| self.batch == 1 && self.generate > 0)?;
        let cached = u64::from(self.depth) + u64::from(self.generate / 2);
        Some(weights + cache_bytes_per_token(executor.spec(), placement) * cached)
    }

    /// Does the work once to warm up, then as often as asked.
    fn speed(&self, bench: &mut Bench, work: Work) -> Result<Option<Speed>, CommandError> {
        if work.tokens() == 0 {
            return Ok(None);
        }
        bench.seconds(work)?;
        let figures = (0..self.reps)
            .map(|_| Ok(f64::from(work.tokens_in_all()) / bench.seconds(work)?))
            .collect::<Result<_, CommandError>>()?;
        Ok(Spread::of(figures).map(|tokens_per_second| Speed {
            tokens: work.tokens(),
            reps: self.reps,
            tokens_per_second,
        }))
    }
}

fn print(report: &Report, data: &mut Data) -> Result<(), CommandError> {
    let size = units::bytes(report.size_bytes);
    let peak = report.peak_rss_bytes.map_or_else(|| "unknown".to_owned(), units::bytes);
    data.line(&format!("model    {}, {size}", report.model))?;
    data.line(&format!(
        "with     {} threads on {}, kernels for {}, commit {}",
        report.threads, report.device, report.isa, report.commit
    ))?;
    data.line(&format!("load     {:.2} s, peak memory {peak}", report.load_seconds))?;
    data.line("tokens/s              min     median        max")?;
    for (name, speed) in [("prefill", &report.prefill), ("decode", &report.decode)] {
        if let Some(Speed { tokens, reps, tokens_per_second: Spread { min, median, max } }) = speed {
            let tokens = format!("{tokens} ×{reps}");
            data.line(&format!("{name:<8} {tokens:<9} {min:>8.1}  {median:>8.1}   {max:>8.1}"))?;
        }
    }
    if let Some(Memory { gigabytes_per_second: Spread { min, median, max }, .. }) = report.memory {
        data.line("GB/s                  min     median        max")?;
        data.line(&format!("memory   read      {min:>8.1}  {median:>8.1}   {max:>8.1}"))?;
    }
    if let Some(share) = report.share_read() {
        data.line(&format!("decode   uses {:.0} % of the memory bandwidth", 100.0 * share))?;
    }
    Ok(())
}

/// The most tokens that may be asked for: more than any model holds, and sums stay within `u32`.
const TOKENS_MAX: i64 = 1 << 30;
