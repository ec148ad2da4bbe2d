//! What a provider wants back goes through callers of every dialect that has a place for it, and comes back unchanged.

use serde_json::{Value, json};
use stack_chat::{
    ChatEvent, ChatRequest, Delta, FinishReason, Fragment, Opaque, Origin, Part, PartKind, Prompt, Timings,
    Usage,
};
use stack_wire::provider::{Change, Family, ProviderRequest, Route, ThinkingForm};
use stack_wire::{Answer, AnswerWriter, Delivery, anthropic, openai, responses};

fn opaque(family: Family, kind: &str, data: &str) -> Opaque {
    let origin = Origin { provider: "acme".to_owned(), family: family.as_str().to_owned() };
    Opaque { origin, kind: kind.to_owned(), data: data.to_owned() }
}

/// A thought and a call, each with what the provider wants back, if it wants something.
fn events(thought: Option<&Opaque>, call: Option<&Opaque>) -> Vec<ChatEvent> {
    let mut events = vec![ChatEvent::Started { prompt_tokens: 3, seed: 1, unused: Vec::new() }];
    let kinds = [PartKind::Thinking, PartKind::ToolCall { id: "call_1".to_owned(), name: "add".to_owned() }];
    let fragments = [Fragment::Thinking("hm".to_owned()), Fragment::Arguments("{\"a\":1}".to_owned())];
    for (part, ((kind, fragment), opaque)) in (0..).zip(kinds.into_iter().zip(fragments).zip([thought, call]))
    {
        events.push(ChatEvent::PartStarted { choice: 0, part, kind });
        events.push(ChatEvent::Delta(Delta { choice: 0, part, fragment, tokens: Vec::new() }));
        let opaque = opaque.cloned();
        events.extend(opaque.map(|opaque| ChatEvent::OpaqueAdded { choice: 0, part, opaque }));
        events.push(ChatEvent::PartEnded { choice: 0, part });
    }
    events.push(ChatEvent::Finished { choice: 0, reason: FinishReason::ToolCalls, stop: None });
    events.push(ChatEvent::Done { usage: Usage::default(), timings: Timings::default() });
    events
}

/// Writes an answer down, whole and as a stream.
fn written(mut writer: impl AnswerWriter, events: Vec<ChatEvent>) -> (Value, String) {
    let (mut answer, mut stream) = (Answer::new(1), String::new());
    for event in events {
        writer.event(&event, &mut stream);
        answer.push(event);
    }
    (serde_json::from_str(&writer.whole(&answer)).unwrap(), stream)
}

/// What is opaque in a conversation.
fn kept(request: &ChatRequest) -> Vec<&Opaque> {
    let Prompt::Messages(messages) = &request.prompt else { panic!("a conversation") };
    let parts = messages.iter().flat_map(|message| &message.parts);
    parts.filter_map(|part| if let Part::Opaque(opaque) = part { Some(opaque) } else { None }).collect()
}

fn through_anthropic(thought: Option<&Opaque>) -> (ChatRequest, String) {
    let reply = anthropic::Reply { unique: "1".to_owned(), model: "m".to_owned() };
    let (message, stream) = written(anthropic::Writer::new(reply), events(thought, None));
    let result = json!([{"type": "tool_result", "tool_use_id": "call_1", "content": "2"}]);
    let body = json!({
        "model": "m", "max_tokens": 4096, "thinking": {"type": "enabled", "budget_tokens": 2048},
        "tools": [{"name": "add", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": message["content"]},
            {"role": "user", "content": result},
        ],
    });
    let call = anthropic::parse_messages(body.to_string().as_bytes()).unwrap();
    if thought.is_some() {
        assert_eq!(call.ignored.header_value(), None, "what goes back is not ignored");
    }
    (call.request, stream)
}

fn through_openai(call: &Opaque) -> (ChatRequest, String) {
    let (created_s, model) = (7, "m".to_owned());
    let reply = openai::Reply {
        shape: openai::Shape::Chat,
        unique: "1".to_owned(),
        created_s,
        model,
        logprobs: None,
    };
    let (answer, stream) = written(openai::Writer::new(reply, 1, false), events(None, Some(call)));
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "Hi"},
        answer["choices"][0]["message"],
        {"role": "tool", "tool_call_id": "call_1", "content": "2"},
    ]});
    (openai::parse_chat(body.to_string().as_bytes()).unwrap().request, stream)
}

fn through_responses(thought: &Opaque) -> (ChatRequest, String) {
    let asked = br#"{"model": "m", "input": "Hi"}"#;
    let echo = responses::parse_response(asked, None).unwrap().request.echo;
    let (unique, model, options) = ("1".to_owned(), "m".to_owned(), responses::ReplyOptions::default());
    let reply = responses::Reply { unique, created_s: 7, model, echo, options };
    let (response, stream) = written(responses::Writer::new(reply), events(Some(thought), None));
    let mut input = vec![json!({"role": "user", "content": "Hi"})];
    input.extend(response["output"].as_array().unwrap().iter().cloned());
    input.push(json!({"type": "function_call_output", "call_id": "call_1", "output": "2"}));
    let body = json!({"model": "m", "input": input});
    (responses::parse_response(body.to_string().as_bytes(), None).unwrap().request.request, stream)
}

#[test]
fn signatures_survive_callers_of_any_dialect() {
    for thought in [
        opaque(Family::Anthropic, "signature", "EqQB+/=="),
        opaque(Family::Anthropic, "redacted_thinking", "x:y/z"),
        opaque(Family::OpenaiResponses, "reasoning", r#"{"type":"reasoning","encrypted_content":"e"}"#),
    ] {
        for (request, stream) in [through_anthropic(Some(&thought)), through_responses(&thought)] {
            assert_eq!(kept(&request), [&thought]);
            let shown = serde_json::to_string(&thought.data).unwrap();
            assert!(stream.contains(shown.trim_matches('"')), "{shown} is not in {stream}");
        }
    }
    let call = opaque(Family::Gemini, "thoughtSignature", "c2ln");
    let (request, stream) = through_openai(&call);
    assert_eq!(kept(&request), [&call]);
    assert!(stream.contains("thought_signature") && stream.contains("c2ln"), "{stream}");
}

#[test]
fn a_provider_gets_its_own_signature_and_nobody_else_does() {
    let thought = opaque(Family::Anthropic, "signature", "c2ln");
    let (request, _) = through_anthropic(Some(&thought));
    for (provider, want) in [("acme", Some("c2ln")), ("other", None)] {
        let route =
            Route { thinking: Some(ThinkingForm::Budget), ..Route::new(provider, Family::Anthropic, "m-1") };
        let rendered = ProviderRequest::render(&request, &route, Delivery::Whole).unwrap();
        let body: Value = serde_json::from_str(&rendered.body).unwrap();
        assert_eq!(body["messages"][1]["content"][0]["signature"].as_str(), want, "{body}");
        // Without its thought, a model that thinks refuses to go on from its call.
        assert_eq!(body["thinking"]["type"].as_str(), want.map(|_| "enabled"), "{body}");
        let dropped = rendered.changes.contains(&Change::Dropped("thinking"));
        assert_eq!(dropped, want.is_none(), "{:?}", rendered.changes);
    }
}
