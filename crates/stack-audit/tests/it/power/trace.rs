//! What a program did to its files and told the world, in order: the output of `strace`, parsed.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One thing that happened.
#[derive(Debug)]
pub(super) enum Event {
    /// A file was opened that need not have been there before.
    Made {
        path: PathBuf,
        is_emptied: bool,
    },
    /// A folder was made.
    Folder {
        path: PathBuf,
    },
    Unlinked {
        path: PathBuf,
    },
    /// Bytes were handed to the system; without an offset they go to the end.
    Written {
        path: PathBuf,
        at: Option<usize>,
        bytes: Vec<u8>,
    },
    Resized {
        path: PathBuf,
        length: usize,
    },
    /// A flush has ended that began when there had been so many events.
    Flushed {
        path: PathBuf,
        began: usize,
    },
    /// Something was written to the standard output.
    Told {
        bytes: Vec<u8>,
    },
}

/// Runs a command under `strace`, and returns what it did. `None`, loudly, where there is no `strace`, or it may not trace.
pub(super) fn record(command: &str) -> Option<Vec<Event>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace");
    let calls = "trace=openat,pwrite64,pwritev,pwritev2,write,writev,ftruncate,fallocate,fsync,fdatasync,\
                 sync_file_range,rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,mkdirat,rmdir";
    let traced = Command::new("strace")
        .args(["-f", "-y", "-xx", "-s", "1000000", "-e", calls, "-o"])
        .arg(&file)
        .args(["sh", "-c", command])
        .output();
    if !traced.as_ref().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: recording writes needs `strace`, and to be allowed to trace: {traced:?}");
        return None;
    }
    Some(parse(&fs::read_to_string(&file).unwrap()))
}

fn parse(text: &str) -> Vec<Event> {
    let mut events = Vec::new();
    // Calls that other threads interrupted: their beginning, and how many events there were.
    let mut begun: HashMap<&str, (String, usize)> = HashMap::new();
    for line in text.lines() {
        let (process, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if let Some(head) = call.strip_suffix(" <unfinished ...>") {
            // Bytes may be on the disk as soon as the system has them, whether or not the call returns.
            let written = event(&format!("{head}) = 0"), events.len()).filter(Event::is_immediate);
            begun.insert(process, (head.to_owned(), events.len()));
            events.extend(written);
        } else if let Some(rest) = call.strip_prefix("<... ") {
            let (head, began) = begun.remove(process).unwrap();
            let (_, rest) = rest.split_once(" resumed>").unwrap();
            events.extend(event(&format!("{head}{rest}"), began).filter(|event| !event.is_immediate()));
        } else {
            events.extend(event(call, events.len()));
        }
    }
    events
}

impl Event {
    /// Whether it counts from the beginning of its call on.
    fn is_immediate(&self) -> bool {
        matches!(self, Self::Written { .. } | Self::Told { .. } | Self::Resized { .. })
    }
}

/// Reads `name(arguments) = result`.
fn event(call: &str, began: usize) -> Option<Event> {
    if call.starts_with("+++") || call.starts_with("---") {
        // The end of a thread, or a signal.
        return None;
    }
    let (name, rest) = call.split_once('(').unwrap();
    let (arguments, result) = rest.rsplit_once(" = ").unwrap();
    let arguments = arguments.trim_end().strip_suffix(')').unwrap();
    if result.starts_with('-') {
        return None;
    }
    let arguments: Vec<&str> = arguments.split(", ").collect();
    let number = |at: usize| arguments[at].parse::<usize>().unwrap();
    Some(match name {
        "openat" => {
            let flags = arguments[2];
            if !flags.contains("O_CREAT") {
                return None;
            }
            Event::Made { path: opened(result)?, is_emptied: flags.contains("O_TRUNC") }
        }
        "mkdir" => Event::Folder { path: path(unhex(arguments[0])) },
        "unlink" => Event::Unlinked { path: path(unhex(arguments[0])) },
        "write" if arguments[0].starts_with("1<") => Event::Told { bytes: unhex(arguments[1]) },
        "write" => Event::Written { path: opened(arguments[0])?, at: None, bytes: unhex(arguments[1]) },
        "pwrite64" => {
            Event::Written { path: opened(arguments[0])?, at: Some(number(3)), bytes: unhex(arguments[1]) }
        }
        "ftruncate" => Event::Resized { path: opened(arguments[0])?, length: number(1) },
        "fsync" | "fdatasync" => Event::Flushed { path: opened(arguments[0])?, began },
        // Whoever adds one has to say here what a loss of power leaves of it.
        other => panic!("{other} is a call that this model does not know"),
    })
}

/// The path in `7<path>`.
fn opened(descriptor: &str) -> Option<PathBuf> {
    let (_, rest) = descriptor.split_once('<')?;
    let path = path(unhex(rest.strip_suffix('>')?));
    path.is_absolute().then_some(path)
}

fn path(bytes: Vec<u8>) -> PathBuf {
    Path::new(&std::ffi::OsString::from_vec(bytes)).to_owned()
}

/// Bytes in the form `\x00`, in quotes or not.
fn unhex(text: &str) -> Vec<u8> {
    let digits = text.trim_matches('"').split("\\x").skip(1);
    digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
}
