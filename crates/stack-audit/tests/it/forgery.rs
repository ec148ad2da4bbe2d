//! Logs that were rewritten by somebody who knows the format.

use std::fs;

use serde_json::json;
use stack_audit::entry::hash;
use stack_audit::{Anchor, Audit, Entry, FaultClass, Kind, Log, VerifyOptions};

use crate::support::{Dump, Stored, copy_folder, draft, log_of_200, open, options, session, tamper, verify};

/// Changes one payload, and recomputes every hash and link behind it.
fn rewrite(rows: &mut [Stored], at: usize, payload: &[u8]) {
    let mut heads = std::collections::HashMap::new();
    for (index, row) in rows.iter_mut().enumerate() {
        let mut entry = Entry::decode(&row.body).unwrap();
        if index == at {
            let (salt, bytes) = row.payload.as_mut().unwrap();
            *bytes = payload.to_vec();
            let format = entry.commitment.unwrap().format;
            entry.commitment =
                Some(stack_audit::entry::Commitment::new(format, salt[..].try_into().unwrap(), bytes));
        }
        entry.prev = heads.get(&entry.stream).copied().unwrap_or(entry.prev);
        row.body = entry.encode();
        row.hash = hash(&row.body).to_vec();
        heads.insert(entry.stream, hash(&row.body));
    }
}

#[test]
fn a_log_that_was_recomputed_contradicts_its_checkpoints() {
    let folder = log_of_200();
    let dump = Dump::of(folder.path());
    let mut mutations = 0;
    for at in (0..200).filter(|&at| dump.rows[at].payload.is_some()) {
        let mut forged = dump.clone();
        rewrite(&mut forged.rows, at, b"{}");
        let fault = forged.verify().unwrap_err();
        let checkpoint = (at as u64 / 64 + 1) * 64;
        let expected = (FaultClass::Rewritten, Some(checkpoint.min(200)));
        assert_eq!((fault.class, fault.index), expected, "{at}: {fault}");
        mutations += 1;
        // Without checkpoints it is consistent, which is why they are copied elsewhere.
        forged.checkpoints.clear();
        let report = forged.verify().unwrap();
        assert_eq!((report.checkpoints, report.anchored), (0, 0));
    }
    assert!(mutations > 100);
}

/// A log with an anchor in another folder.
fn anchored() -> (tempfile::TempDir, tempfile::TempDir) {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut options = options();
    options.anchors = vec![Anchor::File(elsewhere.path().join("anchor"))];
    let audit = Audit::open(folder.path(), options).unwrap();
    for number in 0..150 {
        audit.note(draft(session(1), Kind::SESSION_MESSAGE, json!({"number": number}))).unwrap();
    }
    audit.close().unwrap();
    (folder, elsewhere)
}

fn verify_with(
    folder: &std::path::Path,
    elsewhere: &std::path::Path,
) -> Result<stack_audit::Report, stack_audit::Fault> {
    let checkpoints = vec![("anchor".to_owned(), fs::read_to_string(elsewhere.join("anchor")).unwrap())];
    let options = VerifyOptions { checkpoints, require_anchor: true, ..VerifyOptions::default() };
    Log::open(folder).unwrap().verify(&options)
}

#[test]
fn an_anchor_elsewhere_finds_what_the_folder_cannot() {
    let (folder, elsewhere) = anchored();
    let report = verify_with(folder.path(), elsewhere.path()).unwrap();
    assert_eq!((report.entries, report.anchored), (151, 3));
    let required = VerifyOptions { require_anchor: true, ..VerifyOptions::default() };
    let fault = Log::open(folder.path()).unwrap().verify(&required).unwrap_err();
    assert_eq!((fault.class, fault.class.exit_code()), (FaultClass::NotAnchored, 6));

    // Recomputed, with no checkpoint left in the folder.
    let forged = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), forged.path());
    let mut rows = Dump::of(folder.path()).rows;
    rewrite(&mut rows, 100, b"{}");
    fs::remove_file(forged.path().join("checkpoints.txt")).unwrap();
    tamper(forged.path(), |connection| {
        connection.execute_batch("DELETE FROM checkpoint; DELETE FROM frontier").unwrap();
        for row in &rows {
            let body = (&row.body, &row.hash, row.index as i64);
            connection.execute("UPDATE entry SET body = ?1, hash = ?2 WHERE idx = ?3", body).unwrap();
            let bytes = (&row.payload.as_ref().unwrap().1, row.index as i64);
            connection.execute("UPDATE payload SET bytes = ?1 WHERE idx = ?2", bytes).unwrap();
        }
    });
    assert_eq!(verify(forged.path()).unwrap().anchored, 0);
    let fault = verify_with(forged.path(), elsewhere.path()).unwrap_err();
    assert_eq!((fault.class, fault.index, fault.class.exit_code()), (FaultClass::Rewritten, Some(128), 5));
}

#[test]
fn an_older_copy_and_a_cut_tail_are_truncated() {
    let (folder, elsewhere) = anchored();
    let older = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), older.path());
    let mut options = options();
    options.anchors = vec![Anchor::File(elsewhere.path().join("anchor"))];
    let audit = Audit::open(folder.path(), options).unwrap();
    audit.note(draft(session(2), Kind::PULL, json!({}))).unwrap();
    audit.close().unwrap();
    verify_with(folder.path(), elsewhere.path()).unwrap();
    verify(older.path()).unwrap();
    let fault = verify_with(older.path(), elsewhere.path()).unwrap_err();
    assert_eq!((fault.class, fault.index, fault.class.exit_code()), (FaultClass::Truncated, Some(151), 5));
    assert!(fault.expected.contains("153"), "{fault}");

    tamper(folder.path(), |connection| {
        let cut =
            "DELETE FROM payload WHERE idx >= 60; DELETE FROM entry WHERE idx >= 60; DELETE FROM checkpoint;";
        connection.execute_batch(cut).unwrap();
    });
    fs::remove_file(folder.path().join("checkpoints.txt")).unwrap();
    assert_eq!(verify(folder.path()).unwrap().entries, 60);
    assert_eq!(verify_with(folder.path(), elsewhere.path()).unwrap_err().class, FaultClass::Truncated);
}

#[test]
fn two_logs_of_one_name_are_a_split_view() {
    let (folder, elsewhere) = anchored();
    let other = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), other.path());
    let mut notes = Vec::new();
    for (path, text) in [(folder.path(), "one"), (other.path(), "two")] {
        let audit = open(path);
        audit.note(draft(session(3), Kind::PULL, json!({"text": text}))).unwrap();
        notes.push(audit.checkpoint().unwrap());
        audit.close().unwrap();
    }
    let checkpoints = notes.into_iter().map(|note| ("a friend".to_owned(), note)).collect();
    let fault =
        Log::open(folder.path()).unwrap().verify(&VerifyOptions { checkpoints, ..VerifyOptions::default() });
    let fault = fault.unwrap_err();
    assert_eq!((fault.class, fault.class.exit_code()), (FaultClass::SplitView, 5), "{fault}");
    drop(elsewhere);
}

#[test]
fn another_log_in_the_place_of_this_one_is_found() {
    let (_folder, elsewhere) = anchored();
    let other = log_of_200();
    let fault = verify_with(other.path(), elsewhere.path()).unwrap_err();
    assert_eq!(fault.class, FaultClass::Rewritten, "{fault}");
    let empty = tempfile::tempdir().unwrap();
    let audit = open(empty.path());
    audit.close().unwrap();
    assert_eq!(verify_with(empty.path(), elsewhere.path()).unwrap_err().class, FaultClass::Rewritten);
}

#[test]
fn a_damaged_log_is_not_written_to() {
    let folder = log_of_200();
    tamper(folder.path(), |connection| {
        connection.execute_batch("UPDATE entry SET hash = zeroblob(32) WHERE idx = 199").unwrap();
    });
    assert!(matches!(Audit::open(folder.path(), options()), Err(stack_audit::StoreError::Damaged { .. })));
}
