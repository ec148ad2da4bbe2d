//! Which variables a template looks at.
//!
//! A name that does not occur in a template has no effect on it. One that does may still have none, so a few small
//! conversations are rendered with several values: if all of them look the same, nobody looks at the variable.

use serde_json::{Map, Value as Json, json};

use super::chat_template::ChatTemplate;
use super::ending::Ending;
use super::prompt::Scene;

impl ChatTemplate {
    /// Whether the template looks at the variable `name`, which has the value `given`.
    pub(super) fn looks_at(&self, name: &str, given: &Json, scene: &Scene<'_>) -> bool {
        if !has_word(self.source(), name) {
            return false;
        }
        let values = [given.clone(), true.into(), false.into(), "low".into(), "high".into()];
        conversations().into_iter().any(|(messages, tools)| {
            let render = |value: Option<&Json>| {
                let mut caller = Map::from_iter([("documents".to_owned(), Json::Null)]);
                caller.extend(value.map(|value| (name.to_owned(), value.clone())));
                caller.insert("tools".to_owned(), tools.clone());
                self.write(messages.clone(), &caller, &Scene { ending: Ending::Answer, ..*scene }, None)
            };
            let without = render(None);
            values.iter().any(|value| render(Some(value)) != without)
        })
    }

    /// Whether the template shows the reasoning of any turn.
    pub(super) fn shows_reasoning(&self, scene: &Scene<'_>) -> bool {
        let reasoned = |more: Json| {
            let mut message = json!({ "role": "assistant", "reasoning_content": PROBE, "thinking": PROBE });
            for (name, value) in more.as_object().into_iter().flatten() {
                message[name] = value.clone();
            }
            vec![json!({ "role": "user", "content": "a" }), message]
        };
        let mut called = reasoned(json!({ "content": "", "tool_calls": [call()] }));
        called.push(result());
        [reasoned(json!({ "content": "b" })), called].into_iter().any(|messages| {
            let caller = Map::from_iter([("tools".to_owned(), Json::Null)]);
            let scene = Scene { ending: Ending::Closed, ..*scene };
            self.write(messages, &caller, &scene, None).is_ok_and(|text| text.contains(PROBE))
        })
    }
}

/// Small conversations of several shapes, each with its tools.
fn conversations() -> [(Vec<Json>, Json); 3] {
    let message = |role: &str| json!({ "role": role, "content": role });
    let [system, user, assistant] = ["system", "user", "assistant"].map(message);
    let thinking = json!({ "role": "assistant", "content": "", "reasoning_content": "r", "thinking": "r",
                           "tool_calls": [call()] });
    let function =
        json!({ "name": "f", "description": "d", "parameters": { "type": "object", "properties": {} } });
    let tools = json!([{ "type": "function", "function": function }]);
    [
        (vec![user.clone()], Json::Null),
        (vec![system, user.clone(), assistant, user.clone()], tools.clone()),
        (vec![user, thinking, result()], tools),
    ]
}

fn call() -> Json {
    json!({ "id": CALL_ID, "type": "function", "function": { "name": "f", "arguments": { "a": "b" } } })
}

fn result() -> Json {
    json!({ "role": "tool", "tool_call_id": CALL_ID, "name": "f", "content": "c" })
}

/// Whether a text holds a name, and not as a part of a longer one.
fn has_word(text: &str, name: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    !name.is_empty()
        && text
            .match_indices(name)
            .any(|(at, _)| !text[..at].ends_with(is_name) && !text[at + name.len()..].starts_with(is_name))
}

/// Reasoning that no template writes by itself.
const PROBE: &str = "stack-probe-77e0";
/// Some templates want nine letters and digits.
const CALL_ID: &str = "call00001";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_no_part_of_another() {
        assert!(has_word("{% if tone %}", "tone") && has_word("tone", "tone"));
        assert!(!has_word("{% if tones %}{{ x_tone }}", "tone") && !has_word("a", ""));
    }
}
