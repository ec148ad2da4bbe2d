//! What is opaque goes back to where it came from, as it came, and nowhere else.

use serde_json::{Value, json};
use stack_chat::{ChatRequest, Json, Message, Part, Prompt, Role, ToolCall, ToolResult};
use stack_wire::provider::{Change, Family, ProviderRequest, Route, ThinkingForm};
use stack_wire::{Answer, Delivery};

use super::streams::fixtures;
use super::{STREAM, replay, route};

/// The answer of a family's first fixture, as the message that a conversation continues with.
fn answer(family: Family) -> Message {
    let fixture = fixtures().into_iter().find(|fixture| fixture.family == family).unwrap();
    let mut answer = Answer::new(1);
    for item in replay(family, STREAM, [fixture.text().as_bytes()]).0 {
        answer.push(item.unwrap());
    }
    answer.choices[0].message()
}

/// A conversation that goes on after an answer of `family`: with the result of each call, and a question.
fn conversation(family: Family) -> ChatRequest {
    let answer = answer(family);
    let mut messages = vec![Message::user("Hi"), answer.clone()];
    for call in answer.tool_calls() {
        let parts = vec![Part::Text("done".into())];
        messages.push(Message::result(ToolResult {
            call: call.id.clone(),
            name: None,
            parts,
            is_error: false,
        }));
    }
    messages.push(Message::user("And?"));
    ChatRequest::new(Prompt::Messages(messages))
}

fn sent(request: &ChatRequest, route: &Route) -> (Value, Vec<Change>) {
    let rendered = ProviderRequest::render(request, route, Delivery::Whole).unwrap();
    (serde_json::from_str(&rendered.body).unwrap(), rendered.changes)
}

#[test]
fn anthropic_gets_its_thoughts_back_before_the_call() {
    let (body, changes) = sent(&conversation(Family::Anthropic), &route(Family::Anthropic));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "EqQB+/="},
                {"type": "redacted_thinking", "data": "EmwK"},
                {"type": "text", "text": "Yes"},
                {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {"x": 1}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "done"}]},
                {"type": "text", "text": "And?"},
            ]},
        ])
    );
    assert_eq!(changes, []);
}

#[test]
fn responses_get_their_reasoning_back_in_its_place() {
    let (body, changes) = sent(&conversation(Family::OpenaiResponses), &route(Family::OpenaiResponses));
    assert_eq!(
        body["input"],
        json!([
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA="},
            {"type": "message", "role": "assistant",
             "content": [{"type": "output_text", "text": "Yes", "annotations": []}]},
            {"type": "function_call", "call_id": "c1", "name": "ls", "arguments": "{\"x\":1}"},
            {"type": "function_call_output", "call_id": "c1", "output": "done"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And?"}]},
        ])
    );
    assert_eq!(changes, []);
}

#[test]
fn a_thought_without_the_deed_after_it_stays_away() {
    let mut request = conversation(Family::OpenaiResponses);
    let Prompt::Messages(messages) = &mut request.prompt else { unreachable!() };
    messages[1].parts.truncate(2);
    messages.remove(2);
    let (body, _) = sent(&request, &route(Family::OpenaiResponses));
    assert_eq!(body["input"].as_array().unwrap().len(), 2, "{}", body["input"]);
}

#[test]
fn gemini_gets_each_signature_back_on_its_own_part() {
    let mut route = route(Family::Gemini);
    route.thinking = Some(ThinkingForm::Effort);
    let (body, changes) = sent(&conversation(Family::Gemini), &route);
    assert_eq!(
        body["contents"],
        json!([
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [
                {"text": "Yes", "thoughtSignature": "sig1"},
                {"functionCall": {"id": "call_u_0", "name": "ls", "args": {"x": 1}}, "thoughtSignature": "sig2"},
                {"text": "", "thoughtSignature": "sig3"},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "call_u_0", "name": "ls", "response": {"output": "done"}}},
                {"text": "And?"},
            ]},
        ])
    );
    assert_eq!(changes, []);
}

#[test]
fn nobody_else_gets_them_and_that_is_noted() {
    for from in [Family::Anthropic, Family::OpenaiResponses, Family::Gemini] {
        let request = conversation(from);
        let origin = route(from).origin();
        let elsewhere = Route { provider: "other".into(), ..route(from) };
        let routes = Family::ALL.into_iter().filter(|family| *family != from).map(route);
        for route in routes.chain([elsewhere]) {
            let rendered = ProviderRequest::render(&request, &route, Delivery::Whole).unwrap();
            for secret in ["EqQB", "EmwK", "gAAA", "sig1", "sig2", "sig3"] {
                assert!(!rendered.body.contains(secret), "{from:?} to {route:?}: {}", rendered.body);
            }
            let dropped = Change::OpaqueDropped(origin.clone());
            assert!(rendered.changes.contains(&dropped), "{from:?} to {route:?}");
            assert!(rendered.body.contains("\"ls\"") && rendered.body.contains("Yes"), "the rest is kept");
        }
    }
}

#[test]
fn a_call_of_another_model_is_signed_by_the_word_for_none() {
    let call = |id: &str| {
        let arguments = Json("{}".into());
        Part::ToolCall(ToolCall { id: id.into(), name: "ls".into(), arguments })
    };
    let parts = vec![call("a"), call("b")];
    let messages = vec![Message::user("Hi"), Message { role: Role::Assistant, name: None, parts }];
    let request = ChatRequest::new(Prompt::Messages(messages));
    let mut route = route(Family::Gemini);
    route.thinking = Some(ThinkingForm::Effort);
    let (body, changes) = sent(&request, &route);
    let parts = &body["contents"][1]["parts"];
    assert_eq!(parts[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(parts[1].get("thoughtSignature"), None);
    assert_eq!(changes, [Change::Emulated("thoughtSignature")]);
}

#[test]
fn an_answer_is_a_message_of_its_parts() {
    let message = answer(Family::Anthropic);
    let kinds: Vec<_> = message.parts.iter().map(Part::noun).collect();
    let opaque = "for its own provider alone";
    assert_eq!(kinds, ["thinking", opaque, "thinking", opaque, "text", "a tool call"]);
}
