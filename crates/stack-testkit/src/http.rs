//! A scripted HTTP server: it does what a test says, misbehaviour included.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A server on a free port of this machine. Each request is answered on its own connection.
pub struct HttpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What a client asked.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// `GET` and the like.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// What was sent along.
    pub body: Vec<u8>,
}

/// What it is answered, and how well.
#[derive(Clone, Debug)]
pub struct HttpReply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
    announced: Option<u64>,
    cut_after: Option<usize>,
    pace: Option<(usize, Duration)>,
    /// What is done instead of sending a body whose length is known.
    steps: Option<Vec<Step>>,
}

/// One thing that a server does while it replies. A reply of steps is sent in chunks, the last of which comes behind the
/// last step, unless that breaks off.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends bytes one by one.
    Trickle(Vec<u8>),
    /// Sends the same bytes for as long as somebody takes them.
    Repeat(Vec<u8>),
    /// Does nothing for a while.
    Pause(Duration),
    /// Does nothing until the client goes.
    Hang,
    /// Tells the test that it got this far.
    Tell(SyncSender<()>),
    /// Closes the connection; as the first step, before the head of the reply.
    Break,
}

#[derive(Clone, Debug)]
struct Body {
    bytes: Arc<Vec<u8>>,
    start: usize,
    end: usize,
}

struct Shared {
    handler: Box<dyn Fn(&HttpRequest) -> HttpReply + Send + Sync>,
    requests: Mutex<Vec<HttpRequest>>,
    sent: AtomicU64,
    closed: AtomicBool,
}

impl HttpServer {
    /// Starts a server that answers each request as `handler` says.
    ///
    /// # Panics
    ///
    /// When this machine has no free port.
    pub fn start(handler: impl Fn(&HttpRequest) -> HttpReply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            requests: Mutex::default(),
            sent: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if server.closed.load(Ordering::Acquire) {
                    return;
                }
                let server = Arc::clone(&server);
                // Clients that go away early are part of the play.
                thread::spawn(move || drop(server.answer(&connection)));
            }
        });
        Self { address, shared }
    }

    /// Returns `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Returns the address of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns what was asked so far.
    ///
    /// # Panics
    ///
    /// When a handler has panicked.
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.shared.requests.lock().expect("no handler has panicked").clone()
    }

    /// Counts the bytes of all bodies that were sent.
    pub fn bytes_sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Acquire)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        // Wakes the listener, which then finds the server closed.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn answer(&self, connection: &TcpStream) -> io::Result<()> {
        let request = read_request(connection)?;
        let reply = (self.handler)(&request);
        let head_only = request.method == "HEAD";
        self.requests.lock().expect("no handler has panicked").push(request);
        if let Some(steps) = &reply.steps {
            return self.play(connection, &reply, steps);
        }
        let body = &reply.body.bytes[reply.body.start..reply.body.end];
        let length = reply.announced.unwrap_or(body.len() as u64);
        let mut head = format!(
            "HTTP/1.1 {} Scripted\r\nconnection: close\r\ncontent-length: {length}\r\n",
            reply.status
        );
        for (name, value) in &reply.headers {
            [name, ": ", value, "\r\n"].into_iter().for_each(|text| head.push_str(text));
        }
        let mut out = connection;
        out.write_all(format!("{head}\r\n").as_bytes())?;
        if head_only {
            return Ok(());
        }
        let body = &body[..reply.cut_after.unwrap_or(body.len()).min(body.len())];
        let (size, pause) = reply.pace.unwrap_or((64 << 10, Duration::ZERO));
        for piece in body.chunks(size.max(1)) {
            out.write_all(piece)?;
            self.sent.fetch_add(piece.len() as u64, Ordering::AcqRel);
            thread::sleep(pause);
        }
        Ok(())
    }
}

impl Shared {
    fn play(&self, mut out: &TcpStream, reply: &HttpReply, steps: &[Step]) -> io::Result<()> {
        if matches!(steps.first(), Some(Step::Break)) {
            return Ok(());
        }
        let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", reply.status);
        for (name, value) in &reply.headers {
            [name, ": ", value, "\r\n"].into_iter().for_each(|text| head.push_str(text));
        }
        out.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes())?;
        out.set_nodelay(true)?;
        let mut sink = out;
        let mut chunk = |bytes: &[u8]| {
            self.sent.fetch_add(bytes.len() as u64, Ordering::AcqRel);
            let framed = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
            sink.write_all(&framed)
        };
        for step in steps {
            match step {
                Step::Send(bytes) if bytes.is_empty() => {}
                Step::Send(bytes) => chunk(bytes)?,
                Step::Trickle(bytes) => bytes.chunks(1).try_for_each(&mut chunk)?,
                Step::Repeat(bytes) => loop {
                    chunk(bytes)?;
                },
                Step::Pause(pause) => thread::sleep(*pause),
                // Nothing more is sent by a client that waits, and how it goes does not matter.
                Step::Hang => drop(out.read(&mut [0])),
                Step::Tell(told) => drop(told.try_send(())),
                Step::Break => return Ok(()),
            }
        }
        out.write_all(b"0\r\n\r\n")
    }
}

impl HttpRequest {
    /// Returns the value of a header; `name` is lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns the bytes of `bytes=FIRST-LAST`, half open, below `length`.
    pub fn range(&self, length: usize) -> Option<(usize, usize)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last) = (first.parse().ok()?, last.parse::<usize>().ok()?);
        (first < length).then_some((first, (last + 1).min(length)))
    }
}

impl HttpReply {
    /// Answers with a body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let bytes = Arc::new(body.into());
        let body = Body { start: 0, end: bytes.len(), bytes };
        Self { status, headers: Vec::new(), body, announced: None, cut_after: None, pace: None, steps: None }
    }

    /// Answers as a good server does: the range that was asked for, if it still belongs to this content.
    pub fn file(request: &HttpRequest, bytes: &Arc<Vec<u8>>, etag: &str) -> Self {
        let length = bytes.len();
        let current = request.header("if-range").is_none_or(|known| known == etag);
        let body = |start, end| Body { bytes: Arc::clone(bytes), start, end };
        let reply = Self::new(200, "").header("etag", etag).header("accept-ranges", "bytes");
        match request.range(length) {
            Some((start, end)) if current => {
                let range = format!("bytes {start}-{}/{length}", end - 1);
                Self { status: 206, body: body(start, end), ..reply }.header("content-range", range)
            }
            None if current && request.header("range").is_some() => {
                Self { status: 416, ..reply }.header("content-range", format!("bytes */{length}"))
            }
            _ => Self { body: body(0, length), ..reply },
        }
    }

    /// Answers step by step.
    pub fn steps(status: u16, steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: Some(steps.into_iter().collect()), ..Self::new(status, "") }
    }

    /// Leads elsewhere.
    pub fn redirect(location: &str) -> Self {
        Self::new(302, "").header("location", location)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Announces another length than the body has.
    #[must_use]
    pub fn announcing(self, length: u64) -> Self {
        Self { announced: Some(length), ..self }
    }

    /// Closes the connection after so many bytes of the body.
    #[must_use]
    pub fn cut_after(self, bytes: usize) -> Self {
        Self { cut_after: Some(bytes), ..self }
    }

    /// Sends pieces of this size with a pause after each.
    #[must_use]
    pub fn paced(self, bytes: usize, pause: Duration) -> Self {
        Self { pace: Some((bytes, pause)), ..self }
    }
}

fn read_request(connection: &TcpStream) -> io::Result<HttpRequest> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let request = HttpRequest { method, target, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(HttpRequest { body, ..request })
}
