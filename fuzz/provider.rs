//! What the targets of replies have in common.

use stack_chat::{ChatEvent, ChatRequest, Failure, Message, Prompt};
use stack_testkit::EventGrammar;
use stack_wire::Delivery;
use stack_wire::provider::{ErrorReply, Family, ProviderRequest, ReplyReader, Route};

/// Reads a reply as a stream, as a whole body and as an error.
pub fn check(family: Family, bytes: &[u8]) {
    let route = Route::new("acme", family, "m");
    let stream = Delivery::Stream { include_usage: true };
    let whole = replay(&route, stream, &[bytes]);
    // Where the cut is, the bytes themselves say.
    let cut = bytes.first().map_or(0, |first| usize::from(*first) % bytes.len());
    assert_eq!(whole, replay(&route, stream, &[&bytes[..cut], &bytes[cut..]]));
    replay(&route, Delivery::Whole, &[bytes]);
    ErrorReply { status: 400, headers: &[], body: bytes }.failure(&route, 0);
}

fn replay(route: &Route, delivery: Delivery, pieces: &[&[u8]]) -> Vec<Result<ChatEvent, Failure>> {
    let request = ChatRequest::new(Prompt::Messages(vec![Message::user("Hi")]));
    let request = ProviderRequest::render(&request, route, delivery).expect("it is a plain request");
    let mut reader = ReplyReader::new(route, &request, "u");
    let mut items: Vec<_> = pieces.iter().flat_map(|piece| reader.push(piece)).collect();
    items.extend(reader.end());
    let mut grammar = EventGrammar::new(1);
    for item in items.iter().map(Some).chain([None]) {
        grammar.take(item).expect("events follow their grammar");
    }
    items
}
