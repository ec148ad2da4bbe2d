//! What is tried again, and what is left alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stack_testkit::{HttpReply, ProviderFamily, Recording, Said, Step};

use super::support::{answer, ask, scripted};

#[tokio::test]
async fn what_fails_before_anybody_has_seen_an_answer_is_tried_again() {
    let busy = ProviderFamily::OpenaiChat.error(503, "overloaded", "later");
    let waits = ProviderFamily::OpenaiChat.error(429, "rate_limit_exceeded", "later");
    let recording = Recording::of(ProviderFamily::OpenaiChat, &[Said::Text("Yes")]);
    for (name, first) in [
        ("busy", HttpReply::new(503, busy)),
        ("rate", HttpReply::new(429, waits).header("retry-after-ms", "20")),
        ("reset before headers", HttpReply::steps(200, [Step::Break])),
        ("cut before output", recording.cut_after(1)),
    ] {
        let (played, count) = (recording.clone(), AtomicUsize::new(0));
        let (server, provider) = scripted(ProviderFamily::OpenaiChat, move |_| {
            if count.fetch_add(1, Ordering::Relaxed) == 0 { first.clone() } else { played.reply() }
        });
        assert_eq!(answer(&provider, ask()).await, "Yes|stop|11+7", "{name}");
        assert_eq!(server.requests().len(), 2, "{name}");
    }
}

#[tokio::test]
async fn nothing_is_tried_again_once_the_caller_has_seen_some_of_it() {
    let recording = Recording::of(ProviderFamily::Anthropic, &[Said::Text("Hel"), Said::Text("lo")]);
    let (server, provider) = scripted(ProviderFamily::Anthropic, move |_| recording.cut_after(4));
    assert_eq!(answer(&provider, ask()).await, "Hel!provider_stream_truncated");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_provider_that_fails_often_rests() {
    let (server, provider) = scripted(ProviderFamily::OpenaiChat, |_| {
        HttpReply::new(401, ProviderFamily::OpenaiChat.error(401, "invalid_api_key", "no"))
    });
    assert_eq!(answer(&provider, ask()).await, "!provider_auth_failed");
    let mut stream = super::support::begin(&provider, ask()).unwrap();
    let failure = super::support::next(&mut stream).await.unwrap().unwrap_err();
    assert_eq!(failure.kind.as_str(), "gateway_circuit_open");
    let stack_chat::Retry::After(wait) = failure.retry else { panic!("{failure:?}") };
    assert!(wait > Duration::from_secs(200), "{wait:?}");
    assert_eq!(server.requests().len(), 1, "a key that is refused is not shown again");
}
