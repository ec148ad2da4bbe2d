//! Copies of checkpoints in places that whoever changes the log cannot change with it.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::note::{ORIGIN, notes_in};

/// A place that gets every checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// A file that is appended to, best on another disk.
    File(PathBuf),
    /// The system log, by its socket.
    Syslog(PathBuf),
    /// The input of a command: a printer, a mail, an upload.
    Command(Vec<String>),
}

impl Anchor {
    /// Takes a checkpoint.
    fn publish(&self, note: &str) -> io::Result<()> {
        match self {
            Self::File(path) => append(path, note),
            Self::Syslog(socket) => {
                let line = note.trim_end().replace("\n\n", "\n").replace('\n', " | ");
                let message = format!("<{AUDIT_NOTICE}>stack-audit: {line}");
                UnixDatagram::unbound()?.send_to(message.as_bytes(), socket).map(drop)
            }
            Self::Command(words) => feed(words, note),
        }
    }

    /// Returns what it is called in messages.
    fn name(&self) -> String {
        match self {
            Self::File(path) | Self::Syslog(path) => path.display().to_string(),
            Self::Command(words) => words.join(" "),
        }
    }
}

/// Appends a note to a file of notes. What a crash has left of an earlier note at the end is cut off: it proves nothing.
fn append(path: &Path, note: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    Read::by_ref(&mut file).take(TAIL).read_to_end(&mut tail)?;
    let torn = torn_length(&tail, length <= TAIL)?;
    if torn > 0 {
        file.set_len(length - torn)?;
    }
    let gap = if length > torn { "\n" } else { "" };
    file.write_all(format!("{gap}{note}").as_bytes())?;
    file.sync_all()
}

/// Returns how many bytes at the end of a file belong to a note that was not written to its end.
fn torn_length(tail: &[u8], is_whole_file: bool) -> io::Result<u64> {
    let strange =
        || io::Error::new(io::ErrorKind::InvalidData, "the file holds something else than checkpoints");
    // The window may begin within a note; the first line of the next one is where reading can begin.
    let begins_line = |at: usize| if at == 0 { is_whole_file } else { tail[at - 1] == b'\n' };
    let is_start = |at: &usize| begins_line(*at) && is_origin(&tail[*at..]);
    let start = (0..tail.len()).find(is_start);
    let start = match start {
        Some(start) => start,
        None if tail.is_empty() => return Ok(0),
        None => return Err(strange()),
    };
    // A crash may end within a character.
    let text = match str::from_utf8(&tail[start..]) {
        Ok(text) => text,
        Err(error) => str::from_utf8(&tail[start..start + error.valid_up_to()]).unwrap_or_default(),
    };
    let mut whole = 0;
    for note in notes_in(text) {
        // Notes are pieces of the text, one behind the other.
        whole = note.as_ptr().addr() - text.as_ptr().addr() + note.len();
    }
    let torn = text[whole..].trim_start_matches('\n');
    if torn.is_empty() || is_origin(torn.as_bytes()) {
        return Ok((tail.len() - start - whole) as u64);
    }
    Err(strange())
}

/// Returns whether bytes begin as a checkpoint does, as far as they go.
fn is_origin(bytes: &[u8]) -> bool {
    bytes.starts_with(ORIGIN.as_bytes()) || ORIGIN.as_bytes().starts_with(bytes)
}

/// Runs a command with a note as its input. One that does not end is killed.
fn feed(words: &[String], note: &str) -> io::Result<()> {
    let (program, arguments) = words.split_first().ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
    let quiet = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut child = quiet?;
    // A note is shorter than a pipe, so a command that does not read it does not hold this up.
    let fed = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(note.as_bytes()));
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            let failed = || io::Error::other(format!("it ended with {status}"));
            return fed.and_then(|()| if status.success() { Ok(()) } else { Err(failed()) });
        }
        if started.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Hands checkpoints to anchors on a thread of its own: an anchor may be slow, and nobody should wait for it.
pub(crate) struct Publisher {
    notes: Option<SyncSender<String>>,
    thread: Option<JoinHandle<()>>,
    failures: Arc<Mutex<AnchorFailures>>,
}

/// What anchors did not take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnchorFailures {
    /// How many checkpoints. Later ones speak of the same entries, so none is repeated.
    pub count: u64,
    /// The last anchor that failed, and why.
    pub last: Option<String>,
}

impl Publisher {
    pub(crate) fn start(anchors: Vec<Anchor>) -> io::Result<Self> {
        let failures = Arc::default();
        let (send, receive) = sync_channel(QUEUE);
        let theirs = Arc::clone(&failures);
        let thread = thread::Builder::new()
            .name("audit-anchors".to_owned())
            .spawn(move || serve(&anchors, &receive, &theirs))?;
        Ok(Self { notes: Some(send), thread: Some(thread), failures })
    }

    /// Queues a checkpoint. If anchors are too slow for the queue, it is left out: the next one says more.
    pub(crate) fn publish(&self, note: &str) {
        let queued = self.notes.as_ref().map(|notes| notes.try_send(note.to_owned()));
        if queued.is_some_and(|queued| queued.is_err()) {
            fail(&self.failures, "the anchors are too slow".to_owned());
        }
    }

    pub(crate) fn failures(&self) -> Arc<Mutex<AnchorFailures>> {
        Arc::clone(&self.failures)
    }

    /// Waits until every anchor has what was published.
    pub(crate) fn finish(&mut self) {
        self.notes = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to say: what failed is in `failures`.
            let _ended = thread.join();
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.finish();
    }
}

fn serve(anchors: &[Anchor], notes: &Receiver<String>, failures: &Mutex<AnchorFailures>) {
    for note in notes {
        for anchor in anchors {
            if let Err(error) = anchor.publish(&note) {
                fail(failures, format!("{}: {error}", anchor.name()));
            }
        }
    }
}

fn fail(failures: &Mutex<AnchorFailures>, why: String) {
    let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
    failures.count += 1;
    failures.last = Some(why);
}

/// Facility 13, the log of audits; severity 5.
const AUDIT_NOTICE: u32 = 13 * 8 + 5;
/// No note is longer.
const TAIL: u64 = 8192;
const QUEUE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::fs;

    use stack_seal::key::{KeyKind, SigningKey};

    use super::*;
    use crate::identity::LogId;
    use crate::note::Checkpoint;

    fn note(size: u64) -> String {
        let key = SigningKey::from_secret(KeyKind::Ed25519, &[3; 32]).unwrap();
        Checkpoint { log: LogId([1; 16]), size, root: [2; 32] }.sign(&[&key])
    }

    #[test]
    fn a_file_keeps_every_note_even_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchor");
        let anchor = Anchor::File(path.clone());
        anchor.publish(&note(1)).unwrap();
        anchor.publish(&note(2)).unwrap();
        for torn in [0, 1, 40, 45, 92, 94, 100] {
            let whole = fs::read_to_string(&path).unwrap();
            let cut = [whole.as_bytes(), b"\n", &note(3).as_bytes()[..torn]].concat();
            fs::write(&path, cut).unwrap();
            anchor.publish(&note(4)).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{whole}\n{}", note(4)), "{torn}");
        }
        // Far beyond the part of the file that is looked at.
        (0..200).for_each(|size| anchor.publish(&note(size)).unwrap());
        assert_eq!(notes_in(&fs::read_to_string(&path).unwrap()).count(), 209);
        fs::write(&path, "127.0.0.1 localhost\n").unwrap();
        assert!(anchor.publish(&note(5)).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "127.0.0.1 localhost\n");
    }

    #[test]
    fn the_system_log_gets_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let socket = UnixDatagram::bind(&path).unwrap();
        Anchor::Syslog(path).publish(&note(7)).unwrap();
        let mut buffer = [0; 1024];
        let length = socket.recv(&mut buffer).unwrap();
        let message = str::from_utf8(&buffer[..length]).unwrap();
        assert!(
            message.starts_with("<109>stack-audit: stack-audit/0101") && !message.contains('\n'),
            "{message}"
        );
        assert!(message.contains(" | 7 | AgIC") && message.contains("= | — stack-audit/"), "{message}");
    }

    #[test]
    fn a_command_is_fed_and_its_failure_counted() {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy");
        let shell = |script: String| Anchor::Command(vec!["sh".to_owned(), "-c".to_owned(), script]);
        let mut publisher =
            Publisher::start(vec![shell(format!("cat > {}", copy.display())), shell("exit 3".to_owned())])
                .unwrap();
        publisher.publish(&note(9));
        publisher.finish();
        assert_eq!(fs::read_to_string(copy).unwrap(), note(9));
        let failures = publisher.failures().lock().unwrap().clone();
        assert_eq!(failures.count, 1);
        assert!(failures.last.unwrap().contains("exit 3"));
    }
}
