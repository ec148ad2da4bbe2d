//! The API keys of a server: `api-keys.json` in the home folder, which `stack auth token` changes and a running server
//! follows.
//!
//! A key itself is never written down, only its digest. The file is whole or not there, its owner's alone, and what is wrong
//! with it is an error: a file that cannot be read lets nobody in.

mod record;
mod token;

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use stack_seal::digest::Root;
use stack_server::{ApiKeys, FoundKey};
use stack_trust::home::Home;
use stack_trust::private_file::{self, FileMode};

use self::record::Record;
pub(crate) use self::record::{ApiKey, parse_priority, parse_tenant, priority_name, word};
pub(crate) use self::token::Token;
use crate::error::{CommandError, Kind};

/// The file with the keys of a home. It follows what others do to it.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
    last_read: RwLock<Arc<Contents>>,
}

/// What a file held when it was read.
#[derive(Debug)]
struct Contents {
    /// Which file that was; `None` = there was none.
    stamp: Option<Stamp>,
    /// The keys by their ids, or what is wrong with the file.
    keys: Result<HashMap<String, ApiKey>, String>,
}

/// What tells one state of a file from the next: each is a file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    keys: Vec<Record>,
}

impl KeyFile {
    /// Takes the file of a home, which need not exist yet.
    ///
    /// # Errors
    ///
    /// When it is not known where the home is.
    pub(crate) fn of(home: &Home) -> Result<Self, CommandError> {
        Ok(Self::at(home.root()?.join(FILE_NAME)))
    }

    fn at(path: PathBuf) -> Self {
        Self { path, last_read: RwLock::default() }
    }

    /// Lists the keys, the oldest first.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub(crate) fn keys(&self) -> Result<Vec<ApiKey>, CommandError> {
        let contents = self.contents();
        let keys = contents.keys.as_ref().map_err(|why| self.malformed(why))?;
        let mut keys: Vec<_> = keys.values().cloned().collect();
        keys.sort_by(|a, b| (a.created, &a.grant.key_id).cmp(&(b.created, &b.grant.key_id)));
        Ok(keys)
    }

    /// Changes the keys while nobody else does. What `change` refuses changes nothing.
    ///
    /// # Errors
    ///
    /// Those of `change`, and when the file cannot be read or written.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<ApiKey>) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let _lock = self.lock()?;
        let mut keys = self.keys()?;
        let done = change(&mut keys)?;
        if keys.len() > KEYS_MAX {
            let message = format!("there are {KEYS_MAX} keys already");
            return Err(CommandError::new(Kind::Limit, message).hint("revoke those that nobody uses"));
        }
        let document = Document { version: VERSION, keys: keys.iter().map(Record::from).collect() };
        let failed = |error| CommandError::writing_file(self.path.display(), error);
        let mut bytes = serde_json::to_vec_pretty(&document).map_err(|error| failed(error.into()))?;
        bytes.push(b'\n');
        private_file::replace(&self.path, &bytes, FileMode::Private).map_err(failed)?;
        Ok(done)
    }

    /// Holds a lock beside the file as long as the result lives.
    fn lock(&self) -> Result<File, CommandError> {
        let path = self.path.with_extension("lock");
        let failed = |error| CommandError::writing_file(path.display(), error);
        if let Some(folder) = path.parent() {
            private_file::make_folder(folder).map_err(failed)?;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if since.elapsed() >= PATIENCE => {
                    let message = format!("another process changes {}", self.path.display());
                    return Err(CommandError::new(Kind::Busy, message).hint("try again when it has finished"));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            }
        }
    }

    /// Returns what the file holds now.
    fn contents(&self) -> Arc<Contents> {
        if !self.have_changed() {
            return self.last_read();
        }
        // What was read here counts, also where another thread keeps something older.
        let read = Arc::new(Contents::read(&self.path));
        *self.last_read.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&read);
        read
    }

    fn last_read(&self) -> Arc<Contents> {
        Arc::clone(&self.last_read.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn malformed(&self, why: &str) -> CommandError {
        CommandError::new(Kind::Malformed, format!("{} cannot be used", self.path.display()))
            .reason("bad-api-keys")
            .caused(io::Error::other(why.to_owned()))
            .hint("put it back from a backup, or remove it and make new keys with `stack auth token create`")
    }
}

impl ApiKeys for KeyFile {
    fn have_changed(&self) -> bool {
        let now = fs::metadata(&self.path).ok().map(|metadata| Stamp::of(&metadata));
        let last = self.last_read();
        // What could not be read may be readable now.
        now != last.stamp || last.keys.is_err()
    }

    fn find(&self, key: &str) -> Result<FoundKey, String> {
        let Some(id) = Token::id_of(key) else { return Ok(FoundKey::Foreign) };
        let contents = self.contents();
        let keys = contents.keys.as_ref().map_err(|why| format!("{}: {why}", self.path.display()))?;
        let known = keys.get(id);
        // Something is compared in any case, so that the time does not tell which ids there are either.
        let expected = known.map_or(Root(NOBODYS), |known| known.digest);
        let is_right = Root::of(key.as_bytes()).is_same_secret(&expected);
        Ok(match known {
            Some(known) if is_right => FoundKey::Valid(Arc::clone(&known.grant)),
            Some(_) | None => FoundKey::Unknown,
        })
    }
}

impl Contents {
    fn read(path: &Path) -> Self {
        let mut stamp = None;
        let keys = File::open(path).and_then(|file| {
            let metadata = file.metadata()?;
            stamp = Some(Stamp::of(&metadata));
            let mut bytes = Vec::new();
            file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        let keys = match keys {
            Ok(bytes) => parse(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HashMap::new()),
            Err(error) => Err(error.to_string()),
        };
        Self { stamp, keys }
    }
}

impl Default for Contents {
    fn default() -> Self {
        Self { stamp: None, keys: Ok(HashMap::new()) }
    }
}

impl Stamp {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Self { inode: metadata.ino(), bytes: metadata.len(), changed }
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        let since = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let changed = since.map_or((0, 0), |since| (since.as_secs() as i64, since.subsec_nanos().into()));
        Self { inode: 0, bytes: metadata.len(), changed }
    }
}

fn parse(bytes: &[u8]) -> Result<HashMap<String, ApiKey>, String> {
    if bytes.len() as u64 > BYTES_MAX {
        return Err(format!("it is larger than {BYTES_MAX} bytes"));
    }
    let Document { version, keys } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if version != VERSION {
        return Err(format!("its version is {version}, and this program knows {VERSION}"));
    }
    let mut known = HashMap::with_capacity(keys.len());
    for record in keys {
        let key = ApiKey::try_from(record)?;
        let id = key.grant.key_id.clone();
        if known.insert(id.clone(), key).is_some() {
            return Err(format!("two keys have the id {id:?}"));
        }
    }
    Ok(known)
}

const FILE_NAME: &str = "api-keys.json";
const VERSION: u32 = 1;
/// The digest of no key.
const NOBODYS: [u8; 32] = [0; 32];
const KEYS_MAX: usize = 100_000;
/// As many keys with long lists of models.
const BYTES_MAX: u64 = 256 << 20;
/// Others have the lock for some milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests;
