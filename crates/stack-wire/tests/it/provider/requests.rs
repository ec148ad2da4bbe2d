//! Requests as they leave, row by row of what each family says how.

use serde_json::{Value, json};
use stack_chat::{
    CacheMark, ChatRequest, Dry, Effort, Foreign, Grammar, GrammarSyntax, Json, Logprobs, Media, MediaSource,
    Message, Output, Part, Prompt, Role, Sampling, Schema, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
    Unused,
};
use stack_wire::Delivery;
use stack_wire::provider::{Change, Family, KeyHeader, ProviderRequest, Route, ThinkingForm};

use super::{STREAM, ask, route};

fn render(request: &ChatRequest, route: &Route) -> ProviderRequest {
    ProviderRequest::render(request, route, Delivery::Whole).unwrap()
}

fn body(request: &ChatRequest, route: &Route) -> Value {
    serde_json::from_str(&render(request, route).body).unwrap()
}

/// The field at fault.
fn refused(request: &ChatRequest, route: &Route) -> String {
    ProviderRequest::render(request, route, Delivery::Whole).unwrap_err().field.unwrap()
}

fn saying(parts: Vec<Part>) -> ChatRequest {
    ChatRequest::new(Prompt::Messages(vec![Message { role: Role::User, name: None, parts }]))
}

fn tool() -> Tool {
    let parameters = Some(Json(r#"{"type":"object","properties":{"z":{},"a":{}}}"#.into()));
    Tool { name: "ls".into(), description: Some("lists".into()), parameters, strict: true }
}

fn png() -> Part {
    Part::Image(Media { source: MediaSource::Bytes(b"\x89PNG".to_vec()), media_type: None, detail: None })
}

fn thinking(family: Family, form: ThinkingForm) -> Route {
    Route { thinking: Some(form), ..route(family) }
}

#[test]
fn what_is_left_open_is_not_sent() {
    let hi = json!([{"role": "user", "content": "Hi"}]);
    for (family, want) in [
        (Family::OpenaiChat, json!({"model": "m-1", "messages": hi})),
        (
            Family::OpenaiResponses,
            json!({"model": "m-1", "store": false, "input":
                [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]}),
        ),
        (
            Family::Anthropic,
            json!({"model": "m-1", "max_tokens": 8192,
                "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}),
        ),
        (Family::Gemini, json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]})),
        (Family::Ollama, json!({"model": "m-1", "messages": hi, "stream": false})),
    ] {
        let rendered = render(&ask(), &route(family));
        assert_eq!(serde_json::from_str::<Value>(&rendered.body).unwrap(), want, "{family:?}");
        assert_eq!((rendered.changes, rendered.unused), (Vec::new(), Vec::new()), "{family:?}");
    }
}

#[test]
fn paths_headers_and_keys_are_those_of_the_family() {
    for (family, delivery, path, accept) in [
        (Family::OpenaiChat, STREAM, "/v1/chat/completions", "text/event-stream"),
        (Family::OpenaiResponses, Delivery::Whole, "/v1/responses", "application/json"),
        (Family::Anthropic, STREAM, "/v1/messages", "text/event-stream"),
        (Family::Gemini, Delivery::Whole, "/v1beta/models/m-1:generateContent", "application/json"),
        (Family::Gemini, STREAM, "/v1beta/models/m-1:streamGenerateContent?alt=sse", "text/event-stream"),
        (Family::Ollama, STREAM, "/api/chat", "application/x-ndjson"),
    ] {
        let rendered = ProviderRequest::render(&ask(), &route(family), delivery).unwrap();
        assert_eq!(rendered.path, path);
        assert!(rendered.headers.contains(&("accept".into(), accept.into())), "{family:?}");
        let is_versioned = rendered.headers.contains(&("anthropic-version".into(), "2023-06-01".into()));
        assert_eq!(is_versioned, family == Family::Anthropic);
        let stream = serde_json::from_str::<Value>(&rendered.body).unwrap()["stream"].clone();
        assert_eq!(stream == true, delivery == STREAM && family != Family::Gemini, "{family:?}");
    }
    assert_eq!(Family::Anthropic.key_header(), KeyHeader::Named("x-api-key"));
    assert_eq!(Family::Gemini.key_header(), KeyHeader::Named("x-goog-api-key"));
    assert_eq!(Family::OpenaiChat.key_header(), KeyHeader::Bearer);
    let odd = Route::new("acme", Family::Gemini, "models/a/../b?c é");
    assert_eq!(render(&ask(), &odd).path, "/v1beta/models/a%2F..%2Fb%3Fc%20%C3%A9:generateContent");
    let streamed = ProviderRequest::render(&ask(), &route(Family::OpenaiChat), STREAM).unwrap();
    assert!(streamed.body.contains(r#""stream_options":{"include_usage":true}"#));
}

#[test]
fn options_have_the_names_of_the_family() {
    let sampling = Sampling {
        temperature: Some(0.7),
        top_p: Some(0.9),
        top_k: Some(40),
        min_p: Some(0.05),
        seed: Some(7),
        frequency_penalty: Some(0.5),
        dry: Some(Dry::default()),
        ..Sampling::default()
    };
    let request = ChatRequest { sampling, max_tokens: Some(99), stop: vec!["END".into()], ..ask() };
    let without = |request: &ChatRequest| ChatRequest { stop: Vec::new(), ..request.clone() };

    let chat = render(&request, &route(Family::OpenaiChat));
    let json: Value = serde_json::from_str(&chat.body).unwrap();
    let expected = json!({"temperature": 0.7, "top_p": 0.9, "frequency_penalty": 0.5, "seed": 7,
        "max_completion_tokens": 99, "stop": ["END"]});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&json[name], value);
    }
    assert_eq!(json.get("top_k"), None);
    assert_eq!(chat.changes, ["top_k", "min_p", "dry"].map(Change::Dropped));
    assert_eq!(chat.seed, 7);
    let open = body(&request, &Route { extended: true, ..route(Family::OpenaiChat) });
    assert_eq!((&open["top_k"], &open["min_p"]), (&json!(40), &json!(0.05)));

    let responses = body(&without(&request), &route(Family::OpenaiResponses));
    assert_eq!((&responses["max_output_tokens"], &responses["temperature"]), (&json!(99), &json!(0.7)));
    assert_eq!(refused(&request, &route(Family::OpenaiResponses)), "stop");

    let anthropic = render(&request, &route(Family::Anthropic));
    let json: Value = serde_json::from_str(&anthropic.body).unwrap();
    assert_eq!((&json["max_tokens"], &json["stop_sequences"]), (&json!(99), &json!(["END"])));
    assert_eq!((&json["temperature"], &json["top_k"], json.get("top_p")), (&json!(0.7), &json!(40), None));
    assert_eq!(
        anthropic.changes,
        ["top_p", "seed", "min_p", "frequency_penalty", "dry"].map(Change::Dropped)
    );

    let gemini = body(&request, &route(Family::Gemini));
    assert_eq!(
        gemini["generationConfig"],
        json!({"temperature": 0.7, "topP": 0.9, "frequencyPenalty": 0.5, "topK": 40, "maxOutputTokens": 99,
            "seed": 7, "stopSequences": ["END"]})
    );
    let ollama = body(&request, &route(Family::Ollama));
    assert_eq!(
        ollama["options"],
        json!({"temperature": 0.7, "top_p": 0.9, "min_p": 0.05, "frequency_penalty": 0.5, "top_k": 40,
            "num_predict": 99, "seed": 7, "stop": ["END"]})
    );

    let five = ChatRequest { stop: ["a", "b", "c", "d", "e"].map(String::from).into(), ..ask() };
    assert_eq!(refused(&five, &route(Family::OpenaiChat)), "stop");
    assert_eq!(body(&five, &Route { extended: true, ..route(Family::OpenaiChat) })["stop"][4], "e");
}

#[test]
fn no_more_is_asked_of_a_model_than_it_can_write() {
    let small = Route { output_tokens_max: Some(50), ..route(Family::Anthropic) };
    let request = ChatRequest { max_tokens: Some(99), ..ask() };
    let rendered = render(&request, &small);
    assert!(rendered.body.contains(r#""max_tokens":50"#));
    assert_eq!(rendered.changes, [Change::Adjusted("max_tokens")]);
    assert_eq!(body(&ask(), &small)["max_tokens"], 50);
}

#[test]
fn tools_and_choices_have_the_form_of_the_family() {
    let schema = json!({"type": "object", "properties": {"z": {}, "a": {}}});
    let function = json!({"name": "ls", "description": "lists", "parameters": schema, "strict": true});
    let with = |tool_choice| ChatRequest { tools: vec![tool()], tool_choice, ..ask() };
    let named = || ToolChoice::Named("ls".into());

    let chat = body(&with(named()), &route(Family::OpenaiChat));
    assert_eq!(chat["tools"], json!([{"type": "function", "function": function}]));
    assert_eq!(chat["tool_choice"], json!({"type": "function", "function": {"name": "ls"}}));

    let responses = body(&with(named()), &route(Family::OpenaiResponses));
    let mut flat = function.clone();
    flat["type"] = "function".into();
    assert_eq!(responses["tools"], json!([flat]));
    assert_eq!(responses["tool_choice"], json!({"type": "function", "name": "ls"}));

    let anthropic = body(&with(named()), &route(Family::Anthropic));
    let tool = json!({"name": "ls", "description": "lists", "input_schema": schema, "strict": true});
    assert_eq!(anthropic["tools"], json!([tool]));
    assert_eq!(anthropic["tool_choice"], json!({"type": "tool", "name": "ls"}));

    let gemini = render(&with(named()), &route(Family::Gemini));
    let json: Value = serde_json::from_str(&gemini.body).unwrap();
    let declaration = json!({"name": "ls", "description": "lists", "parametersJsonSchema": schema});
    assert_eq!(json["tools"], json!([{"functionDeclarations": [declaration]}]));
    assert_eq!(
        json["toolConfig"],
        json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["ls"]}})
    );
    assert_eq!(gemini.unused, [Unused::StrictTools]);
    assert!(gemini.body.contains(r#"{"z":{},"a":{}}"#), "the order of keys is the caller's");

    let ollama = body(&with(ToolChoice::Auto), &route(Family::Ollama));
    assert_eq!(ollama["tools"][0]["function"]["parameters"], schema);
    assert_eq!(refused(&with(named()), &route(Family::Ollama)), "tool_choice");
    assert_eq!(refused(&with(ToolChoice::Required), &route(Family::Ollama)), "tool_choice");
    assert_eq!(body(&with(ToolChoice::None), &route(Family::Ollama)).get("tools"), None);

    for (choice, chat, anthropic, gemini) in [
        (ToolChoice::Auto, Value::Null, Value::Null, Value::Null),
        (ToolChoice::None, json!("none"), json!({"type": "none"}), json!("NONE")),
        (ToolChoice::Required, json!("required"), json!({"type": "any"}), json!("ANY")),
    ] {
        assert_eq!(body(&with(choice.clone()), &route(Family::OpenaiChat))["tool_choice"], chat);
        assert_eq!(body(&with(choice.clone()), &route(Family::OpenaiResponses))["tool_choice"], chat);
        assert_eq!(body(&with(choice.clone()), &route(Family::Anthropic))["tool_choice"], anthropic);
        let config = &body(&with(choice), &route(Family::Gemini))["toolConfig"];
        assert_eq!(config["functionCallingConfig"]["mode"], gemini);
    }
}

#[test]
fn one_call_at_a_time_is_said_or_noted() {
    let request = ChatRequest { tools: vec![tool()], parallel_tool_calls: Some(false), ..ask() };
    for family in [Family::OpenaiChat, Family::OpenaiResponses] {
        assert_eq!(body(&request, &route(family))["parallel_tool_calls"], false);
    }
    let choice = json!({"type": "auto", "disable_parallel_tool_use": true});
    assert_eq!(body(&request, &route(Family::Anthropic))["tool_choice"], choice);
    for family in [Family::Gemini, Family::Ollama] {
        assert!(render(&request, &route(family)).unused.contains(&Unused::ParallelToolCalls));
    }
}

#[test]
fn forms_of_answers_have_the_words_of_the_family() {
    let schema = json!({"type": "object"});
    let output = Schema { name: Some("n".into()), schema: Json(schema.to_string()), strict: true };
    let with = |output| ChatRequest { output, ..ask() };
    let request = with(Output::Schema(output));
    let named = json!({"name": "n", "schema": schema, "strict": true});
    assert_eq!(
        body(&request, &route(Family::OpenaiChat))["response_format"],
        json!({"type": "json_schema", "json_schema": named})
    );
    let format = json!({"type": "json_schema", "name": "n", "schema": schema, "strict": true});
    assert_eq!(body(&request, &route(Family::OpenaiResponses))["text"]["format"], format);
    let format = json!({"type": "json_schema", "schema": schema});
    assert_eq!(body(&request, &route(Family::Anthropic))["output_config"]["format"], format);
    assert_eq!(
        body(&request, &route(Family::Gemini))["generationConfig"],
        json!({"responseJsonSchema": schema, "responseMimeType": "application/json"})
    );
    assert_eq!(body(&request, &route(Family::Ollama))["format"], schema);

    let json = with(Output::Json);
    assert_eq!(body(&json, &route(Family::OpenaiChat))["response_format"], json!({"type": "json_object"}));
    assert_eq!(body(&json, &route(Family::OpenaiResponses))["text"]["format"]["type"], "json_object");
    assert_eq!(refused(&json, &route(Family::Anthropic)), "response_format");
    assert_eq!(body(&json, &route(Family::Ollama))["format"], "json");
    let mime = &body(&json, &route(Family::Gemini))["generationConfig"]["responseMimeType"];
    assert_eq!(mime, "application/json");
}

#[test]
fn how_much_to_think_is_said_in_the_form_of_the_model() {
    use ThinkingForm::{Budget, Effort as Word};
    let with = |thinking| ChatRequest { thinking, ..ask() };
    let high = || with(Thinking::Effort(Effort::High));
    let off = || with(Thinking::Off);

    let chat = thinking(Family::OpenaiChat, Word);
    assert_eq!(body(&high(), &chat)["reasoning_effort"], "high");
    assert_eq!(body(&with(Thinking::Budget(3000)), &chat)["reasoning_effort"], "low");
    assert_eq!(body(&off(), &chat)["reasoning_effort"], "none");
    let open = Route { extended: true, ..chat };
    let variables = json!({"enable_thinking": true, "reasoning_effort": "low"});
    assert_eq!(body(&with(Thinking::Budget(3000)), &open)["chat_template_kwargs"], variables);

    let responses = body(&high(), &thinking(Family::OpenaiResponses, Word));
    assert_eq!(responses["reasoning"], json!({"effort": "high", "summary": "auto"}));
    assert_eq!(responses["include"], json!(["reasoning.encrypted_content"]));

    let adaptive = body(&high(), &thinking(Family::Anthropic, Word));
    assert_eq!(adaptive["thinking"], json!({"type": "adaptive"}));
    assert_eq!(adaptive["output_config"], json!({"effort": "high"}));
    let budget = |thinking: Thinking, max_tokens| {
        let request = ChatRequest { max_tokens, ..with(thinking) };
        let rendered = render(&request, &self::thinking(Family::Anthropic, Budget));
        let json: Value = serde_json::from_str(&rendered.body).unwrap();
        (json["thinking"]["budget_tokens"].as_u64(), rendered.changes)
    };
    assert_eq!(budget(Thinking::Budget(5000), None), (Some(5000), vec![]));
    assert_eq!(budget(Thinking::Effort(Effort::Low), None), (Some(2048), vec![]));
    assert_eq!(budget(Thinking::Effort(Effort::Max), Some(4000)), (Some(3000), vec![]));
    let adjusted = || vec![Change::Adjusted("thinking")];
    assert_eq!(budget(Thinking::Budget(9), None), (Some(1024), adjusted()));
    assert_eq!(budget(Thinking::Budget(9000), Some(4000)), (Some(3000), adjusted()));
    assert_eq!(budget(Thinking::Budget(9000), Some(1000)), (None, vec![Change::Dropped("thinking")]));
    assert_eq!(body(&off(), &thinking(Family::Anthropic, Word))["thinking"], json!({"type": "disabled"}));

    let gemini = |request: &ChatRequest, form| {
        body(request, &thinking(Family::Gemini, form))["generationConfig"]["thinkingConfig"].clone()
    };
    assert_eq!(gemini(&high(), Word), json!({"thinkingLevel": "high", "includeThoughts": true}));
    assert_eq!(gemini(&high(), Budget), json!({"thinkingBudget": 24_576, "includeThoughts": true}));
    let max = with(Thinking::Effort(Effort::Max));
    assert_eq!(gemini(&max, Budget), json!({"thinkingBudget": -1, "includeThoughts": true}));
    assert_eq!(gemini(&off(), Budget), json!({"thinkingBudget": 0}));

    assert_eq!(body(&high(), &thinking(Family::Ollama, Word))["think"], "high");
    assert_eq!(body(&high(), &thinking(Family::Ollama, Budget))["think"], true);
    assert_eq!(body(&off(), &thinking(Family::Ollama, Budget))["think"], false);

    for family in Family::ALL {
        assert_eq!(render(&high(), &route(family)).changes, [Change::Dropped("thinking")], "{family:?}");
        assert_eq!(render(&off(), &route(family)).changes, [], "{family:?}");
    }
}

#[test]
fn a_model_that_thinks_is_not_told_how_to_draw_nor_made_to_call() {
    let route = thinking(Family::Anthropic, ThinkingForm::Effort);
    let thinking = Thinking::Effort(Effort::Low);
    let sampling = Sampling { temperature: Some(0.5), top_k: Some(3), ..Sampling::default() };
    let rendered = render(&ChatRequest { thinking, sampling, ..ask() }, &route);
    assert!(!rendered.body.contains("temperature") && !rendered.body.contains("top_k"));
    assert_eq!(rendered.changes, ["temperature", "top_k"].map(Change::Dropped));
    let forced = ChatRequest { thinking, tools: vec![tool()], tool_choice: ToolChoice::Required, ..ask() };
    let rendered = render(&forced, &route);
    assert!(rendered.body.contains(r#""tool_choice":{"type":"any"}"#) && !rendered.body.contains("adaptive"));
    assert_eq!(rendered.changes, [Change::Dropped("thinking")]);
}

#[test]
fn instructions_stand_where_the_family_wants_them() {
    let messages = vec![
        Message::new(Role::System, "Be brief."),
        Message::new(Role::Developer, "Use tools."),
        Message::user("Hi"),
        Message::new(Role::System, "Now be long."),
    ];
    let request = ChatRequest::new(Prompt::Messages(messages));
    let roles = |route: &Route| {
        let json = body(&request, route);
        let messages = json["messages"].as_array().unwrap().clone();
        messages.iter().map(|message| message["role"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(roles(&route(Family::OpenaiChat)), ["system", "developer", "user", "system"]);
    let open = Route { extended: true, ..route(Family::OpenaiChat) };
    assert_eq!(roles(&open), ["system", "system", "user", "system"]);
    assert_eq!(roles(&route(Family::Ollama)), ["system", "system", "user", "system"]);

    let responses = body(&request, &route(Family::OpenaiResponses));
    assert_eq!(responses["instructions"], "Be brief.\n\nUse tools.");
    assert_eq!(responses["input"][1]["role"], "developer");

    let anthropic = render(&request, &route(Family::Anthropic));
    let json: Value = serde_json::from_str(&anthropic.body).unwrap();
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(json["system"], json!([text("Be brief."), text("Use tools."), text("Now be long.")]));
    assert_eq!(json["messages"].as_array().unwrap().len(), 1);
    assert_eq!(anthropic.changes, [Change::Moved("system")]);

    let gemini = body(&request, &route(Family::Gemini));
    assert_eq!(gemini["systemInstruction"]["parts"][2]["text"], "Now be long.");
}

/// A turn with two calls, their results in the wrong order and with a failure, and a word before them.
fn with_results() -> ChatRequest {
    let call = |id: &str| {
        Part::ToolCall(ToolCall { id: id.into(), name: "ls".into(), arguments: Json("{\"x\":1}".into()) })
    };
    let result = |call: &str, is_error| {
        let parts = vec![Part::Text("r".into())];
        Message::result(ToolResult { call: call.into(), name: None, parts, is_error })
    };
    ChatRequest::new(Prompt::Messages(vec![
        Message::user("Hi"),
        Message { role: Role::Assistant, name: None, parts: vec![call("t 1"), call("t2")] },
        Message::user("Wait"),
        result("t2", true),
        result("t 1", false),
        Message::user("And?"),
    ]))
}

#[test]
fn results_answer_their_calls() {
    let request = with_results();
    let chat = render(&request, &route(Family::OpenaiChat));
    let json: Value = serde_json::from_str(&chat.body).unwrap();
    assert_eq!(json["messages"][1]["content"], Value::Null);
    let call =
        json!({"id": "call_0", "type": "function", "function": {"name": "ls", "arguments": "{\"x\":1}"}});
    assert_eq!(json["messages"][1]["tool_calls"][0], call);
    assert_eq!(json["messages"][4], json!({"role": "tool", "tool_call_id": "call_0", "content": "r"}));
    assert_eq!(
        (chat.changes, chat.unused),
        (vec![Change::Renamed("tool_call_id")], vec![Unused::ToolErrors])
    );

    let anthropic = body(&request, &route(Family::Anthropic));
    let content = [json!({"type": "text", "text": "r"})];
    assert_eq!(anthropic["messages"].as_array().unwrap().len(), 3, "turns alternate");
    assert_eq!(
        anthropic["messages"][2]["content"],
        json!([
            {"type": "tool_result", "tool_use_id": "t2", "content": content, "is_error": true},
            {"type": "tool_result", "tool_use_id": "call_0", "content": content},
            {"type": "text", "text": "Wait"},
            {"type": "text", "text": "And?"},
        ])
    );

    let gemini = body(&request, &route(Family::Gemini));
    let response = json!({"id": "t2", "name": "ls", "response": {"error": "r"}});
    assert_eq!(gemini["contents"][2]["parts"][1]["functionResponse"], response);

    let responses = body(&request, &route(Family::OpenaiResponses));
    let output = json!({"type": "function_call_output", "call_id": "t2", "output": "r"});
    assert_eq!(responses["input"][4], output);

    let ollama = body(&request, &route(Family::Ollama));
    assert_eq!(
        ollama["messages"][1]["tool_calls"][0],
        json!({"function": {"name": "ls", "arguments": {"x": 1}}})
    );
    assert_eq!(ollama["messages"][3], json!({"role": "tool", "tool_name": "ls", "content": "r"}));
}

#[test]
fn media_travel_as_bytes() {
    let request = saying(vec![Part::Text("See".into()), png()]);
    let chat = body(&request, &route(Family::OpenaiChat));
    assert_eq!(
        chat["messages"][0]["content"],
        json!([{"type": "text", "text": "See"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}])
    );
    let responses = body(&request, &route(Family::OpenaiResponses));
    assert_eq!(responses["input"][0]["content"][1]["image_url"], "data:image/png;base64,iVBORw==");
    let anthropic = body(&request, &route(Family::Anthropic));
    let source = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw=="});
    assert_eq!(anthropic["messages"][0]["content"][1], json!({"type": "image", "source": source}));
    let gemini = body(&request, &route(Family::Gemini));
    let data = json!({"mimeType": "image/png", "data": "iVBORw=="});
    assert_eq!(gemini["contents"][0]["parts"][1], json!({"inlineData": data}));
    let ollama = body(&request, &route(Family::Ollama));
    assert_eq!(ollama["messages"][0], json!({"role": "user", "content": "See", "images": ["iVBORw=="]}));

    let document = |bytes: &[u8], media_type: &str| {
        let source = MediaSource::Bytes(bytes.to_vec());
        saying(vec![Part::Document(Media {
            source,
            media_type: Some(media_type.into()),
            detail: Some("D".into()),
        })])
    };
    let pdf = document(b"%PDF", "application/pdf");
    let file = json!({"filename": "D", "file_data": "data:application/pdf;base64,JVBERg=="});
    let chat = body(&pdf, &route(Family::OpenaiChat));
    assert_eq!(chat["messages"][0]["content"], json!([{"type": "file", "file": file}]));
    let responses = body(&pdf, &route(Family::OpenaiResponses));
    assert_eq!(responses["input"][0]["content"][0]["filename"], "D");
    let anthropic = body(&document(b"text", "text/plain"), &route(Family::Anthropic));
    let source = json!({"type": "text", "media_type": "text/plain", "data": "text"});
    let block = json!({"type": "document", "source": source, "title": "D"});
    assert_eq!(anthropic["messages"][0]["content"][0], block);
    assert_eq!(refused(&pdf, &route(Family::Ollama)), "messages[0].content[0]");

    let sound = |media_type: &str| {
        let source = MediaSource::Bytes(vec![1]);
        saying(vec![Part::Audio(Media { source, media_type: Some(media_type.into()), detail: None })])
    };
    let chat = body(&sound("audio/mpeg"), &route(Family::OpenaiChat));
    assert_eq!(chat["messages"][0]["content"][0]["input_audio"], json!({"data": "AQ==", "format": "mp3"}));
    assert_eq!(
        body(&sound("audio/ogg"), &route(Family::Gemini))["contents"][0]["parts"][0]["inlineData"]["data"],
        "AQ=="
    );
    for family in [Family::OpenaiResponses, Family::Anthropic, Family::Ollama] {
        assert_eq!(refused(&sound("audio/mpeg"), &route(family)), "messages[0].content[0]");
    }
    assert_eq!(refused(&sound("audio/ogg"), &route(Family::OpenaiChat)), "messages[0].content[0]");
}

#[test]
fn addresses_leave_only_where_the_route_allows_it() {
    let far = MediaSource::Url("https://host.example/a.png".into());
    let request = saying(vec![Part::Image(Media { source: far, media_type: None, detail: None })]);
    for family in Family::ALL {
        assert_eq!(refused(&request, &route(family)), "messages[0].content[0]", "{family:?}");
        let open = Route { remote_media: true, ..route(family) };
        let rendered = ProviderRequest::render(&request, &open, Delivery::Whole);
        assert_eq!(rendered.is_ok_and(|it| it.body.contains("host.example")), family != Family::Ollama);
    }
}

#[test]
fn marks_for_the_cache_reach_who_has_them() {
    let marked = |mark| {
        let mut messages = vec![
            Message {
                role: Role::System,
                name: None,
                parts: vec![Part::Text("S".into()), Part::CacheMark(mark)],
            },
            Message::user("Hi"),
        ];
        messages[1].parts.push(Part::CacheMark(CacheMark::FiveMinutes));
        ChatRequest::new(Prompt::Messages(messages))
    };
    let request = marked(CacheMark::OneHour);
    let anthropic = body(&request, &route(Family::Anthropic));
    assert_eq!(anthropic["system"][0]["cache_control"], json!({"type": "ephemeral", "ttl": "1h"}));
    let block = &anthropic["messages"][0]["content"][0];
    assert_eq!(block["cache_control"], json!({"type": "ephemeral"}));
    for family in Family::ALL.into_iter().filter(|family| *family != Family::Anthropic) {
        assert_eq!(
            render(&request, &route(family)).changes,
            [Change::Dropped("cache_control")],
            "{family:?}"
        );
    }
}

#[test]
fn empty_texts_are_left_out_where_they_are_refused() {
    let messages = vec![
        Message::new(Role::System, " "),
        Message::user("Hi"),
        Message::new(Role::Assistant, ""),
        Message::user("Hello?"),
    ];
    let anthropic = body(&ChatRequest::new(Prompt::Messages(messages)), &route(Family::Anthropic));
    assert_eq!(anthropic.get("system"), None);
    assert_eq!(anthropic["messages"].as_array().unwrap().len(), 2);
    let nothing = ChatRequest::new(Prompt::Messages(vec![Message::user("")]));
    for family in [Family::Anthropic, Family::Gemini] {
        assert_eq!(refused(&nothing, &route(family)), "messages", "{family:?}");
    }
}

#[test]
fn what_a_family_cannot_say_is_refused_by_name() {
    let grammar = Grammar { syntax: GrammarSyntax::Regex, text: "a".into() };
    let odd = Tool { name: "a b".into(), ..tool() };
    let foreign = Foreign { kind: "web_search_call".into(), json: Json("{}".into()) };
    let file = Media { source: MediaSource::File("file_1".into()), media_type: None, detail: None };
    let call = ToolCall { id: "c".into(), name: "f".into(), arguments: Json("[1]".into()) };
    let calling = Message { role: Role::Assistant, name: None, parts: vec![Part::ToolCall(call)] };
    let with = |messages| ChatRequest::new(Prompt::Messages(messages));
    for (request, families, field) in [
        (ChatRequest::new(Prompt::Text("a".into())), &Family::ALL[..], "prompt"),
        (ChatRequest { choices: 2, ..ask() }, &Family::ALL, "n"),
        (ChatRequest { logprobs: Some(Logprobs { top: 1 }), ..ask() }, &Family::ALL, "logprobs"),
        (ChatRequest { ignore_eos: true, ..ask() }, &Family::ALL, "ignore_eos"),
        (ChatRequest { output: Output::Grammar(grammar), ..ask() }, &Family::ALL, "grammar"),
        (ChatRequest { tools: vec![odd], ..ask() }, &Family::ALL, "tools[0].name"),
        (saying(vec![Part::Foreign(foreign)]), &Family::ALL, "messages[0].content[0]"),
        (saying(vec![Part::Image(file)]), &Family::ALL, "messages[0].content[0]"),
        (with(vec![Message::new(Role::Other("ipython".into()), "a")]), &Family::ALL, "messages[0].role"),
        (with(vec![calling]), &[Family::Anthropic, Family::Gemini, Family::Ollama], "messages[0].content[0]"),
    ] {
        for family in families {
            assert_eq!(refused(&request, &route(*family)), field, "{family:?}");
        }
    }
}
