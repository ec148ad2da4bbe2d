//! Conversations that show how a template writes what a model says.

use jiff::Zoned;
use serde_json::{Map, Value as Json, json};
use stack_chat::{Json as JsonText, Tool};

use crate::template::{ChatTemplate, conversation};

/// What a template writes behind the point where the model begins to speak.
#[derive(Clone, Debug)]
pub(super) struct Probe<'a> {
    template: &'a ChatTemplate,
    /// The prompt whose answer the probes are.
    prompt: String,
}

impl<'a> Probe<'a> {
    /// Renders the prompt; `None` if the template cannot even show a question.
    pub(super) fn new(template: &'a ChatTemplate) -> Option<Self> {
        let prompt = render(template, &[json!({ "role": "user", "content": "u" })], true)?;
        Some(Self { template, prompt })
    }

    /// The prompt.
    pub(super) fn prompt(&self) -> &str {
        &self.prompt
    }

    /// What the model would have written for these fields of its message.
    pub(super) fn reply(&self, fields: &Json) -> Option<String> {
        let mut message = json!({ "role": "assistant" });
        message.as_object_mut()?.extend(fields.as_object()?.clone());
        let messages = [json!({ "role": "user", "content": "u" }), message];
        let whole = render(self.template, &messages, false)?;
        // Some prompts end with the beginning of a reasoning that earlier turns do not show.
        let mut common = common_prefix(&self.prompt, &whole);
        if common.len() < self.prompt.len() {
            // What the reply begins with instead may be a tag that begins alike.
            common = to_tag(common);
        }
        Some(whole[common.len()..].to_owned())
    }

    /// The reply that calls the first `count` probes and says nothing else.
    pub(super) fn calls(&self, count: usize) -> Option<String> {
        let calls: Vec<Json> = CALLS[..count].iter().map(call).collect();
        // Templates differ in how they want to be told that there is no text.
        let silent = [json!({ "content": "" }), json!({ "content": null }), json!({})];
        silent.into_iter().find_map(|mut fields| {
            fields["tool_calls"] = calls.clone().into();
            self.reply(&fields).filter(|reply| reply.contains(VALUE))
        })
    }
}

/// A call of a tool that no template writes by itself.
pub(super) struct ProbeCall {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
}

/// Two calls. Mistral's templates want identifiers of nine letters or digits.
pub(super) const CALLS: [ProbeCall; 2] = [
    ProbeCall { id: "idprobe01", name: "probe_tool_one" },
    ProbeCall { id: "idprobe02", name: "probe_tool_two" },
];
/// The keys of their arguments, in the order in which they are given and sorted.
pub(super) const KEYS: [&str; 2] = ["probe_key_a", "probe_key_b"];
/// The text that is the first argument.
pub(super) const VALUE: &str = "probe-value";
/// The number that is the second.
pub(super) const NUMBER: &str = "90210";
/// What the model says.
pub(super) const TEXT: &str = "probe-text-9b2e";
/// What it reasoned.
pub(super) const REASONING: &str = "probe-reasoning-71ac";

fn call(call: &ProbeCall) -> Json {
    let arguments = json!({ KEYS[0]: VALUE, KEYS[1]: 90210 });
    json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments } })
}

/// The tools that the probes call.
pub(super) fn tools() -> Vec<Tool> {
    let properties = json!({
        KEYS[0]: { "type": "string", "description": "a" },
        KEYS[1]: { "type": "integer", "description": "b" },
    });
    let parameters = json!({ "type": "object", "properties": properties, "required": KEYS });
    let tool = |call: &ProbeCall| Tool {
        name: call.name.to_owned(),
        description: Some("d".to_owned()),
        parameters: Some(JsonText(parameters.to_string())),
        strict: false,
    };
    CALLS.iter().map(tool).collect()
}

fn render(template: &ChatTemplate, messages: &[Json], add_generation_prompt: bool) -> Option<String> {
    let mut variables = Map::new();
    variables.insert("messages".into(), messages.into());
    variables.insert("tools".into(), conversation::tools(&tools()).ok()?);
    variables.insert("add_generation_prompt".into(), add_generation_prompt.into());
    variables.insert("bos_token".into(), "".into());
    variables.insert("eos_token".into(), "".into());
    template.render_json(variables, &Zoned::default()).ok()
}

/// Cuts a tag that has no end off a text: beginnings that two texts share end with a tag.
pub(super) fn to_tag(text: &str) -> &str {
    let open = text.rfind(['<', '[']).filter(|&at| !text[at..].contains(['>', ']']));
    open.map_or(text, |at| &text[..at])
}

/// The text with which both begin.
pub(super) fn common_prefix<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.char_indices().zip(b.chars()).find(|((_, x), y)| x != y).map(|((at, _), _)| at);
    &a[..same.unwrap_or_else(|| a.len().min(b.len()))]
}

/// The text with which both end.
pub(super) fn common_suffix<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.chars().rev().zip(b.chars().rev()).take_while(|(x, y)| x == y);
    let bytes: usize = same.map(|(character, _)| character.len_utf8()).sum();
    &a[a.len() - bytes..]
}
