//! Measures `stack serve` against llama-server under load: many clients, in turns (A B A B …), each time a fresh server.
//!
//! In a closed loop each client asks again as soon as it is answered; with `--rate`, requests arrive at that rate whatever
//! becomes of those before. What is compared are medians over the turns. A request that fails ends the measurement.

#![expect(clippy::print_stdout, reason = "a measurement prints its figures")]

mod client;
mod figures;
mod plot;
mod run;
mod server;
mod workload;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::{Value, json};
use stack_benches::Machine;

use crate::figures::{Figures, NAMES};
use crate::plot::Plot;
use crate::run::Load;
use crate::server::Program;
use crate::workload::Workload;

/// Measure `stack serve` against llama-server under load, turn by turn
#[derive(Parser)]
struct Options {
    /// A GGUF file
    model: PathBuf,
    /// Folder of llama-server; without it, `stack` alone is measured
    #[arg(long, value_name = "DIR")]
    peer: Option<PathBuf>,
    /// More options for llama-server, such as `--cache-reuse 256`
    #[arg(long, value_name = "OPTIONS", default_value = "", allow_hyphen_values = true)]
    peer_with: String,
    /// The binary to measure [default: `stack` beside this program]
    #[arg(long, value_name = "FILE")]
    stack: Option<PathBuf>,
    /// More options for `stack serve`, such as `--speculation off`
    #[arg(long, value_name = "OPTIONS", default_value = "", allow_hyphen_values = true)]
    stack_with: String,
    /// Another set of options for `stack serve`, measured in the same turns
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    also_with: Option<String>,
    /// What the clients ask
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Workload::Shared, Workload::Mixed])]
    workloads: Vec<Workload>,
    /// Clients at once; with `--rate`, the places that llama-server has
    #[arg(long, value_delimiter = ',', default_values_t = [16])]
    clients: Vec<usize>,
    /// Requests of all clients together
    #[arg(long, default_value_t = 32)]
    requests: usize,
    /// Requests that arrive per second, instead of as soon as a client is answered
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Turns of each side
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Threads of both sides
    #[arg(long, default_value_t = 2)]
    threads: u32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Draw throughput against the number of clients, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let sides = options.sides()?;
    let (mut report, mut plot) = (Vec::new(), Plot::default());
    if !options.json {
        let machine = Machine::read();
        println!(
            "{}, {} threads, {}, commit {}\n",
            machine.processor, options.threads, machine.system, machine.commit
        );
        println!("| workload | clients | side | {} |", NAMES.join(" | "));
        println!("|{} --- |", " --- |".repeat(NAMES.len() + 2));
    }
    for &workload in &options.workloads {
        for &clients in &options.clients {
            let load = Load { workload, clients, requests: options.requests, rate: options.rate };
            for (side, turns) in sides.iter().zip(turns(&sides, load, options.rounds)?) {
                let middle = Figures::medians(&turns);
                plot.add(format!("{}, {workload}", side.name), clients, middle.tokens_per_second());
                if !options.json {
                    println!("| {workload} | {clients} | {} | {middle} |", side.name);
                }
                report.push(json!({
                    "workload": workload.to_string(), "clients": clients, "side": side.name, "command": side.command(),
                    "median": middle.to_json(), "turns": turns.iter().map(Figures::to_json).collect::<Vec<_>>(),
                }));
            }
        }
    }
    if options.json {
        let machine = Machine::read();
        let mut about: Value = machine.to_json();
        about["commit"] = machine.commit.into();
        println!("{}", json!({"machine": about, "measured": report}));
    }
    if let Some(file) = &options.plot {
        fs::write(file, plot.to_svg()?).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}

impl Options {
    fn sides(&self) -> Result<Vec<Program>> {
        let beside = || Some(std::env::current_exe().ok()?.with_file_name("stack"));
        let stack = self.stack.clone().or_else(beside).context("there is no `stack` to measure")?;
        let slots = self.clients.iter().max().copied().unwrap_or(1);
        ensure!(slots > 0 && self.requests > 0, "there must be clients and requests");
        ensure!(self.rate.is_none() || self.clients.len() == 1, "with --rate, --clients takes one number");
        let ours = |name: &str, options: &str| {
            Program::ours(name, stack.clone(), &self.model, self.threads, options)
        };
        let mut sides = vec![ours("stack", &self.stack_with)];
        if let Some(other) = &self.also_with {
            sides.push(ours(&format!("stack {other}"), other));
        }
        if let Some(folder) = &self.peer {
            sides.push(Program::peer(folder, &self.model, self.threads, slots, &self.peer_with));
        }
        Ok(sides)
    }
}

/// Lets all sides take turns; returns the figures of each.
fn turns(sides: &[Program], load: Load, rounds: u32) -> Result<Vec<Vec<Figures>>> {
    let mut all = vec![Vec::new(); sides.len()];
    for _ in 0..rounds {
        for (side, figures) in sides.iter().zip(&mut all) {
            let server = side.start()?;
            figures.push(load.run(server.address()).with_context(|| side.command())?);
        }
    }
    Ok(all)
}
