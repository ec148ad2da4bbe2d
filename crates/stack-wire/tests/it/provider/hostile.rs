//! Providers that send anything at all.

use proptest::prelude::*;
use stack_chat::FailureKind;
use stack_wire::Delivery;
use stack_wire::provider::{ErrorReply, Family};

use super::streams::fixtures;
use super::{STREAM, reader, replay, route, sse};

/// Returns the places in a JSON text where a value begins and ends.
fn values(json: &str) -> Vec<(usize, usize)> {
    let bytes = json.as_bytes();
    let (mut found, mut open, mut at) = (Vec::new(), Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let start = at;
                at += 1;
                while bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
                if bytes.get(at) != Some(&b':') {
                    found.push((start, at));
                }
                continue;
            }
            b'{' | b'[' => open.push(at),
            b'}' | b']' => found.push((open.pop().unwrap(), at + 1)),
            b'0'..=b'9' | b't' | b'f' | b'n' => {
                let start = at;
                while !matches!(bytes[at], b',' | b'}' | b']') {
                    at += 1;
                }
                found.push((start, at));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

#[test]
fn any_value_may_be_of_any_kind() {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let others = [
        "null",
        "true",
        "7",
        "-1.5",
        "1e400",
        "\"x\"",
        "[]",
        "[null]",
        "{}",
        "[[{}]]",
        "18446744073709551615",
        &deep,
    ];
    let mut runs = 0;
    for fixture in fixtures() {
        for (number, record) in fixture.records.iter().enumerate() {
            let Some(start) = record.find('{') else { continue };
            let json = record[start..].trim_end();
            for (from, to) in values(json) {
                for other in others {
                    let changed = format!("{}{other}{}", &json[..from], &json[to..]);
                    let mut records = fixture.records.clone();
                    records[number] = record.replace(json, &changed);
                    // The grammar is checked, and a failure names what is wrong.
                    let (items, _) = replay(fixture.family, STREAM, [records.concat().as_bytes()]);
                    if let Some(Err(failure)) = items.last() {
                        assert!(!failure.message.is_empty());
                    }
                    replay(fixture.family, Delivery::Whole, [changed.as_bytes()]);
                    let headers = [("retry-after", other)];
                    ErrorReply { status: 429, headers: &headers, body: changed.as_bytes() }
                        .failure(&route(fixture.family), 0);
                    runs += 1;
                }
            }
        }
    }
    assert!(runs > 2000, "{runs}");
}

#[test]
fn records_may_come_in_any_order() {
    for fixture in fixtures() {
        for skipped in 0..fixture.records.len() {
            let mut records = fixture.records.clone();
            let record = records.remove(skipped);
            replay(fixture.family, STREAM, [records.concat().as_bytes()]);
            records.push(record.clone());
            replay(fixture.family, STREAM, [records.concat().as_bytes()]);
            records.insert(0, record);
            replay(fixture.family, STREAM, [records.concat().as_bytes()]);
        }
        let backwards: String = fixture.records.iter().rev().map(String::as_str).collect();
        replay(fixture.family, STREAM, [backwards.as_bytes()]);
    }
}

#[test]
fn records_may_be_those_of_any_other_stream_of_the_family() {
    let fixtures = fixtures();
    for family in Family::ALL {
        let of_family = || fixtures.iter().filter(|fixture| fixture.family == family);
        let records: Vec<_> = of_family().flat_map(|fixture| &fixture.records).collect();
        for fixture in of_family() {
            for place in 0..fixture.records.len() {
                for record in &records {
                    let mut changed = fixture.records.clone();
                    changed.insert(place, (*record).clone());
                    replay(family, STREAM, [changed.concat().as_bytes()]);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn noise_is_a_failure(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for family in Family::ALL {
            for delivery in [STREAM, Delivery::Whole] {
                let items = replay(family, delivery, [bytes.as_slice()]).0;
                prop_assert!(items.last().is_some_and(Result::is_err));
            }
        }
    }
}

#[test]
fn every_length_and_depth_has_a_limit() {
    let malformed = |family, delivery, text: &str| {
        let failure = replay(family, delivery, [text.as_bytes()]).0.pop().unwrap().unwrap_err();
        assert_eq!(failure.kind, FailureKind::StreamMalformed, "{}", failure.message);
    };
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(70), "]".repeat(70));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(9 << 20));
    for family in Family::ALL {
        malformed(family, Delivery::Whole, &deep);
        let frame = |json: &str| if family == Family::Ollama { format!("{json}\n") } else { sse(&[json]) };
        malformed(family, STREAM, &frame(&deep));
        malformed(family, STREAM, &frame(&long));
    }
    let call = r#"{"choices":[{"delta":{"tool_calls":[{"index":N,"id":"aN","function":{"name":"f"}}]}}]}"#;
    let nameless = call.replace(r#","function":{"name":"f"}"#, "");
    let calls: Vec<_> = (0..1025).map(|number| nameless.replace('N', &number.to_string())).collect();
    malformed(Family::OpenaiChat, STREAM, &sse(&calls.iter().map(String::as_str).collect::<Vec<_>>()));
    let calls: Vec<_> = (0..1025).map(|number| call.replace('N', &number.to_string())).collect();
    malformed(Family::OpenaiChat, STREAM, &sse(&calls.iter().map(String::as_str).collect::<Vec<_>>()));
}

#[test]
fn a_reply_without_end_ends() {
    let mut reader = reader(Family::OpenaiChat, STREAM);
    let comments = ": still there\n".repeat(1 << 16);
    let mut pushed = 0;
    while pushed <= 64 << 20 {
        assert!(reader.push(comments.as_bytes()).is_empty(), "nothing has started");
        pushed += comments.len();
        if pushed + comments.len() > 64 << 20 {
            break;
        }
    }
    let failure = reader.push(comments.as_bytes()).pop().unwrap().unwrap_err();
    assert_eq!(failure.kind, FailureKind::StreamMalformed);
}
