//! Providers that misbehave: each fault is one explicit failure, in bounded time and memory.

use std::time::{Duration, Instant};

use stack_testkit::{HttpReply, HttpServer, ProviderFamily, Recording, Said, Step};

use super::support::{KEY, answer, ask, begin, next, options, provider, scripted};
use stack_chat::Tier;

const SSE: &str = "text/event-stream";

fn sse(steps: impl IntoIterator<Item = Step>) -> HttpReply {
    HttpReply::steps(200, steps).header("content-type", SSE)
}

fn send(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_before_its_proof_ends_in_a_failure() {
    for family in ProviderFamily::ALL {
        let recording = Recording::of(family, &[Said::Text("Hel"), Said::Text("lo")]);
        // What comes behind the proof may be missing.
        let behind_proof = if family == ProviderFamily::OpenaiChat { 3 } else { 1 };
        for records in 1..=recording.records.len() - behind_proof {
            for breaks in [true, false] {
                let played = recording.clone();
                let (_server, provider) = scripted(family, move |_| {
                    if breaks {
                        return played.cut_after(records);
                    }
                    played.play([Step::Send(played.records[..records].concat().into_bytes())])
                });
                let told = answer(&provider, ask()).await;
                let end = told.find(['|', '!']).map(|end| &told[end..]);
                assert_eq!(end, Some("!provider_stream_truncated"), "{family:?} {records} {breaks} {told}");
            }
        }
        for records in recording.records.len() - behind_proof + 1..=recording.records.len() {
            let played = recording.clone();
            let (_server, provider) = scripted(family, move |_| played.cut_after(records));
            let told = answer(&provider, ask()).await;
            assert!(told.starts_with("Hello|stop"), "{family:?} {records} {told}");
        }
    }
}

#[tokio::test]
async fn an_error_is_one_whatever_its_status_says() {
    for family in ProviderFamily::ALL {
        let error = family.error(500, "internal", "it broke");
        let at_200 = if family == ProviderFamily::Ollama {
            HttpReply::new(200, format!("{error}\n")).header("content-type", "application/x-ndjson")
        } else {
            HttpReply::new(200, error.clone()).header("content-type", "application/json")
        };
        let inside = Recording::of(family, &[Said::Text("Hel"), Said::Text("lo")]);
        let line = if family == ProviderFamily::Ollama {
            format!("{error}\n")
        } else {
            format!("data: {error}\n\n")
        };
        let begun = inside.records[..inside.records.len().min(4) - 1].concat();
        let within = inside.play([Step::Send([begun, line].concat().into_bytes())]);
        for (name, reply) in [("200", at_200), ("within", within)] {
            let (_server, provider) = scripted(family, move |_| reply.clone());
            let told = answer(&provider, ask()).await;
            assert!(told.ends_with("!provider_server_error"), "{family:?} {name}: {told}");
        }
    }
}

#[tokio::test]
async fn statuses_are_told_apart() {
    for (status, word, want) in [
        (400, "invalid_request_error", "!caller_invalid_request"),
        (401, "invalid_api_key", "!provider_auth_failed"),
        (403, "forbidden", "!provider_auth_failed"),
        (404, "model_not_found", "!provider_model_missing"),
        (429, "insufficient_quota", "!provider_billing"),
        (413, "x", "!caller_invalid_request"),
        (302, "x", "!provider_redirected"),
        (307, "x", "!provider_redirected"),
        (418, "x", "!caller_invalid_request"),
    ] {
        let (server, provider) = scripted(ProviderFamily::OpenaiChat, move |_| {
            HttpReply::new(status, ProviderFamily::OpenaiChat.error(status, word, "no"))
                .header("content-type", "application/json")
                .header("location", "http://127.0.0.1:1/")
        });
        assert_eq!(answer(&provider, ask()).await, want, "{status}");
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_key_that_a_provider_repeats_is_not_repeated() {
    let (_server, provider) = scripted(ProviderFamily::OpenaiChat, |_| {
        HttpReply::new(400, format!(r#"{{"error":{{"message":"the key {KEY} is odd","type":"x"}}}}"#))
    });
    let mut stream = begin(&provider, ask()).unwrap();
    let failure = next(&mut stream).await.unwrap().unwrap_err();
    assert!(failure.message.contains("the key [key] is odd"), "{failure:?}");
    assert!(!format!("{failure:?} {provider:?}").contains(KEY));
}

#[tokio::test]
async fn what_is_no_stream_of_events_is_not_read_as_one() {
    for (media, body) in [
        ("text/html", "<html>Sign in</html>"),
        ("application/octet-stream", "data: {}\n\n"),
        ("image/png", "\u{89}PNG"),
    ] {
        let (_server, provider) = scripted(ProviderFamily::OpenaiChat, move |_| {
            HttpReply::new(200, body).header("content-type", media)
        });
        assert_eq!(answer(&provider, ask()).await, "!provider_stream_malformed", "{media}");
    }
    let (_server, provider) = scripted(ProviderFamily::OpenaiChat, |_| {
        HttpReply::new(200, "\x1f\u{8b}").header("content-type", SSE).header("content-encoding", "gzip")
    });
    assert_eq!(answer(&provider, ask()).await, "!provider_stream_malformed");
}

#[tokio::test]
async fn a_provider_that_says_nothing_is_left_and_one_that_stops_is_told() {
    let text = Recording::of(ProviderFamily::OpenaiChat, &[Said::Text("Hel"), Said::Text("lo")]);
    let begun = text.records[..2].concat();
    let ping = || Step::Repeat(b": ping\n\n".to_vec());
    for (name, steps, want, most) in [
        ("never an answer", vec![Step::Hang], "!provider_timeout", 1500),
        ("only pings", vec![Step::Pause(Duration::from_millis(50)), ping()], "!provider_timeout", 1500),
        ("silence after output", vec![send(&begun), Step::Hang], "Hel!provider_stream_stalled", 1500),
        ("pings after output", vec![send(&begun), ping()], "Hel!provider_stream_stalled", 2500),
    ] {
        let (_server, provider) = scripted(ProviderFamily::OpenaiChat, move |_| sse(steps.clone()));
        let since = Instant::now();
        assert_eq!(answer(&provider, ask()).await, want, "{name}");
        assert!(since.elapsed() < Duration::from_millis(most), "{name}: {:?}", since.elapsed());
    }
}

#[tokio::test]
async fn a_slow_first_token_is_waited_for_and_a_proof_without_an_end_is_enough() {
    let recording = Recording::of(ProviderFamily::OpenaiChat, &[Said::Text("Yes")]);
    let (first, rest) = (recording.records[0].clone(), recording.records[1..3].concat());
    let (_server, provider) = scripted(ProviderFamily::OpenaiChat, move |_| {
        sse([send(&first), Step::Pause(Duration::from_millis(250)), send(&rest), Step::Hang])
    });
    assert_eq!(answer(&provider, ask()).await, "Yes|stop|0+0", "nobody said what it cost");
}

#[tokio::test]
async fn endless_bodies_and_events_are_not_read_for_ever() {
    let endless = |what: &str| Step::Repeat(what.repeat(1 << 14).into_bytes());
    for (name, reply) in [
        ("an event without end", sse([send("data: {\"a\":\""), endless("x")])),
        ("a line without end", sse([endless("x")])),
        (
            "events without output",
            sse([endless("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n")]),
        ),
        ("an error without end", HttpReply::steps(400, [endless("x")])),
        ("a body without end", {
            HttpReply::steps(200, [send("{\"a\":\""), endless("x")])
                .header("content-type", "application/json")
        }),
    ] {
        let server = HttpServer::start(move |_| reply.clone());
        let mut options = options(ProviderFamily::OpenaiChat, &server.url("/"));
        options.timeouts.first_output = Duration::from_mins(2);
        options.timeouts.total = Duration::from_mins(3);
        let provider = provider(options, Tier::Standard);
        let told = answer(&provider, ask()).await;
        assert!(
            ["!provider_stream_malformed", "!caller_invalid_request"].contains(&told.as_str()),
            "{name}: {told}"
        );
        assert!(server.bytes_sent() < 256 << 20, "{name}: {}", server.bytes_sent());
    }
}

#[tokio::test]
async fn the_end_comes_once_however_often_it_is_sent() {
    for family in ProviderFamily::ALL {
        let recording = Recording::of(family, &[Said::Text("Yes")]);
        let last = recording.records.last().unwrap().clone();
        let bytes = [recording.records.concat(), last.clone(), last].concat();
        let (_server, provider) = scripted(family, move |_| recording.play([send(&bytes)]));
        assert_eq!(answer(&provider, ask()).await, "Yes|stop|11+7", "{family:?}");
    }
}

#[tokio::test]
async fn records_that_are_no_json_and_words_that_are_unknown_are_failures() {
    for (name, record, want) in [
        ("no JSON", "data: {\"choices\": [\n\n", "!provider_stream_malformed"),
        ("no object", "data: 7\n\n", "!provider_stream_malformed"),
        ("deep", &format!("data: {}\n\n", "[".repeat(99)), "!provider_stream_malformed"),
        (
            "an unknown end",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"tired\"}]}\n\n",
            "!provider_schema_drift",
        ),
    ] {
        let record = record.to_owned();
        let (_server, provider) = scripted(ProviderFamily::OpenaiChat, move |_| sse([send(&record)]));
        let told = answer(&provider, ask()).await;
        assert!(told.ends_with(want), "{name}: {told}");
    }
}

#[tokio::test]
async fn who_leaves_takes_the_connection_along() {
    let recording = Recording::of(ProviderFamily::OpenaiChat, &[Said::Text("Hel"), Said::Text("lo")]);
    let begun = recording.records[..2].concat();
    let (gone, left) = std::sync::mpsc::sync_channel(1);
    let server = HttpServer::start(move |_| {
        let (begun, gone) = (begun.clone(), gone.clone());
        HttpReply::steps(200, [send(&begun), Step::Hang, Step::Tell(gone)]).header("content-type", SSE)
    });
    let mut options = options(ProviderFamily::OpenaiChat, &server.url("/"));
    options.timeouts.idle = Duration::from_secs(20);
    let provider = provider(options, Tier::Standard);
    let mut stream = begin(&provider, ask()).unwrap();
    next(&mut stream).await.unwrap().unwrap();
    let since = Instant::now();
    drop(stream);
    tokio::task::spawn_blocking(move || left.recv_timeout(Duration::from_secs(5)).unwrap()).await.unwrap();
    assert!(since.elapsed() < Duration::from_millis(500), "{:?}", since.elapsed());
}
