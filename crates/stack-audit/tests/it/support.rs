//! Logs to try things on.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use stack_audit::verify::{Evidence, Source, StoredEntry, StoredPayload, Verifier};
use stack_audit::{
    Actor, Audit, AuditOptions, CheckpointInterval, Draft, Fault, Kind, Log, LogId, Report, StreamId,
    VerifyOptions,
};
use stack_seal::key::{KeyKind, PublicKey, SigningKey};
use tempfile::TempDir;

pub(crate) fn key(byte: u8) -> SigningKey {
    SigningKey::from_secret(KeyKind::Ed25519, &[byte; 32]).expect("any 32 bytes are a secret")
}

/// Bytes that differ from call to call.
pub(crate) fn random(bytes: &mut [u8]) {
    static STATE: AtomicU64 = AtomicU64::new(1);
    for chunk in bytes.chunks_mut(8) {
        let mixed = STATE.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        chunk.copy_from_slice(&(mixed ^ mixed >> 32).to_be_bytes()[..chunk.len()]);
    }
}

pub(crate) fn options() -> AuditOptions {
    let mut options = AuditOptions::new(key(1), Box::new(|| 1_790_000_000_000), Box::new(random));
    options.interval = CheckpointInterval { entries: 64, after: Duration::from_mins(1) };
    "test".clone_into(&mut options.version);
    options
}

pub(crate) fn open(folder: &Path) -> Audit {
    Audit::open(folder, options()).unwrap()
}

pub(crate) fn actor() -> Actor {
    Actor::new("user:alice").unwrap()
}

pub(crate) fn session(number: u8) -> StreamId {
    StreamId([0xee, number, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14])
}

pub(crate) fn draft(stream: StreamId, kind: Kind, payload: Value) -> Draft {
    Draft::new(stream, kind, actor()).with(payload)
}

/// A log of 200 entries in six streams: notes, acts of every outcome, texts, and some without a payload.
pub(crate) fn log_of_200() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    let mut number = 0;
    while audit.reader().unwrap().size().unwrap() < 199 {
        number += 1;
        let stream = session((number % 5) as u8);
        if number % 3 == 0 {
            audit
                .note(draft(stream, Kind::SESSION_MESSAGE, json!({"text": format!("message {number}")})))
                .unwrap();
        } else {
            let act = audit.begin(draft(stream, Kind::TOOL_CALL, json!({"call": number}))).unwrap();
            let result = json!({"result": number});
            match number % 4 {
                0 => act.done(result),
                1 => act.failed(result),
                2 => act.denied(result),
                _ => act.abandoned(stack_audit::Payload::None),
            }
            .unwrap();
        }
    }
    while audit.reader().unwrap().size().unwrap() < 200 {
        audit.note(draft(session(1), Kind::SESSION_END, json!({}))).unwrap();
    }
    audit.close().unwrap();
    folder
}

pub(crate) fn verify(folder: &Path) -> Result<Report, Fault> {
    let unreadable = |error: stack_audit::StoreError| {
        Fault::new(stack_audit::FaultClass::Unreadable, "a log", error.to_string())
    };
    Log::open(folder).map_err(unreadable)?.verify(&VerifyOptions::default())
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

/// Changes a database behind the back of its triggers, as somebody with the file would.
pub(crate) fn tamper(folder: &Path, change: impl FnOnce(&Connection)) {
    let connection = Connection::open(folder.join("audit.db")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    let mut select =
        connection.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").unwrap();
    let triggers =
        select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    let triggers: Vec<_> = triggers.collect::<Result<_, _>>().unwrap();
    drop(select);
    triggers.iter().for_each(|(name, _)| connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap());
    change(&connection);
    triggers.iter().for_each(|(_, sql)| connection.execute_batch(sql).unwrap());
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
}

/// A row of a log, taken out of its database.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) index: u64,
    pub(crate) body: Vec<u8>,
    pub(crate) hash: Vec<u8>,
    pub(crate) payload: Option<(Vec<u8>, Vec<u8>)>,
}

impl Stored {
    pub(crate) fn row(&self) -> StoredEntry<'_> {
        let payload = self.payload.as_ref().map(|(salt, bytes)| StoredPayload { salt, bytes });
        StoredEntry { index: self.index, body: &self.body, hash: &self.hash, payload }
    }
}

/// A whole log in memory, to be changed and verified without a disk.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dump {
    pub(crate) log: LogId,
    pub(crate) key: PublicKey,
    pub(crate) rows: Vec<Stored>,
    pub(crate) checkpoints: Vec<(u64, String)>,
}

impl Dump {
    pub(crate) fn of(folder: &Path) -> Self {
        let log = Log::open(folder).unwrap();
        let (log_id, key) = (log.id(), log.keys()[0].clone());
        let connection = Connection::open(folder.join("audit.db")).unwrap();
        let select =
            "SELECT idx, body, hash, salt, bytes FROM entry LEFT JOIN payload USING (idx) ORDER BY idx";
        let mut select = connection.prepare(select).unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            let payload = row.get::<_, Option<Vec<u8>>>(3)?.zip(row.get(4)?);
            Ok(Stored { index: row.get::<_, i64>(0)? as u64, body: row.get(1)?, hash: row.get(2)?, payload })
        };
        let rows = select.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap();
        Self { log: log_id, key, rows, checkpoints: log.checkpoints().unwrap() }
    }

    pub(crate) fn verifier(&self) -> Verifier {
        let evidence = self
            .checkpoints
            .iter()
            .map(|(size, note)| Evidence { source: Source::Table(*size), note: note.clone() });
        Verifier::new(self.log, vec![self.key.clone()], evidence.collect())
    }

    pub(crate) fn verify(&self) -> Result<Report, Fault> {
        let mut verifier = self.verifier();
        for row in &self.rows {
            verifier.push(row.row())?;
        }
        verifier.finish()
    }
}
