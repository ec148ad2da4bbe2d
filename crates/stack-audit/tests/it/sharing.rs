//! Several writers of one log, each of which has it for as long as a commit takes.

use std::thread;
use std::time::Duration;

use serde_json::json;
use stack_audit::{
    Audit, AuditError, AuditOptions, Kind, Log, Outcome, Ownership, Phase, Receipt, StoreError,
    VerifyOptions, export,
};
use tempfile::TempDir;

use crate::support::{copy_folder, draft, key, open, options, session, tamper, verify};

fn brief(patience: Duration) -> AuditOptions {
    let mut options = options();
    options.ownership = Ownership::Brief { patience };
    options
}

fn open_briefly(folder: &TempDir) -> Audit {
    Audit::open(folder.path(), brief(Duration::from_secs(30))).unwrap()
}

#[test]
fn what_is_open_in_one_is_left_alone_by_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (open_briefly(&folder), open_briefly(&folder));
    let pull = one.begin(draft(session(1), Kind::PULL, json!({"model": "m"}))).unwrap();
    let push = other.begin(draft(session(1), Kind::PUSH, json!({}))).unwrap();
    let third = open_briefly(&folder);
    assert_eq!(third.recovery(), stack_audit::Recovery::default());
    push.done(json!({})).unwrap();
    third.note(draft(session(2), Kind::VERIFY, json!({}))).unwrap();
    pull.done(json!({"bytes": 1})).unwrap();
    let entries = Log::open(folder.path()).unwrap().entries(session(1), 1, 9).unwrap();
    let done = |closes| Phase::Effect { closes, outcome: Outcome::Done };
    let phases: Vec<_> = entries.iter().map(|found| found.entry.phase).collect();
    assert_eq!(phases, [Phase::Intent, Phase::Intent, done(2), done(1)]);
    let report = verify(folder.path()).unwrap();
    // The opening that was news, two acts of two entries, a note.
    assert_eq!((report.entries, report.open_intents, report.ambiguous), (6, 0, 0));
    assert_eq!(std::fs::read_dir(folder.path().join("open")).unwrap().count(), 0, "no claim is left");
}

#[test]
fn what_ended_with_its_process_is_settled_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let one = open_briefly(&folder);
    let pull = one.begin(draft(session(1), Kind::PULL, json!({}))).unwrap();
    let load = one.begin(draft(session(1), Kind::LOAD, json!({}))).unwrap();
    // The copy has the claims, and nobody who holds them: so a kill leaves them.
    let killed = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), killed.path());
    let next = open_briefly(&killed);
    assert_eq!((next.recovery().ambiguous, next.recovery().abandoned), (1, 1));
    assert_eq!(std::fs::read_dir(killed.path().join("open")).unwrap().count(), 0);
    assert_eq!(open_briefly(&killed).recovery(), stack_audit::Recovery::default());
    pull.done(json!({})).unwrap();
    load.done(json!({})).unwrap();
    assert_eq!(verify(killed.path()).unwrap().ambiguous, 1);
    assert_eq!(verify(folder.path()).unwrap().ambiguous, 0);
}

#[test]
fn many_writers_leave_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for number in 0..4 {
            let folder = &folder;
            scope.spawn(move || {
                let audit = open_briefly(folder);
                for _ in 0..8 {
                    let open = audit.begin(draft(session(number % 2), Kind::PULL, json!({}))).unwrap();
                    open.done(json!({"from": number})).unwrap();
                }
            });
        }
    });
    let report = verify(folder.path()).unwrap();
    assert_eq!((report.entries, report.open_intents, report.ambiguous), (65, 0, 0));
}

#[test]
fn each_act_is_signed_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open_briefly(&folder);
    let sizes = || -> Vec<u64> {
        Log::open(folder.path()).unwrap().checkpoints().unwrap().into_iter().map(|(size, _)| size).collect()
    };
    let open = audit.begin(draft(session(1), Kind::REMOVE, json!({}))).unwrap();
    assert_eq!(sizes(), [0; 0]);
    open.done(json!({})).unwrap();
    assert_eq!(sizes(), [3]);
    audit.close().unwrap();
    // Nothing is said twice.
    drop(open_briefly(&folder));
    assert_eq!(sizes(), [3]);
    assert_eq!(Log::open(folder.path()).unwrap().size().unwrap(), 3);
    tamper(folder.path(), |connection| {
        connection
            .execute_batch("DELETE FROM payload WHERE idx = 2; DELETE FROM entry WHERE idx = 2")
            .unwrap();
    });
    assert_eq!(verify(folder.path()).unwrap_err().class.name(), "truncated");
}

#[test]
fn whoever_keeps_a_log_keeps_others_out_and_the_patient_wait() {
    let folder = tempfile::tempdir().unwrap();
    let lasting = open(folder.path());
    let refused = Audit::open(folder.path(), brief(Duration::ZERO));
    assert!(matches!(refused, Err(StoreError::Locked { .. })), "{refused:?}");
    lasting.close().unwrap();
    let impatient = Audit::open(folder.path(), brief(Duration::ZERO)).unwrap();
    let lasting = open(folder.path());
    let refused = impatient.begin(draft(session(1), Kind::PULL, json!({}))).unwrap_err();
    assert!(matches!(refused, AuditError::Unavailable(_)), "{refused}");
    let waiting = thread::spawn({
        let folder = folder.path().to_owned();
        move || Audit::open(&folder, brief(Duration::from_secs(30))).map(drop)
    });
    lasting.close().unwrap();
    waiting.join().unwrap().unwrap();
    impatient.note(draft(session(1), Kind::VERIFY, json!({}))).unwrap();
}

/// What was read before an error was not taken over: the next attempt finds again that others have written.
#[test]
fn a_log_that_could_not_be_taken_is_taken_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (open_briefly(&folder), open_briefly(&folder));
    let note = |audit: &Audit| audit.note(draft(session(1), Kind::VERIFY, json!({})));
    let before = note(&one).unwrap();
    let between = note(&other).unwrap();
    let flip = |connection: &rusqlite::Connection| {
        let last = "SELECT body FROM entry ORDER BY idx DESC LIMIT 1";
        let mut body: Vec<u8> = connection.query_one(last, [], |row| row.get(0)).unwrap();
        body[100] ^= 1;
        connection
            .execute("UPDATE entry SET body = ?1 WHERE idx = ?2", (body, between.index as i64))
            .unwrap();
    };
    tamper(folder.path(), flip);
    assert!(matches!(note(&one), Err(AuditError::Unavailable(_))));
    tamper(folder.path(), flip);
    let after = note(&one).unwrap();
    let log = Log::open(folder.path()).unwrap();
    let entry = |receipt: &Receipt| log.entries(session(1), receipt.seq, 1).unwrap().remove(0).entry;
    assert_eq!(entry(&after).epoch, entry(&between).epoch + 1);
    assert!(entry(&before).epoch < entry(&between).epoch);
    verify(folder.path()).unwrap();
}

#[test]
fn a_key_that_was_changed_by_another_signs_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (open_briefly(&folder), open_briefly(&folder));
    other.change_key(key(2), crate::support::actor()).unwrap();
    let refused = one.note(draft(session(1), Kind::VERIFY, json!({}))).unwrap_err();
    assert!(
        matches!(&refused, AuditError::Unavailable(error) if matches!(**error, StoreError::WrongKey { .. }))
    );
    other.note(draft(session(1), Kind::VERIFY, json!({}))).unwrap();
    assert_eq!(verify(folder.path()).unwrap().entries, 3);
}

#[test]
fn erasing_and_exporting_work_beside_others() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (open_briefly(&folder), open_briefly(&folder));
    one.note(draft(session(1), Kind::VERIFY, json!({"text": "personal"}))).unwrap();
    other.note(draft(session(1), Kind::VERIFY, json!({"text": "other"}))).unwrap();
    let selection = stack_audit::Selection { stream: Some(session(1)), ..stack_audit::Selection::default() };
    assert_eq!(one.erase(&selection, "asked to", crate::support::actor()).unwrap(), 2);
    let document =
        other.export(session(1), export::ExportOptions::default(), crate::support::actor()).unwrap();
    assert!(!document.contains("personal"));
    let known = VerifyOptions { keys: vec![key(1).public()], ..VerifyOptions::default() };
    let checked = export::check(&document, &known).unwrap();
    assert_eq!((checked.entries, checked.payloads), (2, 0));
    let report = Log::open(folder.path()).unwrap().verify(&VerifyOptions::default()).unwrap();
    assert_eq!(report.erased_payloads, 2);
}
