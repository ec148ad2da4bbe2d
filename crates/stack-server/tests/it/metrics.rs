//! The metrics move.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use stack_testkit::ScriptedModel;

use crate::support::{chat, get, post, serving};

/// Reads the samples without labels, and those of requests.
async fn samples(router: &Router) -> BTreeMap<String, f64> {
    let text = get(router, "/metrics").await.text;
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    text.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket")).map(sample).collect()
}

#[tokio::test]
async fn every_number_moves_with_what_it_counts() {
    let router = serving(&Arc::new(ScriptedModel::new("m", &["Once", " upon", " a"])));
    let before = samples(&router).await;
    chat(&router, r#""stream": true"#).await;
    chat(&router, r#""n": 2"#).await;
    chat(&router, r#""n": 0"#).await;
    post(&router, "/v1/embeddings", r#"{"input": "a b"}"#).await;
    get(&router, "/made/up").await;
    let after = samples(&router).await;
    let moved = |name: &str| after[name] - before.get(name).copied().unwrap_or(0.0);

    for (name, want) in [
        ("stack_time_to_first_token_seconds_count", 2.0),
        ("stack_inter_token_latency_seconds_count", 6.0),
        ("stack_request_seconds_count", 3.0),
        ("stack_queue_seconds_count", 2.0),
        ("stack_queue_seconds_sum", 2.0),
        ("stack_prefill_seconds_count", 2.0),
        ("stack_prefill_seconds_sum", 2.0),
        ("stack_decode_seconds_count", 2.0),
        ("stack_decode_seconds_sum", 2.0),
        ("stack_prompt_tokens_total", 4.0 + 4.0 + 2.0),
        ("stack_generated_tokens_total", 3.0 + 6.0),
        ("stack_requests_total{route=\"/v1/chat/completions\",status=\"200\"}", 2.0),
        ("stack_requests_total{route=\"/v1/chat/completions\",status=\"400\"}", 1.0),
        ("stack_requests_total{route=\"/v1/embeddings\",status=\"200\"}", 1.0),
        ("stack_requests_total{route=\"other\",status=\"404\"}", 1.0),
        ("stack_requests_total{route=\"/metrics\",status=\"200\"}", 1.0),
    ] {
        assert!((moved(name) - want).abs() < 1e-9, "{name} moved by {}, not {want}", moved(name));
    }
    assert!(moved("stack_request_seconds_sum") > 0.0);
}

#[tokio::test]
async fn the_format_is_what_prometheus_reads() {
    let router = serving(&Arc::new(ScriptedModel::new("m", &[])));
    let reply = get(&router, "/metrics").await;
    assert!(reply.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in reply.text.lines() {
        let well_formed = line.starts_with("# HELP stack_")
            || line.starts_with("# TYPE stack_")
            || line.starts_with("stack_");
        assert!(well_formed, "{line}");
    }
}
