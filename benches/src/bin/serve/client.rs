//! A client that measures: one request over one connection, its answer as a stream of events.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// What came of a request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) text: String,
    /// Until the first text.
    pub(crate) first: Duration,
    /// Between one text and the next.
    pub(crate) gaps: Vec<Duration>,
    pub(crate) end: Duration,
    pub(crate) tokens: u64,
}

/// Asks, and reads the answer to its end.
pub(crate) fn ask(server: SocketAddr, body: &Value) -> Result<Answer> {
    let body = body.to_string();
    let begun = Instant::now();
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut body = Chunked::open(BufReader::new(stream))?;
    let (mut text, mut gaps, mut tokens) = (String::new(), Vec::new(), None);
    let (mut first, mut last) = (None, begun);
    while let Some(line) = body.line()? {
        let Some(data) = line.strip_prefix("data: ").filter(|data| *data != "[DONE]") else { continue };
        let event: Value = serde_json::from_str(data).context("an event is no JSON")?;
        ensure!(event["error"].is_null(), "the server failed: {}", event["error"]);
        tokens = event["usage"]["completion_tokens"].as_u64().or(tokens);
        let Some(said) = event["choices"][0]["delta"]["content"].as_str().filter(|said| !said.is_empty())
        else {
            continue;
        };
        text.push_str(said);
        let now = Instant::now();
        match first {
            None => first = Some(now - begun),
            Some(_) => gaps.push(now - last),
        }
        last = now;
    }
    let end = begun.elapsed();
    let tokens = tokens.context("the answer ended without its usage")?;
    Ok(Answer { text, first: first.unwrap_or(end), gaps, end, tokens })
}

/// A body in chunks (RFC 9112, section 7.1), read line by line.
struct Chunked<R> {
    reader: R,
    buffer: Vec<u8>,
}

impl<R: BufRead> Chunked<R> {
    /// Reads the head of a response.
    fn open(mut reader: R) -> Result<Self> {
        let mut status = String::new();
        reader.read_line(&mut status)?;
        let mut header = String::new();
        while reader.read_line(&mut header)? > 2 {
            header.clear();
        }
        if !status.starts_with("HTTP/1.1 200") {
            let mut body = String::new();
            let _cut = reader.take(4096).read_to_string(&mut body);
            bail!("the server answers {} {body}", status.trim());
        }
        Ok(Self { reader, buffer: Vec::new() })
    }

    fn line(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(Some(String::from_utf8(line)?.trim_end().to_owned()));
            }
            let mut size = String::new();
            self.reader.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).context("the server sends no chunks")?;
            if size == 0 {
                return Ok(None);
            }
            let start = self.buffer.len();
            self.buffer.resize(start + size, 0);
            self.reader.read_exact(&mut self.buffer[start..])?;
            self.reader.read_exact(&mut [0; 2])?;
        }
    }
}

const PATIENCE: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_over_chunks() {
        let response = b"HTTP/1.1 200 OK\r\nx: y\r\n\r\n6\r\ndata: \r\n4\r\n1\n\nd\r\n0\r\n\r\n";
        let mut body = Chunked::open(&response[..]).unwrap();
        assert_eq!(body.line().unwrap().as_deref(), Some("data: 1"));
        assert_eq!(body.line().unwrap().as_deref(), Some(""));
        assert_eq!(body.line().unwrap(), None);
        assert!(Chunked::open(&b"HTTP/1.1 503 Busy\r\n\r\nlater"[..]).is_err());
    }
}
