//! Measures what hashing, sealing and opening cost on one file, each against the primitive alone in the same run.
//!
//! `cargo run --release -p stack-benches --bin seal-speed -- FILE [--workers N] [--runs N]`; the sealed form is
//! written beside the file and removed at the end. Have the file in the page cache.

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
    /// Rounds; the median and the best of each row are printed.
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

    let mut rows: Vec<(&str, Vec<f64>)> = ROWS.iter().map(|&name| (name, Vec::new())).collect();
    for _ in 0..arguments.runs {
        let mut row = rows.iter_mut().map(|(_, times)| times);
        let mut timed = |work: &mut dyn FnMut() -> Result<()>| -> Result<()> {
            let start = Instant::now();
            work()?;
            let seconds = start.elapsed().as_secs_f64();
            row.next().context("a row for each measurement")?.push(length as f64 / seconds / 1e9);
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
    println!("{length} bytes, {workers} workers, {} runs; GB/s: median, best", arguments.runs);
    for (name, mut rates) in rows {
        rates.sort_by(f64::total_cmp);
        println!("{name:<34}{:>7.2}{:>7.2}", rates[rates.len() / 2], rates[rates.len() - 1]);
    }
    Ok(())
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
