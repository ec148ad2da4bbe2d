//! Processes that end between an intent and its effect: the log as it was then, opened again.

use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::json;
use stack_agent::approval::{Answer, Question};
use stack_agent::kernel::AmbiguousEffect;
use stack_agent::session::{Approver, Resolution, SessionError, replay};
use stack_agent::state::State;
use stack_audit::{Actor, Draft, Kind, StreamId};
use stack_chat::{ChatModel, ChatRequest, EventStream, Failure, ModelCard};

use crate::support::{Person, Place, Say, Sequence, call, copy_folder, open, start};

const STREAM: StreamId = StreamId([0x81; 16]);

/// Copies the log whenever a model is asked: that is what a kill at this moment would leave.
struct Copying<'a> {
    inner: &'a Sequence,
    log: PathBuf,
    copies: &'a Mutex<Vec<PathBuf>>,
    into: PathBuf,
}

impl ChatModel for Copying<'_> {
    fn card(&self) -> &ModelCard {
        self.inner.card()
    }

    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure> {
        let mut copies = self.copies.lock().unwrap();
        // The intent is batched: the writer commits it by itself, soon.
        thread::sleep(Duration::from_millis(30));
        let copy = self.into.join(copies.len().to_string());
        copy_folder(&self.log, &copy);
        copies.push(copy);
        self.inner.chat(request)
    }
}

#[test]
fn a_model_that_was_being_asked_is_asked_again() {
    let place = Place::new();
    place.write("a", "x");
    let script = vec![call("read_file", json!({"path": "a"})), Say::Text("done")];
    let (copies, into) = (Mutex::new(Vec::new()), tempfile::tempdir().unwrap());
    let inner = Sequence::new(script.clone());
    let model =
        Copying { inner: &inner, log: place.log_folder(), copies: &copies, into: into.path().to_owned() };
    let audit = place.audit();
    place.run_on(&audit, &start("read"), &model, &mut Person::default()).unwrap();
    audit.close().unwrap();
    for (at, copy) in copies.lock().unwrap().iter().enumerate() {
        let audit = open(copy);
        assert_eq!(audit.recovery().abandoned, 1, "copy {at}");
        let rest = Sequence::new(script[at..].to_vec());
        let session = place.resume(&audit, STREAM, &rest, &mut Person::default()).unwrap();
        assert_eq!((session.state(), session.answer().as_deref()), (State::Done, Some("done")), "copy {at}");
        let ended = place.resume(&audit, STREAM, &rest, &mut Person::default()).unwrap_err();
        assert!(matches!(ended, SessionError::Ended { state: State::Done, .. }));
        audit.close().unwrap();
        replay(&stack_audit::Log::open(copy).unwrap(), STREAM, None).unwrap();
    }
}

/// Lives a session with one call, and returns its log.
fn lived(place: &Place, tool: &'static str, arguments: serde_json::Value) -> PathBuf {
    let audit = place.audit();
    let log = place.log_folder();
    let model = Sequence::new(vec![call(tool, arguments), Say::Text("done")]);
    place.run_on(&audit, &start("x"), &model, &mut Person::saying(&[Answer::AllowOnce])).unwrap();
    audit.close().unwrap();
    log
}

/// Writes the beginning of a recorded session into a log of its own, up to and with the intent of its tool.
fn truncated(
    place: &Place,
    tool: &'static str,
    arguments: serde_json::Value,
) -> (tempfile::TempDir, StreamId) {
    let log = lived(place, tool, arguments);
    let entries = stack_audit::Log::open(&log).unwrap().entries(STREAM, 1, 100).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let audit = open(&folder.path().join("audit"));
    let mut open_entries = std::collections::BTreeMap::new();
    for found in entries {
        let entry = stack_agent::SessionEntry::read(&found).unwrap();
        let draft =
            Draft::new(STREAM, entry.kind, Actor::new("user:test").unwrap()).with(entry.payload.clone());
        match entry.phase {
            stack_audit::Phase::Note => {
                audit.note(draft).unwrap();
            }
            stack_audit::Phase::Intent => {
                open_entries.insert(entry.seq, audit.begin(draft).unwrap());
                if entry.kind == Kind::TOOL_CALL {
                    break;
                }
            }
            stack_audit::Phase::Effect { closes, .. } => {
                open_entries.remove(&closes).unwrap().done(entry.payload).unwrap();
            }
        }
    }
    copy_folder(&folder.path().join("audit"), &folder.path().join("killed"));
    drop(open_entries);
    audit.close().unwrap();
    (folder, STREAM)
}

#[test]
fn a_write_that_may_have_happened_waits_for_a_person_and_is_not_repeated() {
    let arguments = json!({"path": "a", "content": "x", "mode": "append"});
    for (resolution, content, state) in [
        (None, "x", State::Waiting),
        (Some(Resolution::Happened), "x", State::Done),
        (Some(Resolution::DidNot), "x", State::Done),
        (Some(Resolution::Retry), "xx", State::Done),
        (Some(Resolution::Fail), "x", State::Failed),
    ] {
        let place = Place::new();
        let (folder, stream) = truncated(&place, "write_file", arguments.clone());
        assert_eq!(place.read("a").as_deref(), Some("x"));
        let audit = open(&folder.path().join("killed"));
        assert_eq!(audit.recovery().ambiguous, 1);
        let mut person = Person { resolution, ..Person::default() };
        let rest = Sequence::new(vec![Say::Text("done")]);
        let session = place.resume(&audit, stream, &rest, &mut person).unwrap();
        assert_eq!((session.state(), place.read("a").as_deref()), (state, Some(content)), "{resolution:?}");
        assert_eq!((person.ambiguous.len(), person.ambiguous[0].tool), (1, "write_file"));
        audit.close().unwrap();
        let log = stack_audit::Log::open(&folder.path().join("killed")).unwrap();
        log.verify(&stack_audit::VerifyOptions::default()).unwrap();
        assert_eq!(replay(&log, stream, None).unwrap().session.state(), state);
    }
}

#[test]
fn a_read_that_was_under_way_is_done_again() {
    let place = Place::new();
    place.write("a", "x");
    let (folder, stream) = truncated(&place, "read_file", json!({"path": "a"}));
    let audit = open(&folder.path().join("killed"));
    assert_eq!((audit.recovery().abandoned, audit.recovery().ambiguous), (1, 0));
    let rest = Sequence::new(vec![Say::Text("done")]);
    let session = place.resume(&audit, stream, &rest, &mut Person::default()).unwrap();
    assert_eq!((session.state(), session.spent().tool_calls), (State::Done, 2));
}

/// Somebody who, when asked, tries to go on with the session elsewhere.
struct Meddler<'a> {
    place: &'a Place,
    told: Option<SessionError>,
}

impl Approver for Meddler<'_> {
    fn decide(&mut self, _question: &Question) -> Answer {
        let other = self.place.audit();
        let nothing = Sequence::new(vec![Say::Text("")]);
        self.told = self.place.resume(&other, STREAM, &nothing, &mut Person::default()).err();
        other.close().unwrap();
        Answer::AllowOnce
    }

    fn resolve(&mut self, _effect: &AmbiguousEffect) -> Option<Resolution> {
        None
    }
}

#[test]
fn a_session_that_another_process_runs_is_left_alone() {
    let place = Place::new();
    let audit = place.audit();
    let model =
        Sequence::new(vec![call("write_file", json!({"path": "a", "content": "x"})), Say::Text("ok")]);
    let mut meddler = Meddler { place: &place, told: None };
    let session = place.run_on(&audit, &start("x"), &model, &mut meddler).unwrap();
    assert!(matches!(meddler.told, Some(SessionError::Busy { stream: STREAM })), "{:?}", meddler.told);
    assert_eq!((session.state(), place.read("a").as_deref()), (State::Done, Some("x")));
}

#[test]
fn a_stream_that_no_session_wrote_is_none() {
    let place = Place::new();
    let audit = place.audit();
    audit
        .note(Draft::new(STREAM, Kind::LIMIT_HIT, Actor::new("user:test").unwrap()).with(json!({})))
        .unwrap();
    let resume = |stream| {
        place.resume(&audit, stream, &Sequence::new(vec![Say::Text("")]), &mut Person::default()).unwrap_err()
    };
    assert!(matches!(resume(StreamId([7; 16])), SessionError::Unknown { .. }));
    assert!(matches!(resume(STREAM), SessionError::Kernel(_)));
}
