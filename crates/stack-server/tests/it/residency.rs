//! Models that are loaded when somebody asks for them, and let go.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use stack_chat::{Failure, FailureKind, ModelCard};
use stack_server::{KeepAlive, Library, Models, Options, Residency, Served, router};
use stack_testkit::ScriptedModel;
use tower::ServiceExt;

use crate::support::{get, post, send};

/// Models of ten bytes each, whose loads are counted.
#[derive(Default)]
struct Shelf {
    loads: AtomicUsize,
    /// Bytes of what is held, by those that hold it.
    held: Arc<Mutex<Vec<String>>>,
}

/// Tells when a model is gone.
struct Held(Arc<Mutex<Vec<String>>>, String);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.lock().unwrap().retain(|id| *id != self.1);
    }
}

impl Library for Shelf {
    fn names(&self) -> Vec<String> {
        ["a", "b", "c", "broken", "huge"].map(str::to_owned).to_vec()
    }

    fn find(&self, name: &str) -> Option<String> {
        self.names().into_iter().find(|known| known == name.trim_end_matches(":latest"))
    }

    fn load(
        &self,
        id: &str,
        make_room: &mut dyn FnMut(u64) -> Result<(), Failure>,
    ) -> Result<Served, Failure> {
        if id == "broken" {
            return Err(Failure::new(FailureKind::ModelBlocked, "the policy forbids it"));
        }
        make_room(if id == "huge" { 1000 } else { 10 })?;
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.held.lock().unwrap().push(id.to_owned());
        std::thread::sleep(Duration::from_millis(20));
        Ok(Served {
            id: id.to_owned(),
            card: ModelCard { id: id.to_owned(), ..ModelCard::default() },
            chat: Some(Arc::new(ScriptedModel::new(id, &["hello"]))),
            embedder: None,
            reranker: None,
            prompts: None,
            held: Some(Arc::new(Held(Arc::clone(&self.held), id.to_owned()))),
        })
    }
}

struct Bench {
    shelf: Arc<Shelf>,
    models: Arc<Models>,
    router: axum::Router,
}

impl Bench {
    fn new() -> Self {
        Self::started_with(&[], false)
    }

    /// A server that has some of the models of its own.
    fn started_with(own: &[&str], any_model: bool) -> Self {
        let shelf = Arc::new(Shelf::default());
        let residency = Residency {
            bytes_max: 25,
            keep_alive: KeepAlive::For(Duration::from_mins(5)),
            patience: Duration::from_millis(100),
        };
        let models = Models::starting(own.iter().copied());
        let models = Arc::new(models.with_library(Arc::clone(&shelf) as _, residency));
        own.iter().for_each(|id| models.ready(shelf.load(id, &mut |_| Ok(())).unwrap()));
        let router = router(Arc::clone(&models), Options { any_model, ..Options::default() });
        Self { shelf, models, router }
    }

    async fn ask(&self, model: &str) -> u16 {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
        post(&self.router, "/v1/chat/completions", body.to_string()).await.status.as_u16()
    }

    async fn running(&self) -> Vec<String> {
        let list: Value = get(&self.router, "/api/ps").await.json();
        let names = list["models"].as_array().unwrap().iter();
        names.map(|model| model["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_loads_the_model_that_it_names_once() {
    let bench = Bench::new();
    let both = tokio::join!(bench.ask("a"), bench.ask("a:latest"));
    assert_eq!(both, (200, 200));
    assert_eq!((bench.shelf.loads.load(Ordering::SeqCst), bench.running().await), (1, vec!["a".to_owned()]));
    assert_eq!(bench.ask("d").await, 404);
    let list: Value = get(&bench.router, "/v1/models").await.json();
    let status = |place: usize| list["data"][place]["status"]["value"].as_str().unwrap();
    assert_eq!((status(0), status(1), list["data"].as_array().unwrap().len()), ("loaded", "unloaded", 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_recently_used_makes_room() {
    let bench = Bench::new();
    for model in ["a", "b", "a", "c"] {
        assert_eq!(bench.ask(model).await, 200);
    }
    assert_eq!(bench.running().await, ["a", "c"]);
    assert_eq!(*bench.shelf.held.lock().unwrap(), ["a", "c"], "what it held is given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_answers_stays_and_the_next_waits_or_is_refused() {
    let bench = Bench::new();
    let body = json!({"model": "a", "messages": [{"role": "user", "content": "Hi"}], "stream": true});
    let request = Request::post("/v1/chat/completions").body(Body::from(body.to_string())).unwrap();
    let busy = bench.router.clone().oneshot(request).await.unwrap();
    assert_eq!(bench.ask("b").await, 200);
    // `b` goes for it, and `a` never.
    assert_eq!(bench.ask("c").await, 200);
    assert_eq!(bench.running().await, ["a", "c"]);
    assert_eq!(bench.ask("huge").await, 503);
    // Unloaded by name, it answers to its end, and its memory counts as long.
    let unload = json!({"model": "a"}).to_string();
    assert_eq!(post(&bench.router, "/models/unload", unload.clone()).await.status, 200);
    assert_eq!(bench.running().await, ["c"]);
    assert!(bench.shelf.held.lock().unwrap().contains(&"a".to_owned()));
    drop(busy);
    assert_eq!(*bench.shelf.held.lock().unwrap(), ["c"]);
    assert_eq!(post(&bench.router, "/models/unload", unload.clone()).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_be_loaded_says_why_and_is_tried_again() {
    let bench = Bench::new();
    assert_eq!((bench.ask("broken").await, bench.ask("broken").await), (403, 403));
    assert_eq!(bench.running().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_stays_as_long_as_requests_say() {
    let bench = Bench::new();
    let tending = tokio::spawn(Arc::clone(&bench.models).tend());
    let router = bench.router.clone();
    let ask = async |model: &str, keep_alive: Value| {
        let body = json!({"model": model, "prompt": "Hi", "stream": false, "keep_alive": keep_alive});
        post(&router, "/api/generate", body.to_string()).await
    };
    let (brief, long) = (ask("a", json!(0)).await, ask("b", json!(-1)).await);
    assert_eq!((brief.status.as_u16(), long.status.as_u16()), (200, 200));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(bench.running().await, ["b"]);
    assert_eq!(ask("b", json!("later")).await.status, 400);
    // Without a prompt, it is about the model alone.
    let body = |keep_alive: i32| json!({"model": "b", "keep_alive": keep_alive}).to_string();
    let gone: Value = post(&bench.router, "/api/generate", body(0)).await.json();
    assert_eq!(gone["done_reason"], "unload");
    assert_eq!(bench.running().await, [""; 0]);
    let there: Value = post(&bench.router, "/api/generate", body(60)).await.json();
    assert_eq!(there["done_reason"], "load");
    let list: Value = get(&bench.router, "/api/ps").await.json();
    assert!(list["models"][0]["expires_at"].as_str().unwrap().starts_with("20"), "{list}");
    tending.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_only_stored_is_described_and_let_go_like_any_other() {
    let bench = Bench::new();
    for name in ["a", "a:latest"] {
        let model = get(&bench.router, &format!("/v1/models/{name}")).await;
        assert_eq!((model.status.as_u16(), &model.json()["id"]), (200, &json!("a")));
        assert_eq!(model.json()["status"]["value"], "unloaded");
        let body = json!({"model": name, "keep_alive": 0}).to_string();
        let gone = post(&bench.router, "/api/generate", body).await;
        assert_eq!((gone.status.as_u16(), &gone.json()["done_reason"]), (200, &json!("unload")));
        assert_eq!(gone.json()["model"], "a");
    }
    let nowhere = get(&bench.router, "/v1/models/d").await;
    assert_eq!((nowhere.status.as_u16(), nowhere.error("code")), (404, "model_not_found".to_owned()));
    assert!(nowhere.text.contains("huge"), "what there is instead is told: {}", nowhere.text);
    let body = json!({"model": "d", "keep_alive": 0}).to_string();
    assert_eq!(post(&bench.router, "/api/generate", body).await.status, 404);
    assert_eq!(bench.shelf.loads.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_name_means_what_the_server_was_started_with_whatever_else_is_loaded() {
    for (any_model, unnamed) in [(false, json!({})), (true, json!({})), (true, json!({"model": "gpt-4"}))] {
        let bench = Bench::started_with(&["a"], any_model);
        let ask = async || {
            let mut body = unnamed.clone();
            body["messages"] = json!([{"role": "user", "content": "Hi"}]);
            let reply = post(&bench.router, "/v1/chat/completions", body.to_string()).await;
            (reply.status.as_u16(), reply.json()["model"].clone())
        };
        assert_eq!(ask().await, (200, json!("a")));
        let named = |model: &str| json!({"model": model}).to_string();
        assert_eq!(post(&bench.router, "/models/load", named("b")).await.status, 200);
        assert_eq!(ask().await, (200, json!("a")));
        assert_eq!(post(&bench.router, "/models/unload", named("a")).await.status, 200);
        assert_eq!(bench.running().await, ["b"]);
        let listed: Value = get(&bench.router, "/v1/models").await.json();
        assert_eq!(listed["data"][0]["status"]["value"], "unloaded", "it keeps its place");
        assert_eq!(ask().await, (200, json!("a")), "it is loaded again");
    }
    let bench = Bench::started_with(&["a", "b"], false);
    let body = json!({"messages": [{"role": "user", "content": "Hi"}]}).to_string();
    assert_eq!(post(&bench.router, "/v1/chat/completions", body).await.error("param"), "model");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_was_started_with_stays_whatever_requests_say() {
    let bench = Bench::started_with(&["a"], false);
    for keep_alive in [json!(0), json!("1ms")] {
        let body =
            json!({"model": "a", "prompt": "Hi", "stream": false, "keep_alive": keep_alive}).to_string();
        assert_eq!(post(&bench.router, "/api/generate", body).await.status, 200);
        let list: Value = get(&bench.router, "/api/ps").await.json();
        assert!(list["models"][0]["expires_at"].as_str().unwrap().starts_with("9999"), "{list}");
    }
    let unload = json!({"model": "a"}).to_string();
    assert_eq!(post(&bench.router, "/models/unload", unload).await.status, 200);
    assert_eq!(bench.running().await, [""; 0]);
    assert_eq!(get(&bench.router, "/ready").await.status, 200, "the next request loads it again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_counts_while_a_model_is_loaded_and_what_has_begun_is_finished() {
    let bench = Bench::new();
    let body = json!({"model": "a", "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    let request =
        Request::post("/v1/chat/completions").header("x-stack-deadline-ms", "1").body(Body::from(body));
    let late = send(&bench.router, request.unwrap()).await;
    assert_eq!((late.status.as_u16(), late.error("code")), (504, "timeout".to_owned()));
    assert_eq!(bench.ask("a").await, 200);
    assert_eq!(bench.shelf.loads.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_loaded_by_name() {
    let bench = Bench::new();
    let load = json!({"model": "a", "keep_alive": "1h"}).to_string();
    let reply = post(&bench.router, "/models/load", load).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"success": true})));
    assert_eq!(bench.running().await, ["a"]);
    assert_eq!(post(&bench.router, "/models/load", "{}").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn models_come_and_go_under_load_and_none_that_answers_is_let_go() {
    let bench = Arc::new(Bench::new());
    let clients = (0..12_usize).map(|client| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move {
            let mut statuses = Vec::new();
            for round in 0..20 {
                statuses.push(bench.ask(["a", "b", "c"][(client * 7 + round * 5) % 3]).await);
            }
            statuses
        })
    });
    for client in clients.collect::<Vec<_>>() {
        let statuses = client.await.unwrap();
        assert!(statuses.iter().all(|&status| status == 200), "{statuses:?}");
    }
    let running = bench.running().await.len();
    assert!(running <= 2);
    assert_eq!(bench.shelf.held.lock().unwrap().len(), running);
}
