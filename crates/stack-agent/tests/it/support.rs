//! Workspaces, logs, scripted models and people to try sessions with.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use serde_json::{Value, json};
use stack_agent::approval::{Answer, Question};
use stack_agent::files::{Trash, Workspace};
use stack_agent::kernel::{AmbiguousEffect, Session, Start};
use stack_agent::limits::Limits;
use stack_agent::policy::Mode;
use stack_agent::session::{
    Approver, Observer, Progress, Resolution, SessionError, SessionRunner, SessionWorld,
};
use stack_agent::toolbox::TOOLS;
use stack_agent::tools::ToolWorld;
use stack_audit::{Actor, Audit, AuditOptions, Log, Ownership, StreamId, VerifyOptions, key};
use stack_chat::{ChatModel, ChatRequest, EventStream, Failure, Message, ModelCard, Prompt};
use stack_testkit::ScriptedModel;
use tempfile::TempDir;

/// One reply of a model: what it says, or the tools that it calls.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    Text(&'static str),
    Calls(Vec<(&'static str, Value)>),
    /// A call whose arguments are these characters.
    Raw(&'static str, &'static str),
    Fails(Failure),
}

pub(crate) fn call(tool: &'static str, arguments: Value) -> Say {
    Say::Calls(vec![(tool, arguments)])
}

/// A model that gives one reply after the other, the last one for ever.
pub(crate) struct Sequence {
    card: ModelCard,
    replies: Vec<ScriptedModel>,
    asked: AtomicUsize,
}

impl Sequence {
    pub(crate) fn new(replies: Vec<Say>) -> Self {
        let replies = replies.into_iter().map(|say| {
            let model = ScriptedModel::new("scripted", &[]);
            match say {
                Say::Text(text) => model.saying(&[text]),
                // All calls have the same identifier: nothing depends on it.
                Say::Calls(calls) => calls.into_iter().fold(model, |model, (tool, arguments)| {
                    model.calling("x", tool, &[&arguments.to_string()])
                }),
                Say::Raw(tool, arguments) => model.calling("x", tool, &[arguments]),
                Say::Fails(failure) => model.refusing(failure),
            }
        });
        Self { card: ModelCard::default(), replies: replies.collect(), asked: AtomicUsize::new(0) }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Returns the conversation that it was shown last.
    pub(crate) fn shown(&self) -> Vec<Message> {
        let last = self.asked().min(self.replies.len()) - 1;
        match self.replies[last].requests().pop().unwrap().prompt {
            Prompt::Messages(messages) => messages,
            other => panic!("{other:?}"),
        }
    }
}

impl ChatModel for Sequence {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure> {
        let at = self.asked.fetch_add(1, Ordering::SeqCst).min(self.replies.len() - 1);
        self.replies[at].chat(request)
    }
}

/// Somebody with prepared answers; without one the answer is no.
#[derive(Default)]
pub(crate) struct Person {
    pub(crate) answers: VecDeque<Answer>,
    pub(crate) asked: Vec<String>,
    pub(crate) resolution: Option<Resolution>,
    pub(crate) ambiguous: Vec<AmbiguousEffect>,
}

impl Person {
    pub(crate) fn saying(answers: &[Answer]) -> Self {
        Self { answers: answers.iter().cloned().collect(), ..Self::default() }
    }
}

impl Approver for Person {
    fn decide(&mut self, question: &Question) -> Answer {
        self.asked.push(question.proposal.tool().name.to_owned());
        self.answers.pop_front().unwrap_or(Answer::Deny { note: "no".to_owned() })
    }

    fn resolve(&mut self, effect: &AmbiguousEffect) -> Option<Resolution> {
        self.ambiguous.push(effect.clone());
        self.resolution
    }
}

/// Somebody who looks away.
pub(crate) struct Nobody;

impl Observer for Nobody {
    fn see(&mut self, _progress: &Progress<'_>) {}
}

/// A home with a log and a trash, and a workspace beside it.
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) cancel: AtomicBool,
    streams: RefCell<u8>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("ws")).unwrap();
        Self { folder, cancel: AtomicBool::new(false), streams: RefCell::new(0) }
    }

    pub(crate) fn ws(&self) -> PathBuf {
        self.folder.path().join("ws")
    }

    pub(crate) fn trash(&self) -> Trash {
        Trash::at(self.folder.path().join("trash"))
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.ws().join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.ws().join(name)).ok()
    }

    pub(crate) fn log_folder(&self) -> PathBuf {
        self.folder.path().join("audit")
    }

    pub(crate) fn audit(&self) -> Audit {
        open(&self.log_folder())
    }

    pub(crate) fn log(&self) -> Log {
        Log::open(&self.log_folder()).unwrap()
    }

    pub(crate) fn verify(&self) {
        let report = self.log().verify(&VerifyOptions::default()).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(report.open_intents, 0);
    }

    /// Runs a session to its end.
    pub(crate) fn run(&self, start: &Start, model: &Sequence, person: &mut Person) -> Session {
        let audit = self.audit();
        let session = self.run_on(&audit, start, model, person).unwrap();
        audit.close().unwrap();
        session
    }

    pub(crate) fn run_on(
        &self,
        audit: &Audit,
        start: &Start,
        model: &dyn ChatModel,
        person: &mut dyn Approver,
    ) -> Result<Session, SessionError> {
        self.with(audit, model, person, |world, stream| SessionRunner::start(world, stream, start)?.run())
    }

    /// Goes on with a session in a log that was closed or copied.
    pub(crate) fn resume(
        &self,
        audit: &Audit,
        stream: StreamId,
        model: &dyn ChatModel,
        person: &mut Person,
    ) -> Result<Session, SessionError> {
        self.with(audit, model, person, |world, _| SessionRunner::resume(world, stream)?.run())
    }

    fn with<T>(
        &self,
        audit: &Audit,
        model: &dyn ChatModel,
        person: &mut dyn Approver,
        act: impl FnOnce(SessionWorld<'_>, StreamId) -> T,
    ) -> T {
        let workspace = Workspace::open(&self.ws()).unwrap();
        let trash = self.trash();
        let tools = ToolWorld { workspace: &workspace, trash: &trash };
        *self.streams.borrow_mut() += 1;
        let stream = StreamId([*self.streams.borrow() | 0x80; 16]);
        let actor = Actor::new("user:test").unwrap();
        let world = SessionWorld {
            audit,
            actor,
            model,
            tools,
            approver: person,
            observer: &mut Nobody,
            cancel: &self.cancel,
        };
        act(world, stream)
    }
}

pub(crate) fn start(task: &str) -> Start {
    Start {
        task: task.to_owned(),
        model: "scripted".to_owned(),
        workspace: "ws".to_owned(),
        mode: Mode::Agent,
        limits: Limits::default(),
        policy: json!({"rule": []}),
        tools: TOOLS.iter().map(|tool| tool.name.to_owned()).collect(),
        strict: false,
        trusts_workspace: true,
    }
}

pub(crate) fn open(folder: &Path) -> Audit {
    let random = |bytes: &mut [u8]| {
        static STATE: AtomicU64 = AtomicU64::new(1);
        for chunk in bytes.chunks_mut(8) {
            let mixed = STATE.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            chunk.copy_from_slice(&(mixed ^ mixed >> 29).to_be_bytes()[..chunk.len()]);
        }
    };
    fs::create_dir_all(folder).unwrap();
    let signing = key::read_or_make(&key::default_path(folder), &random).unwrap();
    let now = AtomicU64::new(1_790_000_000_000);
    let clock = move || now.fetch_add(3, Ordering::Relaxed);
    let mut options = AuditOptions::new(signing, Box::new(clock), Box::new(random));
    options.ownership = Ownership::Brief { patience: std::time::Duration::from_secs(5) };
    Audit::open(folder, options).unwrap()
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy_folder(&file.path(), &target);
        } else {
            fs::copy(file.path(), target).unwrap();
        }
    }
}

/// The results that a model was shown, as texts.
pub(crate) fn results(messages: &[Message]) -> Vec<String> {
    messages
        .iter()
        .filter(|message| message.role == stack_chat::Role::Tool)
        .filter_map(Message::text)
        .collect()
}
