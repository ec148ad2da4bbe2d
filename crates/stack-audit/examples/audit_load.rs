//! Writes to a log from many threads until it is killed, and prints each entry that the log has acknowledged.
//!
//!     audit_load FOLDER WRITERS [ACTS]
//!
//! Each line of the output is the index and the hash of an entry. Tests kill it and look whether all of them are there;
//! with ACTS, each writer ends after so many, and at last the payloads of all notes are erased.

use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use stack_audit::{Actor, Audit, AuditError, AuditOptions, Draft, Kind, Receipt, Selection, StreamId};
use stack_seal::hex;
use stack_seal::key::{KeyKind, SigningKey};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |name: &str| arguments.next().ok_or(format!("{name} is missing"));
    let folder = PathBuf::from(next("FOLDER")?);
    let writers: u8 = next("WRITERS")?.parse()?;
    let acts: u64 = next("ACTS").map_or(Ok(u64::MAX), |acts| acts.parse())?;
    // The key of the tests, so that they can open what is left.
    let key = SigningKey::from_secret(KeyKind::Ed25519, &[1; 32])?;
    let audit = Audit::open(&folder, AuditOptions::new(key, Box::new(now_ms), Box::new(random)))?;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..writers)
            .map(|number| {
                scope.spawn({
                    let audit = audit.clone();
                    move || write(&audit, number, acts)
                })
            })
            .collect();
        writers.into_iter().try_for_each(|writer| writer.join().expect("a writer does not panic"))
    })?;
    let notes = Selection { kind: Some(Kind::SESSION_MESSAGE), ..Selection::default() };
    audit.erase(&notes, "the end", Actor::new("writer")?)?;
    audit.close()?;
    Ok(())
}

/// Begins and ends acts in one of eight streams, with a note now and then.
fn write(audit: &Audit, number: u8, acts: u64) -> Result<(), AuditError> {
    let stream = StreamId([0xab, number % 8, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    let actor = Actor::new(format!("writer:{number}")).expect("the name is short");
    for act in 0..acts {
        let kind = if act % 4 == 0 { Kind::MODEL_CALL } else { Kind::TOOL_CALL };
        let open = audit.begin(Draft::new(stream, kind, actor.clone()).with(json!({"act": act})))?;
        open.receipt().iter().for_each(tell);
        tell(&open.done(json!({"result": "x".repeat(act as usize % 1500)}))?);
        if act % 16 == 0 {
            // Now and then one that is a file.
            let words = if number == 0 { LARGE } else { 1 };
            let note = json!({"act": act, "text": "word ".repeat(words)});
            tell(&audit.note(Draft::new(stream, Kind::SESSION_MESSAGE, actor.clone()).with(note))?);
        }
    }
    Ok(())
}

/// Prints what was acknowledged, in one write, so that a kill tears no line but the last.
fn tell(receipt: &Receipt) {
    let line = format!("{} {}\n", receipt.index, hex::encode(&receipt.hash));
    let mut output = std::io::stdout().lock();
    // Whoever reads has gone; there is nobody to tell.
    let _gone = output.write_all(line.as_bytes()).and_then(|()| output.flush());
}

#[expect(clippy::disallowed_methods, reason = "an example is a program, and has the clock")]
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn random(bytes: &mut [u8]) {
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(bytes));
    read.expect("the system has random bytes");
}

/// Words of a payload that is too large for a row.
const LARGE: usize = 60_000;
