//! The one thread that writes: it commits whatever has queued up while it committed before.
//!
//! There is no artificial delay. One waiting caller gets the disk's flush rate; the more there are, the more entries
//! share a flush.

mod health;
mod recover;
mod upkeep;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use serde_json::json;
use stack_seal::key::SigningKey;

use crate::anchor::Publisher;
use crate::audit::Clock;
use crate::draft::Receipt;
use crate::entry::{Actor, Outcome, Phase};
use crate::error::AuditError;
use crate::identity::StreamId;
use crate::kind::Kind;
use crate::ownership::Ownership;
use crate::prepare::Preparer;
use crate::ranges::Ranges;
use crate::store::{Claim, Moment, Prepared, Store, StoreError};
use crate::tree::Frontier;
use health::Health;
pub use recover::Recovery;

/// What the writer is asked for.
pub(crate) enum Order {
    /// An entry.
    Append(Box<Append>),
    /// A checkpoint of all that was asked for before.
    Checkpoint(Reply<String>),
    /// Payloads that have to go, why, and who says so.
    Erase(Box<Erasure>, Reply<u64>),
    /// Another key, and who says so.
    ChangeKey(Box<(SigningKey, Actor)>, Reply<String>),
    /// The end.
    Close(Reply<()>),
}

impl Order {
    /// Tells whoever asked that nothing was done.
    fn refuse(self, error: AuditError) {
        match self {
            Self::Append(append) => append.answer(Err(error)),
            Self::Checkpoint(reply) | Self::ChangeKey(_, reply) => answer(&reply, Err(error)),
            Self::Erase(_, reply) => answer(&reply, Err(error)),
            Self::Close(reply) => answer(&reply, Err(error)),
        }
    }
}

pub(crate) type Reply<T> = SyncSender<Result<T, AuditError>>;

/// An entry to append. The reply is sent when it is durable; nobody waits for what is batched.
pub(crate) struct Append {
    pub(crate) prepared: Prepared,
    pub(crate) step: Step,
    pub(crate) expected_seq: Option<u64>,
    pub(crate) reply: Option<Reply<Receipt>>,
}

/// An intent gets a ticket when it is queued, so that its effect can name it before it has a seq.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Note,
    Intent(Ticket),
    Effect(Ticket, Outcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket(pub(crate) u64);

pub(crate) struct Erasure {
    pub(crate) ranges: Ranges,
    pub(crate) reason: String,
    pub(crate) actor: Actor,
}

/// How often checkpoints are made.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointInterval {
    /// After so many entries.
    pub entries: u64,
    /// After so long with changes.
    pub after: Duration,
}

impl Default for CheckpointInterval {
    fn default() -> Self {
        Self { entries: 1024, after: Duration::from_mins(1) }
    }
}

/// What the writer counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) entries: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) scrubbed: AtomicU64,
    pub(crate) dropped: AtomicU64,
}

pub(crate) struct Writer {
    pub(crate) store: Store,
    pub(crate) key: SigningKey,
    pub(crate) clock: Arc<Clock>,
    pub(crate) preparer: Arc<Preparer>,
    pub(crate) opened: Instant,
    pub(crate) interval: CheckpointInterval,
    pub(crate) ownership: Ownership,
    pub(crate) publisher: Publisher,
    pub(crate) counters: Arc<Counters>,
    upkeep: upkeep::Upkeep,
    health: Health,
    /// The intents that are open, by their tickets.
    tickets: HashMap<Ticket, OpenIntent>,
    /// A checkpoint that goes into the table with the next commit.
    unsaved: Option<(Frontier, String)>,
}

/// An intent that lacks its effect.
struct OpenIntent {
    seq: u64,
    /// Tells others that its act is under way, where they write meanwhile.
    _claim: Option<Claim>,
}

impl Writer {
    pub(crate) fn new(
        store: Store,
        key: SigningKey,
        (clock, preparer): (Arc<Clock>, Arc<Preparer>),
        (interval, ownership): (CheckpointInterval, Ownership),
        publisher: Publisher,
        counters: Arc<Counters>,
    ) -> Result<Self, StoreError> {
        let upkeep = upkeep::Upkeep::new(store.last_checkpoint()?);
        let (health, tickets, unsaved) = (Health::default(), HashMap::new(), None);
        let opened = Instant::now();
        Ok(Self {
            store,
            key,
            clock,
            preparer,
            opened,
            interval,
            ownership,
            publisher,
            counters,
            upkeep,
            health,
            tickets,
            unsaved,
        })
    }

    /// Serves until it is told to close, or nobody can ask any more.
    pub(crate) fn run(mut self, orders: Receiver<Order>) {
        let mut waiting = None;
        loop {
            let order = waiting.take().map_or_else(|| self.next(&orders), Ok);
            let order = match order {
                Ok(Order::Close(reply)) => {
                    let closed = self.close();
                    // Whoever waited may open the log again at once, so the lock goes first; and nothing can be ordered that
                    // nobody would write, not even what is not waited for.
                    drop((self, orders));
                    answer(&reply, closed);
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    // Nobody is left who could hear of a failure.
                    let _closed = self.close();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.idle();
                    continue;
                }
                Ok(order) => order,
            };
            match self.take() {
                Ok(()) => waiting = self.obey(order, &orders),
                Err(error) => order.refuse(error),
            }
        }
    }

    /// Waits for an order. Where others write, too, they may meanwhile.
    fn next(&mut self, orders: &Receiver<Order>) -> Result<Order, RecvTimeoutError> {
        if let Ok(order) = orders.try_recv() {
            return Ok(order);
        }
        if self.ownership.is_brief() {
            self.store.let_go();
        }
        orders.recv_timeout(self.interval.after.min(IDLE))
    }

    /// Takes the log, where that may be another's, and catches up with what was written meanwhile.
    fn take(&mut self) -> Result<(), AuditError> {
        if self.ownership.is_brief() && !self.health.is_poisoned() {
            let unavailable = |error| AuditError::Unavailable(Arc::new(error));
            let patience = self.ownership.patience();
            if let Some(signed) = self.store.take(&self.key.public(), patience).map_err(unavailable)? {
                self.opened = Instant::now();
                self.upkeep.follow(signed, self.store.tree().size());
            }
            self.health.recover(&self.store.folder.reserve());
        }
        Ok(())
    }

    /// Does what it was asked for, and returns an order that has to wait for it.
    fn obey(&mut self, order: Order, orders: &Receiver<Order>) -> Option<Order> {
        let mut waiting = None;
        match order {
            Order::Append(first) => {
                let mut batch = vec![*first];
                waiting = fill(&mut batch, orders);
                self.write(batch);
                self.look_after(false);
            }
            Order::Checkpoint(reply) => answer(&reply, self.checkpoint_now()),
            Order::Erase(erasure, reply) => answer(&reply, self.erase(&erasure)),
            Order::ChangeKey(change, reply) => answer(&reply, self.change_key(*change)),
            // The end is not a matter of the log alone; the loop sees to it.
            Order::Close(_) => waiting = Some(order),
        }
        waiting
    }

    /// Commits entries and tells whoever waits for them.
    fn write(&mut self, batch: Vec<Append>) {
        let (batch, refused): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|append| self.health.admits(append.prepared.kind));
        for append in refused {
            append.answer(Err(self.health.refusal()));
        }
        if batch.is_empty() {
            return;
        }
        match self.commit(&batch) {
            Ok(receipts) => answer_all(batch, receipts),
            Err(error) if self.health.is_full_disk(&error) => self.write_on_full_disk(batch),
            Err(error) => {
                let error = self.health.poison(error);
                batch.into_iter().for_each(|append| append.answer(Err(error.clone())));
            }
        }
    }

    /// Gives up the reserve, writes down that the disk is full, and then only what frees space.
    fn write_on_full_disk(&mut self, batch: Vec<Append>) {
        self.health.fill(&self.store.folder.reserve());
        let (freeing, lost): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|append| self.health.admits(append.prepared.kind));
        let notice = json!({"lost": lost.len()});
        let notice = self.preparer.own(StreamId::LOG, Kind::DISK_FULL, notice);
        let notice = Append { prepared: notice, step: Step::Note, expected_seq: None, reply: None };
        let batch: Vec<_> = [notice].into_iter().chain(freeing).collect();
        match self.commit(&batch) {
            Ok(receipts) => answer_all(batch, receipts),
            // Even the reserve is gone. Nothing was flushed, so nothing is in doubt.
            Err(error) if self.health.is_full_disk(&error) => {
                batch.into_iter().for_each(|append| append.answer(Err(AuditError::DiskFull)));
            }
            Err(error) => {
                let error = self.health.poison(error);
                batch.into_iter().for_each(|append| append.answer(Err(error.clone())));
            }
        }
        lost.into_iter().for_each(|append| append.answer(Err(AuditError::DiskFull)));
    }

    /// Commits entries, all or none. A draft that cannot be placed is refused alone.
    fn commit(&mut self, appends: &[Append]) -> Result<Vec<Result<Receipt, AuditError>>, StoreError> {
        let mut batch = self.store.begin()?;
        let mut receipts = Vec::with_capacity(appends.len());
        let mut opened = HashMap::new();
        let mut closed = Vec::new();
        let mut ends_session = false;
        let claims = self.ownership.is_brief().then(|| self.store.folder.claims());
        for append in appends {
            let stream = append.prepared.stream;
            let next = batch.head(stream)?.seq + 1;
            if let Some(expected) = append.expected_seq.filter(|expected| *expected != next) {
                receipts.push(Err(AuditError::SequenceMismatch { expected, found: next }));
                continue;
            }
            let phase = match append.step {
                Step::Note => Phase::Note,
                Step::Intent(_) => Phase::Intent,
                Step::Effect(ticket, outcome) => {
                    let known = opened.get(&ticket).or_else(|| self.tickets.get(&ticket));
                    let Some(closes) = known.map(|intent: &OpenIntent| intent.seq) else {
                        receipts.push(Err(AuditError::NoIntent));
                        continue;
                    };
                    closed.push(ticket);
                    Phase::Effect { closes, outcome }
                }
            };
            let entry = batch.append(&append.prepared, phase, self.now())?;
            if let Step::Intent(ticket) = append.step {
                let claim = claims.as_ref().map(|claims| claims.take(entry.index)).transpose()?;
                opened.insert(ticket, OpenIntent { seq: entry.seq, _claim: claim });
            }
            ends_session |= entry.kind == Kind::SESSION_END;
            let hash = batch.head(stream)?.hash;
            receipts.push(Ok(Receipt { stream, seq: entry.seq, index: entry.index, hash }));
        }
        if let Some((tree, note)) = &self.unsaved {
            batch.checkpoint(tree, note)?;
        }
        // A process that may end now signs what it did with it, instead of in a commit of its own.
        let is_over = appends.iter().any(|append| !matches!(append.step, Step::Intent(_)));
        let note = (self.ownership.is_brief() && is_over).then(|| self.signed(batch.tree(), &[&self.key]));
        if let Some(note) = &note {
            batch.checkpoint(batch.tree(), note)?;
        }
        let committed = batch.commit()?;
        self.store.advance(committed);
        self.unsaved = None;
        self.tickets.extend(opened);
        for ticket in closed {
            self.tickets.remove(&ticket);
        }
        let written = receipts.iter().filter(|receipt| receipt.is_ok()).count();
        if written > 0 {
            self.upkeep.changed(ends_session);
        }
        if let Some(note) = note {
            self.publish(&note);
        }
        self.counters.entries.fetch_add(written as u64, Ordering::Relaxed);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        Ok(receipts)
    }

    fn now(&self) -> Moment {
        let mono_us = u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX);
        Moment { wall_ms: (self.clock)(), mono_us }
    }
}

impl Append {
    fn answer(self, result: Result<Receipt, AuditError>) {
        if let Some(reply) = &self.reply {
            answer(reply, result);
        }
    }
}

/// Takes what has queued up, as far as one commit goes, and returns an order that has to wait for it.
fn fill(batch: &mut Vec<Append>, orders: &Receiver<Order>) -> Option<Order> {
    let mut bytes = 0;
    while batch.len() < BATCH_MAX && bytes < BATCH_BYTES_MAX {
        match orders.try_recv() {
            Ok(Order::Append(append)) => {
                bytes += append.prepared.payload.as_ref().map_or(0, |payload| payload.bytes.len());
                batch.push(*append);
            }
            Ok(order) => return Some(order),
            Err(_) => break,
        }
    }
    None
}

fn answer_all(batch: Vec<Append>, receipts: Vec<Result<Receipt, AuditError>>) {
    batch.into_iter().zip(receipts).for_each(|(append, receipt)| append.answer(receipt));
}

fn answer<T>(reply: &Reply<T>, result: Result<T, AuditError>) {
    // Whoever asked may have gone; what is written stays written.
    let _gone = reply.send(result);
}

/// A commit takes no more entries: the ones that wait behind it should not wait long.
const BATCH_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// How long nobody asks for anything before the writer tidies up.
const IDLE: Duration = Duration::from_millis(500);
