//! Measures this engine against candle-transformers on the same GGUF file, side by side.
//!
//! The two sides take turns (A B A B …) in processes of their own, so that memory, thread pools and caches are
//! separate and a machine that slows down slows both. A is `stack bench MODEL --json`, the shipped binary; B is
//! candle-transformers' own `quantized_qwen3`, used as candle's example uses it. What is compared are medians over
//! the turns; every turn is printed, too.
//!
//! It measures speed only: that both compute the right thing is the business of their tests.

#![expect(clippy::print_stdout, reason = "a measurement prints its figures")]

mod candle;
mod report;
mod turn;

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use stack_benches::Machine;

use crate::report::Report;
use crate::turn::{Side, Turn};

/// Measure `stack bench` against candle-transformers, turn by turn
#[derive(Parser)]
struct Options {
    /// GGUF file of the qwen3 architecture
    model: PathBuf,
    #[command(flatten)]
    work: Work,
    /// Turns of each side
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The binary to measure [default: `stack` beside this program]
    #[arg(long)]
    stack: Option<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Measure candle in this process, once, and print what it took
    #[arg(long, hide = true)]
    candle: bool,
}

/// What each turn does.
#[derive(Clone, Copy, clap::Args)]
struct Work {
    /// Tokens of the prompt, computed in one forward pass
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=4096))]
    prompt: u32,
    /// Tokens to generate greedily, one by one
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    generate: u32,
    /// Repetitions within each turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    reps: u32,
    /// Threads of both sides [default: all processors]
    #[arg(long)]
    threads: Option<u32>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if options.candle {
        println!("{}", candle::measure(&options.model, options.work)?);
        return Ok(());
    }
    let own = env::current_exe().context("finding this program")?;
    let stack =
        options.stack.unwrap_or_else(|| own.with_file_name(format!("stack{}", env::consts::EXE_SUFFIX)));
    let mut report = Report::new(Machine::read(), &options.model, options.work);
    for _ in 0..options.rounds {
        report.add(Turn::run(Side::Stack, &stack, &options.model, options.work)?);
        report.add(Turn::run(Side::Candle, &own, &options.model, options.work)?);
    }
    if options.json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(())
}
