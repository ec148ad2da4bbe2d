//! The schema, and connections that trust nothing in a database but what it was made with.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use stack_seal::key::PublicKey;

use super::{Folder, StoreError, doing};
use crate::entry::PAYLOAD_MAX;
use crate::identity::LogId;
use crate::kind::Kind;
use crate::ownership::Ownership;
use crate::payload::parse_canonical;

/// What a log says it is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) log: LogId,
    /// The keys that have signed for it, one after the other. There is at least one; the last signs now.
    pub(crate) keys: Vec<PublicKey>,
}

impl Identity {
    pub(crate) fn current_key(&self) -> &PublicKey {
        self.keys.last().expect("a log has a key from its beginning")
    }
}

/// Opens the database of a log for reading.
pub(crate) fn connect(folder: &Folder) -> Result<Connection, StoreError> {
    let path = folder.database();
    if !path.exists() {
        return Err(StoreError::Missing { path });
    }
    let connection = open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let since = Instant::now();
    // A log that is just being made is a file first, and becomes a log in one step.
    while objects(&connection)? == 0 && since.elapsed() < MAKING_MAX {
        thread::sleep(Duration::from_millis(5));
    }
    check(&connection, &path)?;
    Ok(connection)
}

/// Counts the tables, indices and triggers.
fn objects(connection: &Connection) -> Result<i64, StoreError> {
    let count = connection.query_one("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    count.map_err(doing("reading the schema"))
}

/// Opens the database of a log for writing, and makes it where there is none.
pub(super) fn connect_or_create(
    folder: &Folder,
    key: &PublicKey,
    log: LogId,
    ownership: Ownership,
) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(StoreError::OldSqlite);
    }
    let path = folder.database();
    let length = fs::metadata(&path).map_or(0, |found| found.len());
    let is_new = length == 0;
    // SQLite takes a file that is shorter than a page for an empty database, and writes over it.
    if !is_new && length < PAGE_MIN {
        return Err(StoreError::NotALog { path, found: format!("a file of {length} bytes") });
    }
    let mut connection = open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    let attempt = "preparing the database";
    if is_new {
        connection
            .execute_batch("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;")
            .map_err(doing(attempt))?;
    }
    let size_limit = format!("PRAGMA journal_size_limit = {};", ownership.wal_max());
    connection.execute_batch(&format!("{SETTINGS} {size_limit}")).map_err(doing(attempt))?;
    if ownership.is_brief() {
        // Whoever comes next would only have to make the WAL again, and pays for it with flushes.
        let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        connection.set_db_config(keep, true).map_err(doing(attempt))?;
    }
    if objects(&connection)? == 0 {
        // A crash leaves all of the schema and the name or nothing, and readers see as much.
        let whole = TransactionBehavior::Immediate;
        let made = connection.transaction_with_behavior(whole).map_err(doing(attempt))?;
        let marks = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};");
        made.execute_batch(&format!("{marks} {}", SCHEMA.join("; "))).map_err(doing(attempt))?;
        let insert = "INSERT INTO log(id, log, public_key) VALUES (1, ?1, ?2)";
        made.execute(insert, (&log.0[..], key.to_string())).map_err(doing(attempt))?;
        made.commit().map_err(doing(attempt))?;
    }
    check(&connection, &path)?;
    Ok(connection)
}

/// Reads what the log says it is.
pub(crate) fn read_identity(connection: &Connection) -> Result<Identity, StoreError> {
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, String>(1)?));
    let found = connection.query_one("SELECT log, public_key FROM log", [], row);
    let (log, key) = found.map_err(doing("reading the log's name"))?;
    let damaged = || StoreError::Damaged { what: "its public key".to_owned() };
    let mut keys: Vec<PublicKey> = vec![key.parse().map_err(|_| damaged())?];
    let attempt = "reading the log's keys";
    let select =
        "SELECT bytes FROM payload JOIN entry USING (idx) WHERE substr(body, 97, 2) = ?1 ORDER BY idx";
    let mut select = connection.prepare(select).map_err(doing(attempt))?;
    let changes = select.query_map([&Kind::KEY_CHANGED.0.to_be_bytes()[..]], |row| row.get::<_, Vec<u8>>(0));
    for change in changes.map_err(doing(attempt))? {
        let change = parse_canonical(&change.map_err(doing(attempt))?).map_err(|_| damaged())?;
        keys.push(change["new"].as_str().and_then(|key| key.parse().ok()).ok_or_else(damaged)?);
    }
    Ok(Identity { log: LogId(log), keys })
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let attempt = "opening the database";
    let connection =
        Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(doing(attempt))?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(doing(attempt))?;
    // A database from a stranger may be made to be read: its schema runs nothing, and no row is larger than ours are.
    connection
        .execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")
        .map_err(doing(attempt))?;
    let longest = i32::try_from(PAYLOAD_MAX).expect("16 MiB fit") + (1 << 16);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest).map_err(doing(attempt))?;
    Ok(connection)
}

/// Checks that a database is a log of this version, made of the statements that make a log and of no others.
fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let attempt = "reading the schema";
    let not_a_log = |found: String| StoreError::NotALog { path: path.to_owned(), found };
    let number =
        |pragma: &str| connection.query_one(pragma, [], |row| row.get::<_, i64>(0)).map_err(doing(attempt));
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    if application != APPLICATION {
        return Err(not_a_log(format!("application_id {application}")));
    }
    if version != VERSION {
        return Err(not_a_log(format!("version {version}")));
    }
    let mut select = connection
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid LIMIT 100")
        .map_err(doing(attempt))?;
    let found = select.query_map([], |row| row.get::<_, String>(0)).map_err(doing(attempt))?;
    let found: Vec<String> = found.collect::<Result<_, _>>().map_err(doing(attempt))?;
    match found.iter().find(|sql| !SCHEMA.contains(&sql.as_str())) {
        Some(sql) => Err(not_a_log(format!("`{sql}`"))),
        None if found.len() != SCHEMA.len() => Err(not_a_log("a part of the schema is missing".to_owned())),
        None => Ok(()),
    }
}

/// `STKA`.
const APPLICATION: i64 = 0x5354_4b41;
const VERSION: i64 = 1;
const PAGE_MIN: u64 = 512;
/// How long a reader waits for a log that is being made.
const MAKING_MAX: Duration = Duration::from_secs(1);
/// Before it, a WAL that is emptied while others write can lose pages.
const OLDEST_SQLITE: i32 = 3_051_003;

/// The WAL is emptied by the writer itself, when nobody waits.
const SETTINGS: &str = "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA secure_delete = ON; \
                        PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0; \
                        PRAGMA cache_size = -16384;";

const SCHEMA: [&str; 13] = [
    "CREATE TABLE log(id INTEGER PRIMARY KEY CHECK(id = 1), log BLOB NOT NULL, public_key TEXT NOT NULL) STRICT",
    "CREATE TABLE entry(idx INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL) STRICT",
    "CREATE UNIQUE INDEX entry_position ON entry(substr(body, 33, 24))",
    "CREATE INDEX entry_kind ON entry(substr(body, 97, 2))",
    "CREATE TABLE payload(idx INTEGER PRIMARY KEY REFERENCES entry(idx), salt BLOB NOT NULL, bytes BLOB NOT NULL) \
     STRICT",
    "CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT",
    "CREATE TABLE open_intent(idx INTEGER PRIMARY KEY) STRICT",
    "CREATE TABLE frontier(id INTEGER PRIMARY KEY CHECK(id = 1), size INTEGER NOT NULL, nodes BLOB NOT NULL) STRICT",
    "CREATE TRIGGER entry_is_not_changed BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'entries are final'); END",
    "CREATE TRIGGER entry_is_not_removed BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'entries are final'); END",
    "CREATE TRIGGER checkpoint_is_not_changed BEFORE UPDATE ON checkpoint BEGIN \
     SELECT RAISE(ABORT, 'checkpoints are final'); END",
    "CREATE TRIGGER checkpoint_is_not_removed BEFORE DELETE ON checkpoint BEGIN \
     SELECT RAISE(ABORT, 'checkpoints are final'); END",
    "CREATE TRIGGER payload_is_not_changed BEFORE UPDATE ON payload BEGIN \
     SELECT RAISE(ABORT, 'payloads are erased, not edited'); END",
];
