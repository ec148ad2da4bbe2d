//! Measures this engine against a build of llama.cpp on the same GGUF files, point by point.
//!
//! A point is one model, thread count, depth and batch size. Its sides take turns (A B A B …) in processes of their
//! own: `stack bench`, then `llama-bench` or `llama-batched-bench`. The peer is measured in every configuration that
//! may be its best (weights repacked or not, flash attention on or off); after the first round only its default and
//! the one that was fastest there go on. What is compared are medians; the ratio is ours to the peer's best.
//!
//! It measures speed only: that both compute the right thing is the business of the tests.

#![expect(clippy::print_stdout, reason = "a measurement prints its figures")]

mod ours;
mod peer;
mod plot;
mod point;
mod process;
mod report;
mod start;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use stack_benches::Machine;

use crate::ours::Ours;
use crate::peer::{Config, Peer};
use crate::plot::Plot;
use crate::point::{Point, Work};
use crate::report::{Measured, Report};

/// Measure `stack bench` against llama.cpp, turn by turn
#[derive(Parser)]
struct Options {
    /// GGUF files
    #[arg(required = true)]
    models: Vec<PathBuf>,
    /// Folder of llama-bench, llama-batched-bench and llama-completion
    #[arg(long, value_name = "DIR")]
    peer: PathBuf,
    /// The binary to measure [default: `stack` beside this program]
    #[arg(long, value_name = "FILE")]
    stack: Option<PathBuf>,
    /// What to measure
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Part::Prefill, Part::Decode])]
    parts: Vec<Part>,
    /// Tokens of a prompt
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65536))]
    prompt: u32,
    /// Tokens to generate
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    generate: u32,
    /// Tokens in the cache before prefill and decode begin
    #[arg(long, value_delimiter = ',', default_values_t = [0])]
    depths: Vec<u32>,
    /// Sequences that are decoded together, for the part `batch`
    #[arg(long, value_delimiter = ',', default_values_t = [4, 16])]
    batches: Vec<u32>,
    /// Threads of both sides
    #[arg(long, value_delimiter = ',', default_values_t = [2])]
    threads: Vec<u32>,
    /// Turns of each side
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Repetitions within each turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    reps: u32,
    /// Measure the peer as it comes, instead of in every configuration
    #[arg(long)]
    default_only: bool,
    /// Force our instruction set, as `STACK_ISA` does
    #[arg(long, value_name = "NAME")]
    isa: Option<String>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Draw decode against depth, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Computing a prompt
    Prefill,
    /// Generating for one sequence
    Decode,
    /// Generating for several sequences together
    Batch,
    /// From the start of the process to the first token
    Start,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let own = env::current_exe().context("finding this program")?;
    let beside = own.with_file_name(format!("stack{}", env::consts::EXE_SUFFIX));
    let ours = Ours::new(options.stack.clone().unwrap_or(beside), options.isa.clone());
    let peer = Peer::new(&options.peer)?;
    let points = options.points()?;
    let plot_file = options.plot_file()?;
    let mut report = Report::new(Machine::read(), peer.commit(&options.models[0])?);
    let bar = ProgressBar::new(points.len() as u64)
        .with_style(ProgressStyle::with_template("{pos}/{len} {msg} [{elapsed_precise}]")?);
    for point in points {
        bar.set_message(point.to_string());
        report.add(measure(&ours, &peer, point, &options)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    if options.json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    if let (Some(file), Some(plot)) = (plot_file, Plot::new(&report)) {
        fs::write(file, plot.to_svg()?).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

/// Runs all turns of one point.
fn measure(ours: &Ours, peer: &Peer, point: Point, options: &Options) -> Result<Measured> {
    let mut measured = Measured::new(point);
    let every = if options.default_only { vec![Config::DEFAULT] } else { Config::of(&measured.point.work) };
    for round in 0..options.rounds {
        let turn = ours.measure(&measured.point, options.reps)?;
        measured.ours.add(turn);
        let configs = if round == 0 { every.clone() } else { measured.worth_repeating() };
        for config in configs {
            let turn = peer.measure(&measured.point, config, options.reps)?;
            measured.peer(config).add(turn);
        }
    }
    Ok(measured)
}

impl Options {
    /// Lists the points, slowest dimension first.
    fn points(&self) -> Result<Vec<Point>> {
        let mut points = Vec::new();
        for model in &self.models {
            ensure!(model.is_file(), "{} is not a file", model.display());
            for &threads in &self.threads {
                for &part in &self.parts {
                    let works = self.works(part);
                    points.extend(works.into_iter().map(|work| Point::new(Path::new(model), threads, work)));
                }
            }
        }
        Ok(points)
    }

    /// Returns where to draw, if what will be measured can be drawn.
    fn plot_file(&self) -> Result<Option<&Path>> {
        let Some(file) = &self.plot else { return Ok(None) };
        ensure!(
            self.models.len() == 1 && self.threads.len() == 1,
            "--plot draws one model with one number of threads"
        );
        let is_line = self.depths.iter().any(|depth| *depth != self.depths[0]);
        ensure!(
            is_line && self.parts.contains(&Part::Decode),
            "--plot draws decode against depth: name two depths or more, as in --parts decode --depths 0,1024,4096"
        );
        let folder = file.parent().unwrap_or(file);
        ensure!(
            folder.as_os_str().is_empty() || folder.is_dir(),
            "--plot: there is no folder {}",
            folder.display()
        );
        Ok(Some(file))
    }

    fn works(&self, part: Part) -> Vec<Work> {
        let depths = self.depths.iter();
        match part {
            Part::Prefill => depths.map(|&depth| Work::Prefill { tokens: self.prompt, depth }).collect(),
            Part::Decode => depths.map(|&depth| Work::Decode { tokens: self.generate, depth }).collect(),
            Part::Batch => self
                .batches
                .iter()
                .map(|&sequences| Work::Batch { sequences, prompt: BATCH_PROMPT, tokens: self.generate })
                .collect(),
            Part::Start => vec![Work::Start],
        }
    }
}

/// Tokens in the cache of every sequence of a batch.
const BATCH_PROMPT: u32 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn plot_file(arguments: &[&str]) -> Result<Option<PathBuf>> {
        let words = ["versus", "--peer", "DIR"].iter().chain(arguments);
        Ok(Options::try_parse_from(words)?.plot_file()?.map(Path::to_owned))
    }

    #[test]
    fn a_plot_needs_decode_at_two_depths() {
        let file = plot_file(&["M", "--plot", "p.svg", "--depths", "0,4096"]).unwrap();
        assert_eq!(file, Some(PathBuf::from("p.svg")));
        for arguments in [
            ["M", "--plot", "p.svg", "--depths", "0"].as_slice(),
            &["M", "--plot", "p.svg", "--depths", "512,512"],
            &["M", "--plot", "p.svg", "--depths", "0,512", "--parts", "prefill"],
        ] {
            let error = plot_file(arguments).unwrap_err().to_string();
            assert!(error.contains("--depths 0,1024,4096"), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn a_plot_is_of_one_model_and_one_number_of_threads() {
        for arguments in [["M", "N"].as_slice(), &["M", "--threads", "1,2"]] {
            let rest = ["--plot", "p.svg", "--depths", "0,512"];
            let error = plot_file(&[arguments, &rest].concat()).unwrap_err().to_string();
            assert!(error.contains("one model"), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn a_plot_in_no_folder_is_refused_before_anything_is_measured() {
        let error = plot_file(&["M", "--plot", "/no/such/p.svg", "--depths", "0,512"]).unwrap_err();
        assert!(error.to_string().contains("/no/such"), "{error}");
    }
}
