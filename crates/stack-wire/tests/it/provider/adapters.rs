//! Specs of adapters: what is refused, what they change, and that nothing they are given makes them fail.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use stack_chat::{ChatRequest, Sampling, Unused};
use stack_wire::Delivery;
use stack_wire::provider::{
    Adapter, Family, MismatchKind, ProviderRequest, Recordings, ReplyReader, Route, ShippedSpec,
};

use super::{STREAM, ask, route, sse, tell};

/// An adapter that is part of the program.
pub(super) fn shipped(file: &str) -> Arc<Adapter> {
    let spec = ShippedSpec::ALL.iter().find(|spec| spec.file == file).unwrap();
    Arc::new(Adapter::parse(spec.text.as_bytes()).unwrap())
}

/// A spec that is sound, with these parts in place of its own.
fn spec(parts: Value) -> Value {
    let mut spec =
        json!({"spec": 1, "provider": "acme", "version": 1, "family": "openai_chat", "examples": ["x"]});
    let Value::Object(parts) = parts else { panic!("parts are an object") };
    spec.as_object_mut().unwrap().extend(parts);
    spec
}

fn adapter(parts: Value) -> Arc<Adapter> {
    Arc::new(Adapter::parse(spec(parts).to_string().as_bytes()).unwrap())
}

/// The rule that a spec with these parts breaks, and where.
fn broken(parts: Value) -> String {
    let fault = Adapter::parse(spec(parts).to_string().as_bytes()).unwrap_err();
    assert!(!fault.to_string().is_empty());
    format!("{} {}", fault.pointer, fault.rule.name())
}

fn request(op: &Value) -> Value {
    json!({"request": [op]})
}

#[test]
fn every_shipped_spec_passes_its_examples_and_each_of_its_operations_is_needed() {
    let recordings = Recordings::shipped();
    for spec in ShippedSpec::ALL {
        let adapter = spec.load(&recordings).unwrap_or_else(|fault| panic!("{}: {fault}", spec.file));
        assert_eq!((adapter.version(), adapter.unexercised(&recordings)), (1, vec![]), "{}", spec.file);
    }
    for (provider, family) in [
        ("openai", Family::OpenaiChat),
        ("openai", Family::OpenaiResponses),
        ("anthropic", Family::Anthropic),
        ("gemini", Family::Gemini),
        ("xai", Family::OpenaiChat),
        ("xai", Family::OpenaiResponses),
        ("ollama", Family::Ollama),
        ("vllm", Family::OpenaiChat),
        ("vllm", Family::OpenaiResponses),
        ("llama.cpp", Family::OpenaiChat),
    ] {
        let is_it = |spec: &&ShippedSpec| {
            let adapter = Adapter::parse(spec.text.as_bytes()).unwrap();
            adapter.provider() == provider && adapter.family() == family
        };
        assert_eq!(ShippedSpec::ALL.iter().filter(is_it).count(), 1, "{provider} {family:?}");
    }
}

#[test]
fn each_rule_is_told_by_its_name_and_its_place() {
    let rename = |from: &str, to: &str| request(&json!({"op": "rename", "from": from, "to": to}));
    let guarded = |when: Value| request(&json!({"op": "drop", "at": "/x", "when": when}));
    let row = |row: Value| json!({"errors": [row]});
    let ops = |count: usize| json!({"request": vec![json!({"op": "drop", "at": "/x"}); count]});
    for (parts, want) in [
        (json!({"spec": 2}), "/spec spec-version"),
        (json!({"provider": "Acme!"}), "/provider bad-provider"),
        (json!({"provider": 7}), "/provider wrong-type"),
        (json!({"version": 0}), "/version bad-version"),
        (json!({"family": "cohere"}), "/family unknown-family"),
        (json!({"host": "evil.test"}), "/host unknown-key"),
        (json!({"timeout": 5}), "/timeout unknown-key"),
        (json!({"tier": "standard"}), "/tier unknown-key"),
        (json!({"surfaces": {"chat": {"base": "https://evil.test"}}}), "/surfaces/chat/base unknown-key"),
        (json!({"surfaces": {"embed": {}}}), "/surfaces/embed unknown-key"),
        (json!({"surfaces": {"chat": {"path": "//evil.test/v1"}}}), "/surfaces/chat/path bad-path"),
        (json!({"surfaces": {"chat": {"path": "/v1?key=1"}}}), "/surfaces/chat/path bad-path"),
        (
            json!({"surfaces": {"chat": {"headers": {"x-api-key": "k"}}}}),
            "/surfaces/chat/headers/x-api-key denied-header",
        ),
        (json!({"surfaces": {"chat": {"headers": {"X-A": "k"}}}}), "/surfaces/chat/headers/X-A bad-header"),
        (request(&json!({"op": "eval", "code": "1"})), "/request/0/op unknown-op"),
        (request(&json!({"op": "drop"})), "/request/0 missing"),
        (request(&json!({"op": "drop", "at": "/x", "to": "/y"})), "/request/0/to unknown-key"),
        (request(&json!({"op": "drop", "at": "x"})), "/request/0/at bad-pointer"),
        (request(&json!({"op": "drop", "at": "/a//b"})), "/request/0/at bad-pointer"),
        (request(&json!({"op": "drop", "at": "/a~2"})), "/request/0/at bad-pointer"),
        (request(&json!({"op": "drop", "at": "/a/-"})), "/request/0/at bad-pointer"),
        (request(&json!({"op": "drop", "at": "/a/*/*/*/*/*/b"})), "/request/0/at too-many-stars"),
        (request(&json!({"op": "drop", "at": "/tools/*"})), "/request/0/at removes-item"),
        (request(&json!({"op": "drop", "at": "/tools/0"})), "/request/0/at removes-item"),
        (rename("/a/*/b", "/a/b"), "/request/0/to stars-differ"),
        (rename("/a/b", "/c/b"), "/request/0/to rename-elsewhere"),
        (rename("/a", "/a"), "/request/0/to no-change"),
        (rename("/model", "/m"), "/request/0/from read-only"),
        (rename("/m", "/model"), "/request/0/to read-only"),
        (request(&json!({"op": "const", "at": "/stream", "value": false})), "/request/0/at read-only"),
        (
            request(&json!({"op": "const", "at": "/messages/0/content", "value": "x"})),
            "/request/0/at read-only-text",
        ),
        (
            request(&json!({"op": "copy", "from": "/messages/*/content", "to": "/m/*/c"})),
            "/request/0/from read-only-text",
        ),
        (request(&json!({"op": "default", "at": "/system", "value": "x"})), "/request/0/at read-only-text"),
        (request(&json!({"op": "wrap", "at": "/messages"})), "/request/0/at read-only-text"),
        (guarded(json!({})), "/request/0/when empty-guard"),
        (guarded(json!({"model": ""})), "/request/0/when/model bad-glob"),
        (guarded(json!({"stream": 1})), "/request/0/when/stream wrong-type"),
        (guarded(json!({"present": "/a/*/b"})), "/request/0/when/present star-not-here"),
        (guarded(json!({"regex": "a"})), "/request/0/when/regex unknown-key"),
        (
            request(&json!({"op": "header_set", "name": "authorization", "value": "x"})),
            "/request/0/name denied-header",
        ),
        (request(&json!({"op": "header_drop", "name": "host"})), "/request/0/name denied-header"),
        (request(&json!({"op": "path_set", "path": "/a/../b"})), "/request/0/path bad-path"),
        (request(&json!({"op": "path_set", "path": "/{host}/b"})), "/request/0/path bad-path"),
        (request(&json!({"op": "family_set", "family": "x"})), "/request/0/family unknown-family"),
        (
            request(&json!({"op": "family_set", "family": "gemini", "when": {"present": "/a"}})),
            "/request/0/when guard-not-here",
        ),
        (json!({"reply": [{"op": "header_set", "name": "x-a", "value": "x"}]}), "/reply/0/op op-not-here"),
        (json!({"events": {"ops": [{"op": "path_set", "path": "/x"}]}}), "/events/ops/0/op op-not-here"),
        (json!({"reply": [{"op": "drop", "at": "/remote_host"}]}), "/reply/0/at read-only"),
        (
            json!({"family": "ollama", "request": [{"op": "family_set", "family": "openai_chat"}]}),
            "/request family-stays",
        ),
        (json!({"events": {"name": "/a/*"}}), "/events/name star-not-here"),
        (json!({"events": {"map": {"a": 1}}}), "/events/map/a wrong-type"),
        (request(&json!({"op": "map_enum", "at": "/a", "map": {}})), "/request/0/map no-change"),
        (request(&json!({"op": "clamp", "at": "/a"})), "/request/0/min bad-bounds"),
        (request(&json!({"op": "clamp", "at": "/a", "min": 2, "max": 1})), "/request/0/min bad-bounds"),
        (request(&json!({"op": "coerce", "at": "/a", "to": "date"})), "/request/0/to wrong-type"),
        (request(&json!({"op": "coalesce", "from": [], "to": "/a"})), "/request/0/from no-change"),
        (
            request(&json!({"op": "coalesce", "from": ["/a/*/b"], "to": "/a"})),
            "/request/0/from/0 stars-differ",
        ),
        (json!({"end": {"proof": [{"is_there": "/a"}]}}), "/end/proof/0 missing"),
        (json!({"end": {"sentinel": ""}}), "/end/sentinel bad-sentinel"),
        (json!({"end": {"linger_ms": 60000}}), "/end/linger_ms bad-linger"),
        (json!({"usage": {"answer": ["+/a"]}}), "/usage missing"),
        (json!({"usage": {"input": ["/a"], "answer": ["+/a"]}}), "/usage/input/0 bad-term"),
        (json!({"usage": {"input": ["*/a"], "answer": ["+/a"]}}), "/usage/input/0 bad-term"),
        (
            json!({"usage": {"input": ["+/a"], "answer": ["+/b"], "price": ["+/c"]}}),
            "/usage/price unknown-key",
        ),
        (json!({"finish": {"done": "finished"}}), "/finish/done unknown-reason"),
        (row(json!({"status": 200, "kind": "provider_billing"})), "/errors/0/status bad-status"),
        (row(json!({"status": 400, "kind": "policy_privacy_blocked"})), "/errors/0/kind unknown-kind"),
        (row(json!({"kind": "provider_billing"})), "/errors/0/ bad-row"),
        (
            row(json!({"at": "/a", "is": 1, "has": "a phrase", "kind": "provider_billing"})),
            "/errors/0/ bad-row",
        ),
        (row(json!({"at": "/a", "has": "short", "kind": "provider_billing"})), "/errors/0/has bad-phrase"),
        (
            row(json!({"at": "/a", "has": "a phrase", "kind": "provider_server_error"})),
            "/errors/0/kind phrase-kind",
        ),
        (json!({"examples": []}), " no-example"),
        (json!({"examples": ["../x"]}), "/examples/0 wrong-type"),
        (ops(129), "/request too-many-ops"),
        (
            json!({"finish": (0..65).map(|n| (n.to_string(), json!("stop"))).collect::<Map<_, _>>()}),
            "/finish/64 too-many",
        ),
    ] {
        assert_eq!(broken(parts.clone()), want, "{parts}");
    }
    assert!(Adapter::parse(spec(ops(128)).to_string().as_bytes()).is_ok());
    let name = |bytes: &[u8]| Adapter::parse(bytes).unwrap_err().rule.name();
    assert_eq!(name(&vec![b' '; (64 << 10) + 1]), "too-large");
    assert_eq!(name(b"{\"spec\":1,"), "not-json");
    assert_eq!(name(&b"[".repeat(100)), "not-json");
    assert_eq!(name(b"[]"), "wrong-type");
}

#[test]
fn a_spec_is_held_to_its_examples() {
    let recorded = |reply: &str, gives: &str| {
        let mut recordings = Recordings::default();
        let text = format!(r#"{{"recording":1,"status":429,"reply":{reply},"gives":{gives}}}"#);
        recordings.add("x", text.into_bytes());
        let spec = spec(
            json!({"errors": [{"at": "/code", "is": 7, "kind": "provider_billing", "retry_after": "/s"}]}),
        );
        Adapter::load(spec.to_string().as_bytes(), &recordings).map(|_| ()).map_err(|fault| fault.rule.name())
    };
    assert_eq!(recorded(r#"{"code":7}"#, r#"{"failure":"provider_billing"}"#), Ok(()));
    assert_eq!(recorded(r#"{"code":8}"#, r#"{"failure":"provider_rate_limited"}"#), Ok(()));
    assert_eq!(recorded(r#"{"code":8}"#, r#"{"failure":"provider_billing"}"#), Err("example-failed"));
    assert_eq!(recorded(r#"{"code":8},"x":1"#, "{}"), Err("bad-example"));
    let spec = spec(json!({}));
    let fault = Adapter::load(spec.to_string().as_bytes(), &Recordings::default()).unwrap_err();
    assert_eq!(fault.rule.name(), "unknown-example");
}

fn render(adapter: &Arc<Adapter>, family: Family, request: &ChatRequest) -> (ProviderRequest, Value) {
    let route = Route { adapter: Some(Arc::clone(adapter)), ..route(family) };
    let rendered = ProviderRequest::render(request, &route, STREAM).unwrap();
    let body = serde_json::from_str(&rendered.body).unwrap();
    (rendered, body)
}

#[test]
fn requests_leave_as_the_provider_wants_them() {
    let adapter = adapter(json!({
        "surfaces": {"chat": {"path": "/api/{model}/chat", "headers": {"x-version": "3"}}},
        "request": [
            {"op": "rename", "from": "/max_completion_tokens", "to": "/max_tokens"},
            {"op": "drop", "at": "/temperature", "when": {"model": "m-*", "stream": true}},
            {"op": "drop", "at": "/seed", "when": {"model": "other"}},
            {"op": "clamp", "at": "/top_p", "max": 0.5},
            {"op": "const", "at": "/options/mode", "value": "fast", "when": {"equals": {"at": "/model", "value": "m-1"}}},
            {"op": "map_enum", "at": "/messages/*/role", "map": {"user": "human"}},
            {"op": "header_set", "name": "x-mode", "value": "fast"},
        ],
    }));
    let sampling =
        Sampling { temperature: Some(0.5), top_p: Some(0.75), seed: Some(3), ..Sampling::default() };
    let (sent, body) =
        render(&adapter, Family::OpenaiChat, &ChatRequest { sampling, max_tokens: Some(9), ..ask() });
    let want = json!({"model": "m-1", "messages": [{"role": "human", "content": "Hi"}], "stream": true,
        "stream_options": {"include_usage": true}, "top_p": 0.5, "seed": 3, "max_tokens": 9, "options": {"mode": "fast"}});
    assert_eq!((body, sent.path.as_str()), (want, "/api/m-1/chat"));
    assert!(
        sent.headers.contains(&("x-version".into(), "3".into()))
            && sent.headers.contains(&("x-mode".into(), "fast".into()))
    );
    assert_eq!(sent.unused, [Unused::Option("temperature".into())], "what was left out is told");
}

#[test]
fn a_stage_without_operations_leaves_the_bytes_as_they_are() {
    let plain = adapter(json!({}));
    for family in Family::ALL {
        let request = ask();
        let untouched = ProviderRequest::render(&request, &route(family), STREAM).unwrap();
        assert_eq!(render(&plain, family, &request).0, untouched, "{family:?}");
    }
}

/// Reads a stream through an adapter, and tells what became of it.
fn read(adapter: &Arc<Adapter>, text: &str) -> (String, Vec<(String, MismatchKind)>) {
    let route = Route { adapter: Some(Arc::clone(adapter)), ..route(Family::OpenaiChat) };
    let request = ProviderRequest::render(&ask(), &route, STREAM).unwrap();
    let mut reader = ReplyReader::new(&route, &request, "u");
    let mut items = reader.push(text.as_bytes());
    items.extend(reader.end());
    let odd = reader.mismatches().into_iter().map(|odd| (odd.pointer, odd.kind)).collect();
    (tell(&items), odd)
}

#[test]
fn replies_come_as_the_codec_wants_them() {
    let adapter = adapter(json!({
        "events": {"ops": [
            {"op": "move", "from": "/answers", "to": "/choices"},
            {"op": "move", "from": "/choices/*/delta/thought", "to": "/choices/*/delta/reasoning_content"},
            {"op": "unwrap", "at": "/choices/*/delta/content", "key": "text"},
            {"op": "coerce", "at": "/choices/*/index", "to": "number"},
        ]},
        "end": {"proof": [{"equals": {"at": "/over", "value": true}}], "sentinel": "[END]"},
        "usage": {"input": ["+/count/in", "-/count/kept"], "cache_read": ["+/count/kept"], "answer": ["+/count/out"]},
        "finish": {"finished": "stop"},
    }));
    let said = [
        r#"{"answers":[{"index":"0","delta":{"thought":"Hm"}}]}"#,
        r#"{"answers":[{"index":0,"delta":{"content":{"text":"Yes"}}}]}"#,
        r#"{"answers":[{"index":0,"delta":{},"finish_reason":"finished"}]}"#,
        r#"{"over":true,"count":{"in":9,"kept":4,"out":2}}"#,
        "[END]",
    ];
    let (told, odd) = read(&adapter, &sse(&said));
    let want = "started 0\n0 thinking\n0 + Hm\n0 end\n1 text\n1 + Yes\nusage\n1 end\nfinished Stop\ndone 9+2 of 11\n";
    assert_eq!((told.as_str(), odd), (want, vec![]));
    let (told, _) = read(&adapter, &sse(&said[..3]));
    assert!(told.ends_with("fail provider_stream_truncated\n"), "the proof is missing: {told}");
    let (_, odd) = read(&adapter, &sse(&[r#"{"choices":[{"delta":{"content":"plain"}}],"answers":[]}"#]));
    let want = [
        ("/answers", MismatchKind::Occupied),
        ("/choices/*/delta/content", MismatchKind::WrongType),
        ("/choices/*/delta/thought", MismatchKind::Absent),
        ("/choices/*/index", MismatchKind::Absent),
    ];
    assert_eq!(odd, want.map(|(pointer, kind)| (pointer.to_owned(), kind)));
}

#[test]
fn a_family_may_be_asked_in_place_of_another() {
    let set = json!({"op": "family_set", "family": "openai_responses", "when": {"model": "new-*"}});
    let adapter = adapter(request(&set));
    assert_eq!(adapter.family_for("new-1"), Family::OpenaiResponses);
    assert_eq!(adapter.family_for("old-1"), Family::OpenaiChat);
}

#[test]
fn a_reply_with_too_many_places_is_an_end_and_no_hang() {
    let adapter = adapter(json!({"events": {"ops": [{"op": "drop", "at": "/a/*/*/*/*/x"}]}}));
    let list = vec![vec![vec![vec![json!({"x": 1}); 12]; 12]; 12]; 12];
    let (told, _) = read(&adapter, &sse(&[&json!({"a": list}).to_string()]));
    assert_eq!(told, "fail provider_stream_malformed\n");
}

/// Any JSON, with the names that adapters know.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z{\\[\"]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES), inner), 0..5).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

const NAMES: &[&str] = &[
    "a",
    "b",
    "0",
    "choices",
    "delta",
    "message",
    "content",
    "reasoning",
    "usage",
    "error",
    "finish_reason",
    "x/y~",
];
const POINTERS: &[&str] =
    &["/a", "/a/b", "/choices/*/delta/a", "/choices/*/message/b", "/a/*/b", "/a/0/b", "/x~1y~0", "/b/*/a"];

fn any_op() -> impl Strategy<Value = Value> {
    let pointer = || prop::sample::select(POINTERS).prop_map(str::to_owned);
    let op = prop::sample::select(
        &[
            "move", "rename", "copy", "drop", "default", "const", "map_enum", "wrap", "unwrap", "coalesce",
            "clamp", "coerce",
        ][..],
    );
    (
        op,
        pointer(),
        pointer(),
        any_json(),
        prop::sample::select(&["number", "text", "bool", "json_text", "json"][..]),
    )
        .prop_map(|(op, one, other, value, form)| match op {
            "move" | "rename" | "copy" => json!({"op": op, "from": one, "to": other}),
            "drop" => json!({"op": op, "at": one}),
            "default" | "const" => json!({"op": op, "at": one, "value": value}),
            "map_enum" => json!({"op": op, "at": one, "map": {"a": "b"}}),
            "wrap" | "unwrap" => json!({"op": op, "at": one, "key": "a"}),
            "coalesce" => json!({"op": op, "from": [one, other.clone()], "to": other}),
            "clamp" => json!({"op": op, "at": one, "min": 0, "max": 3}),
            _ => json!({"op": op, "at": one, "to": form}),
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_comes_is_read_to_an_end(ops in prop::collection::vec(any_op(), 0..6), records in prop::collection::vec(any_json(), 1..4)) {
        // Some operations do not go together with their addresses; those are refused, which is an end, too.
        let sound: Vec<_> = ops
            .into_iter()
            .filter(|op| Adapter::parse(spec(json!({"reply": [op]})).to_string().as_bytes()).is_ok())
            .collect();
        let adapter = adapter(json!({"reply": sound, "events": {"ops": sound}}));
        let records: Vec<_> = records.iter().map(ToString::to_string).collect();
        let (told, _) = read(&adapter, &sse(&records.iter().map(String::as_str).collect::<Vec<_>>()));
        prop_assert!(!told.is_empty());
        let route = Route { adapter: Some(adapter), ..route(Family::OpenaiChat) };
        let request = ProviderRequest::render(&ask(), &route, Delivery::Whole).unwrap();
        let mut reader = ReplyReader::new(&route, &request, "u");
        reader.push(records[0].as_bytes());
        prop_assert!(!reader.end().is_empty());
    }

    #[test]
    fn no_text_makes_the_reader_of_specs_panic(text in "[\\x20-\\x7e]{0,200}", value in any_json()) {
        prop_assert!(Adapter::parse(text.as_bytes()).is_err());
        drop(Adapter::parse(spec(json!({"request": [value.clone()], "events": value.clone()})).to_string().as_bytes()));
        drop(Adapter::parse(spec(json!({"errors": [value.clone()], "usage": value.clone(), "end": value})).to_string().as_bytes()));
    }
}
