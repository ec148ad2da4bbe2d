//! The events of one reply, put together in the order that their grammar demands.

use std::collections::BTreeSet;
use std::sync::Arc;

use stack_chat::{
    ChatEvent, Citation, Delta, Failure, FailureKind, FinishReason, Fragment, Opaque, Origin, PartKind,
    Timings, Unused, Usage,
};

use super::adapter::{Adapter, Told};
use super::complaint::Complaint;
use super::facts::ReplyFacts;
use super::object::Object;

/// What the request decides about the events of its reply.
#[derive(Clone, Debug)]
pub(super) struct Context {
    /// Who answers.
    pub(super) origin: Origin,
    /// What makes the identifiers that a provider leaves out different from those of all other replies.
    pub(super) unique: String,
    /// The seed that was asked for.
    pub(super) seed: u64,
    /// What of the request has no effect.
    pub(super) unused: Vec<Unused>,
    /// What the provider calls otherwise than its family.
    pub(super) adapter: Option<Arc<Adapter>>,
}

/// Collects events. Codecs say what they saw; that parts are closed, that nothing comes twice and nothing after the end
/// is decided here, once for all of them.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) facts: ReplyFacts,
    context: Context,
    items: Vec<Result<ChatEvent, Failure>>,
    progress: Progress,
    parts: u32,
    calls: usize,
    open: BTreeSet<u32>,
    /// The open part that text, thinking or a refusal goes on in, where the provider does not number its parts.
    running: Option<(u32, PartKind)>,
    finish: Option<FinishReason>,
    /// Whether a proof is still missing that the adapter demands.
    lacks_proof: bool,
    /// What the adapter counted, which holds in place of what the codec counts.
    measured: Option<Usage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    New,
    Started,
    Ended,
}

impl Events {
    /// Waits for a reply, whole or as a stream.
    pub(super) fn new(context: Context, streams: bool) -> Self {
        let lacks_proof = streams && context.adapter.as_ref().is_some_and(|adapter| adapter.demands_proof());
        Self {
            lacks_proof,
            measured: None,
            facts: ReplyFacts::default(),
            context,
            items: Vec::new(),
            progress: Progress::New,
            parts: 0,
            calls: 0,
            open: BTreeSet::new(),
            running: None,
            finish: None,
        }
    }

    /// Hands out what has come since the last time.
    pub(super) fn take(&mut self) -> Vec<Result<ChatEvent, Failure>> {
        std::mem::take(&mut self.items)
    }

    /// Names the provider in sentences.
    pub(super) fn provider(&self) -> &str {
        &self.context.origin.provider
    }

    pub(super) fn is_ended(&self) -> bool {
        self.progress == Progress::Ended
    }

    /// Tells whether the reply has said that it is complete, and why.
    pub(super) fn is_proven(&self) -> bool {
        self.finish.is_some() && !self.lacks_proof
    }

    /// Tells whether the reply has said anything.
    pub(super) fn has_output(&self) -> bool {
        self.parts > 0
    }

    /// Starts the events, unless they have started. How long the prompt is, few providers say so early.
    pub(super) fn start(&mut self, prompt_tokens: u32) {
        if self.progress == Progress::New {
            self.progress = Progress::Started;
            let unused = std::mem::take(&mut self.context.unused);
            self.items.push(Ok(ChatEvent::Started { prompt_tokens, seed: self.context.seed, unused }));
        }
    }

    /// Shows that the reply goes on.
    pub(super) fn alive(&mut self) {
        if self.progress == Progress::Started {
            self.items.push(Ok(ChatEvent::Alive));
        }
    }

    /// Begins a part and returns its number.
    pub(super) fn open(&mut self, kind: PartKind) -> Result<u32, Failure> {
        self.start(0);
        if matches!(kind, PartKind::ToolCall { .. }) {
            self.calls += 1;
            if self.calls > CALLS_MAX {
                return Err(too_many_calls());
            }
        }
        let part = self.parts;
        self.parts += 1;
        self.open.insert(part);
        self.items.push(Ok(ChatEvent::PartStarted { choice: 0, part, kind }));
        Ok(part)
    }

    /// Begins a call, and names it if the provider does not.
    pub(super) fn open_call(&mut self, id: Option<&str>, name: &str) -> Result<u32, Failure> {
        self.pause();
        let id = match id {
            Some(id) if !id.is_empty() => id.to_owned(),
            _ => format!("call_{}_{}", self.context.unique, self.calls),
        };
        self.open(PartKind::ToolCall { id, name: name.to_owned() })
    }

    /// Adds to an open part, which is of the fragment's kind.
    pub(super) fn add(&mut self, part: u32, fragment: Fragment) {
        if !fragment.as_str().is_empty() {
            self.items.push(Ok(ChatEvent::Delta(Delta { choice: 0, part, fragment, tokens: Vec::new() })));
        }
    }

    /// Goes on in the running part, or in a new one if that is of another kind. Returns its number; nothing begins with
    /// an empty text.
    pub(super) fn say(&mut self, fragment: Fragment) -> Result<Option<u32>, Failure> {
        if fragment.as_str().is_empty() {
            return Ok(None);
        }
        let part = match &self.running {
            Some((part, kind)) if fragment.is_of(kind) => *part,
            _ => self.run(match fragment {
                Fragment::Thinking(_) => PartKind::Thinking,
                Fragment::Refusal(_) => PartKind::Refusal,
                Fragment::Text(_) | Fragment::Arguments(_) => PartKind::Text,
            })?,
        };
        self.add(part, fragment);
        Ok(Some(part))
    }

    /// Begins a running part, whether or not there is one.
    pub(super) fn run(&mut self, kind: PartKind) -> Result<u32, Failure> {
        self.pause();
        let part = self.open(kind.clone())?;
        self.running = Some((part, kind));
        Ok(part)
    }

    /// Ends the running part, so that what is said next is another one.
    pub(super) fn pause(&mut self) {
        if let Some((part, _)) = self.running.take() {
            self.close(part);
        }
    }

    /// Adds to an open part what only the provider can read.
    pub(super) fn opaque(&mut self, part: u32, kind: &str, data: String) {
        if !data.is_empty() {
            let opaque = Opaque { origin: self.context.origin.clone(), kind: kind.to_owned(), data };
            self.items.push(Ok(ChatEvent::OpaqueAdded { choice: 0, part, opaque }));
        }
    }

    /// Adds a source to what is being said; without a running part nobody said it.
    pub(super) fn cite(&mut self, citation: Citation) {
        if let Some((part, _)) = self.running {
            self.citation(part, citation);
        }
    }

    /// Adds a source to an open part.
    pub(super) fn citation(&mut self, part: u32, citation: Citation) {
        self.items.push(Ok(ChatEvent::CitationAdded { choice: 0, part, citation }));
    }

    /// Ends a part, unless it has ended.
    pub(super) fn close(&mut self, part: u32) {
        if self.open.remove(&part) {
            self.items.push(Ok(ChatEvent::PartEnded { choice: 0, part }));
        }
    }

    /// Notes what the adapter counted.
    pub(super) fn measure(&mut self, usage: Usage) {
        self.measured = Some(usage);
    }

    /// Hands out what the adapter counted, where the codec counted nothing.
    pub(super) fn measured(&mut self) {
        if let Some(usage) = self.measured.filter(|_| !self.is_ended() && self.progress == Progress::Started)
        {
            self.usage(usage);
        }
    }

    /// Notes that the proof has come which the adapter demands.
    pub(super) fn prove(&mut self) {
        self.lacks_proof = false;
    }

    /// Returns what a word means as the reason to end, where the adapter says it.
    pub(super) fn adapted_reason(&self, word: &str) -> Option<FinishReason> {
        let words = self.context.adapter.as_ref()?.finish();
        words.iter().find(|(known, _)| known == word).map(|(_, reason)| *reason)
    }

    /// Makes the failure that a record tells of.
    pub(super) fn complain(&self, mut complaint: Complaint, record: Object<'_>) -> Failure {
        if let Some(adapter) = &self.context.adapter {
            let body = record.map().clone().into();
            complaint.judge(adapter, Told { status: complaint.status(), headers: &[], body: &body });
        }
        complaint.into_failure(self.provider(), None)
    }

    /// Notes what was counted so far.
    pub(super) fn usage(&mut self, usage: Usage) {
        let usage = self.measured.unwrap_or(usage);
        self.start(0);
        if self.facts.usage.replace(usage) != Some(usage) {
            self.items.push(Ok(ChatEvent::Usage(usage)));
        }
    }

    /// Notes the proof that the reply is complete, in the provider's own word and in ours.
    pub(super) fn finish(&mut self, word: &str, reason: FinishReason) {
        self.start(0);
        self.facts.finish_word(word);
        self.finish = Some(reason);
    }

    /// Ends the reply, which is a success if it was proven and a failure if not.
    pub(super) fn done(&mut self) {
        let Some(reason) = self.finish.filter(|_| !self.lacks_proof) else {
            let failure = self.unproven();
            return self.fail(failure);
        };
        if self.is_ended() {
            return;
        }
        self.measured();
        self.running = None;
        for part in std::mem::take(&mut self.open) {
            self.items.push(Ok(ChatEvent::PartEnded { choice: 0, part }));
        }
        self.items.push(Ok(ChatEvent::Finished { choice: 0, reason, stop: None }));
        let usage = self.facts.usage.unwrap_or_default();
        self.items.push(Ok(ChatEvent::Done { usage, timings: Timings::default() }));
        self.progress = Progress::Ended;
    }

    /// Ends the reply with a failure, unless it has ended.
    pub(super) fn fail(&mut self, failure: Failure) {
        if !self.is_ended() {
            self.progress = Progress::Ended;
            self.items.push(Err(failure));
        }
    }

    /// An end without proof is a cut; if all that came was unknown, the provider has changed.
    fn unproven(&self) -> Failure {
        let provider = self.provider();
        if !self.has_output() && !self.facts.unknown.is_empty() {
            let unknown = self.facts.unknown.join(", ");
            let message = format!("{provider} answered only in ways that are unknown: {unknown}");
            return Failure::new(FailureKind::SchemaDrift, message);
        }
        let message = format!("the answer of {provider} ended without saying that it was complete");
        Failure::new(FailureKind::StreamTruncated, message)
    }
}

/// Makes the failure of a reply that calls without end.
pub(super) fn too_many_calls() -> Failure {
    let message = format!("the provider sent more than {CALLS_MAX} tool calls");
    Failure::new(FailureKind::StreamMalformed, message)
}

/// The most calls that a reply may make.
pub(super) const CALLS_MAX: usize = 1024;
