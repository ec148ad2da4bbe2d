//! The log as a program that acts sees it: an act begins durably or does not begin, and always ends.

use std::fmt;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::json;
use stack_seal::key::{PublicKey, SigningKey};

use crate::anchor::{Anchor, AnchorFailures, Publisher};
use crate::draft::{Draft, Durability, Receipt};
use crate::entry::Actor;
use crate::error::AuditError;
use crate::export::ExportOptions;
use crate::identity::{LogId, StreamId};
use crate::kind::Kind;
use crate::log::Log;
use crate::open_entry::OpenEntry;
use crate::ownership::Ownership;
use crate::prepare::{Preparer, Random};
use crate::retain::Selection;
use crate::scrub::Scrubber;
use crate::store::{Folder, Prepared, Store, StoreError};
use crate::writer::{
    Append, CheckpointInterval, Counters, Erasure, Order, Recovery, Reply, Step, Ticket, Writer,
};

/// The clock: milliseconds since 1970.
pub type Clock = dyn Fn() -> u64 + Send + Sync;

/// What a log needs from its surroundings.
pub struct AuditOptions {
    /// The key that signs checkpoints, see [`crate::key`].
    pub key: SigningKey,
    /// The clock of the machine.
    pub clock: Box<Clock>,
    /// The randomness of the system.
    pub random: Box<Random>,
    /// Replaces secrets in payloads.
    pub scrubber: Scrubber,
    /// Places outside the folder that get every checkpoint.
    pub anchors: Vec<Anchor>,
    /// How often checkpoints are made.
    pub interval: CheckpointInterval,
    /// The version of the program, which is written down.
    pub version: String,
    /// For how long the log is taken.
    pub ownership: Ownership,
}

impl AuditOptions {
    /// Takes what has no default.
    pub fn new(key: SigningKey, clock: Box<Clock>, random: Box<Random>) -> Self {
        let mut tag_key = [0; 32];
        random(&mut tag_key);
        let scrubber = Scrubber::new(tag_key);
        let (anchors, interval, version) = (Vec::new(), CheckpointInterval::default(), String::new());
        let ownership = Ownership::default();
        Self { key, clock, random, scrubber, anchors, interval, version, ownership }
    }
}

/// A log that is open for writing. Clones write to the same log.
#[derive(Clone)]
pub struct Audit(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    log: LogId,
    key: Mutex<PublicKey>,
    recovery: Recovery,
    preparer: Arc<Preparer>,
    counters: Arc<Counters>,
    anchor_failures: Arc<Mutex<AnchorFailures>>,
    tickets: AtomicU64,
    /// Taken when the last clone goes, so that the thread sees that nobody is left.
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

/// What a log counted since it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditMetrics {
    /// Entries that were written.
    pub entries: u64,
    /// Flushes that they took.
    pub commits: u64,
    /// Secrets that were replaced.
    pub scrubbed: u64,
    /// Intents whose owner went without ending them. Each is a bug.
    pub dropped: u64,
    /// What anchors did not take.
    pub anchors: AnchorFailures,
}

impl Audit {
    /// Opens the log in a folder, or makes one there, and settles what an earlier process has left open.
    ///
    /// # Errors
    ///
    /// When another process has it, the disk refuses, or what is there is not a log that this key signs.
    pub fn open(folder: &Path, options: AuditOptions) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { path: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        let AuditOptions { key, clock, random, scrubber, anchors, interval, version, ownership } = options;
        let mut id = [0; 16];
        random(&mut id);
        let places = Folder::new(folder);
        let beside = Anchor::File(places.checkpoints());
        let store = Store::open(places, &key.public(), LogId(id), ownership)?;
        let publisher = Publisher::start([beside].into_iter().chain(anchors).collect()).map_err(io)?;
        let anchor_failures = publisher.failures();
        let preparer = Arc::new(Preparer { scrubber, random });
        let counters = Arc::<Counters>::default();
        let (log, public) = (store.log, key.public());
        let surroundings = (Arc::from(clock), Arc::clone(&preparer));
        let rhythm = (interval, ownership);
        let mut writer = Writer::new(store, key, surroundings, rhythm, publisher, Arc::clone(&counters))?;
        let recovery = writer.recover(&version)?;
        let (send, receive) = sync_channel(QUEUE);
        let thread = thread::Builder::new()
            .name("audit-writer".to_owned())
            .spawn(move || writer.run(receive))
            .map_err(io)?;
        Ok(Self(Arc::new(Inner {
            folder: folder.to_owned(),
            log,
            key: Mutex::new(public),
            recovery,
            preparer,
            counters,
            anchor_failures,
            tickets: AtomicU64::new(1),
            orders: Some(send),
            thread: Some(thread),
        })))
    }

    /// Returns the name of the log.
    pub fn log(&self) -> LogId {
        self.0.log
    }

    /// Returns the key that checks its checkpoints.
    pub fn key(&self) -> PublicKey {
        self.0.key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns what an earlier process had left open.
    pub fn recovery(&self) -> Recovery {
        self.0.recovery
    }

    /// Returns what was counted.
    pub fn metrics(&self) -> AuditMetrics {
        let Counters { entries, commits, scrubbed, dropped } = &*self.0.counters;
        let [entries, commits, scrubbed, dropped] =
            [entries, commits, scrubbed, dropped].map(|counter| counter.load(Ordering::Relaxed));
        let anchors = self.0.anchor_failures.lock().unwrap_or_else(PoisonError::into_inner).clone();
        AuditMetrics { entries, commits, scrubbed, dropped, anchors }
    }

    /// Opens the same log for reading.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn reader(&self) -> Result<Log, StoreError> {
        Log::open(&self.0.folder)
    }

    /// Writes down something that is over, and returns when that is durable.
    ///
    /// # Errors
    ///
    /// When it was not written.
    pub fn note(&self, draft: Draft) -> Result<Receipt, AuditError> {
        self.append(draft, Step::Note)
    }

    /// Writes down what will be done. The act may begin when this returns, and must not if it fails.
    ///
    /// # Errors
    ///
    /// When the intent was not written.
    pub fn begin(&self, draft: Draft) -> Result<OpenEntry, AuditError> {
        let ticket = Ticket(self.0.tickets.fetch_add(1, Ordering::Relaxed));
        let effect = draft.effect();
        let receipt = match draft.durability {
            Durability::Before => Some(self.append(draft, Step::Intent(ticket))?),
            Durability::Batched => {
                let expected_seq = draft.expected_seq;
                let prepared = self.prepare(draft)?;
                let append = Append { prepared, step: Step::Intent(ticket), expected_seq, reply: None };
                self.order(Order::Append(Box::new(append)))?;
                None
            }
        };
        Ok(OpenEntry::new(self.clone(), ticket, effect, receipt))
    }

    /// Makes a checkpoint of all that was written, and returns the signed note.
    ///
    /// # Errors
    ///
    /// When it was not saved.
    pub fn checkpoint(&self) -> Result<String, AuditError> {
        self.ask(Order::Checkpoint)
    }

    /// Lets another key sign from here on, and returns the checkpoint that both have signed. The new key has to be kept
    /// before this is called: the log opens with that alone afterwards. The old one is needed no more.
    ///
    /// # Errors
    ///
    /// When the change was not written; then the old key goes on signing.
    pub fn change_key(&self, new: SigningKey, actor: Actor) -> Result<String, AuditError> {
        let public = new.public();
        let note = self.ask(|reply| Order::ChangeKey(Box::new((new, actor)), reply))?;
        *self.0.key.lock().unwrap_or_else(PoisonError::into_inner) = public;
        Ok(note)
    }

    /// Keeps the payloads of a stream from being erased.
    ///
    /// # Errors
    ///
    /// When the stream has no entry, or that was not written.
    pub fn hold(&self, stream: StreamId, reason: &str, actor: Actor) -> Result<Receipt, AuditError> {
        self.require(stream)?;
        let payload = json!({"stream": stream.to_string(), "reason": reason});
        self.note(Draft::new(StreamId::LOG, Kind::HELD, actor).with(payload))
    }

    /// Ends a hold.
    ///
    /// # Errors
    ///
    /// When the stream has no entry, or that was not written.
    pub fn release(&self, stream: StreamId, reason: &str, actor: Actor) -> Result<Receipt, AuditError> {
        self.require(stream)?;
        let payload = json!({"stream": stream.to_string(), "reason": reason});
        self.note(Draft::new(StreamId::LOG, Kind::RELEASED, actor).with(payload))
    }

    /// Erases payloads and their salts, from the database, its WAL and files, and returns how many there were. Chain and
    /// tree stay whole. Payloads of streams on hold stay, too.
    ///
    /// # Errors
    ///
    /// When the stream that was asked for is on hold or unknown; when something was not written.
    pub fn erase(&self, selection: &Selection, reason: &str, actor: Actor) -> Result<u64, AuditError> {
        let log = self.reader()?;
        let holds = log.holds()?;
        if let Some(stream) = selection.stream {
            if let Some(reason) = holds.reason(stream) {
                return Err(AuditError::Held { stream, reason: reason.to_owned() });
            }
            if !log.has(stream)? {
                return Err(AuditError::UnknownStream(stream));
            }
        }
        let ranges = log.payloads(|entry| selection.covers(entry) && holds.reason(entry.stream).is_none())?;
        // Its open reading would keep the WAL, and with it what is to go.
        drop(log);
        if ranges.is_empty() {
            return Ok(0);
        }
        let erasure = Box::new(Erasure { ranges, reason: reason.to_owned(), actor });
        self.ask(|reply| Order::Erase(erasure, reply))
    }

    /// Exports a stream: writes that down, makes a checkpoint, and returns the document.
    ///
    /// # Errors
    ///
    /// When the stream has no entry, or something was not written or read.
    pub fn export(
        &self,
        stream: StreamId,
        options: ExportOptions,
        actor: Actor,
    ) -> Result<String, AuditError> {
        self.require(stream)?;
        let payload = json!({"stream": stream.to_string(), "format": options.format.name()});
        self.note(Draft::new(StreamId::LOG, Kind::EXPORTED, actor).with(payload))?;
        let checkpoint = self.checkpoint()?;
        Ok(self.reader()?.export(stream, &checkpoint, options)?)
    }

    /// Makes the last checkpoint and ends the log; whoever writes after that gets [`AuditError::Closed`].
    ///
    /// # Errors
    ///
    /// When something was not written.
    pub fn close(&self) -> Result<(), AuditError> {
        self.ask(Order::Close)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn append(&self, draft: Draft, step: Step) -> Result<Receipt, AuditError> {
        let expected_seq = draft.expected_seq;
        let prepared = self.prepare(draft)?;
        self.ask(|reply| Order::Append(Box::new(Append { prepared, step, expected_seq, reply: Some(reply) })))
    }

    pub(crate) fn prepare(&self, draft: Draft) -> Result<Prepared, AuditError> {
        let prepared = self.0.preparer.prepare(draft)?;
        self.0.counters.scrubbed.fetch_add(u64::from(prepared.scrubbed), Ordering::Relaxed);
        Ok(prepared)
    }

    /// Queues an order; a full queue makes the caller wait.
    pub(crate) fn order(&self, order: Order) -> Result<(), AuditError> {
        let orders = self.0.orders.as_ref().ok_or(AuditError::Closed)?;
        orders.send(order).map_err(|_| AuditError::Closed)
    }

    /// A mistyped stream would otherwise be held, and the one that was meant erased.
    fn require(&self, stream: StreamId) -> Result<(), AuditError> {
        if self.reader()?.has(stream)? { Ok(()) } else { Err(AuditError::UnknownStream(stream)) }
    }

    /// Queues an order and waits for what came of it.
    fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, AuditError> {
        let (reply, answer) = sync_channel(1);
        self.order(order(reply))?;
        answer.recv().unwrap_or(Err(AuditError::Closed))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its own thread.
            let _ended = thread.join();
        }
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit")
            .field("folder", &self.0.folder)
            .field("log", &self.0.log)
            .finish_non_exhaustive()
    }
}

/// Drafts that may wait; whoever comes then waits until there is room.
const QUEUE: usize = 4096;
