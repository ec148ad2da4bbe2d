//! Makes the default model: generates its text, trains tokenizer and weights, writes the GGUF.
//!
//! ```text
//! cargo run --release -p stack-recipe -- --out models/default
//! ```
//!
//! Nothing is downloaded, and the same seed gives the same model, up to how a processor rounds. The modules, in the
//! order of the work: `grammar` writes the text, `tokenizer` learns its vocabulary, `batch` turns texts into numbers,
//! `model` with `ops` says what is computed, `start` draws the first weights, `optimizer` and `train` move the weights, `export` with `gguf` writes
//! the file, `inference` runs it and `evaluate` counts how well.

mod batch;
mod evaluate;
mod export;
mod gguf;
mod grammar;
mod inference;
mod model;
mod ops;
mod optimizer;
mod random;
mod start;
mod tokenizer;
mod train;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use batch::Example;
use grammar::{Role, Text};
use inference::Runner;
use model::{Dimensions, Model};
use optimizer::Rates;
use random::Random;
use tokenizer::Tokenizer;
use train::Plan;

/// Make the default model that ships with the source
#[derive(Parser)]
struct Arguments {
    /// Folder to write `stories.gguf` to
    #[arg(long, default_value = "models/default")]
    out: PathBuf,
    /// Number of training steps
    #[arg(long, default_value_t = 700)]
    steps: usize,
    /// Seed of all randomness
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print this many texts of the training data, and do nothing else
    #[arg(long, value_name = "N")]
    text: Option<usize>,
    /// Evaluate a model that was made before, and do nothing else
    #[arg(long, value_name = "FILE")]
    evaluate: Option<PathBuf>,
    /// Also write the unfinished model to this file, every hundred steps
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut random = Random::new(arguments.seed);
    if let Some(count) = arguments.text {
        return print_texts(&mut random, count);
    }
    if let Some(file) = &arguments.evaluate {
        return print_figures(file, &mut random);
    }
    let tokenizer = learn_vocabulary(&mut random);
    let model = train_model(&mut random, &tokenizer, &arguments)?;
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("creating {}", arguments.out.display()))?;
    let file = arguments.out.join("stories.gguf");
    write_whole(&file, &export::to_gguf(&model, &tokenizer)?)?;
    print_figures(&file, &mut Random::new(arguments.seed))
}

fn print_figures(file: &Path, random: &mut Random) -> Result<()> {
    let runner = Runner::open(file)?;
    write!(std::io::stdout().lock(), "{}", evaluate::evaluate(&runner, random))?;
    Ok(())
}

fn print_texts(random: &mut Random, count: usize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for _ in 0..count {
        match grammar::text(random) {
            Text::Plain(text) => writeln!(out, "{text}")?,
            Text::Chat(turns) => {
                for turn in turns {
                    let name = match turn.role {
                        Role::System => "system",
                        Role::User => "user",
                        Role::Assistant => "assistant",
                    };
                    writeln!(out, "{name}: {}", turn.text)?;
                }
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn learn_vocabulary(random: &mut Random) -> Tokenizer {
    let texts: Vec<String> = (0..VOCABULARY_TEXTS)
        .flat_map(|_| match grammar::text(random) {
            Text::Plain(text) => vec![text],
            Text::Chat(turns) => turns.into_iter().map(|turn| turn.text).collect(),
        })
        .collect();
    Tokenizer::learn(texts.iter().map(String::as_str), DIMENSIONS.vocabulary)
}

fn train_model(random: &mut Random, tokenizer: &Tokenizer, arguments: &Arguments) -> Result<Model> {
    let held_out: Vec<Example> =
        (0..HELD_OUT_TEXTS).map(|_| tokenizer.example(&grammar::text(random))).collect();
    let model = Model::new(DIMENSIONS, random)?;
    let bar = ProgressBar::new(arguments.steps as u64).with_style(ProgressStyle::with_template(
        "{bar:30} step {pos} of {len}, {elapsed} gone, about {eta} left, loss {msg}",
    )?);
    let plan = Plan { steps: arguments.steps, tokens_per_step: TOKENS_PER_STEP, rates: RATES };
    let mut produced = 0usize;
    let source = || loop {
        produced += 1;
        let exercise = random.chance(if produced < EXERCISED_TEXTS { 0.5 } else { 0.03 });
        let text = if exercise { grammar::exercise(random) } else { grammar::text(random) };
        let example = tokenizer.example(&text);
        if example.tokens.len() <= DIMENSIONS.context {
            break example;
        }
    };
    train::train(&model, plan, source, |step, loss| {
        bar.set_message(format!("{loss:.3}"));
        bar.inc(1);
        match &arguments.checkpoint {
            Some(checkpoint) if (step + 1) % 100 == 0 => {
                write_whole(checkpoint, &export::to_gguf(&model, tokenizer)?)
            }
            _ => Ok(()),
        }
    })?;
    bar.finish();
    let loss = train::mean_loss(&model, held_out)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "parameters: {}", model.size())?;
    writeln!(out, "held-out loss: {loss:.4} nats per token, perplexity {:.3}", loss.exp())?;
    Ok(model)
}

/// Writes a file so that it is either there as a whole or as it was before.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        std::fs::write(&part, bytes)?;
        std::fs::rename(&part, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

const DIMENSIONS: Dimensions =
    Dimensions { vocabulary: 2048, width: 128, layers: 4, heads: 4, feed_forward: 384, context: 1024 };
const RATES: Rates = Rates { matrices: 0.02, rest: 0.003 };
const TOKENS_PER_STEP: usize = 4096;
const VOCABULARY_TEXTS: usize = 6_000;
/// So many texts at the start are exercises every other time.
const EXERCISED_TEXTS: usize = 1_000;
const HELD_OUT_TEXTS: usize = 300;
