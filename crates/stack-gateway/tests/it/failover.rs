//! The sixteen ways in which a provider fails that failoverbench (<https://github.com/failoverbench/failoverbench>) describes,
//! written anew, with times a hundredth as long: two providers behind an alias, the first of which fails.
//!
//! Where an answer is the caller's once it is proven, all sixteen are answered. Where it is the caller's with its first output,
//! twelve are, and four end in an explicit error: what was seen is not repeated by somebody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stack_chat::{ChatModel, ChatRequest, Commit, Tier};
use stack_gateway::provider::Provider;
use stack_gateway::route::{Alias, Aliases, CandidateText, Glob};
use stack_gateway::routed::{CircuitChange, Gateway};
use stack_gateway::{BreakerOptions, RetryOptions};
use stack_testkit::{
    CheckedModel, HttpReply, HttpRequest, HttpServer, ProviderFamily, Recording, Said, Step,
};

use super::support::{ask, options, policy, told};
use stack_gateway::privacy::{EgressGate, EgressLog};

const CHAT: ProviderFamily = ProviderFamily::OpenaiChat;

/// Two providers behind the alias `a`: `one`, and `two` if it fails.
struct Pair {
    one: HttpServer,
    two: HttpServer,
    gateway: Arc<Gateway>,
}

/// What was answered, by whom, and what it took.
struct Answered {
    text: String,
    model: Option<String>,
    took: Duration,
}

impl Pair {
    /// Starts them; `reply` gets each request to `one` with its number.
    fn new(reply: impl Fn(&HttpRequest, usize) -> HttpReply + Send + Sync + 'static) -> Self {
        let count = AtomicUsize::new(0);
        let one = HttpServer::start(move |request| reply(request, count.fetch_add(1, Ordering::Relaxed)));
        let two = HttpServer::start(|request| {
            // Some providers go on with an answer that somebody else began, and this one does not.
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            let last = body["messages"].as_array().and_then(|messages| messages.last()).unwrap();
            if last["role"] == "assistant" {
                return error(400, "invalid_request_error");
            }
            Recording::of(CHAT, &[Said::Text("From"), Said::Text(" two")]).reply()
        });
        let gate = Arc::new(EgressGate::new(policy(Tier::Standard, &[]), EgressLog::Off));
        let provider = |name: &str, server: &HttpServer| {
            let mut options = options(CHAT, &server.url("/"));
            name.clone_into(&mut options.name);
            options.retries =
                RetryOptions { wait_first: Duration::from_millis(5), ..RetryOptions::default() };
            options.breaker =
                BreakerOptions { open: Duration::from_millis(300), ..BreakerOptions::default() };
            Provider::new(options, Arc::clone(&gate), || 1_800_000_000, 7)
        };
        let providers = vec![provider("one", &one), provider("two", &two)];
        let candidates = ["one/m-1", "two/m-2"].map(|text| CandidateText::parse(text).unwrap());
        let alias = Alias::new(Glob::parse("a").unwrap(), candidates.to_vec());
        let aliases = Aliases::new(vec![alias], Vec::new()).unwrap();
        Self { gateway: Gateway::new(providers, aliases, Tier::Standard), one, two }
    }

    /// Asks for a stream, as a client does that wants to see it grow.
    async fn ask(&self, commit: Commit) -> Answered {
        let mut request = ask();
        request.routing.commit = Some(commit);
        self.answer(request).await
    }

    async fn answer(&self, request: ChatRequest) -> Answered {
        let since = Instant::now();
        let record = request.routing.record.clone();
        let model = CheckedModel(Arc::new(self.gateway.alias("a", false).unwrap()));
        let text = match model.chat(request) {
            Ok(stream) => told(stream).await,
            Err(failure) => format!("!{}", failure.kind.as_str()),
        };
        let model = record.read().answerer.map(|answerer| answerer.model);
        Answered { text, model, took: since.elapsed() }
    }

    fn asked(&self) -> (usize, usize) {
        (self.one.requests().len(), self.two.requests().len())
    }
}

fn error(status: u16, word: &str) -> HttpReply {
    HttpReply::new(status, CHAT.error(status, word, "no")).header("content-type", "application/json")
}

/// An answer of sixty pieces.
fn long() -> Recording {
    Recording::of(CHAT, &[Said::Text("x"); 60])
}

/// The first records of the long answer, with the pieces in `more` behind them.
fn begun(records: usize, more: impl IntoIterator<Item = Step>) -> HttpReply {
    let recording = long();
    let begun = Step::Send(recording.records[..records].concat().into_bytes());
    recording.play([begun].into_iter().chain(more))
}

const TWO: &str = "From two|stop|11+7";

/// Both ways to commit, and what the sixteenth of each scenario looks like.
const BOTH: [Commit; 2] = [Commit::FirstOutput, Commit::Proof];

#[tokio::test]
async fn s01_a_wait_that_is_asked_for_is_waited_for_on_the_same_route() {
    for commit in BOTH {
        let pair = Pair::new(|_, number| match number {
            0 => error(429, "rate_limit_exceeded").header("retry-after-ms", "200"),
            _ => Recording::of(CHAT, &[Said::Text("Yes")]).reply(),
        });
        let answered = pair.ask(commit).await;
        assert_eq!((answered.text.as_str(), pair.asked()), ("Yes|stop|11+7", (2, 0)));
        assert!(answered.took >= Duration::from_millis(180), "{:?}", answered.took);
    }
}

#[tokio::test]
async fn s02_limits_without_end_are_left_after_a_few_tries() {
    for commit in BOTH {
        let limit = |_: &HttpRequest, _| error(429, "rate_limit_exceeded").header("retry-after-ms", "20");
        let pair = Pair::new(limit);
        let answered = pair.ask(commit).await;
        assert_eq!((answered.text.as_str(), pair.two.requests().len()), (TWO, 1));
        assert!((1..=4).contains(&pair.one.requests().len()));
    }
}

#[tokio::test]
async fn s03_a_defect_that_passes_is_tried_again_in_place() {
    for commit in BOTH {
        let pair = Pair::new(|_, number| match number {
            0 => error(500, "internal"),
            _ => Recording::of(CHAT, &[Said::Text("Yes")]).reply(),
        });
        assert_eq!(pair.ask(commit).await.text, "Yes|stop|11+7");
        assert_eq!(pair.asked(), (2, 0));
    }
}

#[tokio::test]
async fn s04_a_provider_without_room_is_left() {
    for commit in BOTH {
        let pair = Pair::new(|_, _| error(503, "overloaded"));
        assert_eq!(pair.ask(commit).await.text, TWO);
        assert!((1..=5).contains(&pair.one.requests().len()) && pair.two.requests().len() == 1);
    }
}

#[tokio::test]
async fn s05_a_connection_that_breaks_before_an_answer_is_left() {
    for commit in BOTH {
        let pair = Pair::new(|_, _| HttpReply::steps(200, [Step::Break]));
        assert_eq!(pair.ask(commit).await.text, TWO);
    }
}

#[tokio::test]
async fn s06_one_that_never_answers_is_not_asked_twice() {
    for commit in BOTH {
        let pair = Pair::new(|_, _| long().play([Step::Hang]));
        assert_eq!(pair.ask(commit).await.text, TWO);
        assert_eq!(pair.asked(), (1, 1));
    }
}

#[tokio::test]
async fn s07_a_first_token_that_comes_too_late_is_not_waited_for() {
    for commit in BOTH {
        let late = |_: &HttpRequest, _| long().play([Step::Pause(Duration::from_secs(4)), Step::Hang]);
        let answered = Pair::new(late).ask(commit).await;
        assert_eq!(answered.text, TWO);
        assert!(answered.took < Duration::from_secs(2), "{:?}", answered.took);
    }
}

/// A failure behind the first output: one commit ends in this error, the other in somebody else's answer.
async fn behind_output(
    reply: impl Fn(&HttpRequest, usize) -> HttpReply + Clone + Send + Sync + 'static,
    pieces: usize,
    kind: &str,
) {
    let pair = Pair::new(reply.clone());
    let answered = pair.ask(Commit::FirstOutput).await;
    assert_eq!(answered.text, format!("{}!{kind}", "x".repeat(pieces)));
    assert_eq!(pair.asked().1, 0, "what was seen is not repeated");
    assert_eq!(answered.model.as_deref(), Some("one/m-1"));
    let answered = Pair::new(reply).ask(Commit::Proof).await;
    assert_eq!((answered.text.as_str(), answered.model.as_deref()), (TWO, Some("two/m-2")));
    assert!(answered.took < Duration::from_secs(5), "{:?}", answered.took);
}

#[tokio::test]
async fn s08_a_stream_that_is_cut_is_explicit_or_rescued() {
    behind_output(|_, _| begun(41, [Step::Break]), 40, "provider_stream_truncated").await;
}

#[tokio::test]
async fn s09_a_stream_that_falls_silent_is_explicit_or_rescued_and_the_next_is_answered() {
    let silent = |_: &HttpRequest, number| match number {
        0 => begun(21, [Step::Hang]),
        _ => Recording::of(CHAT, &[Said::Text("Yes")]).reply(),
    };
    behind_output(silent, 20, "provider_stream_stalled").await;
    let pair = Pair::new(silent);
    let first = pair.ask(Commit::FirstOutput).await;
    assert!(first.text.ends_with("!provider_stream_stalled") && first.took < Duration::from_secs(2));
    assert_eq!(pair.ask(Commit::FirstOutput).await.text, "Yes|stop|11+7", "it is healthy after that");
}

#[tokio::test]
async fn s10_a_record_that_cannot_be_read_is_explicit_or_rescued() {
    let broken = || Step::Send(b"data: {\"choices\": [\n\n".to_vec());
    behind_output(move |_, _| begun(31, [broken(), Step::Hang]), 30, "provider_stream_malformed").await;
}

#[tokio::test]
async fn s11_a_proof_without_a_sentinel_is_enough_and_counted() {
    for commit in BOTH {
        let pair = Pair::new(|_, _| {
            let recording = Recording::of(CHAT, &[Said::Text("Yes")]);
            let all = recording.records.len() - 1;
            assert!(recording.records[all].contains("[DONE]"));
            recording.play([Step::Send(recording.records[..all].concat().into_bytes()), Step::Hang])
        });
        let answered = pair.ask(commit).await;
        assert_eq!(answered.text, "Yes|stop|11+7");
        assert!(answered.took < Duration::from_secs(2), "{:?}", answered.took);
    }
}

#[tokio::test]
async fn s12_a_prompt_that_is_too_long_is_tried_once_and_then_elsewhere() {
    for commit in BOTH {
        let pair = Pair::new(|_, _| error(400, "context_length_exceeded"));
        assert_eq!(pair.ask(commit).await.text, TWO);
        assert_eq!(pair.asked(), (1, 1));
    }
}

#[tokio::test]
async fn s13_what_a_provider_rejects_is_passed_on_and_asked_of_nobody_else() {
    for commit in BOTH {
        let pair = Pair::new(|_, _| error(400, "content_policy_violation"));
        assert_eq!(pair.ask(commit).await.text, "!provider_content_rejected");
        assert_eq!(pair.asked(), (1, 0));
        let filtered = |_: &HttpRequest, _| {
            let mut recording = Recording::of(CHAT, &[Said::Text("I")]);
            for record in &mut recording.records {
                *record =
                    record.replace("\"finish_reason\":\"stop\"", "\"finish_reason\":\"content_filter\"");
            }
            recording.reply()
        };
        let pair = Pair::new(filtered);
        assert_eq!(pair.ask(commit).await.text, "I|content_filter|11+7");
        assert_eq!(pair.asked(), (1, 0));
    }
}

#[tokio::test]
async fn s14_what_was_begun_is_never_given_to_another_to_go_on_with() {
    // The second provider refuses a conversation that ends with a part of an answer, which must never show.
    behind_output(|_, _| begun(11, [Step::Break]), 10, "provider_stream_truncated").await;
}

#[tokio::test]
async fn s15_while_one_is_down_all_are_served_and_it_is_asked_again_when_it_is_back() {
    for commit in BOTH {
        let is_down = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let state = Arc::clone(&is_down);
        let pair = Pair::new(move |_, _| {
            if state.load(Ordering::Relaxed) {
                error(503, "overloaded")
            } else {
                Recording::of(CHAT, &[Said::Text("Back")]).reply()
            }
        });
        for number in 0..20 {
            assert_eq!(pair.ask(commit).await.text, TWO, "{number}");
        }
        let asked = pair.one.requests().len();
        assert!(asked < 20, "one that rests is left alone, and was asked {asked} times");
        is_down.store(false, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(310)).await;
        assert_eq!(pair.ask(commit).await.text, "Back|stop|11+7");
    }
}

#[tokio::test]
async fn s16_who_answered_and_what_it_took_is_told() {
    for commit in BOTH {
        let pair = Pair::new(|_, _| error(401, "invalid_api_key"));
        let mut request = ask();
        request.routing.commit = Some(commit);
        let record = request.routing.record.clone();
        let answered = pair.answer(request).await;
        assert_eq!((answered.text.as_str(), answered.model.as_deref()), (TWO, Some("two/m-2")));
        let lineage = record.read();
        let routes: Vec<_> = lineage.attempts.iter().map(|attempt| attempt.route.as_str()).collect();
        assert_eq!(routes, ["one/m-1", "two/m-2"]);
        let [first, second] = &lineage.attempts[..] else { panic!() };
        assert_eq!(first.failure.map(stack_chat::FailureKind::as_str), Some("provider_auth_failed"));
        assert!(second.failure.is_none() && second.took.is_some() && second.first_output.is_some());
        assert_eq!((lineage.alias.as_deref(), lineage.tier), (Some("a"), Some(Tier::Standard)));
        assert_eq!(lineage.considered.len(), 2);
    }
}

#[tokio::test]
async fn a_circuit_that_is_held_open_is_not_asked_until_it_is_closed() {
    let pair = Pair::new(|_, _| Recording::of(CHAT, &[Said::Text("One")]).reply());
    let open = CircuitChange::Open { reason: "bills".into(), wait: None };
    pair.gateway.change_circuit("one", &open).unwrap();
    assert_eq!(pair.ask(Commit::FirstOutput).await.text, TWO);
    assert_eq!(pair.asked(), (0, 1));
    let pins = pair.gateway.pins();
    assert_eq!((pins[0].name.as_str(), pins[0].reason.as_str(), pins[0].left), ("one", "bills", None));
    pair.gateway.change_circuit("one", &CircuitChange::Close).unwrap();
    assert_eq!(pair.ask(Commit::FirstOutput).await.text, "One|stop|11+7");
    assert!(pair.gateway.pins().is_empty());
    assert!(pair.gateway.change_circuit("three", &CircuitChange::Close).is_err());
}
