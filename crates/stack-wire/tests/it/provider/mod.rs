//! What is said to providers, and what they answer.

mod adapters;
mod errors;
mod hostile;
mod requests;
mod round_trip;
mod streams;
mod usage;
mod whole;

use std::fmt::Write;

use stack_chat::{ChatEvent, ChatRequest, Failure, Message, PartKind, Prompt};
use stack_testkit::EventGrammar;
use stack_wire::Delivery;
use stack_wire::provider::{Family, ProviderRequest, ReplyFacts, ReplyReader, Route};

const STREAM: Delivery = Delivery::Stream { include_usage: true };

fn route(family: Family) -> Route {
    Route::new("acme", family, "m-1")
}

fn ask() -> ChatRequest {
    ChatRequest::new(Prompt::Messages(vec![Message::user("Hi")]))
}

fn reader(family: Family, delivery: Delivery) -> ReplyReader {
    let route = route(family);
    let request = ProviderRequest::render(&ask(), &route, delivery).unwrap();
    ReplyReader::new(&route, &request, "u")
}

/// Everything that comes of a reply, given in these pieces. The events must keep to their grammar.
fn replay<'a>(
    family: Family,
    delivery: Delivery,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Result<ChatEvent, Failure>>, ReplyFacts) {
    let mut reader = reader(family, delivery);
    let mut items = Vec::new();
    for piece in pieces {
        items.extend(reader.push(piece));
    }
    items.extend(reader.end());
    assert!(reader.is_ended() && reader.push(b"more").is_empty() && reader.end().is_empty());
    let mut grammar = EventGrammar::new(1);
    for item in items.iter().map(Some).chain([None]) {
        grammar.take(item).unwrap_or_else(|fault| panic!("{fault}\n{}", tell(&items)));
    }
    (items, reader.facts().clone())
}

/// A stream in one piece, in short.
fn streamed(family: Family, text: &str) -> String {
    tell(&replay(family, STREAM, [text.as_bytes()]).0)
}

/// A whole body, in short.
fn whole(family: Family, text: &str) -> String {
    tell(&replay(family, Delivery::Whole, [text.as_bytes()]).0)
}

/// Writes events down, one per line.
fn tell(items: &[Result<ChatEvent, Failure>]) -> String {
    let mut out = String::new();
    for item in items {
        let line = match item {
            Err(failure) => format!("fail {}", failure.kind.as_str()),
            Ok(ChatEvent::Started { prompt_tokens, .. }) => format!("started {prompt_tokens}"),
            Ok(ChatEvent::PartStarted { part, kind, .. }) => match kind {
                PartKind::Text => format!("{part} text"),
                PartKind::Thinking => format!("{part} thinking"),
                PartKind::Refusal => format!("{part} refusal"),
                PartKind::ToolCall { id, name } => format!("{part} call {id} {name}"),
            },
            Ok(ChatEvent::Delta(delta)) => format!("{} + {}", delta.part, delta.fragment.as_str()),
            Ok(ChatEvent::OpaqueAdded { part, opaque, .. }) => {
                format!("{part} {} {}", opaque.kind, opaque.data)
            }
            Ok(ChatEvent::CitationAdded { part, citation, .. }) => {
                format!(
                    "{part} cites {}",
                    citation.url.as_deref().or(citation.title.as_deref()).unwrap_or("-")
                )
            }
            Ok(ChatEvent::PartEnded { part, .. }) => format!("{part} end"),
            Ok(ChatEvent::Usage(_)) => "usage".to_owned(),
            Ok(ChatEvent::Alive) => "alive".to_owned(),
            Ok(ChatEvent::Finished { reason, .. }) => format!("finished {reason:?}"),
            Ok(ChatEvent::Done { usage, .. }) => {
                format!("done {}+{} of {}", usage.prompt(), usage.generated(), usage.total())
            }
        };
        writeln!(out, "{line}").unwrap();
    }
    out
}

/// Frames records as server-sent events without names.
fn sse(records: &[&str]) -> String {
    records.iter().flat_map(|record| ["data: ", record, "\n\n"]).collect()
}

/// Frames records as server-sent events that are named as their data are.
fn named(records: &[&str]) -> String {
    let name = |record: &str| -> String {
        let start = record.find("\"type\":\"").unwrap() + 8;
        record[start..].chars().take_while(|c| *c != '"').collect()
    };
    records
        .iter()
        .fold(String::new(), |out, record| out + "event: " + &name(record) + "\ndata: " + record + "\n\n")
}
