//! What is erased is gone, and nothing else is.

use std::fs;
use std::path::Path;

use serde_json::json;
use stack_audit::{AuditError, FaultClass, Kind, Log, Payload, PayloadState, Selection, VerifyOptions};

use crate::support::{actor, copy_folder, draft, open, session, verify};

/// Returns whether a text is anywhere in the files of a folder.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|file| {
        let path = file.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn erased_payloads_are_gone_from_every_file_and_proofs_hold() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    let canary = |number: usize| format!("canary-{number:04}-of-alice");
    for number in 0..120 {
        let stream = session((number % 2) as u8);
        let filler = "x".repeat(number * 40);
        audit
            .note(draft(
                stream,
                Kind::SESSION_MESSAGE,
                json!({"text": format!("{}{filler}", canary(number))}),
            ))
            .unwrap();
    }
    let long = format!("{}{}", canary(9000), "y".repeat(400_000));
    audit.note(draft(session(0), Kind::TOOL_CALL, json!({})).with(Payload::Text(long))).unwrap();
    assert!(holds(folder.path(), &canary(0)) && holds(folder.path(), &canary(9000)));
    let before = audit.reader().unwrap();
    let salt = match &before.entries(session(0), 1, 1).unwrap()[0].payload {
        PayloadState::Present { salt, .. } => salt.clone(),
        other => panic!("{other:?}"),
    };
    let proof = before.prove_inclusion(1, Some(100)).unwrap();
    drop(before);

    let selection = Selection { stream: Some(session(0)), ..Selection::default() };
    assert_eq!(audit.erase(&selection, "a request of alice", actor()).unwrap(), 61);
    for number in (0..120).step_by(2).chain([9000]) {
        assert!(!holds(folder.path(), &canary(number)), "{number}");
    }
    for number in (1..120).step_by(2) {
        assert!(holds(folder.path(), &canary(number)), "{number}");
    }
    let database = fs::read(folder.path().join("audit.db")).unwrap();
    assert!(!database.windows(32).any(|window| window == salt), "the salt is gone, too");

    let log = audit.reader().unwrap();
    assert_eq!(log.prove_inclusion(1, Some(100)).unwrap(), proof);
    assert_eq!(log.entries(session(0), 1, 1).unwrap()[0].payload, PayloadState::Erased);
    drop(log);
    audit.close().unwrap();
    let report = verify(folder.path()).unwrap();
    assert_eq!((report.erased_payloads, report.open_intents), (61, 0));
    // Nothing is left to erase, and the entries that say so cannot be erased.
    let audit = open(folder.path());
    assert_eq!(audit.erase(&selection, "again", actor()).unwrap(), 0);
    let all_log = Selection { kind: Some(Kind::ERASED), ..Selection::default() };
    assert_eq!(audit.erase(&all_log, "traces", actor()).unwrap(), 0);
}

#[test]
fn a_hold_blocks_until_it_is_released() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    for stream in [session(1), session(2)] {
        audit.note(draft(stream, Kind::SESSION_MESSAGE, json!({}))).unwrap();
    }
    audit.hold(session(1), "case 7", actor()).unwrap();
    let only = Selection { stream: Some(session(1)), ..Selection::default() };
    let error = audit.erase(&only, "", actor()).unwrap_err();
    assert!(matches!(&error, AuditError::Held { reason, .. } if reason == "case 7"), "{error}");
    assert_eq!(audit.erase(&Selection::default(), "retention", actor()).unwrap(), 1);
    audit.release(session(1), "case 7 is closed", actor()).unwrap();
    assert_eq!(audit.erase(&only, "", actor()).unwrap(), 1);
    let unknown = Selection { stream: Some(session(9)), ..Selection::default() };
    assert!(matches!(audit.erase(&unknown, "", actor()), Err(AuditError::UnknownStream(_))));
    // A hold on a stream that was mistyped would keep nothing.
    for refused in [audit.hold(session(9), "case 8", actor()), audit.release(session(9), "", actor())] {
        assert!(matches!(refused, Err(AuditError::UnknownStream(_))), "{refused:?}");
    }
}

#[test]
fn an_erasure_that_was_cut_off_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    for _ in 0..3 {
        audit.note(draft(session(1), Kind::SESSION_MESSAGE, json!({"text": "gone-for-good"}))).unwrap();
    }
    audit.close().unwrap();
    drop(audit);
    // The intent is there and nothing else: as if the process had ended right behind it.
    let audit = open(folder.path());
    let ranges = json!({"ranges": [[1, 3]], "reason": "a request"});
    let intent = audit.begin(draft(stack_audit::StreamId::LOG, Kind::ERASED, ranges)).unwrap();
    let crashed = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), crashed.path());
    intent.abandoned(json!({})).unwrap();
    assert!(holds(crashed.path(), "gone-for-good"));
    let audit = open(crashed.path());
    assert_eq!(audit.recovery().resumed, 1);
    assert!(!holds(crashed.path(), "gone-for-good"));
    audit.close().unwrap();
    assert_eq!(verify(crashed.path()).unwrap().erased_payloads, 3);
}

#[test]
fn files_that_a_crash_left_without_an_entry_go_with_an_erasure() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    let large = || draft(session(1), Kind::TOOL_CALL, json!({})).with(Payload::Text("z".repeat(300_000)));
    audit.note(large()).unwrap();
    audit.note(draft(session(2), Kind::SESSION_MESSAGE, json!({}))).unwrap();
    let payloads = folder.path().join("payloads");
    fs::write(payloads.join("ab".repeat(32)), "left over").unwrap();
    let selection = Selection { stream: Some(session(2)), ..Selection::default() };
    assert_eq!(audit.erase(&selection, "", actor()).unwrap(), 1);
    assert_eq!(fs::read_dir(payloads).unwrap().count(), 1);
    audit.close().unwrap();
    verify(folder.path()).unwrap();
}

#[test]
fn a_payload_outside_the_erased_ranges_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    for number in 0..10 {
        audit.note(draft(session(number % 2), Kind::SESSION_MESSAGE, json!({}))).unwrap();
    }
    let selection = Selection { stream: Some(session(0)), ..Selection::default() };
    audit.erase(&selection, "", actor()).unwrap();
    audit.close().unwrap();
    crate::support::tamper(folder.path(), |connection| {
        connection.execute_batch("DELETE FROM payload WHERE idx = 4").unwrap();
    });
    let fault = verify(folder.path()).unwrap_err();
    assert_eq!(
        (fault.class, fault.index, fault.stream),
        (FaultClass::PayloadMissing, Some(4), Some(session(1)))
    );
    assert!(Log::open(folder.path()).unwrap().verify(&VerifyOptions::default()).is_err());
}
