//! Many prompts from a file, answered in order.
//!
//! Each line of the file is a prompt: a JSON text, or an object with `prompt`, or with `messages` and whatever else a chat
//! completion takes; what OpenAI's batches wrap around that is taken off. Each line of the output answers the line of
//! the same number. Several are computed at a time. A batch that was interrupted goes on where its output ends.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use stack_chat::{ChatModel, ChatRequest, Failure};
use stack_wire::openai;
use tokio::task::JoinHandle;

use super::report::answer_object;
use crate::chat::answer::{Answer, AnswerError, answer};
use crate::error::{CommandError, Kind};
use crate::terminal;
use crate::terminal::output::stderr;

/// Where prompts come from and answers go to.
pub(super) struct Batch<'a> {
    pub(super) input: &'a Path,
    pub(super) output: Option<&'a Path>,
}

/// One line of the input.
struct Entry {
    /// What the caller calls it.
    id: Option<Value>,
    request: ChatRequest,
}

/// A prompt that is being answered.
struct Running {
    index: usize,
    id: Option<Value>,
    task: JoinHandle<Result<Answer, AnswerError>>,
}

/// How a batch ended.
pub(super) struct Ended {
    pub(super) answered: usize,
    pub(super) failed: usize,
}

impl Batch<'_> {
    /// Answers all prompts. `make` makes the request for a prompt that is a text.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written, when a line is no prompt, or when Ctrl-C ends it.
    pub(super) async fn run(
        &self,
        model: &Arc<dyn ChatModel>,
        make: impl Fn(String) -> ChatRequest,
    ) -> Result<Ended, CommandError> {
        let entries = self.entries(&make)?;
        let mut out = Output::open(self.output)?;
        out.check(self.input, &entries)?;
        let total = entries.len();
        let mut ended = Ended { answered: out.done, failed: out.failed };
        if out.done > 0 {
            stderr(format!("{} of {total} prompts are answered already", out.done));
        }
        let bar = bar(total, out.done);
        let mut waiting = entries.into_iter().enumerate().skip(out.done);
        let mut running: VecDeque<Running> = VecDeque::new();
        loop {
            while running.len() < AT_ONCE
                && let Some((index, Entry { id, request })) = waiting.next()
            {
                let model = Arc::clone(model);
                let task = async move { answer(&*model, request, |_event| Ok(())).await };
                running.push_back(Running { index, id, task: tokio::spawn(task) });
            }
            let Some(Running { index, id, task }) = running.pop_front() else { break };
            let answered = task.await.map_err(|error| {
                CommandError::new(Kind::Machine, "an answer ended unexpectedly").caused(error)
            })?;
            let object = match answered {
                Ok(Answer { finish: None, .. }) => return Err(self.interrupted(&out)),
                Ok(answer) => answer_object(&answer),
                Err(AnswerError::Chat(failure)) => {
                    ended.failed += 1;
                    json!({"error": {"code": failure.kind.as_str(), "message": failure.message}})
                }
                Err(AnswerError::Command(error)) => return Err(error),
            };
            out.write(index, id, object)?;
            ended.answered += 1;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(ended)
    }

    fn interrupted(&self, out: &Output) -> CommandError {
        let hint = match self.output {
            Some(_) => format!("{} answers are kept; the same command goes on behind them", out.done),
            None => "with --output FILE, a batch goes on where it was interrupted".to_owned(),
        };
        CommandError::new(Kind::Interrupted, "interrupted").hint(hint)
    }

    fn entries(&self, make: &impl Fn(String) -> ChatRequest) -> Result<Vec<Entry>, CommandError> {
        let name = self.input.display();
        let reader: Box<dyn BufRead> = if self.input == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            Box::new(BufReader::new(
                File::open(self.input).map_err(|error| CommandError::reading(name, error))?,
            ))
        };
        let mut entries = Vec::new();
        for (number, line) in (1_usize..).zip(bounded_lines(reader)) {
            let line = line.map_err(|error| CommandError::reading(self.input.display(), error))?;
            if line.trim().is_empty() {
                continue;
            }
            entries.push(entry(&line, make).map_err(|problem| {
                let message = format!("{} line {number}: {problem}", self.input.display());
                CommandError::new(Kind::Malformed, message)
                    .hint(r#"write "a prompt", {"prompt": "…"} or {"messages": […]} on each line"#)
            })?);
        }
        Ok(entries)
    }
}

/// Splits at line breaks; a line that is too long ends the input with an error.
fn bounded_lines(mut reader: Box<dyn BufRead>) -> impl Iterator<Item = io::Result<String>> {
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        match io::Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(read) if read as u64 == LINE_BYTES_MAX => {
                Some(Err(io::Error::other(format!("a line is longer than {LINE_BYTES_MAX} bytes"))))
            }
            Ok(_) => Some(String::from_utf8(line).map_err(|_| io::Error::other("a line is not UTF-8"))),
            Err(error) => Some(Err(error)),
        }
    })
}

/// Reads one line.
fn entry(line: &str, make: &impl Fn(String) -> ChatRequest) -> Result<Entry, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("is not JSON: {error}"))?;
    let mut object = match value {
        Value::String(prompt) => return Ok(Entry { id: None, request: make(prompt) }),
        Value::Object(object) => object,
        _ => return Err("is neither a text nor an object".to_owned()),
    };
    let id =
        ["custom_id", "id"].iter().find_map(|name| object.shift_remove(*name)).filter(|id| !id.is_null());
    if let Some(Value::Object(body)) = object.shift_remove("body") {
        object = body;
    }
    let request = match object.shift_remove("prompt") {
        Some(Value::String(prompt)) if !object.contains_key("messages") => make(prompt),
        Some(_) => return Err("`prompt` must be a text, and stand without `messages`".to_owned()),
        None => conversation(object).map_err(|failure| failure.message)?,
    };
    Ok(Entry { id, request })
}

fn conversation(mut object: Map<String, Value>) -> Result<ChatRequest, Failure> {
    // One model answers all, and each answer comes whole.
    for name in ["model", "stream", "stream_options"] {
        object.shift_remove(name);
    }
    let request = openai::parse_chat(Value::Object(object).to_string().as_bytes())?.request;
    if request.choices == 1 {
        Ok(request)
    } else {
        Err(Failure::unsupported("n", "`n` must be 1 in a batch"))
    }
}

/// Where answers go.
struct Output {
    sink: Box<dyn Write>,
    path: Option<PathBuf>,
    /// The lines that were there: what each calls its prompt.
    known: Vec<Option<Value>>,
    done: usize,
    failed: usize,
}

impl Output {
    /// Opens a file and reads what is in it, or takes standard output.
    fn open(path: Option<&Path>) -> Result<Self, CommandError> {
        let Some(path) = path else {
            let sink = Box::new(io::stdout());
            return Ok(Self { sink, path: None, known: Vec::new(), done: 0, failed: 0 });
        };
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = opened.map_err(|error| CommandError::reading(path.display(), error))?;
        let (known, failed, length) = Self::read(&file).map_err(|problem| {
            CommandError::new(Kind::Malformed, format!("{} {problem}", path.display()))
                .hint("it is no output of this batch; name another file")
        })?;
        // What was written of a line before the end came is written again.
        file.set_len(length)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(|error| CommandError::reading(path.display(), error))?;
        let done = known.len();
        Ok(Self { sink: Box::new(file), path: Some(path.to_owned()), known, done, failed })
    }

    fn read(file: &File) -> Result<(Vec<Option<Value>>, usize, u64), String> {
        let (mut known, mut failed, mut length) = (Vec::new(), 0, 0);
        for line in
            bounded_lines(Box::new(BufReader::new(file.try_clone().map_err(|error| error.to_string())?)))
        {
            let line = line.map_err(|error| error.to_string())?;
            if !line.ends_with('\n') {
                break;
            }
            let wrong = || format!("line {} is no answer", known.len() + 1);
            let mut object: Map<String, Value> = serde_json::from_str(&line).map_err(|_| wrong())?;
            if object.get("index") != Some(&Value::from(known.len())) {
                return Err(wrong());
            }
            failed += usize::from(object.contains_key("error"));
            known.push(object.shift_remove("id"));
            length += line.len() as u64;
        }
        Ok((known, failed, length))
    }

    /// Looks whether what is there answers these prompts.
    fn check(&self, input: &Path, entries: &[Entry]) -> Result<(), CommandError> {
        let is_ours = self.known.len() <= entries.len()
            && self.known.iter().zip(entries).all(|(known, entry)| *known == entry.id);
        if is_ours {
            return Ok(());
        }
        let path = self.path.as_deref().unwrap_or(Path::new("the output")).display();
        let message = format!("{path} does not answer the prompts of {}", input.display());
        Err(CommandError::new(Kind::Usage, message)
            .hint("it is the output of another batch; name another file"))
    }

    fn write(&mut self, index: usize, id: Option<Value>, answer: Value) -> Result<(), CommandError> {
        let mut line = json!({"index": index});
        if let Some(object) = line.as_object_mut() {
            object.extend(id.map(|id| ("id".to_owned(), id)));
            if let Value::Object(answer) = answer {
                object.extend(answer);
            }
        }
        let written = writeln!(self.sink, "{line}").and_then(|()| self.sink.flush());
        written.map_err(CommandError::writing)?;
        self.done = index + 1;
        Ok(())
    }
}

fn bar(total: usize, done: usize) -> ProgressBar {
    if !terminal::can_draw() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("answering {pos} of {len}  {wide_bar}  {eta}");
    let bar = ProgressBar::new(total as u64).with_position(done as u64);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

/// So many prompts are computed at a time: batched decoding gains little beyond.
const AT_ONCE: usize = 16;
const LINE_BYTES_MAX: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use std::fs;

    use stack_chat::Prompt;

    use super::*;

    fn make(prompt: String) -> ChatRequest {
        ChatRequest::new(Prompt::Text(prompt))
    }

    #[test]
    fn a_prompt_is_written_in_many_ways() {
        for line in [r#""Hi""#, r#"{"prompt": "Hi"}"#, r#"{"custom_id": 7, "body": {"prompt": "Hi"}}"#] {
            assert_eq!(entry(line, &make).unwrap().request, make("Hi".into()), "{line}");
        }
        let body = r#"{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body":
            {"model": "m", "stream": true, "max_tokens": 3, "messages": [{"role": "user", "content": "Hi"}]}}"#;
        let wrapped = entry(body, &make).unwrap();
        assert_eq!((wrapped.id, wrapped.request.max_tokens), (Some(json!("a")), Some(3)));
        for line in ["7", "{", "{}", r#"{"prompt": 1}"#, r#"{"prompt": "a", "messages": []}"#] {
            assert!(entry(line, &make).is_err(), "{line}");
        }
    }

    #[test]
    fn an_output_goes_on_behind_its_last_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        fs::write(&path, "{\"index\":0,\"id\":\"a\"}\n{\"index\":1,\"error\":{}}\n{\"index\":2").unwrap();
        let mut out = Output::open(Some(&path)).unwrap();
        assert_eq!((out.done, out.failed), (2, 1));
        out.write(2, None, json!({"text": "x"})).unwrap();
        drop(out);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().nth(2), Some(r#"{"index":2,"text":"x"}"#));
    }

    #[test]
    fn the_output_of_another_batch_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        fs::write(&path, "{\"index\":0,\"id\":\"a\"}\n").unwrap();
        let out = Output::open(Some(&path)).unwrap();
        let entries = |id| [Entry { id, request: make(String::new()) }];
        assert!(out.check(Path::new("in"), &entries(Some(json!("a")))).is_ok());
        assert!(out.check(Path::new("in"), &entries(None)).is_err());
        assert!(out.check(Path::new("in"), &[]).is_err());
        fs::write(&path, "hello\n").unwrap();
        assert!(Output::open(Some(&path)).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "hello\n");
    }
}
