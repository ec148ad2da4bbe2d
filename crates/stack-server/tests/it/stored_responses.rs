//! Responses that are stored: conversations go on from them, and they can be made while nobody waits.

use std::sync::Arc;

use axum::Router;
use serde_json::{Value, json};
use stack_chat::{Failure, FailureKind, Prompt};
use stack_testkit::ScriptedModel;

use crate::support::{Reply, delete, get, post, serving, storing};

fn model() -> Arc<ScriptedModel> {
    Arc::new(ScriptedModel::new("m", &["Once", " upon"]).calling("c1", "ls", &["{}"]))
}

async fn respond(router: &Router, body: Value) -> Reply {
    post(router, "/v1/responses", body.to_string()).await
}

fn id(reply: &Reply) -> String {
    reply.json()["id"].as_str().unwrap_or_else(|| panic!("{}", reply.text)).to_owned()
}

/// Returns the last event of a stream.
fn last(reply: &Reply) -> Value {
    let events = reply.text.strip_suffix("\n\ndata: [DONE]\n\n").unwrap();
    serde_json::from_str(events.rsplit_once("\ndata: ").unwrap().1).unwrap()
}

/// Asks for a response until it is no longer in progress.
async fn outcome(router: &Router, id: &str) -> Value {
    for _ in 0..1000 {
        let response = get(router, &format!("/v1/responses/{id}")).await.json();
        if response["status"] != "in_progress" {
            return response;
        }
        tokio::task::yield_now().await;
    }
    panic!("{id} never ends")
}

#[tokio::test]
async fn a_response_is_found_until_it_is_deleted() {
    let router = storing(&model());
    for body in [json!({"input": "Hi"}), json!({"input": "Hi", "stream": true})] {
        let reply = respond(&router, body).await;
        let response =
            if reply.text.starts_with('{') { reply.json() } else { last(&reply)["response"].clone() };
        assert_eq!((&response["store"], reply.header("x-stack-ignored")), (&json!(true), ""));
        let path = format!("/v1/responses/{}", response["id"].as_str().unwrap());
        assert_eq!(get(&router, &path).await.json(), response);
        let items = get(&router, &format!("{path}/input_items")).await.json();
        assert_eq!(items["data"][0]["content"][0], json!({"type": "input_text", "text": "Hi"}));
        let deleted = delete(&router, &path).await;
        assert_eq!((deleted.status.as_u16(), &deleted.json()["deleted"]), (200, &json!(true)));
        for gone in [get(&router, &path).await, delete(&router, &path).await] {
            assert_eq!((gone.status.as_u16(), gone.error("code")), (404, "response_not_found".to_owned()));
        }
    }
}

#[tokio::test]
async fn a_conversation_goes_on_from_a_response() {
    let model = model();
    let router = storing(&model);
    let first = id(&respond(&router, json!({"input": "Hi", "instructions": "Be brief."})).await);
    let result = json!([{"type": "function_call_output", "call_id": "c1", "output": "a.txt"}]);
    let on = json!({"input": result, "previous_response_id": first});
    let second = respond(&router, on.clone()).await;
    assert_eq!(second.json()["previous_response_id"], first);
    delete(&router, &format!("/v1/responses/{first}")).await;
    assert_eq!(respond(&router, on).await.error("param"), "previous_response_id", "it is gone");
    let third = json!({"input": "And now?", "previous_response_id": id(&second)});
    assert_eq!(respond(&router, third.clone()).await.status, 200, "what goes on from it is not");
    let count = post(&router, "/v1/responses/input_tokens", third.to_string()).await;
    assert_eq!(count.status, 200, "{}", count.text);
    let Prompt::Messages(messages) = model.requests()[2].prompt.clone() else { panic!() };
    let roles: Vec<_> = messages.iter().map(|message| message.role.as_str().to_owned()).collect();
    // The instructions hold for one response, as at OpenAI.
    assert_eq!(roles, ["user", "assistant", "tool", "assistant", "user"]);
}

#[tokio::test]
async fn an_item_may_stand_for_itself() {
    let model = model();
    let router = storing(&model);
    let first = respond(&router, json!({"input": "Hi"})).await.json();
    let reference = |place: usize| json!({"type": "item_reference", "id": first["output"][place]["id"]});
    let result = json!({"type": "function_call_output", "call_id": "c1", "output": "a.txt"});
    let on = json!({"input": [{"role": "user", "content": "Hi"}, reference(0), reference(1), result]});
    assert_eq!(respond(&router, on).await.status, 200);
    let Prompt::Messages(messages) = model.requests()[1].prompt.clone() else { panic!() };
    assert_eq!((messages.len(), messages[1].tool_calls().count()), (3, 1));
}

#[tokio::test]
async fn what_nobody_wants_kept_and_what_does_not_end_well_is_not_kept() {
    let router = storing(&model());
    let reply = respond(&router, json!({"input": "Hi", "store": false})).await;
    assert_eq!(reply.json()["store"], false);
    assert_eq!(get(&router, &format!("/v1/responses/{}", id(&reply))).await.status, 404);
    let closed = Failure::new(FailureKind::Draining, "the program is shutting down");
    let failing = storing(&Arc::new(ScriptedModel::new("m", &["a", "b"]).failing_after(3, closed)));
    let reply = respond(&failing, json!({"input": "Hi", "stream": true})).await;
    let path = format!("/v1/responses/{}", last(&reply)["response"]["id"].as_str().unwrap());
    assert_eq!(get(&failing, &path).await.status, 404);
}

#[tokio::test]
async fn the_oldest_makes_room() {
    let router = storing(&model());
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(id(&respond(&router, json!({"input": "Hi"})).await));
    }
    for (place, status) in [(0, 404), (1, 200), (4, 200)] {
        assert_eq!(get(&router, &format!("/v1/responses/{}", ids[place])).await.status, status);
    }
}

#[tokio::test]
async fn a_response_is_made_while_nobody_waits() {
    let model = Arc::new(ScriptedModel::new("m", &["Once", " upon"]).holding_after(3));
    let router = storing(&model);
    let reply = respond(&router, json!({"input": "Hi", "background": true})).await.json();
    assert_eq!((&reply["status"], &reply["background"]), (&json!("in_progress"), &json!(true)));
    let id = reply["id"].as_str().unwrap();
    assert_eq!(get(&router, &format!("/v1/responses/{id}")).await.json(), reply);
    model.release();
    let response = outcome(&router, id).await;
    assert_eq!((&response["status"], &response["id"]), (&json!("completed"), &json!(id)));
    assert_eq!(response["output"][0]["content"][0]["text"], "Once upon");
    let cancelled = post(&router, &format!("/v1/responses/{id}/cancel"), "").await;
    assert_eq!(cancelled.json(), response, "it is complete already");
    let on = json!({"input": "And now?", "previous_response_id": id, "background": true});
    assert_eq!(respond(&router, on).await.status, 200);
}

#[tokio::test]
async fn a_response_in_the_background_can_be_stopped() {
    let model = Arc::new(ScriptedModel::new("m", &["a"]).holding_after(2));
    let router = storing(&model);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(id(&respond(&router, json!({"input": "Hi", "background": true})).await));
    }
    let full = respond(&router, json!({"input": "Hi", "background": true})).await;
    assert_eq!((full.status.as_u16(), full.header("retry-after")), (503, "1"), "{}", full.text);
    let path = format!("/v1/responses/{}", ids[0]);
    let reply = post(&router, &format!("{path}/cancel"), "").await.json();
    assert_eq!((&reply["status"], &reply["id"]), (&json!("cancelled"), &json!(ids[0])));
    assert_eq!(get(&router, &path).await.json(), reply);
    delete(&router, &format!("/v1/responses/{}", ids[1])).await;
    while model.running() > 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(model.cancelled(), 3, "two, and the one that found no room");
    model.release();
    let waited_for = respond(&router, json!({"input": "Hi", "max_output_tokens": 1})).await;
    assert_eq!(waited_for.status, 200);
}

#[tokio::test]
async fn a_failure_in_the_background_is_told_when_it_is_asked_for() {
    let closed = Failure::new(FailureKind::Draining, "the program is shutting down");
    let router = storing(&Arc::new(ScriptedModel::new("m", &["a", "b"]).failing_after(3, closed)));
    let id = id(&respond(&router, json!({"input": "Hi", "background": true})).await);
    let response = outcome(&router, &id).await;
    assert_eq!(
        (&response["status"], &response["error"]["code"]),
        (&json!("failed"), &json!("shutting_down"))
    );
    let unable = storing(&Arc::new(ScriptedModel::new("m", &["a"]).with_context(1)));
    let reply = respond(&unable, json!({"input": "one two three", "background": true})).await;
    assert_eq!(reply.error("code"), "context_length_exceeded", "what cannot be answered is told at once");
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_by_name() {
    let (router, forgetful) = (storing(&model()), serving(&model()));
    let kept = id(&respond(&router, json!({"input": "Hi"})).await);
    let path = format!("/v1/responses/{kept}");
    for (reply, status, param) in [
        (post(&router, &format!("{path}/cancel"), "").await, 400, "response_id"),
        (post(&router, "/v1/responses/resp_1/cancel", "").await, 404, "response_id"),
        (get(&router, &format!("{path}?stream=true")).await, 400, "stream"),
        (get(&router, &format!("{path}/input_items?limit=0")).await, 400, "limit"),
        (get(&router, "/v1/responses/resp_1/input_items").await, 404, "response_id"),
        (get(&forgetful, "/v1/responses/resp_1").await, 404, "response_id"),
        (delete(&forgetful, "/v1/responses/resp_1").await, 404, "response_id"),
        (respond(&forgetful, json!({"input": "Hi", "background": true})).await, 400, "background"),
        (
            respond(&forgetful, json!({"input": "Hi", "previous_response_id": "r"})).await,
            400,
            "previous_response_id",
        ),
        (
            respond(&router, json!({"input": "Hi", "previous_response_id": "r"})).await,
            400,
            "previous_response_id",
        ),
        (respond(&router, json!({"input": "Hi", "conversation": "c"})).await, 400, "conversation"),
    ] {
        assert_eq!((reply.status.as_u16(), reply.error("param").as_str()), (status, param), "{}", reply.text);
    }
}
