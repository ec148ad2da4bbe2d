//! Records, folded without a model.

use serde_json::json;
use stack_agent::SessionEntry;
use stack_agent::approval::Answer;
use stack_agent::kernel::{KernelError, Session};
use stack_agent::session::{SessionError, replay};
use stack_agent::state::State;
use stack_audit::{Kind, Outcome, Phase, StreamId};

use crate::support::{Person, Place, Say, Sequence, call, start};

fn recorded(place: &Place) -> Session {
    place.write("n.txt", "41");
    let model = Sequence::new(vec![
        call("read_file", json!({"path": "n.txt"})),
        Say::Calls(vec![
            ("write_file", json!({"path": "m.txt", "content": "42"})),
            ("read_file", json!({"path": "../x"})),
        ]),
        Say::Text("written"),
    ]);
    place.run(&start("add one"), &model, &mut Person::saying(&[Answer::AllowOnce]))
}

#[test]
fn a_record_is_the_session() {
    let place = Place::new();
    let lived = recorded(&place);
    let replayed = replay(&place.log(), lived.stream(), None).unwrap();
    assert!(replayed.commands.is_empty());
    let replayed = replayed.session;
    assert_eq!(replayed.state(), State::Done);
    assert_eq!((replayed.spent(), replayed.end()), (lived.spent(), lived.end()));
    assert_eq!(replayed.answer(), lived.answer());
    let part = replay(&place.log(), lived.stream(), Some(4)).unwrap();
    assert_eq!((part.session.state(), part.commands.len()), (State::Waiting, 1));
    let unknown = replay(&place.log(), StreamId([9; 16]), None).unwrap_err();
    assert!(matches!(unknown, SessionError::Unknown { .. }));
}

/// Applies a record in which one entry was changed, and returns where it ends and why.
fn changed(entries: &[SessionEntry], at: usize, change: impl Fn(&mut SessionEntry)) -> Option<KernelError> {
    let mut session = Session::new(StreamId([0x81; 16]));
    entries.iter().enumerate().find_map(|(n, entry)| {
        let mut entry = entry.clone();
        if n == at {
            change(&mut entry);
        }
        session.apply(&entry).err()
    })
}

#[test]
fn one_changed_text_diverges() {
    let place = Place::new();
    let lived = recorded(&place);
    assert_eq!(lived.stream(), StreamId([0x81; 16]));
    let found = place.log().entries(lived.stream(), 1, 100).unwrap();
    let entries: Vec<_> = found.iter().map(|found| SessionEntry::read(found).unwrap()).collect();
    assert_eq!(changed(&entries, 0, |_| {}), None);

    // What a model said shows in what was asked next, or in the end.
    let replies: Vec<usize> = (0..entries.len())
        .filter(|n| entries[*n].kind == Kind::MODEL_CALL && entries[*n].payload.get("parts").is_some())
        .collect();
    for at in &replies {
        let error = changed(&entries, *at, |entry| {
            let text = entry.payload["parts"]
                .to_string()
                .replace("n.txt", "o.txt")
                .replace("42", "43")
                .replace("written", "wrltten");
            entry.payload["parts"] = serde_json::from_str(&text).unwrap();
        });
        assert!(matches!(error, Some(KernelError::Divergence { .. })), "{at}: {error:?}");
    }
    // A result that was changed was never shown to the model that asked next.
    let result = entries.iter().position(|entry| entry.payload.get("output").is_some()).unwrap();
    let error = changed(&entries, result, |entry| entry.payload["output"]["content"] = json!("40"));
    assert!(matches!(error, Some(KernelError::Divergence { field: "payload", .. })), "{error:?}");
    // Without an entry, or with another version of the machine, nothing is guessed.
    let error = changed(&entries, 3, |entry| entry.seq += 1);
    assert_eq!(error, Some(KernelError::Gap { expected: 4, found: 5 }));
    let error = changed(&entries, 0, |entry| entry.payload["kernel"] = json!(2));
    assert_eq!(error, Some(KernelError::UnsupportedKernel { version: 2 }));
    let intent = entries.iter().position(|entry| entry.kind == Kind::TOOL_CALL).unwrap();
    let error = changed(&entries, intent, |entry| entry.payload["args"]["path"] = json!("other"));
    let Some(KernelError::Divergence { seq, field, .. }) = error else { panic!("{error:?}") };
    assert_eq!((seq, field), (entries[intent].seq, "payload"));
}

#[test]
fn an_answer_to_another_proposal_counts_for_nothing() {
    let place = Place::new();
    let lived = recorded(&place);
    let found = place.log().entries(lived.stream(), 1, 100).unwrap();
    let entries: Vec<_> = found.iter().map(|found| SessionEntry::read(found).unwrap()).collect();
    let answer = entries.iter().position(|entry| entry.payload.get("answer").is_some()).unwrap();
    let error = changed(&entries, answer, |entry| entry.payload["proposal_hash"] = json!("00"));
    assert!(matches!(error, Some(KernelError::Malformed { field: "proposal_hash", .. })), "{error:?}");
}

#[test]
fn an_erased_payload_ends_the_replay_there() {
    let place = Place::new();
    let lived = recorded(&place);
    let audit = place.audit();
    let selection = stack_audit::Selection { stream: Some(lived.stream()), ..Default::default() };
    audit.erase(&selection, "test", stack_audit::Actor::new("user:test").unwrap()).unwrap();
    audit.close().unwrap();
    let error = replay(&place.log(), lived.stream(), None).unwrap_err();
    assert!(matches!(error, SessionError::Kernel(KernelError::CannotReplay { seq: 1 })), "{error:?}");
}

/// An entry as a line of the golden log.
fn line(entry: &SessionEntry) -> String {
    let (closes, outcome) = match entry.phase {
        Phase::Effect { closes, outcome } => (closes, outcome.name()),
        _ => (0, "none"),
    };
    json!({
        "seq": entry.seq,
        "kind": entry.kind.to_string(),
        "phase": entry.phase.name(),
        "closes": closes,
        "outcome": outcome,
        "payload": entry.payload,
    })
    .to_string()
}

/// Reads a line of the golden log.
fn parsed(line: &str) -> SessionEntry {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    let outcome = match value["outcome"].as_str().unwrap() {
        "denied" => Outcome::Denied,
        _ => Outcome::Done,
    };
    let phase = match value["phase"].as_str().unwrap() {
        "note" => Phase::Note,
        "intent" => Phase::Intent,
        _ => Phase::Effect { closes: value["closes"].as_u64().unwrap(), outcome },
    };
    let kind = Kind::from_name(value["kind"].as_str().unwrap()).unwrap();
    let seq = value["seq"].as_u64().unwrap();
    SessionEntry { seq, kind, phase, wall_ms: 0, payload: value["payload"].clone() }
}

/// The rules of the machine are frozen: a change that makes other entries of the same events is another version of it.
#[test]
fn the_golden_log_is_what_the_machine_writes_and_reads() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/session-v1.jsonl");
    let place = Place::new();
    let lived = recorded(&place);
    let found = place.log().entries(lived.stream(), 1, 100).unwrap();
    let lines: Vec<_> = found.iter().map(|found| line(&SessionEntry::read(found).unwrap())).collect();
    #[expect(clippy::disallowed_methods, reason = "a test may be told to write what it compares with")]
    let is_update = std::env::var("STACK_UPDATE_GOLDEN").is_ok_and(|value| value == "1");
    if is_update {
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap();
    for (written, golden) in lines.iter().zip(golden.lines()) {
        assert_eq!(written, golden);
    }
    assert_eq!(lines.len(), golden.lines().count());
    let mut session = Session::new(lived.stream());
    golden.lines().for_each(|line| drop(session.apply(&parsed(line)).unwrap()));
    assert_eq!((session.state(), session.answer()), (State::Done, lived.answer()));
}
