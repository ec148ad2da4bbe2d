//! Logs that were damaged, in memory and on the disk: each damage is found, and named where it is.

use std::fs;

use stack_audit::{Fault, FaultClass, StreamId};

use crate::support::{Dump, copy_folder, log_of_200, session, tamper, verify};

/// Returns what the verifier says of `changed`, where everything before row `at` is as it was.
fn fault_at(
    dump: &Dump,
    at: usize,
    changed: &crate::support::Stored,
    before: &stack_audit::verify::Verifier,
) -> Option<Fault> {
    let mut verifier = before.clone();
    if let Err(fault) = verifier.push(changed.row()) {
        return Some(fault);
    }
    // What does not show at once must show by the end.
    dump.rows[at + 1..]
        .iter()
        .find_map(|row| verifier.push(row.row()).err())
        .or_else(|| verifier.finish().err())
}

#[test]
fn every_changed_byte_is_found_at_its_entry() {
    let folder = log_of_200();
    let dump = Dump::of(folder.path());
    assert_eq!((dump.rows.len(), dump.verify().unwrap().checkpoints), (200, 4));
    let mut before = dump.verifier();
    let mut mutations = 0;
    for (at, row) in dump.rows.iter().enumerate() {
        let mut changed = row.clone();
        let parts = [
            row.body.len(),
            row.hash.len(),
            row.payload.as_ref().map_or(0, |p| p.0.len()),
            row.payload.as_ref().map_or(0, |p| p.1.len()),
        ];
        for (part, length) in parts.into_iter().enumerate() {
            for byte in 0..length {
                let bit = 1 << ((at + byte) % 8);
                let flip = |changed: &mut crate::support::Stored| match part {
                    0 => changed.body[byte] ^= bit,
                    1 => changed.hash[byte] ^= bit,
                    2 => changed.payload.as_mut().unwrap().0[byte] ^= bit,
                    _ => changed.payload.as_mut().unwrap().1[byte] ^= bit,
                };
                flip(&mut changed);
                let fault = fault_at(&dump, at, &changed, &before);
                let fault =
                    fault.unwrap_or_else(|| panic!("byte {byte} of part {part} of entry {at} is not missed"));
                let class = if part < 2 { FaultClass::BadEntry } else { FaultClass::PayloadChanged };
                assert_eq!(
                    (fault.class, fault.index, fault.class.exit_code()),
                    (class, Some(at as u64), 5),
                    "{fault}"
                );
                flip(&mut changed);
                mutations += 1;
            }
        }
        assert_eq!(&changed, row);
        before.push(row.row()).unwrap();
    }
    assert!(mutations > 50_000, "{mutations} mutations");
}

#[test]
fn every_changed_letter_of_a_checkpoint_is_found() {
    let folder = log_of_200();
    let dump = Dump::of(folder.path());
    let mut before = dump.verifier();
    dump.rows.iter().for_each(|row| drop(before.push(row.row()).unwrap()));
    for (number, (size, note)) in dump.checkpoints.iter().enumerate() {
        for (at, letter) in note.char_indices() {
            let mut changed = dump.clone();
            let other = if letter == 'A' { "B" } else { "A" };
            changed.checkpoints[number].1.replace_range(at..at + letter.len_utf8(), other);
            let fault = changed.verify().unwrap_err();
            let is_expected = matches!(
                fault.class,
                FaultClass::BadSignature | FaultClass::UnknownKey | FaultClass::Rewritten
            );
            assert!(is_expected, "{fault}");
            assert_eq!(fault.index, Some(*size), "{fault}");
        }
    }
}

#[test]
fn removed_doubled_swapped_and_moved_entries_are_found() {
    let folder = log_of_200();
    let dump = Dump::of(folder.path());
    let check = |change: &dyn Fn(&mut Dump), classes: &[FaultClass], index: u64| {
        let mut changed = dump.clone();
        change(&mut changed);
        let fault = changed.verify().expect_err("it is damaged");
        assert!(classes.contains(&fault.class), "{fault} is none of {classes:?}");
        assert_eq!(fault.index, Some(index), "{fault}");
    };
    for at in 0..200usize {
        let index = at as u64;
        if at < 199 {
            check(&|dump| drop(dump.rows.remove(at)), &[FaultClass::Gap], index);
            check(
                &|dump| {
                    dump.rows.remove(at);
                    dump.rows[at..].iter_mut().for_each(|row| row.index -= 1);
                },
                &[FaultClass::BadEntry],
                index,
            );
            check(&|dump| dump.rows.swap(at, at + 1), &[FaultClass::Gap], index);
            check(
                &|dump| {
                    dump.rows.swap(at, at + 1);
                    (dump.rows[at].index, dump.rows[at + 1].index) = (index, index + 1);
                },
                &[FaultClass::BadEntry],
                index,
            );
        }
        check(&|dump| dump.rows.insert(at + 1, dump.rows[at].clone()), &[FaultClass::Duplicate], index + 1);
        if dump.rows[at].payload.is_some() {
            check(&|dump| dump.rows[at].payload = None, &[FaultClass::PayloadMissing], index);
        } else {
            check(
                &|dump| dump.rows[at].payload = Some((vec![0; 32], vec![])),
                &[FaultClass::PayloadChanged],
                index,
            );
        }
        // Into another stream, with a hash that fits: the chain of one stream or of the other breaks.
        let moved = |dump: &mut Dump| {
            let other = if dump.rows[at].body[32..48] == session(4).0 { session(0) } else { session(4) };
            dump.rows[at].body[32..48].copy_from_slice(&other.0);
            dump.rows[at].hash = stack_audit::entry::hash(&dump.rows[at].body).to_vec();
        };
        let mut changed = dump.clone();
        moved(&mut changed);
        let fault = changed.verify().unwrap_err();
        let chain = [FaultClass::Gap, FaultClass::Duplicate, FaultClass::BadLink, FaultClass::BadClose];
        assert!(chain.contains(&fault.class) && fault.index == Some(index), "{fault}");
    }
    for size in 0..200u64 {
        let mut changed = dump.clone();
        changed.rows.truncate(size as usize);
        let fault = changed.verify().unwrap_err();
        assert_eq!((fault.class, fault.index), (FaultClass::Truncated, Some(size)), "{fault}");
    }
}

#[test]
fn the_same_is_found_in_the_database() {
    let folder = log_of_200();
    let cases: &[(&str, FaultClass, u64)] = &[
        ("DELETE FROM entry WHERE idx = 50", FaultClass::Gap, 50),
        ("DELETE FROM entry WHERE idx = 0", FaultClass::Gap, 0),
        ("DELETE FROM entry WHERE idx = 199", FaultClass::Truncated, 199),
        ("DELETE FROM payload WHERE idx = 7", FaultClass::PayloadMissing, 7),
        ("DELETE FROM payload WHERE idx = 0", FaultClass::PayloadMissing, 0),
        (
            "UPDATE payload SET bytes = CAST('{\"call\":999}' AS BLOB) WHERE idx = 9",
            FaultClass::PayloadChanged,
            9,
        ),
        ("UPDATE payload SET idx = 1000 WHERE idx = 3", FaultClass::PayloadMissing, 3),
        ("INSERT INTO payload VALUES(1000, zeroblob(32), x'00')", FaultClass::PayloadChanged, 1000),
        ("UPDATE entry SET hash = zeroblob(32) WHERE idx = 60", FaultClass::BadEntry, 60),
        ("UPDATE entry SET body = x'00' WHERE idx = 61", FaultClass::BadEntry, 61),
        ("UPDATE checkpoint SET size = 65 WHERE size = 64", FaultClass::BadSignature, 65),
        ("UPDATE checkpoint SET note = 'x' WHERE size = 128", FaultClass::BadSignature, 128),
    ];
    for (sql, class, index) in cases {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(folder.path(), copy.path());
        tamper(copy.path(), |connection| connection.execute_batch(sql).unwrap());
        let fault = verify(copy.path()).expect_err(sql);
        assert_eq!((fault.class, fault.index), (*class, Some(*index)), "{sql}: {fault}");
    }
}

#[test]
fn a_second_effect_or_one_of_another_kind_is_found() {
    // Made by hand, with hashes and links that fit: only what it means is wrong.
    use stack_audit::entry::hash;
    use stack_audit::verify::{StoredEntry, Verifier};
    use stack_audit::{Circumstances, Entry, Kind, LogId, Outcome, Phase};
    let (log, stream) = (LogId([1; 16]), StreamId::named("tools"));
    let entry = |seq: u64, prev, kind, phase| Entry {
        log,
        stream,
        seq,
        prev,
        index: seq - 1,
        kind,
        phase,
        wall_ms: 0,
        epoch: 1,
        mono_us: 0,
        circumstances: Circumstances::default(),
        scrubbed: 0,
        commitment: None,
        actor: crate::support::actor(),
    };
    let done = |closes| Phase::Effect { closes, outcome: Outcome::Done };
    let verify = |steps: &[(Kind, Phase)]| {
        let mut verifier = Verifier::new(log, Vec::new(), Vec::new());
        let mut prev = stream.origin(log);
        for (at, (kind, phase)) in steps.iter().enumerate() {
            let body = entry(at as u64 + 1, prev, *kind, *phase).encode();
            prev = hash(&body);
            verifier.push(StoredEntry { index: at as u64, body: &body, hash: &prev, payload: None })?;
        }
        verifier.finish()
    };
    let (pull, push) = (Kind::PULL, Kind::PUSH);
    let sound = verify(&[(pull, Phase::Intent), (push, Phase::Intent), (push, done(2)), (pull, done(1))]);
    assert_eq!(sound.unwrap().open_intents, 0);
    assert_eq!(verify(&[(pull, Phase::Intent)]).unwrap().open_intents, 1);
    for steps in [
        &[(pull, Phase::Intent), (pull, done(1)), (pull, done(1))][..],
        &[(pull, Phase::Intent), (push, done(1))],
        &[(pull, Phase::Note), (pull, done(1))],
        &[(pull, Phase::Intent), (pull, done(1)), (pull, done(2))],
    ] {
        let fault = verify(steps).unwrap_err();
        assert_eq!(
            (fault.class, fault.index),
            (FaultClass::BadClose, Some(steps.len() as u64 - 1)),
            "{fault}"
        );
    }
}

/// Whatever happens to the file: either the log holds what was written, or that is an error.
#[test]
fn torn_and_changed_pages_never_verify_as_something_else() {
    let folder = log_of_200();
    let original = Dump::of(folder.path());
    let bytes = fs::read(folder.path().join("audit.db")).unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), copy.path());
    let path = copy.path().join("audit.db");
    let (mut found, mut harmless) = (0, 0);
    let mut check = |damaged: &[u8], what: &str| {
        fs::write(&path, damaged).unwrap();
        if verify(copy.path()).is_ok() {
            harmless += 1;
            assert_eq!(Dump::of(copy.path()), original, "{what}");
        } else {
            found += 1;
        }
        for left in ["audit.db-wal", "audit.db-shm"] {
            let _gone = fs::remove_file(copy.path().join(left));
        }
    };
    for page in (0..bytes.len()).step_by(8192) {
        for sector in [0, 512, 4096, 7680] {
            let mut torn = bytes.clone();
            torn[page + sector..page + 8192].fill(0);
            check(&torn, &format!("zeros in page {page}"));
            let end = (page + sector + 8192).min(bytes.len());
            torn.copy_from_slice(&bytes);
            torn[page + sector..end].rotate_left(512.min(end - page - sector));
            check(&torn, &format!("shifted sectors in page {page}"));
        }
        check(&bytes[..page], "a file that is cut");
    }
    for at in (0..bytes.len()).step_by(211) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        check(&flipped, &format!("bit {} of byte {at}", at % 8));
    }
    assert!(found > 300 && harmless > 0, "{found} found, {harmless} harmless");
}
