//! What callers may rely on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, thread};

use serde_json::json;
use stack_audit::tree::{is_continued, is_included};
use stack_audit::{
    Audit, AuditError, Durability, FaultClass, Kind, Log, Outcome, Payload, PayloadState, Phase, Scrubber,
    StoreError, StreamId, VerifyOptions,
};

use crate::support::{actor, draft, key, open, options, session, verify};

#[test]
fn five_events_verify_and_an_unknown_session_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    for number in 0..5 {
        audit.note(draft(session(1), Kind::SESSION_MESSAGE, json!({"number": number}))).unwrap();
    }
    audit.close().unwrap();
    let log = Log::open(folder.path()).unwrap();
    let found = log.verify(&VerifyOptions { session: Some(session(1)), ..VerifyOptions::default() }).unwrap();
    assert_eq!((found.entries, found.streams, found.open_intents), (6, 2, 0));
    let fault =
        log.verify(&VerifyOptions { session: Some(session(2)), ..VerifyOptions::default() }).unwrap_err();
    assert_eq!((fault.class, fault.class.exit_code()), (FaultClass::UnknownSession, 3));
}

#[test]
fn an_act_begins_before_it_is_done_and_ends_once() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    let open = audit.begin(draft(StreamId::named("registry"), Kind::PULL, json!({"model": "m"}))).unwrap();
    let intent = open.receipt().expect("a pull is flushed before it begins");
    let seen = audit.reader().unwrap().entries(intent.stream, 1, 9).unwrap();
    assert_eq!((seen.len(), seen[0].entry.phase, seen[0].hash), (1, Phase::Intent, intent.hash));
    let done = open.done(json!({"bytes": 5})).unwrap();
    let seen = audit.reader().unwrap().entries(intent.stream, 2, 9).unwrap();
    assert_eq!(seen[0].entry.phase, Phase::Effect { closes: intent.seq, outcome: Outcome::Done });
    assert_eq!((seen[0].entry.prev, done.seq, done.index), (intent.hash, 2, intent.index + 1));
    assert!(matches!(&seen[0].payload, PayloadState::Present { bytes, .. } if bytes == br#"{"bytes":5}"#));
}

#[test]
fn batched_intents_keep_their_order_and_their_effects() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    let calls: Vec<_> = (0..50)
        .map(|number| {
            let call = draft(session(1), Kind::MODEL_CALL, json!({"number": number}));
            assert_eq!(call.durability, Durability::Batched);
            audit.begin(call).unwrap()
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate().rev() {
        assert_eq!(call.receipt(), None);
        call.done(json!({"number": number})).unwrap();
    }
    let entries = audit.reader().unwrap().entries(session(1), 1, 1000).unwrap();
    assert_eq!(entries.len(), 100);
    for (number, entry) in entries[..50].iter().enumerate() {
        let payload = format!("{{\"number\":{number}}}").into_bytes();
        assert!(matches!(&entry.payload, PayloadState::Present { bytes, .. } if *bytes == payload));
    }
    assert_eq!(entries[50].entry.phase, Phase::Effect { closes: 50, outcome: Outcome::Done });
    audit.close().unwrap();
    assert_eq!(verify(folder.path()).unwrap().open_intents, 0);
}

#[test]
fn a_dropped_act_is_abandoned_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    drop(audit.begin(draft(session(1), Kind::TOOL_CALL, json!({}))).unwrap());
    let refused = audit.begin(draft(session(1), Kind::TOOL_CALL, json!({}))).unwrap().done(json!(0.5));
    assert!(matches!(refused, Err(AuditError::Payload(_))));
    audit.checkpoint().unwrap();
    assert_eq!(audit.metrics().dropped, 2);
    let entries = audit.reader().unwrap().entries(session(1), 1, 9).unwrap();
    let abandoned = |closes| Phase::Effect { closes, outcome: Outcome::Abandoned };
    assert_eq!([entries[1].entry.phase, entries[3].entry.phase], [abandoned(1), abandoned(3)]);
}

#[test]
fn a_draft_that_expects_another_place_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    let message = || draft(session(1), Kind::SESSION_MESSAGE, json!({}));
    audit.note(message().expecting(1)).unwrap();
    let error = audit.note(message().expecting(1)).unwrap_err();
    assert!(matches!(error, AuditError::SequenceMismatch { expected: 1, found: 2 }), "{error}");
    let error = audit
        .begin(message().expecting(4).flushed(Durability::Batched))
        .unwrap()
        .done(json!({}))
        .unwrap_err();
    assert!(matches!(error, AuditError::NoIntent), "{error}");
    assert_eq!(audit.note(message().expecting(2)).unwrap().seq, 2);
}

#[test]
fn one_process_writes_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    let second = Audit::open(folder.path(), options());
    assert!(matches!(second, Err(StoreError::Locked { .. })), "{second:?}");
    // Readers are free.
    assert_eq!(audit.reader().unwrap().verify(&VerifyOptions::default()).unwrap().entries, 1);
    audit.close().unwrap();
    assert!(matches!(audit.note(draft(session(1), Kind::PULL, json!({}))), Err(AuditError::Closed)));
    drop(audit);
    assert_eq!(open(folder.path()).note(draft(session(1), Kind::PULL, json!({}))).unwrap().index, 2);
}

#[test]
fn many_threads_write_streams_without_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    thread::scope(|scope| {
        for number in 0..16 {
            let audit = &audit;
            scope.spawn(move || {
                for _ in 0..20 {
                    let open = audit.begin(draft(session(number % 4), Kind::TOOL_CALL, json!({}))).unwrap();
                    open.done(json!({"from": number})).unwrap();
                }
            });
        }
    });
    audit.close().unwrap();
    let figures = audit.metrics();
    assert_eq!(figures.entries, 640);
    assert!(figures.commits < 640, "{} commits: nothing shared a flush", figures.commits);
    assert_eq!(verify(folder.path()).unwrap().entries, 641);
}

#[test]
fn a_clock_that_goes_backwards_changes_no_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options();
    let next = AtomicU64::new(1_790_000_000_000);
    options.clock = Box::new(move || next.fetch_sub(60_000, Ordering::Relaxed));
    let audit = Audit::open(folder.path(), options).unwrap();
    for _ in 0..10 {
        audit.note(draft(session(1), Kind::SESSION_MESSAGE, json!({}))).unwrap();
    }
    let entries = audit.reader().unwrap().entries(session(1), 1, 100).unwrap();
    assert!(
        entries.is_sorted_by(|a, b| a.entry.wall_ms > b.entry.wall_ms && a.entry.mono_us <= b.entry.mono_us)
    );
    audit.close().unwrap();
    verify(folder.path()).unwrap();
}

#[test]
fn proofs_of_the_log_hold() {
    let folder = crate::support::log_of_200();
    let log = Log::open(folder.path()).unwrap();
    for (index, size) in [(0, None), (131, Some(132)), (199, None), (64, Some(128))] {
        let proof = log.prove_inclusion(index, size).unwrap().unwrap();
        assert!(is_included(&proof.leaf, proof.index, proof.size, &proof.path, &proof.root));
    }
    let proof = log.prove_consistency(64, None).unwrap().unwrap();
    assert!(is_continued((proof.old.0, &proof.old.1), (proof.new.0, &proof.new.1), &proof.path));
    assert_eq!(log.prove_inclusion(200, None).unwrap(), None);
    assert_eq!(log.prove_consistency(64, Some(201)).unwrap(), None);
}

#[test]
fn streams_are_listed_with_their_ends() {
    let folder = crate::support::log_of_200();
    let log = Log::open(folder.path()).unwrap();
    let streams = log.streams(3).unwrap();
    assert_eq!((streams.len(), streams[0].last.index), (3, 199));
    assert!(streams.is_sorted_by(|a, b| a.last.index > b.last.index));
    let all = log.streams(100).unwrap();
    assert_eq!(all.iter().map(|summary| summary.entries).sum::<u64>(), 200);
    assert!(all.iter().all(|summary| summary.open_intents == 0));
}

#[test]
fn large_payloads_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    let text = "forty thousand lines
"
    .repeat(40_000);
    audit.note(draft(session(1), Kind::TOOL_CALL, json!({})).with(Payload::Text(text.clone()))).unwrap();
    audit.close().unwrap();
    let files: Vec<_> =
        fs::read_dir(folder.path().join("payloads")).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(files.len(), 1);
    let entries = Log::open(folder.path()).unwrap().entries(session(1), 1, 1).unwrap();
    assert!(matches!(&entries[0].payload, PayloadState::Present { bytes, .. } if bytes == text.as_bytes()));
    verify(folder.path()).unwrap();
    let mut changed = text.into_bytes();
    changed[7] ^= 1;
    fs::write(files[0].path(), changed).unwrap();
    assert_eq!(verify(folder.path()).unwrap_err().class, FaultClass::PayloadChanged);
    fs::remove_file(files[0].path()).unwrap();
    let fault = verify(folder.path()).unwrap_err();
    assert_eq!((fault.class, fault.index, fault.seq), (FaultClass::PayloadMissing, Some(1), Some(1)));
    let too_long = Payload::Bytes(vec![0; (16 << 20) + 1]);
    let audit = open(folder.path());
    assert!(matches!(
        audit.note(draft(session(1), Kind::PULL, json!({})).with(too_long)),
        Err(AuditError::Payload(_))
    ));
}

#[test]
fn secrets_are_nowhere_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options();
    let loaded = [("db".to_owned(), "correct horse battery".to_owned())];
    options.scrubber = Scrubber::new([3; 32]).with_secrets(&loaded).unwrap();
    let audit = Audit::open(folder.path(), options).unwrap();
    let canary = "ghp_0Zk3mPq8Vw1XyTn5Rb7Hc2Jd4Lf6Gs9Aa1Ee";
    let payload = json!({"text": format!("use {canary} or correct horse battery"), "password": "hunter2"});
    let receipt = audit.note(draft(session(1), Kind::TOOL_CALL, payload)).unwrap();
    let erase = audit.hold(session(1), &format!("asked with {canary}"), actor()).unwrap();
    assert_eq!((receipt.seq, erase.stream), (1, StreamId::LOG));
    audit.close().unwrap();
    assert_eq!(audit.metrics().scrubbed, 4);
    let shown = Log::open(folder.path()).unwrap().entries(session(1), 1, 1).unwrap();
    assert_eq!(shown[0].entry.scrubbed, 3);
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for secret in [canary, "correct horse battery", "hunter2"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
        }
    }
}

#[test]
fn another_key_or_another_version_does_not_open() {
    let folder = crate::support::log_of_200();
    let mut other = options();
    other.key = key(2);
    assert!(matches!(Audit::open(folder.path(), other), Err(StoreError::WrongKey { .. })));
    let keys = vec![key(2).public()];
    let log = Log::open(folder.path()).unwrap();
    let fault = log.verify(&VerifyOptions { keys, ..VerifyOptions::default() }).unwrap_err();
    assert_eq!((fault.class, fault.class.exit_code()), (FaultClass::UnknownKey, 6));
    crate::support::tamper(folder.path(), |connection| {
        connection.execute_batch("PRAGMA user_version = 2").unwrap();
    });
    let fault = verify(folder.path()).unwrap_err();
    assert_eq!((fault.class, fault.class.exit_code()), (FaultClass::Unreadable, 4));
    assert!(Audit::open(folder.path(), options()).is_err());
}

#[test]
fn what_is_no_log_is_unreadable_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Log::open(folder.path()), Err(StoreError::Missing { .. })));
    let path = folder.path().join("audit.db");
    for content in [&b"not a database, but long enough to have had a header of one hundred bytes and some more than that, too"[..], b"x"] {
        fs::write(&path, content).unwrap();
        assert_eq!(verify(folder.path()).unwrap_err().class, FaultClass::Unreadable);
        assert!(Audit::open(folder.path(), options()).is_err());
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    fs::remove_file(&path).unwrap();
    let foreign = rusqlite::Connection::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE notes(text TEXT)").unwrap();
    assert!(matches!(Log::open(folder.path()), Err(StoreError::NotALog { .. })));
    assert!(matches!(Audit::open(folder.path(), options()), Err(StoreError::NotALog { .. })));
}

#[test]
fn a_schema_with_anything_else_in_it_is_refused() {
    let folder = crate::support::log_of_200();
    crate::support::tamper(folder.path(), |connection| {
        connection.execute_batch("CREATE VIEW extra AS SELECT 1").unwrap();
    });
    assert_eq!(verify(folder.path()).unwrap_err().class, FaultClass::Unreadable);
}

#[test]
fn a_key_is_followed_by_the_one_that_it_signed() {
    let folder = crate::support::log_of_200();
    let audit = open(folder.path());
    let note = audit.change_key(key(2), actor()).unwrap();
    assert_eq!((note.matches("\u{2014} ").count(), audit.key()), (2, key(2).public()));
    for _ in 0..100 {
        audit.note(draft(session(1), Kind::SESSION_MESSAGE, json!({}))).unwrap();
    }
    audit.close().unwrap();
    drop(audit);
    assert!(matches!(Audit::open(folder.path(), options()), Err(StoreError::WrongKey { .. })));
    let mut with_new = options();
    with_new.key = key(2);
    let audit = Audit::open(folder.path(), with_new).unwrap();
    let export = audit.export(session(1), stack_audit::ExportOptions::default(), actor()).unwrap();
    assert!(export.contains(&key(2).public().to_string()));
    audit.close().unwrap();

    let log = Log::open(folder.path()).unwrap();
    assert_eq!(log.keys(), [key(1).public(), key(2).public()]);
    for (keys, fault) in [
        (vec![], None),
        (vec![key(1).public()], None),
        (vec![key(2).public()], Some(FaultClass::UnknownKey)),
        (vec![key(3).public()], Some(FaultClass::UnknownKey)),
    ] {
        let found = log.verify(&VerifyOptions { keys, ..VerifyOptions::default() });
        assert_eq!(found.err().map(|fault| fault.class), fault);
    }
    // A change that the old key did not sign makes nobody a signer.
    let lines: Vec<&str> = note.lines().collect();
    let without_old = [&lines[..4], &lines[5..], &[""]].concat().join("\n");
    crate::support::tamper(folder.path(), |connection| {
        connection.execute("UPDATE checkpoint SET note = ?1 WHERE size = 202", [&without_old]).unwrap();
    });
    fs::remove_file(folder.path().join("checkpoints.txt")).unwrap();
    let fault = verify(folder.path()).unwrap_err();
    assert_eq!((fault.class, fault.index), (FaultClass::UnknownKey, Some(202)));
}
