//! Exports, checked by a program that shares no code with this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use stack_audit::note::{Checkpoint, Note};
use stack_audit::{
    AuditError, ExportFormat, ExportOptions, FaultClass, Kind, LogId, Payload, Selection, StreamId,
    VerifyOptions, export,
};

use crate::support::{actor, draft, key, open, session};

/// The Python that runs the second verifier: that of the checks before landing, which has all that is needed, or any.
#[expect(clippy::disallowed_methods, reason = "the environment says which Python runs tests")]
fn python() -> Command {
    Command::new(std::env::var("STACK_E2E_PYTHON").unwrap_or_else(|_| "python3".to_owned()))
}

/// The second verifier, or `None`, loudly, where Python or its `cryptography` is not there.
fn second_verifier() -> Option<PathBuf> {
    let there = python().args(["-c", "import cryptography"]).output().is_ok_and(|out| out.status.success());
    if !there {
        println!("SKIPPED: the second verifier needs python3 with the package cryptography");
        return None;
    }
    Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/audit_verify.py"))
}

fn check(verifier: &Path, export: &str, key: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.json");
    fs::write(&path, export).unwrap();
    python().arg(verifier).arg(&path).args(["--key", key]).output().unwrap()
}

/// A log with a session that has every kind of payload, and its export.
fn exported(withhold: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    let stream = session(1);
    audit
        .note(draft(stream, Kind::SESSION_START, json!({"task": "2+2", "é\u{1f600}": [1, -2, null]})))
        .unwrap();
    audit.note(draft(session(2), Kind::SESSION_START, json!({}))).unwrap();
    audit.begin(draft(stream, Kind::MODEL_CALL, json!({}))).unwrap().done(Payload::None).unwrap();
    audit
        .note(draft(stream, Kind::TOOL_CALL, json!({})).with(Payload::Text("line\n\u{1b}[31m".to_owned())))
        .unwrap();
    audit.note(draft(stream, Kind::TOOL_CALL, json!({})).with(Payload::Bytes(vec![0, 255, 254]))).unwrap();
    let limit = Selection { kind: Some(Kind::SESSION_START), stream: Some(stream), ..Selection::default() };
    audit.erase(&limit, "a test", actor()).unwrap();
    let open_one = audit.begin(draft(stream, Kind::PULL, json!({"model": "m"}))).unwrap();
    let export =
        audit.export(stream, ExportOptions { format: ExportFormat::Json, withhold }, actor()).unwrap();
    open_one.done(json!({})).unwrap();
    export
}

#[test]
fn the_second_verifier_agrees() {
    let Some(verifier) = second_verifier() else { return };
    for (withhold, payloads) in [(false, 4), (true, 0)] {
        let export = exported(withhold);
        let checked = export::check(&export, &given(&[1], &[])).unwrap();
        assert_eq!((checked.entries, checked.payloads, checked.open_intents), (6, payloads, 1));
        let output = check(&verifier, &export, &key(1).public().to_string());
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.trim(), format!("verified: 6 entries, {payloads} payloads"));
    }
    let other = check(&verifier, &exported(false), &key(2).public().to_string());
    assert_eq!(other.status.code(), Some(5));
}

/// What is changed, and how.
type Change<'a> = (&'a str, &'a dyn Fn(&mut Value));

/// Neither this program nor the one that shares no code with it takes a changed export for what was written.
#[test]
fn both_verifiers_find_changes() {
    let verifier = second_verifier();
    let export: Value = serde_json::from_str(&exported(false)).unwrap();
    let changes: &[Change] = &[
        ("a payload", &|export| export["entries"][3]["payload"]["text"] = json!("line")),
        ("a salt", &|export| export["entries"][3]["payload"]["salt"] = json!("00".repeat(32))),
        ("an actor", &|export| export["entries"][1]["actor"] = json!("user:bob")),
        ("an outcome", &|export| export["entries"][2]["outcome"] = json!("failed")),
        ("a time", &|export| export["entries"][2]["at"] = json!("2026-09-21T14:13:21Z")),
        ("a hash", &|export| export["entries"][2]["hash"] = json!("00".repeat(32))),
        ("a proof", &|export| export["entries"][2]["proof"] = json!([])),
        ("an entry that is gone", &|export| drop(export["entries"].as_array_mut().unwrap().remove(2))),
        ("the last entry", &|export| drop(export["entries"].as_array_mut().unwrap().pop())),
        ("two entries", &|export| export["entries"].as_array_mut().unwrap().swap(1, 2)),
        ("a payload that is gone", &|export| {
            export["entries"][3].as_object_mut().unwrap().remove("payload");
        }),
        ("a checkpoint", &|export| {
            let note = export["checkpoint"].as_str().unwrap().replacen("\n1", "\n2", 1);
            export["checkpoint"] = json!(note);
        }),
        ("the log", &|export| export["log"] = json!("00".repeat(16))),
    ];
    for (what, change) in changes {
        let mut changed = export.clone();
        change(&mut changed);
        assert_ne!(changed, export, "{what}");
        let fault = export::check(&format!("{changed:#}\n"), &given(&[1], &[])).unwrap_err();
        assert_eq!(fault.class.exit_code(), 5, "{what}: {fault}");
        let Some(verifier) = &verifier else { continue };
        let output = check(verifier, &changed.to_string(), &key(1).public().to_string());
        assert_eq!(output.status.code(), Some(5), "{what}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn an_export_is_compared_with_anchors_and_has_one_spelling() {
    let document = exported(false);
    let (note, log) = checkpoint_of(&document);
    assert_eq!(export::check(&document, &given(&[], &[&note])).unwrap().anchored, 1);
    let sign = |log, size, by| Checkpoint { log, size, root: [9; 32] }.sign(&[&key(by)]);
    let size = note.lines().nth(1).unwrap().parse().unwrap();
    let class = |options| export::check(&document, &options).unwrap_err().class;
    assert_eq!(class(given(&[], &[&sign(log, size, 1)])), FaultClass::SplitView);
    assert_eq!(class(given(&[], &[&sign(log, size, 2)])), FaultClass::UnknownKey);
    assert_eq!(class(given(&[2], &[])), FaultClass::UnknownKey);
    // What a place outside has of other logs, and of this one at other times, says nothing here.
    let (foreign, earlier) = (sign(LogId([3; 16]), size, 2), sign(log, 1, 2));
    assert_eq!(export::check(&document, &given(&[], &[&foreign, &note, &earlier])).unwrap().anchored, 1);
    // One that has nothing at all is not the place that was meant.
    for empty in ["", "\n\n", "no checkpoint\n"] {
        assert_eq!(class(given(&[], &[empty])), FaultClass::BadSignature, "{empty:?}");
    }
    let required = |anchors: &[&str]| VerifyOptions { require_anchor: true, ..given(&[], anchors) };
    assert!(export::check(&document, &required(&[&note])).is_ok());
    assert_eq!(class(required(&[&earlier])), FaultClass::NotAnchored);
    let session = |number| VerifyOptions { session: Some(session(number)), ..given(&[], &[]) };
    assert!(export::check(&document, &session(1)).is_ok());
    assert_eq!(class(session(2)), FaultClass::UnknownSession);
    let twice = document.replacen("\"log\"", "\"log\": \"00\",\n  \"log\"", 1);
    for unreadable in [&twice, &document.replace('\n', ""), "{}", "", "[1]"] {
        let fault = export::check(unreadable, &given(&[], &[])).unwrap_err();
        assert_eq!(fault.class, FaultClass::Unreadable, "{unreadable}");
    }
}

/// An anchor outlives keys: it has what the old one signed, too.
#[test]
fn an_export_agrees_with_an_anchor_that_is_older_than_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    audit.note(draft(session(1), Kind::SESSION_START, json!({}))).unwrap();
    let before = audit.checkpoint().unwrap();
    let change = audit.change_key(key(2), actor()).unwrap();
    let document = audit.export(session(1), ExportOptions::default(), actor()).unwrap();
    let (after, _) = checkpoint_of(&document);
    let checked = export::check(&document, &given(&[2], &[&before, &change, &after])).unwrap();
    assert_eq!((checked.key, checked.anchored), (key(2).public(), 1));
}

/// The checkpoint of a document, and its log.
fn checkpoint_of(document: &str) -> (String, LogId) {
    let note = serde_json::from_str::<Value>(document).unwrap()["checkpoint"].as_str().unwrap().to_owned();
    let log = Note::parse(&note).unwrap().claimed().log;
    (note, log)
}

/// What an export is compared with: these keys, and one place with these notes.
fn given(keys: &[u8], notes: &[&str]) -> VerifyOptions {
    let place = || ("usb".to_owned(), notes.join("\n"));
    VerifyOptions {
        keys: keys.iter().map(|byte| key(*byte).public()).collect(),
        checkpoints: if notes.is_empty() { Vec::new() } else { vec![place()] },
        ..VerifyOptions::default()
    }
}

/// Nothing in a document is idle: no byte of it can be another one, and no part of it is a document.
#[test]
fn every_changed_byte_of_an_export_is_found() {
    let document = exported(false);
    let options = given(&[1], &[]);
    for at in (0..document.len()).step_by(11) {
        for other in [b'0', b'f', b'"', b'}', 0xff] {
            let mut changed = document.clone().into_bytes();
            changed[at] = if changed[at] == other { b'1' } else { other };
            let changed = String::from_utf8_lossy(&changed);
            assert!(export::check(&changed, &options).is_err(), "{at}");
        }
        if let Some(cut) = document.get(..at) {
            assert!(export::check(cut, &options).is_err(), "{at}");
        }
    }
}

#[test]
fn the_text_is_one_line_for_each_entry_and_has_no_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    let canary =
        "sk-ant-api03-0Zk3mPq8Vw1XyTn5Rb7Hc2Jd4Lf6Gs9Aa1Ee0Zk3mPq8Vw1XyTn5Rb7Hc2Jd4Lf6Gs9Aa1Ee0Zk3mPq8Vw1Xy";
    let message = json!({"text": format!("use {canary}\n\u{1b}[2Jfake line"), "token": "abc"});
    audit.begin(draft(session(1), Kind::TOOL_CALL, message)).unwrap().done(json!({"ok": true})).unwrap();
    let options = ExportOptions { format: ExportFormat::Text, withhold: false };
    let text = audit.export(session(1), options, actor()).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        !text.contains(canary) && !text.contains('\u{1b}') && text.contains("[secret:anthropic-api:"),
        "{text}"
    );
    assert!(
        text.contains("tool.call begins {") && text.contains("tool.call done (of 1) {\"ok\":true}"),
        "{text}"
    );
    let unknown = audit.export(session(2), ExportOptions::default(), actor());
    assert!(matches!(unknown, Err(AuditError::UnknownStream(_))));
    // That it was exported is an entry.
    let log = audit.reader().unwrap().entries(StreamId::LOG, 1, 100).unwrap();
    assert_eq!(log.last().unwrap().entry.kind, Kind::EXPORTED);
}
