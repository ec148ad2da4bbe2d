//! A reply that is read through an adapter with every operation: any bytes come to an end, the same however they are cut.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use stack_chat::{ChatEvent, ChatRequest, Failure, Message, Prompt};
use stack_wire::Delivery;
use stack_wire::provider::{Adapter, ErrorReply, Family, ProviderRequest, ReplyReader, Route};

fuzz_target!(|bytes: &[u8]| {
    let adapter = Some(Arc::clone(&ADAPTER));
    let route = Route { adapter, ..Route::new("acme", Family::OpenaiChat, "m-1") };
    let stream = Delivery::Stream { include_usage: true };
    let cut = bytes.first().map_or(0, |first| usize::from(*first) % bytes.len());
    assert_eq!(read(&route, stream, &[bytes]), read(&route, stream, &[&bytes[..cut], &bytes[cut..]]));
    read(&route, Delivery::Whole, &[bytes]);
    ErrorReply { status: 400, headers: &[("x-a", "b")], body: bytes }.failure(&route, 0);
});

fn read(route: &Route, delivery: Delivery, pieces: &[&[u8]]) -> Vec<Result<ChatEvent, Failure>> {
    let request = ChatRequest::new(Prompt::Messages(vec![Message::user("Hi")]));
    let request = ProviderRequest::render(&request, route, delivery).expect("it is a plain request");
    let mut reader = ReplyReader::new(route, &request, "u");
    let mut items: Vec<_> = pieces.iter().flat_map(|piece| reader.push(piece)).collect();
    items.extend(reader.end());
    assert!(reader.is_ended() && !items.is_empty());
    assert!(reader.mismatches().len() <= 64);
    items
}

static ADAPTER: LazyLock<Arc<Adapter>> =
    LazyLock::new(|| Arc::new(Adapter::parse(SPEC).expect("it breaks no rule")));

const SPEC: &[u8] = include_bytes!("../adapter.json");
