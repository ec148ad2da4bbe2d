//! A compiled chat template.

use std::sync::OnceLock;
use std::thread;

use jiff::Zoned;
use serde_json::{Map, Value as Json, json};

use super::conversation;
use super::error::TemplateError;
use super::guard::ControlTexts;
use super::jinja::{Input, Program};
use super::variables;

/// A chat template, compiled once and rendered often.
#[derive(Debug)]
pub struct ChatTemplate {
    source: String,
    program: Program,
    content: OnceLock<ContentForms>,
    takes_text: OnceLock<bool>,
}

/// Which forms of content a template can show.
#[derive(Clone, Copy, Debug)]
struct ContentForms {
    text: bool,
    parts: bool,
}

impl ChatTemplate {
    /// Compiles a template.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Syntax`] with the line, or [`TemplateError::Exhausted`] if it is too large.
    pub fn compile(source: &str) -> Result<Self, TemplateError> {
        let program = Program::compile(source)?;
        Ok(Self { source: source.to_owned(), program, content: OnceLock::new(), takes_text: OnceLock::new() })
    }

    /// Returns the source that the template was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Renders variables that are given as JSON (`messages`, `tools`, `bos_token`, …), as transformers does.
    ///
    /// `add_generation_prompt` is true unless given, `tools` and `documents` are null. Arguments of tool calls that
    /// are JSON texts become objects, unless the template takes nothing but texts; content parts become text if the
    /// template cannot show parts. Nothing else is changed, so that a template may refuse what it refuses elsewhere.
    ///
    /// # Errors
    ///
    /// What the template said.
    pub fn render_json(&self, variables: Map<String, Json>, now: &Zoned) -> Result<String, TemplateError> {
        let mut all = variables::defaults();
        all.extend(variables);
        if let Some(Json::Array(messages)) = all.get_mut("messages") {
            self.adapt(messages)?;
            self.quote(messages);
        }
        let control = ControlTexts::default();
        self.interpret(|| variables::context(&all, &all, None, &control, now))
    }

    /// Whether the template's source names developers.
    pub(super) fn knows_developer(&self) -> bool {
        self.source.contains("developer")
    }

    /// Brings messages that were given as JSON into the shape that the template can show.
    pub(super) fn adapt(&self, messages: &mut [Json]) -> Result<(), TemplateError> {
        conversation::parse_arguments(messages);
        let has_parts = messages.iter().any(|message| message.get("content").is_some_and(Json::is_array));
        if has_parts && !self.content().parts {
            conversation::flatten_parts(messages)?;
        }
        Ok(())
    }

    /// Makes content a list of parts where the template shows nothing else.
    pub(super) fn wrap(&self, messages: &mut [Json]) {
        if !self.content().text {
            conversation::wrap_parts(messages);
        }
    }

    /// Makes the arguments of calls texts where the template takes nothing else, as those of functionary do.
    pub(super) fn quote(&self, messages: &mut [Json]) {
        if messages.iter().any(|message| message.get("tool_calls").is_some()) && self.takes_text() {
            conversation::quote_arguments(messages);
        }
    }

    /// Finds out once whether the template can show the arguments of calls as text only.
    fn takes_text(&self) -> bool {
        *self.takes_text.get_or_init(|| {
            let shown = |arguments: Json| {
                let function = json!({ "name": "f", "arguments": arguments });
                let call = json!({ "id": "stackprob", "type": "function", "function": function });
                let silent = [json!(""), Json::Null];
                silent.into_iter().any(|content| {
                    let said = json!({ "role": "assistant", "content": content, "tool_calls": [call] });
                    self.shown(json!([{ "role": "user", "content": "u" }, said])).contains(PROBE)
                })
            };
            !shown(json!({ "a": PROBE })) && shown(json!({ "a": PROBE }).to_string().into())
        })
    }

    /// Finds out once which forms of content the template can show.
    fn content(&self) -> ContentForms {
        *self.content.get_or_init(|| {
            let shown = |content: Json| {
                let text = self.shown(json!([{ "role": "user", "content": content }]));
                text.contains(PROBE) && !text.contains("'type'") && !text.contains("\"type\"")
            };
            let text = shown(PROBE.into());
            let parts = shown(json!([{ "type": "text", "text": PROBE }]));
            ContentForms { text: text || !parts, parts }
        })
    }

    /// Renders messages for a look at what the template makes of them: nothing where it refuses them.
    fn shown(&self, messages: Json) -> String {
        let mut all = variables::defaults();
        all.insert("messages".into(), messages);
        let (control, now) = (ControlTexts::default(), Zoned::default());
        self.interpret(|| variables::context(&all, &all, None, &control, &now)).unwrap_or_default()
    }

    /// Runs the template on a thread of its own.
    ///
    /// The interpreter recurses into nested statements, expressions and values, whose depth is bounded but may need
    /// more stack than callers have. Should the interpreter panic, this is where it ends.
    pub(super) fn interpret<'a>(
        &self,
        input: impl Fn() -> Input<'a> + Sync,
    ) -> Result<String, TemplateError> {
        let failed = |message: &str| TemplateError::Failed { message: message.to_owned(), line: None };
        thread::scope(|scope| {
            thread::Builder::new()
                .name("chat-template".into())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, || self.program.render(&input()))
                .map_err(|error| failed(&format!("no thread could be started for it: {error}")))?
                .join()
                .unwrap_or_else(|_| Err(failed("the interpreter panicked")))
        })
    }
}

/// Content that no template writes by itself.
const PROBE: &str = "stack-probe-5a1c";
/// Address space for the interpreter's recursion; only what is touched takes memory.
const STACK_BYTES: usize = 512 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        jiff::civil::date(2025, 7, 26).at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap()
    }

    #[test]
    fn golden_renderings_match_byte_for_byte() {
        let Some(folder) = stack_testkit::reference_data("templates") else { return };
        let golden: Json =
            serde_json::from_str(&std::fs::read_to_string(folder.join("golden.json")).unwrap()).unwrap();
        let mut wrong = Vec::new();
        let mut cases = 0;
        for (file, rows) in golden["templates"].as_object().unwrap() {
            let template =
                ChatTemplate::compile(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap();
            for (name, expected) in rows.as_object().unwrap() {
                let mut variables = golden["cases"][name].as_object().unwrap().clone();
                variables.insert("bos_token".into(), golden["bos_token"].clone());
                variables.insert("eos_token".into(), golden["eos_token"].clone());
                let rendered = template.render_json(variables, &now());
                let right = match (&rendered, expected.get("text")) {
                    (Ok(text), Some(expected)) => expected == text,
                    (Err(TemplateError::Raised(message)), None) => {
                        expected["error"] == format!("TemplateError: {message}")
                    }
                    _ => false,
                };
                cases += 1;
                if !right {
                    wrong.push(format!("{file} {name}: {rendered:?} instead of {expected}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{} of {cases} are wrong:\n{}", wrong.len(), wrong.join("\n"));
        assert_eq!(cases, 98);
    }

    #[test]
    fn arguments_given_as_text_become_an_object() {
        let template =
            ChatTemplate::compile("{{ messages[0].tool_calls[0].function.arguments.city }}").unwrap();
        let call = json!({ "function": { "name": "f", "arguments": "{\"city\": \"Bern\"}" } });
        let variables = json!({ "messages": [{ "role": "assistant", "tool_calls": [call] }] });
        assert_eq!(template.render_json(variables.as_object().unwrap().clone(), &now()).unwrap(), "Bern");
    }

    #[test]
    fn a_template_that_takes_arguments_as_text_gets_text() {
        let source = "{% for call in messages[-1].tool_calls or [] %}\
                      {{ '>' + (call.function or call).arguments }}{% endfor %}";
        let template = ChatTemplate::compile(source).unwrap();
        let flat = json!({ "name": "f", "arguments": { "city": "Bern", "days": [1, 2] } });
        for call in [json!({ "function": flat }), flat] {
            let variables = json!({ "messages": [{ "role": "assistant", "tool_calls": [call] }] });
            let rendered = template.render_json(variables.as_object().unwrap().clone(), &now()).unwrap();
            assert_eq!(rendered, r#">{"city": "Bern", "days": [1, 2]}"#);
        }
    }
}
