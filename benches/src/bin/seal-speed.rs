//! Measures what hashing, sealing and opening cost on one file, each against the primitive alone in the same run.
//!
//! `cargo run --release -p stack-benches --bin seal-speed -- FILE [--workers N] [--runs N]`; the sealed form is
//! written beside the file and removed at the end. Have the file in the page cache.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use stack_seal::age::{Identity, Recipients, Sealing, UnlockedFile, X25519Identity};
use stack_seal::digest::{self, SPAN, SpanTree};
use stack_seal::verified::{Expected, Pass};

#[derive(Parser)]
struct Arguments {
    /// A large file.
    file: PathBuf,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Rounds; the median of each row is printed.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (workers, quiet) = (arguments.workers, |_| ());
    let plain = || File::open(&arguments.file).context("the file cannot be opened");
    let length = plain()?.metadata()?.len();
    let expected = digest::hash_file(&plain()?, workers, &quiet)?;

    let mut random = |bytes: &mut [u8]| {
        File::open("/dev/urandom").and_then(|mut source| source.read_exact(bytes)).expect("random bytes");
    };
    let identity = X25519Identity::generate(&mut random);
    let recipients = Recipients::keys([identity.recipient()]).context("one recipient")?;
    let identities = [Identity::X25519(identity)];
    let sealed = arguments.file.with_extension("seal-speed.age");
    let pinned = || Expected::pinned(expected.root, length);

    let mut rows: Vec<(&str, Vec<f64>, Vec<f64>)> =
        ROWS.iter().map(|&name| (name, Vec::new(), Vec::new())).collect();
    for _ in 0..arguments.runs {
        let mut row = rows.iter_mut();
        let mut timed = |work: &mut dyn FnMut() -> Result<()>| -> Result<()> {
            let (start, cpu) = (Instant::now(), cpu_seconds());
            work()?;
            let (_, wall, core) = row.next().context("a row for each measurement")?;
            wall.push(length as f64 / start.elapsed().as_secs_f64() / 1e9);
            core.extend(cpu_seconds().zip(cpu).map(|(end, start)| length as f64 / (end - start) / 1e9));
            Ok(())
        };
        timed(&mut || primitive(length, workers))?;
        timed(&mut || {
            ensure!(digest::hash_file(&plain()?, workers, &quiet)?.root == expected.root, "another root");
            Ok(())
        })?;
        timed(&mut || {
            Pass::open(plain()?, pinned(), None)?.finish((), workers)?;
            Ok(())
        })?;
        timed(&mut || {
            ensure!(digest::hash_file_twice(&plain()?, &quiet)?.0.root == expected.root, "another root");
            Ok(())
        })?;
        timed(&mut || {
            let target = OpenOptions::new().write(true).create(true).truncate(true).open(&sealed)?;
            let sealing = Sealing::new(&recipients, &mut random);
            let hashed = sealing.write_file(&plain()?, target, workers, &|_| Ok(()))?;
            ensure!(hashed.root == expected.root, "another root");
            Ok(())
        })?;
        timed(&mut || {
            let unlocked = UnlockedFile::open(File::open(&sealed)?, &identities)?;
            Pass::open_sealed(unlocked, pinned(), None)?.finish((), workers)?;
            Ok(())
        })?;
    }
    fs::remove_file(&sealed)?;
    println!(
        "{length} bytes, {workers} workers, {} runs; median GB/s by the clock, and per core",
        arguments.runs
    );
    for (name, wall, core) in rows {
        println!("{name:<34}{:>7.2}{:>7.2}", median(wall), median(core));
    }
    Ok(())
}

/// Returns the processor time of this process and all its threads, where the system tells: on a busy machine it says
/// more than the clock.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let ticks = stat.rsplit_once(')')?.1.split(' ').skip(12).take(2).map(str::parse::<f64>);
    ticks.sum::<Result<f64, _>>().ok().map(|ticks| ticks / 100.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Hashes as many spans as the file has, all of them the same one in memory.
fn primitive(length: u64, workers: usize) -> Result<()> {
    let tree = SpanTree::new(length)?;
    thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || {
                let span = vec![worker as u8; SPAN];
                for index in (worker..tree.spans()).step_by(workers) {
                    std::hint::black_box(tree.span_value(index, &span[..tree.span_len(index)]));
                }
            });
        }
    });
    Ok(())
}

const ROWS: [&str; 6] = [
    "BLAKE3 of spans in memory",
    "hash_file (verify)",
    "Pass (load)",
    "hash_file_twice (BLAKE3, SHA-256)",
    "write_file (encrypt, hash)",
    "Pass over sealed (decrypt, hash)",
];
