//! Replies as the templates of real families write them.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::probe::{CALLS, KEYS, Probe, tools};
use super::*;
use crate::template::ChatTemplate;

/// A reply, put together from its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reply {
    pub(super) reasoning: String,
    pub(super) text: String,
    /// Names, and arguments as they were written.
    pub(super) calls: Vec<(String, String)>,
    pub(super) broken: bool,
}

pub(super) fn read(format: &Arc<ReplyFormat>, prompt: &str, pieces: &[&str]) -> Reply {
    let mut parser = ReplyParser::new(Arc::clone(format), &tools(), prompt);
    let mut events: Vec<ReplyEvent> = pieces.iter().flat_map(|piece| parser.push(piece)).collect();
    events.extend(parser.finish());
    let mut reply = Reply::default();
    let mut open = false;
    for event in events {
        match event {
            ReplyEvent::Reasoning(text) => reply.reasoning.push_str(&text),
            ReplyEvent::Text(text) => reply.text.push_str(&text),
            ReplyEvent::CallStart { name, .. } => {
                assert!(!open, "a call begins inside another");
                open = true;
                reply.calls.push((name, String::new()));
            }
            ReplyEvent::Arguments(text) => {
                assert!(open && !text.is_empty(), "arguments without a call, or none");
                reply.calls.last_mut().unwrap().1.push_str(&text);
            }
            ReplyEvent::CallEnd => {
                assert!(open, "a call ends that did not begin");
                open = false;
            }
            ReplyEvent::CallBroken(text) => {
                assert!(open, "a call breaks that did not begin");
                open = false;
                reply.calls.pop();
                reply.text.push_str(&text);
                reply.broken = true;
            }
        }
    }
    reply
}

/// The templates of the reference data that show calls, with their formats.
pub(super) fn families() -> Vec<(String, ChatTemplate, Arc<ReplyFormat>)> {
    let Some(folder) = stack_testkit::reference_data("templates") else { return Vec::new() };
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jinja"));
    paths.sort();
    let family = |path: &std::path::PathBuf| {
        let template = ChatTemplate::compile(&std::fs::read_to_string(path).unwrap()).unwrap();
        let format = Arc::new(ReplyFormat::of(&template));
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), template, format)
    };
    paths.iter().map(family).collect()
}

fn calls(arguments: &[Json]) -> Json {
    let call = |(call, arguments): (&super::probe::ProbeCall, &Json)| json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments } });
    CALLS.iter().zip(arguments).map(call).collect::<Vec<_>>().into()
}

fn rich() -> Vec<Json> {
    vec![
        json!({ KEYS[0]: "Zürich, \"CH\" & <b> 你好", KEYS[1]: 2 }),
        json!({ KEYS[0]: "a {b} [c] (d)", KEYS[1]: -17 }),
    ]
}

#[test]
fn the_formats_of_the_families_are_inferred() {
    let formats = families();
    let of = |name: &str| formats.iter().find(|family| family.0.contains(name)).map(|family| &*family.2);
    let Some(qwen) = of("Qwen3-0.6B") else { return };
    assert_eq!(qwen.calls, CallFormat::default());
    assert_eq!(
        qwen.reasoning.as_ref().map(|tags| (tags.open.trim(), tags.close.trim())),
        Some(("<think>", "</think>"))
    );
    let llama = of("Llama-3.1").unwrap();
    assert_eq!(llama.calls.opener(), "");
    assert!(matches!(&llama.calls.shape, CallShape::Object { arguments, .. } if arguments == "parameters"));
    let nemo = of("Nemo").unwrap();
    assert_eq!(nemo.calls.section, Tags::new("[TOOL_CALLS][", "]"));
    assert!(matches!(&nemo.calls.shape, CallShape::Object { id: Some(id), .. } if id == "id"));
    let deepseek = of("DeepSeek").unwrap();
    assert_eq!(deepseek.calls.section.open, "<｜tool▁calls▁begin｜>");
    assert!(
        matches!(&deepseek.calls.shape, CallShape::Named { separator, .. } if separator == "<｜tool▁sep｜>")
    );
    assert!(matches!(of("GLM").unwrap().calls.shape, CallShape::Tagged { .. }));
    assert!(matches!(of("Qwen3-Coder").unwrap().calls.shape, CallShape::Tagged { .. }));
    assert!(matches!(of("LFM2").unwrap().calls.shape, CallShape::Literal { .. }));
    assert_eq!(of("gpt-oss").unwrap().messages, Some(MessageFormat::Harmony));
    assert_eq!(of("Phi-3.5").unwrap().calls, CallFormat::default());
}

#[test]
fn what_a_model_would_write_is_read_at_every_cut_and_written_again() {
    for (name, template, format) in families() {
        let Some(probe) = Probe::new(&template) else { continue };
        if format.messages.is_some() || probe.calls(1).is_none() {
            continue;
        }
        let one = json!({ "content": "", "tool_calls": calls(&rich()[..1]) });
        let two = json!({ "content": "", "tool_calls": calls(&rich()) });
        let said = json!({ "content": "I look it up.", "tool_calls": calls(&rich()[..1]) });
        let thought = json!({ "content": "", "reasoning_content": "Hm, {it} is < so.", "thinking": "Hm, {it} is < so.",
            "tool_calls": calls(&rich()[..1]) });
        let plain = json!({ "content": "No { call < here }." });
        for fields in [one, two, said, thought, plain] {
            let Some(text) = probe.reply(&fields) else { continue };
            // Some templates leave the text beside calls out, some show one call at most.
            let is_shown =
                |key: &str| fields.get(key).and_then(Json::as_str).is_none_or(|said| text.contains(said));
            if !is_shown("content")
                || text.matches("probe_tool").count() != fields["tool_calls"].as_array().map_or(0, Vec::len)
            {
                continue;
            }
            let end = text
                .find(
                    [
                        "<|im_end|>",
                        "<|eot_id|>",
                        "<|user|>",
                        "<|observation|>",
                        "<|end_of_text|>",
                        "<｜end▁of▁sentence｜>",
                    ]
                    .as_slice()
                    .iter()
                    .copied()
                    .find(|end| text.contains(end))
                    .unwrap_or("\u{0}"),
                )
                .unwrap_or(text.len());
            let text = &text[..end];
            let whole = read(&format, probe.prompt(), &[text]);
            let expected: Vec<(String, Json)> = fields["tool_calls"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|call| {
                    (
                        call["function"]["name"].as_str().unwrap().to_owned(),
                        call["function"]["arguments"].clone(),
                    )
                })
                .collect();
            let found: Vec<(String, Json)> = whole
                .calls
                .iter()
                .map(|(name, text)| (name.clone(), serde_json::from_str(text).unwrap()))
                .collect();
            assert_eq!(found, expected, "{name}: {text}\n{format:#?}");
            assert_eq!(whole.text, fields["content"], "{name}: {text}");
            if is_shown("reasoning_content") {
                assert_eq!(
                    whole.reasoning,
                    fields["reasoning_content"].as_str().unwrap_or_default(),
                    "{name}: {text}"
                );
            }
            for cut in (0..text.len()).filter(|&cut| text.is_char_boundary(cut)) {
                assert_eq!(
                    read(&format, probe.prompt(), &[&text[..cut], &text[cut..]]),
                    whole,
                    "{name} at {cut}: {text}"
                );
            }
            let pieces: Vec<String> = text.chars().map(String::from).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            assert_eq!(read(&format, probe.prompt(), &pieces), whole, "{name}: {text}");
        }
    }
}

#[test]
fn a_broken_call_is_text_and_nothing_is_lost() {
    let format = Arc::new(ReplyFormat::default());
    let name = CALLS[0].name;
    for text in [
        "<tool_call>\nnot json\n</tool_call>".to_owned(),
        "<tool_call>\n{\"name\": 3}\n</tool_call>".to_owned(),
        "<tool_call>".to_owned(),
        "a <tool_call> b".to_owned(),
        format!("<tool_call>{{\"name\": \"{name}\", \"arguments\": [1]}}</tool_call>"),
    ] {
        let reply = read(&format, "", &[&text]);
        assert_eq!(reply.calls, [], "{text}");
        assert_eq!(reply.text.replace(['\n', ' '], ""), text.replace(['\n', ' '], ""));
    }
    let late =
        format!("<tool_call>{{\"name\": \"{name}\", \"arguments\": {{\"a\": oops}}}}</tool_call> and so on");
    let reply = read(&format, "", &[&late]);
    assert!(reply.broken && reply.calls.is_empty());
    assert!(
        reply.text.contains("oops") && reply.text.contains("<tool_call>") && reply.text.contains("and so on")
    );
}

#[test]
fn a_call_that_is_cut_off_keeps_what_was_written() {
    let format = Arc::new(ReplyFormat::default());
    let reply = read(&format, "", &[r#"<tool_call>{"name": "probe_tool_one", "arguments": {"a": "b"#]);
    assert_eq!(reply.calls, [("probe_tool_one".to_owned(), "{\"a\": \"b".to_owned())]);
    // Without its closing tag it is complete, though.
    let reply = read(&format, "", &[r#"<tool_call>{"name": "probe_tool_one", "arguments": {}}"#]);
    assert_eq!(reply.calls, [("probe_tool_one".to_owned(), "{}".to_owned())]);
}

#[test]
fn json_is_a_bare_call_only_if_it_names_a_tool() {
    let mut format = ReplyFormat::default();
    format.calls.call = Tags::default();
    let format = Arc::new(format);
    let call = |name: &str| format!("{{\"name\": \"{name}\", \"arguments\": {{}}}}");
    assert_eq!(read(&format, "", &[&call(CALLS[1].name)]).calls.len(), 1);
    for text in [
        call("other"),
        "{\"a\": 1}".to_owned(),
        "{ not json".to_owned(),
        format!("So: {}", call(CALLS[1].name)),
    ] {
        let reply = read(&format, "", &[&text]);
        assert_eq!((reply.calls.len(), reply.text), (0, text));
    }
    let tagged = format!("<|python_tag|>{}", call(CALLS[0].name));
    assert_eq!(read(&format, "", &[&tagged]).calls.len(), 1);
}

#[test]
fn a_prompt_may_have_opened_the_reasoning() {
    let format =
        Arc::new(ReplyFormat { reasoning: Some(Tags::new("<think>", "</think>")), ..ReplyFormat::default() });
    let open = read(&format, "<|im_start|>assistant\n<think>\n", &["\nso\n</think>\n\nHi"]);
    assert_eq!((open.reasoning.as_str(), open.text.as_str()), ("so", "Hi"));
    let closed = read(&format, "assistant\n<think>\n\n</think>\n\n", &["Hi </think> there"]);
    assert_eq!((closed.reasoning.as_str(), closed.text.as_str()), ("", "Hi </think> there"));
    let written = read(&format, "assistant\n", &["<think>a < b</think>Hi"]);
    assert_eq!((written.reasoning.as_str(), written.text.as_str()), ("a < b", "Hi"));
}

#[test]
fn harmony_parts_reasoning_calls_and_the_answer() {
    let messages = Some(MessageFormat::Harmony);
    let format = Arc::new(ReplyFormat { messages, ..ReplyFormat::default() });
    let text = "<|channel|>analysis<|message|>Think.<|end|><|start|>assistant<|channel|>commentary \
                to=functions.probe_tool_one <|constrain|>json<|message|>{\"a\": 1}<|call|>";
    for cut in 0..text.len() {
        let reply = read(&format, "<|start|>assistant", &[&text[..cut], &text[cut..]]);
        assert_eq!(reply.reasoning, "Think.");
        assert_eq!(reply.calls, [("probe_tool_one".to_owned(), "{\"a\": 1}".to_owned())]);
    }
    let answer = "<|channel|>final<|message|>Hello < there";
    assert_eq!(read(&format, "<|start|>assistant", &[answer]).text, "Hello < there");
    let plain = read(&format, "<|start|>assistant<|channel|>final<|message|>", &["Hello"]);
    assert_eq!(plain.text, "Hello");
}
