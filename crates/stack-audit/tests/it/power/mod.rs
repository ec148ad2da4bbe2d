//! Losses of power, rebuilt: the writes of a log under 64 writers are recorded, and what a disk may be left with after any
//! of them is opened. Whatever was acknowledged is there, and the log verifies.

mod disk;
mod trace;

use std::fs;
use std::path::Path;

use stack_audit::Log;
use tempfile::TempDir;

use crate::crashes::{leaves, load_generator};
use crate::support::{draft, open, session, verify};
use disk::Disk;
use trace::Event;

#[test]
fn a_loss_of_power_loses_nothing_that_was_acknowledged() {
    lose_power_many_times(200);
}

#[test]
#[ignore = "takes minutes; run it after changes to the writer or the store"]
fn ten_thousand_losses_of_power_lose_nothing_that_was_acknowledged() {
    lose_power_many_times(10_000);
}

fn lose_power_many_times(cuts: u64) {
    let Some(program) = load_generator() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let log = folder.join("log");
    fs::create_dir(&log).unwrap();
    // The second process finds what the first has left, and what either tells is acknowledged.
    let load = format!("{} {} 64", program.display(), log.display());
    let Some(events) = trace::record(&format!("{load} 2 && {load} 3")) else { return };
    let all = leaves(&log);
    assert!(all.len() > 64 * 10, "{} entries", all.len());
    let mut random = Random(1);
    let mut moments: Vec<usize> = (0..cuts).map(|_| random.below(events.len() as u64 + 1) as usize).collect();
    moments.sort_unstable();
    let (mut disk, mut told, mut at, mut rest) = (Disk::new(&log), 0, 0, Vec::new());
    for (cut, moment) in moments.into_iter().enumerate() {
        while at < moment {
            disk.apply(at, &events[at]);
            if let Event::Told { bytes } = &events[at] {
                told = told.max(acknowledged(bytes, &mut rest, &all));
            }
            at += 1;
        }
        let image = in_memory();
        disk.lose_power(&mut random, image.path());
        check(image.path(), &all, told, &format!("cut {cut}, after event {moment} of {}", events.len()));
    }
    println!(
        "{cuts} losses of power among {} events, {} entries, {told} acknowledged",
        events.len(),
        all.len()
    );
    assert!(told > 64 * 8, "{told} entries were acknowledged at the end");
}

/// Reads what was told: each line is the index of an entry and its hash. Returns how many entries there are then at least.
fn acknowledged(bytes: &[u8], rest: &mut Vec<u8>, all: &[String]) -> usize {
    rest.extend(bytes);
    let mut least = 0;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = rest.drain(..=end).collect();
        let line = String::from_utf8(line).unwrap();
        let (index, hash) = line.trim_end().split_once(' ').unwrap();
        let index: usize = index.parse().unwrap();
        assert_eq!(all[index], hash);
        least = least.max(index + 1);
    }
    least
}

/// Opens what is left: it is a beginning of the log with all that was acknowledged, it verifies, and it can be written to.
fn check(image: &Path, all: &[String], told: usize, context: &str) {
    match Log::open(image) {
        Ok(_) => drop(verify(image).unwrap_or_else(|fault| panic!("{context}: {fault}"))),
        // It had only begun to be made.
        Err(error) => assert_eq!(told, 0, "{context}: {error}"),
    }
    let before = if Log::open(image).is_ok() { leaves(image) } else { Vec::new() };
    assert!(before.len() >= told, "{context}: {} of {told} acknowledged entries", before.len());
    assert!(all.starts_with(&before), "{context}: entries that nobody wrote");
    let audit = open(image);
    audit.note(draft(session(9), stack_audit::Kind::VERIFY, serde_json::json!({}))).unwrap();
    audit.close().unwrap();
    let report = verify(image).unwrap_or_else(|fault| panic!("{context}, written to again: {fault}"));
    assert!(report.entries as usize > before.len() && report.open_intents == 0, "{context}");
}

/// A folder in memory, where the system has one: flushes of what is checked prove nothing, and take long.
fn in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// `SplitMix64` (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}
