//! API keys as clients meet them: in every dialect, on every route.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use stack_chat::{ChatModel, Failure, Priority, Tenant, Tier};
use stack_server::{
    ApiKeys, Auth, FoundKey, Grant, ModelPattern, Models, Options, Providers, RateLimits, Scope, Served,
    router,
};
use stack_testkit::ScriptedModel;

use crate::support::{Reply, chat_body, registry, send};

/// Keys in memory, which a test can take away; text that begins with `key-` has the form of one.
#[derive(Debug, Default)]
struct Ring(Mutex<Vec<Arc<Grant>>>);

impl Ring {
    fn of(grants: impl IntoIterator<Item = Grant>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(grants.into_iter().map(Arc::new).collect())))
    }

    fn revoke(&self) {
        self.0.lock().unwrap().clear();
    }
}

impl ApiKeys for Ring {
    fn have_changed(&self) -> bool {
        // Looked for on another thread every time.
        true
    }

    fn find(&self, key: &str) -> Result<FoundKey, String> {
        let Some(id) = key.strip_prefix("key-") else { return Ok(FoundKey::Foreign) };
        if id == "unreadable" {
            return Err("the disk is gone: secret".to_owned());
        }
        let found = self.0.lock().unwrap().iter().find(|grant| grant.key_id == id).cloned();
        Ok(found.map_or(FoundKey::Unknown, FoundKey::Valid))
    }
}

fn grant(id: &str, scopes: &[Scope]) -> Grant {
    Grant {
        key_id: id.to_owned(),
        name: id.to_owned(),
        tenant: Tenant::new(id),
        scopes: scopes.iter().copied().collect(),
        models: vec!["*".parse().unwrap()],
        limits: RateLimits::default(),
        priority: Priority::Interactive,
        expires_s: None,
    }
}

fn story() -> Arc<ScriptedModel> {
    Arc::new(ScriptedModel::new("m", &["Once", " upon"]))
}

fn serving(keys: &Arc<Ring>, required: bool) -> Router {
    let auth = Some(Auth { keys: Arc::clone(keys) as _, required });
    router(registry(&story()), Options { auth, stored_responses_max: 8, ..Options::default() })
}

/// Sends a request with headers.
async fn ask(router: &Router, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(router, request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn with_key(router: &Router, method: Method, path: &str, key: &str, body: &str) -> Reply {
    ask(router, method, path, &[("authorization", &format!("Bearer key-{key}"))], body).await
}

async fn chat(router: &Router, key: &str) -> Reply {
    with_key(router, Method::POST, "/v1/chat/completions", key, &chat_body("")).await
}

/// Every path of the description and its form without `/v1`, with every method.
async fn everything(router: &Router) -> Vec<(Method, String, bool)> {
    let document = with_key(router, Method::GET, "/openapi.json", "admin", "").await.json();
    let mut all = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "m");
        let short = path.strip_prefix("/v1").map(str::to_owned);
        for path in [path].into_iter().chain(short) {
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let named = if method == "HEAD" { "get" } else { &method.to_lowercase() };
                let is_route = operations.get(named).is_some();
                all.push((method.parse().unwrap(), path.clone(), is_route));
            }
        }
    }
    all
}

#[tokio::test]
async fn without_a_valid_key_every_route_but_two_is_closed() {
    let ring = Ring::of([grant("admin", &[Scope::Admin])]);
    let router = serving(&ring, true);
    let all = everything(&router).await;
    assert!(all.len() > 300, "{}", all.len());
    let unknown = [(Method::GET, "/nothing".to_owned(), false), (Method::POST, "/v1".to_owned(), false)];
    for (method, path, is_route) in all.into_iter().chain(unknown) {
        let is_open = ["/live", "/health", "/v1/health"].contains(&path.as_str()) && is_route;
        for headers in [
            &[][..],
            &[("authorization", "Bearer key-wrong")],
            &[("x-api-key", "key-wrong")],
            &[("authorization", "Bearer unused")],
            &[("authorization", "Basic dXNlcjpwYXNz")],
            &[("authorization", "Bearer key-admin"), ("x-api-key", "key-wrong")],
        ] {
            let reply = ask(&router, method.clone(), &path, headers, "{}").await;
            let wanted = if is_open { 200 } else { 401 };
            assert_eq!(reply.status.as_u16(), wanted, "{method} {path} {headers:?}: {}", reply.text);
            assert!(is_open || reply.header("www-authenticate") == "Bearer", "{method} {path}");
        }
        let reply = with_key(&router, method.clone(), &path, "admin", "{}").await;
        assert!(reply.status != 401 && reply.status != 403, "{method} {path}: {}", reply.status);
    }
}

#[tokio::test]
async fn a_key_is_taken_from_either_header_or_both() {
    let router = serving(&Ring::of([grant("a", &[Scope::Infer]), grant("b", &[Scope::Infer])]), true);
    for (headers, wanted) in [
        (&[("authorization", "Bearer key-a")][..], 200),
        (&[("authorization", "bearer key-a")], 200),
        (&[("x-api-key", "key-a")], 200),
        (&[("x-api-key", "key-a"), ("authorization", "Bearer key-a")], 200),
        (&[("x-api-key", "key-a"), ("authorization", "Bearer key-b")], 401),
        (&[("x-api-key", "key-a"), ("x-api-key", "key-b")], 401),
    ] {
        let reply = ask(&router, Method::POST, "/v1/chat/completions", headers, &chat_body("")).await;
        assert_eq!(reply.status.as_u16(), wanted, "{headers:?}: {}", reply.text);
    }
}

#[tokio::test]
async fn each_route_needs_its_scope() {
    let scopes = [Scope::Infer, Scope::Read, Scope::Operate, Scope::Agent];
    let ring =
        Ring::of(scopes.map(|scope| grant(scope.name(), &[scope])).into_iter().chain([grant("none", &[])]));
    let router = serving(&ring, true);
    for (method, path, allowed) in [
        ("POST", "/v1/chat/completions", &["infer"][..]),
        ("POST", "/v1/messages", &["infer"]),
        ("POST", "/api/chat", &["infer"]),
        ("POST", "/tokenize", &["infer"]),
        ("POST", "/v1/embeddings", &["infer"]),
        ("GET", "/v1/responses/x", &["infer"]),
        ("DELETE", "/v1/responses/x", &["infer"]),
        ("POST", "/v1/responses/x/cancel", &["infer"]),
        ("GET", "/props", &["infer"]),
        ("GET", "/v1/models", &["infer", "read"]),
        ("GET", "/v1/models/m", &["infer", "read"]),
        ("GET", "/api/tags", &["infer", "read"]),
        ("GET", "/api/ps", &["infer", "read"]),
        ("GET", "/metrics", &["read"]),
        ("GET", "/api/v1/route", &["read"]),
        ("GET", "/api/v1/circuit", &["read"]),
        ("GET", "/api/v1/health", &["read"]),
        ("GET", "/api/v1/lineage/x", &["infer", "read"]),
        ("POST", "/api/v1/circuit/acme/open", &["operate"]),
        ("GET", "/slots", &["read"]),
        ("POST", "/v1/models/load", &["operate"]),
        ("POST", "/models/unload", &["operate"]),
        ("GET", "/ready", &["infer", "read", "operate", "agent", "none"]),
        ("GET", "/openapi.json", &["infer", "read", "operate", "agent", "none"]),
        ("HEAD", "/", &["infer", "read", "operate", "agent", "none"]),
    ] {
        for key in ["infer", "read", "operate", "agent", "none"] {
            let reply = with_key(&router, method.parse().unwrap(), path, key, "{}").await;
            let is_denied = reply.status == 403;
            assert_eq!(!is_denied, allowed.contains(&key), "{method} {path} {key}: {}", reply.text);
            assert!(!is_denied || reply.text.contains("lacks the scope"), "{}", reply.text);
        }
    }
}

/// Reads the code out of an error of a dialect.
type Code = fn(&Value) -> String;

/// Where each dialect says what an error is.
const DIALECTS: [(&str, Code); 6] = [
    ("/v1/chat/completions", |error| word(&error["error"]["type"])),
    ("/v1/responses", |error| word(&error["error"]["type"])),
    ("/v1/messages", |error| {
        assert_eq!(error["type"], "error");
        word(&error["error"]["type"])
    }),
    ("/api/chat", |error| word(&error["error"])),
    ("/completion", |error| word(&error["error"]["type"])),
    ("/api/v1/chat", |error| word(&error["error"]["code"])),
];

fn word(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn body(path: &str) -> String {
    match path {
        "/v1/responses" => json!({"input": "Hi"}),
        "/v1/messages" => json!({"max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}),
        "/api/chat" => json!({"stream": false, "messages": [{"role": "user", "content": "Hi"}]}),
        "/completion" => json!({"prompt": "Hi"}),
        _ => json!({"messages": [{"role": "user", "content": "Hi"}]}),
    }
    .to_string()
}

#[tokio::test]
async fn every_dialect_refuses_in_its_own_shape() {
    let once = RateLimits { requests: NonZeroU32::new(6), tokens: None };
    let ring =
        Ring::of([grant("reader", &[Scope::Read]), Grant { limits: once, ..grant("six", &[Scope::Infer]) }]);
    let router = serving(&ring, true);
    for (path, kind) in DIALECTS {
        let unknown = with_key(&router, Method::POST, path, "wrong", &body(path)).await;
        let denied = with_key(&router, Method::POST, path, "reader", &body(path)).await;
        let (unknown_word, denied_word) = (kind(&unknown.json()), kind(&denied.json()));
        assert_eq!((unknown.status.as_u16(), denied.status.as_u16()), (401, 403), "{path}");
        match path {
            "/api/chat" => assert!(unknown_word.contains("API key") && denied_word.contains("`infer`")),
            "/api/v1/chat" => {
                assert_eq!(
                    (&*unknown_word, &*denied_word),
                    ("policy_unauthenticated", "policy_access_denied")
                );
            }
            _ => assert_eq!((&*unknown_word, &*denied_word), ("authentication_error", "permission_error")),
        }
        let admitted = with_key(&router, Method::POST, path, "six", &body(path)).await;
        assert_eq!(admitted.status, 200, "{path}: {}", admitted.text);
    }
    for (path, kind) in DIALECTS {
        let limited = with_key(&router, Method::POST, path, "six", &body(path)).await;
        assert_eq!(limited.status, 429, "{path}: {}", limited.text);
        let wait: u64 = limited.header("retry-after").parse().unwrap();
        assert!((1..=61).contains(&wait), "{wait}");
        let limited_word = kind(&limited.json());
        match path {
            "/api/chat" => assert!(limited_word.contains(&format!("try again in {wait}s"))),
            "/api/v1/chat" => assert_eq!(limited_word, "policy_rate_limited"),
            _ => assert_eq!(limited_word, "rate_limit_error"),
        }
    }
    let reading = with_key(&router, Method::GET, "/v1/models", "six", "").await;
    assert_eq!(reading.status, 200, "only what asks models counts");
}

#[tokio::test]
async fn tokens_count_whoever_answers() {
    let few = RateLimits { requests: None, tokens: NonZeroU32::new(3) };
    for path in ["/v1/chat/completions", "/v1/messages", "/v1/embeddings"] {
        let router = serving(&Ring::of([Grant { limits: few, ..grant("few", &[Scope::Infer]) }]), true);
        let body = if path == "/v1/embeddings" { r#"{"input": ["a b c d"]}"#.to_owned() } else { body(path) };
        let mut statuses = Vec::new();
        while statuses.last() != Some(&429) && statuses.len() < 20 {
            statuses.push(with_key(&router, Method::POST, path, "few", &body).await.status.as_u16());
        }
        assert_eq!((statuses[0], statuses.last()), (200, Some(&429)), "{path}");
    }
}

#[tokio::test]
async fn a_key_ends_with_its_time_and_with_its_revocation() {
    let ring = Ring::of([
        Grant { expires_s: Some(1), ..grant("old", &[Scope::Admin]) },
        Grant { expires_s: Some(u64::MAX), ..grant("new", &[Scope::Infer]) },
    ]);
    let router = serving(&ring, true);
    let old = chat(&router, "old").await;
    assert!(old.status == 401 && old.text.contains("expired"), "{}", old.text);
    assert_eq!(chat(&router, "new").await.status, 200);
    ring.revoke();
    assert_eq!(chat(&router, "new").await.status, 401);
}

#[tokio::test]
async fn keys_that_cannot_be_read_let_nobody_in_and_say_nothing() {
    let router = serving(&Ring::of([]), true);
    let reply = chat(&router, "unreadable").await;
    assert!(reply.status == 500 && !reply.text.contains("secret"), "{}", reply.text);
}

#[tokio::test]
async fn where_no_key_is_needed_a_key_still_means_what_it_says() {
    let ring = Ring::of([grant("reader", &[Scope::Read])]);
    let router = serving(&ring, false);
    let status = async |headers: &[(&str, &str)]| {
        let reply = ask(&router, Method::POST, "/v1/chat/completions", headers, &chat_body("")).await;
        reply.status.as_u16()
    };
    assert_eq!(status(&[]).await, 200);
    assert_eq!(status(&[("authorization", "Bearer unused")]).await, 200, "clients send something");
    assert_eq!(status(&[("authorization", "Bearer a"), ("x-api-key", "b")]).await, 200);
    assert_eq!(status(&[("x-api-key", "key-reader")]).await, 403);
    assert_eq!(status(&[("authorization", "Bearer key-reader"), ("x-api-key", "unused")]).await, 403);
    assert_eq!(status(&[("authorization", "Bearer key-reader"), ("x-api-key", "key-revoked")]).await, 401);
    assert_eq!(status(&[("x-api-key", "key-revoked")]).await, 401);
    let load = ask(&router, Method::POST, "/models/load", &[], r#"{"model": "m"}"#).await;
    assert_eq!(load.status, 200, "the operator may do everything: {}", load.text);
}

/// Two models, `m` and `other`, and a key for one of them.
fn two_models() -> (Router, Arc<ScriptedModel>) {
    let model = story();
    let models: Arc<Models> = registry(&model);
    models.ready(Served {
        id: "other".into(),
        card: model.card().clone(),
        chat: Some(Arc::clone(&model) as _),
        embedder: None,
        reranker: None,
        prompts: None,
        held: None,
    });
    let only: ModelPattern = "m".parse().unwrap();
    let one = Grant { models: vec![only], ..grant("one", &[Scope::Infer, Scope::Read, Scope::Operate]) };
    let auth = Some(Auth { keys: Ring::of([one]) as _, required: true });
    (router(models, Options { auth, ..Options::default() }), model)
}

#[tokio::test]
async fn a_key_sees_and_asks_its_models_alone() {
    let (router, _model) = two_models();
    for path in ["/v1/models", "/api/tags", "/api/ps", "/api/v1/models"] {
        let reply = with_key(&router, Method::GET, path, "one", "").await;
        assert!(reply.status == 200 && !reply.text.contains("other"), "{path}: {}", reply.text);
        assert!(
            reply.text.contains("\"m\"") || reply.text.contains("\"m:latest\""),
            "{path}: {}",
            reply.text
        );
    }
    for (method, path, body) in [
        ("POST", "/v1/chat/completions", chat_body(r#""model": "other""#)),
        ("POST", "/v1/embeddings", r#"{"input": "a", "model": "other"}"#.to_owned()),
        ("POST", "/tokenize", r#"{"content": "a", "model": "other"}"#.to_owned()),
        ("POST", "/api/show", r#"{"model": "other"}"#.to_owned()),
        ("POST", "/models/load", r#"{"model": "other"}"#.to_owned()),
        ("POST", "/models/unload", r#"{"model": "other"}"#.to_owned()),
        ("POST", "/api/generate", r#"{"model": "other", "keep_alive": 0}"#.to_owned()),
        ("GET", "/v1/models/other", String::new()),
        ("GET", "/props?model=other", String::new()),
        ("POST", "/v1/chat/completions", chat_body(r#""model": "unheard-of""#)),
    ] {
        let reply = with_key(&router, method.parse().unwrap(), path, "one", &body).await;
        assert_eq!(reply.status, 403, "{path}: {}", reply.text);
        assert!(reply.text.contains("not for the model"), "{path}: {}", reply.text);
    }
    let asked =
        with_key(&router, Method::POST, "/v1/chat/completions", "one", &chat_body(r#""model": "m""#)).await;
    assert_eq!(asked.status, 200);
}

/// One model, `acme/m-1`, at a provider, beside `m` of this process.
struct Acme(Arc<Served>);

impl Providers for Acme {
    fn list(&self) -> Vec<Arc<Served>> {
        vec![Arc::clone(&self.0)]
    }

    fn find(&self, name: &str) -> Option<Arc<Served>> {
        ["acme/m-1", "acme:m-1"].contains(&name).then(|| Arc::clone(&self.0))
    }

    fn alias(&self, name: &str, is_here: bool) -> Option<Arc<Served>> {
        (name == "far" && !is_here).then(|| Arc::clone(&self.0))
    }

    fn stand_in(&self, _alias: &str) -> Option<String> {
        None
    }

    fn suggest(&self, _name: &str) -> Vec<String> {
        Vec::new()
    }

    fn tier(&self) -> Tier {
        Tier::Standard
    }

    fn admit_tier(&self, _asked: Tier) -> Result<(), Failure> {
        Ok(())
    }
}

fn served(id: &str, model: &Arc<ScriptedModel>) -> Served {
    let chat: Arc<dyn ChatModel> = Arc::clone(model) as _;
    let card = model.card().clone();
    Served {
        id: id.to_owned(),
        card,
        chat: Some(chat),
        embedder: None,
        reranker: None,
        prompts: None,
        held: None,
    }
}

#[tokio::test]
async fn a_key_for_models_of_a_provider_asks_them_and_no_others() {
    let (here, there) = (story(), Arc::new(ScriptedModel::new("m-1", &["Far"])));
    let models = Models::default().with_providers(Arc::new(Acme(Arc::new(served("acme/m-1", &there)))));
    let models = Arc::new(models);
    models.ready(served("m", &here));
    let one = Grant { models: vec!["acme/*".parse().unwrap()], ..grant("one", &[Scope::Infer, Scope::Read]) };
    let all = grant("all", &[Scope::Infer, Scope::Read]);
    let auth = Some(Auth { keys: Ring::of([one, all]) as _, required: true });
    let router = router(models, Options { auth, ..Options::default() });
    for (key, model, want) in [
        ("one", "acme/m-1", 200),
        ("one", "acme:m-1", 200),
        ("one", "m", 403),
        ("one", "acme/m-2", 404),
        ("one", "engine/m", 403),
        ("all", "engine/m", 200),
        ("all", "engine/acme/m-1", 404),
    ] {
        let body = chat_body(&format!(r#""model": "{model}""#));
        let reply = with_key(&router, Method::POST, "/v1/chat/completions", key, &body).await;
        assert_eq!(reply.status, want, "{key} {model}: {}", reply.text);
    }
    assert_eq!(with_key(&router, Method::GET, "/v1/models/acme/m-1", "one", "").await.status, 200);
    let pinned =
        r#"{"provider": "engine", "model": "acme/m-1", "messages": [{"role": "user", "content": "Hi"}]}"#;
    let reply = with_key(&router, Method::POST, "/api/v1/chat", "all", pinned).await;
    assert_eq!(reply.status, 404, "this process has no such model: {}", reply.text);
    assert_eq!(there.requests().len(), 2);
}

#[tokio::test]
async fn one_name_for_all_models_is_no_leave_to_load_others() {
    let models: Arc<Models> = registry(&story());
    let operator = Grant { models: vec!["m".parse().unwrap()], ..grant("one", &[Scope::Operate]) };
    let auth = Some(Auth { keys: Ring::of([operator]) as _, required: true });
    let router = router(models, Options { auth, any_model: true, ..Options::default() });
    for path in ["/models/load", "/models/unload"] {
        let reply = with_key(&router, Method::POST, path, "one", r#"{"model": "secret"}"#).await;
        assert_eq!(reply.status, 403, "{path}: {}", reply.text);
    }
}

#[tokio::test]
async fn who_only_asks_changes_nothing_for_others() {
    let router = serving(&Ring::of([grant("asker", &[Scope::Infer]), grant("admin", &[Scope::Admin])]), true);
    let unload = r#"{"model": "m", "keep_alive": 0}"#;
    let refused = with_key(&router, Method::POST, "/api/generate", "asker", unload).await;
    assert!(refused.status == 403 && refused.text.contains("operate"), "{}", refused.text);
    let asked = r#"{"model": "m", "prompt": "a", "stream": false, "keep_alive": "1s"}"#;
    assert_eq!(with_key(&router, Method::POST, "/api/generate", "asker", asked).await.status, 200);
    let running = with_key(&router, Method::GET, "/api/ps", "asker", "").await.json();
    assert!(running["models"][0]["expires_at"].as_str().unwrap().starts_with("9999"), "{running}");
    assert_eq!(with_key(&router, Method::POST, "/api/generate", "admin", unload).await.status, 200);
}

#[tokio::test]
async fn tenants_find_their_own_responses_and_slots_alone() {
    let shared = |id: &str| Grant { tenant: Tenant::new("team"), ..grant(id, &[Scope::Infer, Scope::Read]) };
    let ring = Ring::of([shared("a"), shared("b"), grant("c", &[Scope::Infer])]);
    let router = serving(&ring, true);
    let made = with_key(&router, Method::POST, "/v1/responses", "a", r#"{"input": "Hi"}"#).await.json();
    let id = made["id"].as_str().unwrap();
    let path = format!("/v1/responses/{id}");
    let goes_on = json!({"input": "And then?", "previous_response_id": id}).to_string();
    for (key, found) in [("a", 200), ("b", 200), ("c", 404)] {
        assert_eq!(with_key(&router, Method::GET, &path, key, "").await.status, found, "{key}");
        let items = format!("{path}/input_items");
        assert_eq!(with_key(&router, Method::GET, &items, key, "").await.status, found, "{key}");
        let reply = with_key(&router, Method::POST, "/v1/responses", key, &goes_on).await;
        assert_eq!(reply.status.as_u16() == 200, found == 200, "{key}: {}", reply.text);
    }
    let cancel = format!("{path}/cancel");
    assert_eq!(with_key(&router, Method::POST, &cancel, "c", "").await.status, 404);
    assert_eq!(with_key(&router, Method::DELETE, &path, "c", "").await.status, 404);
    assert_eq!(with_key(&router, Method::DELETE, &path, "b", "").await.status, 200);
}

#[tokio::test]
async fn requests_carry_their_tenant_and_no_more_than_their_priority() {
    let model = story();
    let patient = Grant { priority: Priority::Batch, ..grant("patient", &[Scope::Infer]) };
    let auth = Some(Auth { keys: Ring::of([patient, grant("other", &[Scope::Infer])]) as _, required: true });
    let router = router(registry(&model), Options { auth, ..Options::default() });
    for (path, body) in [
        ("/v1/chat/completions", chat_body("")),
        ("/v1/messages/count_tokens", r#"{"messages": [{"role": "user", "content": "Hi"}]}"#.to_owned()),
    ] {
        for (key, wanted) in [("patient", Priority::Batch), ("other", Priority::Interactive)] {
            let reply = with_key(&router, Method::POST, path, key, &body).await;
            assert_eq!(reply.status, 200, "{}", reply.text);
            let asked = model.requests().pop().unwrap();
            assert_eq!((asked.tenant, asked.priority), (Tenant::new(key), wanted), "{path}");
        }
    }
}

#[tokio::test]
async fn whoami_says_what_a_key_allows_and_not_the_key() {
    let limits = RateLimits { requests: NonZeroU32::new(9), tokens: None };
    let ring = Ring::of([Grant { limits, ..grant("ci", &[Scope::Infer, Scope::Read]) }]);
    let reply = with_key(&serving(&ring, true), Method::GET, "/api/v1/whoami", "ci", "").await.json();
    assert_eq!(
        (&reply["key_id"], &reply["name"], &reply["tenant"]),
        (&json!("ci"), &json!("ci"), &json!("ci"))
    );
    assert_eq!((&reply["scopes"], &reply["requests_per_minute"]), (&json!(["infer", "read"]), &json!(9)));
    let nobody = ask(&serving(&ring, false), Method::GET, "/api/v1/whoami", &[], "").await.json();
    assert_eq!((&nobody["key_id"], &nobody["scopes"]), (&Value::Null, &json!(["admin"])));
}

#[tokio::test]
async fn browsers_learn_why_they_are_refused() {
    let router = serving(&Ring::of([grant("a", &[Scope::Infer])]), true);
    let page = [("host", "localhost"), ("origin", "http://localhost:3000")];
    let preflight = [&page[..], &[("access-control-request-method", "POST")]].concat();
    let allowed = ask(&router, Method::OPTIONS, "/v1/chat/completions", &preflight, "").await;
    assert_eq!(allowed.status, 204, "a preflight has no key: {}", allowed.text);
    let refused = ask(&router, Method::POST, "/v1/chat/completions", &page, &chat_body("")).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), "http://localhost:3000");
}
