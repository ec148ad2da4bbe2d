//! Downloads from servers that are functions: no sockets.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use stack_seal::digest::{Digest, Sha256Hasher};

use super::*;
use crate::fetch::{FetchErrorKind, Headers, Method, Refusal, Response};
use crate::scheduler::DownloadFailure;
use crate::store::{BeginOutcome, ExpectedBlob, Store};
use crate::url::Url;

/// A server whose replies a test writes: it is told the number of the request and the range that is asked for.
struct Server<F> {
    reply: F,
    asked: Mutex<Vec<Range<u64>>>,
    renewed: AtomicUsize,
}

/// A reply: status, `ETag`, the range that it claims to hold, and the body.
struct Reply {
    status: u16,
    etag: &'static str,
    range: Option<(Range<u64>, u64)>,
    body: Box<dyn Read + Send>,
}

impl<F: Fn(usize, Range<u64>) -> Reply + Sync> Server<F> {
    fn new(reply: F) -> Self {
        Self { reply, asked: Mutex::default(), renewed: AtomicUsize::new(0) }
    }

    fn bytes_asked(&self) -> u64 {
        self.asked.lock().unwrap().iter().map(|range| range.end - range.start).sum()
    }
}

impl<F: Fn(usize, Range<u64>) -> Reply + Sync> Fetch for Server<F> {
    fn send(&self, request: &Request) -> Result<Response, FetchError> {
        let header = |name: &str| {
            request.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
        };
        let (first, last) = header("range").unwrap().strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let range = first.parse().unwrap()..last.parse::<u64>().unwrap() + 1;
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(range.clone());
            asked.len() - 1
        };
        let reply = (self.reply)(number, range);
        let content_range =
            reply.range.map(|(range, total)| format!("bytes {}-{}/{total}", range.start, range.end - 1));
        let mut pairs = vec![("etag", reply.etag.as_bytes())];
        pairs.extend(content_range.as_ref().map(|range| ("content-range", range.as_bytes())));
        Ok(Response { status: reply.status, headers: Headers::new(pairs).unwrap(), body: reply.body })
    }
}

impl<F: Fn(usize, Range<u64>) -> Reply + Sync> Location for Server<F> {
    fn request(&self) -> Request {
        Request::new(Method::Get, Url::parse("https://a.test/model").unwrap())
    }

    fn renew(&self, _: &dyn Fetch) -> Result<(), FetchError> {
        self.renewed.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }
}

fn content(seed: u8) -> &'static [u8] {
    let bytes: Vec<u8> = (0..TOTAL).map(|at| (at.wrapping_mul(31) >> 5) as u8 ^ seed).collect();
    bytes.leak()
}

fn good(content: &'static [u8], range: Range<u64>) -> Reply {
    let body = Box::new(&content[range.start as usize..range.end as usize]);
    Reply { status: 206, etag: "\"a\"", range: Some((range, TOTAL)), body }
}

fn status(status: u16) -> Reply {
    Reply { status, etag: "\"a\"", range: None, body: Box::new(io::empty()) }
}

fn digest(bytes: &[u8]) -> Digest {
    let mut hasher = Sha256Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

fn limits() -> Limits {
    let millisecond = Duration::from_millis(1);
    Limits { part_bytes: 256 << 10, wait_first: millisecond, wait_max: millisecond * 20, ..Limits::default() }
}

/// Downloads, and checks what came.
fn fetch<F: Fn(usize, Range<u64>) -> Reply + Sync>(
    home: &std::path::Path,
    server: &Server<F>,
    limits: Limits,
    expected: &[u8],
) -> Result<(), DownloadError> {
    let store = Store::open(home).unwrap();
    let BeginOutcome::Mine(part) = store.begin(&digest(expected)).unwrap() else {
        panic!("nobody else is there")
    };
    let cancel = Cancel::default();
    let download = Download {
        fetch: server,
        location: server,
        length: TOTAL,
        have: None,
        limits,
        throttle: None,
        cancel: &cancel,
        seed: 7,
    };
    download.run(&part, &|_| {})?;
    part.publish(&ExpectedBlob { digests: &[digest(expected)], length: Some(TOTAL) }, &|_| {})?;
    Ok(())
}

#[test]
fn parts_come_over_several_connections_and_each_byte_once() {
    let (home, content) = (tempfile::tempdir().unwrap(), content(0));
    let server = Server::new(|_, range| good(content, range));
    fetch(home.path(), &server, limits(), content).unwrap();
    assert_eq!(server.bytes_asked(), TOTAL);
    assert_eq!(server.asked.lock().unwrap().len(), 12);
}

#[test]
fn replies_that_break_off_go_on_where_they_broke() {
    let (home, content) = (tempfile::tempdir().unwrap(), content(0));
    let server = Server::new(|_, range| {
        let cut = range.end.min(range.start + 100_000);
        let body = Box::new(&content[range.start as usize..cut as usize]);
        Reply { body, ..good(content, range) }
    });
    fetch(home.path(), &server, limits(), content).unwrap();
    assert!(server.asked.lock().unwrap().len() > 24);
}

#[test]
fn a_server_without_ranges_is_read_from_the_beginning() {
    let (home, content) = (tempfile::tempdir().unwrap(), content(0));
    let server = Server::new(|_, _| Reply { status: 200, range: None, ..good(content, 0..TOTAL) });
    fetch(home.path(), &server, limits(), content).unwrap();
}

#[test]
fn a_trickle_is_left_for_another_connection() {
    /// One right byte at a time, with long pauses.
    struct Trickle(&'static [u8]);
    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            thread::sleep(Duration::from_millis(20));
            self.0.read(&mut buffer[..1])
        }
    }
    let (home, content) = (tempfile::tempdir().unwrap(), content(0));
    let server = Server::new(|number, range| match number {
        0..4 => {
            let body = Box::new(Trickle(&content[range.start as usize..range.end as usize]));
            Reply { body, ..good(content, range) }
        }
        _ => good(content, range),
    });
    let limits = Limits { stall: Duration::from_millis(200), ..limits() };
    fetch(home.path(), &server, limits, content).unwrap();
    assert!(
        server.asked.lock().unwrap().iter().any(|range| range.start % (256 << 10) != 0),
        "a part was resumed"
    );
}

#[test]
fn a_file_that_changes_meanwhile_comes_in_its_new_form() {
    let (home, old, new) = (tempfile::tempdir().unwrap(), content(0), content(1));
    let server = Server::new(|number, range| match number {
        0..6 => good(old, range),
        _ => Reply { etag: "\"b\"", ..good(new, range) },
    });
    fetch(home.path(), &server, limits(), new).unwrap();
}

#[test]
fn an_expired_address_is_found_again() {
    let (home, content) = (tempfile::tempdir().unwrap(), content(0));
    let server = Server::new(|number, range| if number == 5 { status(403) } else { good(content, range) });
    fetch(home.path(), &server, limits(), content).unwrap();
    assert_eq!(server.renewed.load(Ordering::Acquire), 1);
}

#[test]
fn what_came_before_a_failure_is_not_asked_for_again() {
    let (home, content) = (tempfile::tempdir().unwrap(), content(0));
    let broken = Server::new(|number, range| if number < 6 { good(content, range) } else { status(404) });
    let error = fetch(home.path(), &broken, limits(), content).unwrap_err();
    assert!(matches!(error, DownloadError::Failed { reason: DownloadFailure::Status(404), .. }), "{error}");
    let server = Server::new(|_, range| good(content, range));
    fetch(home.path(), &server, limits(), content).unwrap();
    assert!(server.bytes_asked() < TOTAL, "{} bytes were asked for again", server.bytes_asked());
}

#[test]
fn a_refusal_is_not_retried_and_keeps_its_code() {
    struct Refusing(AtomicUsize);
    impl Fetch for Refusing {
        fn send(&self, _: &Request) -> Result<Response, FetchError> {
            self.0.fetch_add(1, Ordering::AcqRel);
            Err(FetchError::new(FetchErrorKind::Refused(Refusal::TierForbids), "a.test", "no"))
        }
    }
    let (home, refusing) = (tempfile::tempdir().unwrap(), Refusing(AtomicUsize::new(0)));
    let store = Store::open(home.path()).unwrap();
    let BeginOutcome::Mine(part) = store.begin(&digest(b"")).unwrap() else { panic!("nobody else is there") };
    let location = Request::new(Method::Get, Url::parse("https://a.test/model").unwrap());
    let cancel = Cancel::default();
    let download = Download {
        fetch: &refusing,
        location: &location,
        length: 1,
        have: None,
        limits: limits(),
        throttle: None,
        cancel: &cancel,
        seed: 7,
    };
    let error = download.run(&part, &|_| {}).unwrap_err();
    let DownloadError::Failed { reason, last: Some(last) } = error else { panic!("{error}") };
    assert_eq!(reason, DownloadFailure::Fetch(FetchErrorKind::Refused(Refusal::TierForbids)));
    assert_eq!(
        (last.kind, refusing.0.load(Ordering::Acquire)),
        (FetchErrorKind::Refused(Refusal::TierForbids), 1)
    );
}

const TOTAL: u64 = 3 << 20;
