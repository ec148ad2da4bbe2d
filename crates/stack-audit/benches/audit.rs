//! What the audit log costs: appending beside the disk's own flushes, opening, verifying, scrubbing.
//!
//!     cargo bench -p stack-audit -- [FOLDER] [ENTRIES]
//!
//! FOLDER is on the disk to measure (default: the folder for temporary files), ENTRIES the length of the log that is opened
//! and verified (default: 1 000 000). Each measurement checks its result: a log that does not verify has no speed.

#![expect(clippy::print_stdout, reason = "figures are its output")]

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use stack_audit::{Actor, Audit, AuditOptions, Draft, Kind, Log, Scrubber, StreamId, VerifyOptions};
use stack_seal::key::{KeyKind, SigningKey};

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let entries: u64 = arguments.next().map_or(Ok(1_000_000), |entries| entries.parse())?;
    scrub();
    for writers in [1, 8, 64, 256] {
        append(&folder, writers)?;
    }
    long(&folder, entries)
}

/// Appends entries of 1 KiB from several threads that each wait for every entry.
fn append(folder: &Path, writers: usize) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(folder)?;
    let flushes = flushes_per_second(folder.path())?;
    let audit = open(folder.path())?;
    let started = Instant::now();
    let mut waits: Vec<Duration> = thread::scope(|scope| {
        let writers: Vec<_> = (0..writers)
            .map(|writer| {
                let audit = &audit;
                scope.spawn(move || {
                    let mut waits = Vec::new();
                    while started.elapsed() < MEASURED {
                        let draft = draft(writer as u8, 1024);
                        let asked = Instant::now();
                        audit.note(draft).expect("the disk takes it");
                        waits.push(asked.elapsed());
                    }
                    waits
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().expect("a writer does not panic")).collect()
    });
    let seconds = started.elapsed().as_secs_f64();
    let flushes = f64::midpoint(flushes, flushes_per_second(folder.path())?);
    waits.sort_unstable();
    let p99 = waits[waits.len() * 99 / 100].as_secs_f64();
    let commits = audit.metrics().commits;
    audit.close()?;
    let found = Log::open(folder.path())?.verify(&VerifyOptions::default())?;
    assert_eq!(found.entries, waits.len() as u64 + 1, "every acknowledged entry is there");
    println!(
        "append, {writers} waiting: {:.0} entries/s in {:.0} commits/s beside {flushes:.0} flushes/s; \
         p99 {:.1} ms, {:.2} flushes",
        waits.len() as f64 / seconds,
        commits as f64 / seconds,
        p99 * 1e3,
        p99 * flushes,
    );
    Ok(())
}

/// Opens and verifies a long log of entries of 128 bytes.
fn long(folder: &Path, entries: u64) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(folder)?;
    let audit = open(folder.path())?;
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let audit = &audit;
            scope.spawn(move || {
                for _ in 0..entries / WRITERS {
                    audit.note(draft(writer as u8, 128)).expect("the disk takes it");
                }
            });
        }
    });
    audit.close()?;
    drop(audit);
    let started = Instant::now();
    let audit = open(folder.path())?;
    println!("open, {entries} entries: {:.3} s", started.elapsed().as_secs_f64());
    audit.close()?;
    drop(audit);
    let log = Log::open(folder.path())?;
    let started = Instant::now();
    let report = log.verify(&VerifyOptions::default())?;
    let seconds = started.elapsed().as_secs_f64();
    assert!(report.entries > entries / WRITERS * WRITERS, "all of it was verified");
    println!("verify: {:.0} entries/s on one core, {seconds:.2} s in all", report.entries as f64 / seconds);
    let bytes = std::fs::metadata(folder.path().join("audit.db"))?.len();
    println!("size: {:.0} bytes an entry", bytes as f64 / report.entries as f64);
    Ok(())
}

/// Scrubs what logs are made of: prose, code, JSON and addresses, with a secret now and then.
fn scrub() {
    let secret = "ghp_0Zk3mPq8Vw1XyTn5Rb7Hc2Jd4Lf6Gs9Aa1Ee";
    let piece = "The tool read src/main.rs (2048 bytes) in 12 ms and answered: fn main() { let total = add(1, 2); }\n\
                 {\"model\": \"qwen/qwen3-4b\", \"prompt_tokens\": 512, \"finish_reason\": \"stop\"} GET https://example.com/a?b=c\n\
                 How do I ignore whitespace in Python? You may strip it, or split the text and join its words again.\n";
    let mut text = piece.repeat(40_000);
    let secrets = 100;
    for number in 0..secrets {
        text.insert_str(
            text.len() / secrets * number / piece.len() * piece.len(),
            &format!("token {secret}\n"),
        );
    }
    let scrubber = Scrubber::new([7; 32]);
    let (_, warm) = scrubber.text(secret);
    assert_eq!(warm, 1);
    let started = Instant::now();
    let (scrubbed, count) = scrubber.text(&text);
    let seconds = started.elapsed().as_secs_f64();
    assert!(count as usize == secrets && !scrubbed.contains(secret), "{count} secrets found");
    println!("scrub: {:.0} MB/s", text.len() as f64 / 1e6 / seconds);
}

/// Measures what the disk itself can do: appends of one page, each flushed.
fn flushes_per_second(folder: &Path) -> Result<f64, Box<dyn Error>> {
    let mut file = OpenOptions::new().append(true).create(true).open(folder.join("flushes"))?;
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < MEASURED / 4 {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

fn open(folder: &Path) -> Result<Audit, Box<dyn Error>> {
    let key = SigningKey::from_secret(KeyKind::Ed25519, &[1; 32])?;
    Ok(Audit::open(folder, AuditOptions::new(key, Box::new(|| 1_790_000_000_000), Box::new(random)))?)
}

fn draft(writer: u8, length: usize) -> Draft {
    let stream = StreamId([0xab, writer % STREAMS, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    let actor = Actor::new("bench").expect("the name is short");
    Draft::new(stream, Kind::SESSION_MESSAGE, actor).with(json!({"text": "words ".repeat(length / 6)}))
}

fn random(bytes: &mut [u8]) {
    thread_local!(static SOURCE: File = File::open("/dev/urandom").expect("the system has random bytes"));
    SOURCE.with(|mut source| source.read_exact(bytes)).expect("the system has random bytes");
}

const MEASURED: Duration = Duration::from_secs(4);
const WRITERS: u64 = 256;
/// Sessions that are written to at once. Each has its own place in the index of positions, and so its own page to flush.
const STREAMS: u8 = 4;
