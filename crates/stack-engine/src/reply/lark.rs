//! The grammar of calls: it makes a malformed one impossible.

use std::fmt::Write;

use serde_json::{Map, Value as Json, json};
use stack_chat::Tool;

use super::format::{CallShape, IdStyle, MessageFormat, ReplyFormat, Tags};

/// What a reply must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRule<'a> {
    /// Whether more than one may follow each other.
    pub is_parallel: bool,
    /// Whether the prompt has already opened the reasoning.
    pub is_reasoning: bool,
    /// The JSON schema of an answer that may stand in place of the calls.
    pub answer: Option<&'a str>,
}

/// Writes the grammar of a reply that calls one of `tools`, or answers where the rule allows it, and says nothing else but
/// what it reasons.
///
/// `text` writes a text as Lark, with control tokens where it spells them.
pub fn reply_grammar(
    format: &ReplyFormat,
    tools: &[&Tool],
    rule: CallRule<'_>,
    text: &dyn Fn(&str) -> String,
) -> String {
    let mut grammar = Writer::new(format, text);
    let calls = &format.calls;
    let or_answer = rule.answer.map_or("", |schema| {
        let open = match format.messages {
            Some(MessageFormat::Harmony) => text("<|channel|>final<|message|>"),
            Some(MessageFormat::Recipients) => text("all\n"),
            None => String::new(),
        };
        grammar.rule("answer", &format!("{open} json"));
        grammar.rule("json", &format!("%json {schema}"));
        "| answer"
    });
    if format.messages == Some(MessageFormat::Harmony) {
        grammar.rule("start", &format!("(analysis)? (call {or_answer})"));
        grammar.rule("analysis", "analysis_open analysis_text");
        let open = text("<|channel|>analysis<|message|>");
        grammar.rule("analysis_open", &open);
        let end = text("<|end|>");
        let next = text("<|start|>assistant");
        grammar.rule("analysis_text", &format!("/(?s:.*)/ {end} {next}"));
        grammar.harmony_calls(tools);
        return grammar.lark;
    }
    let reasoning = match (&format.reasoning, rule.is_reasoning) {
        (None, _) => "",
        (Some(tags), is_open) => {
            grammar.enclosed("reasoned", &tags.close);
            let open = text(tags.open.trim());
            grammar
                .rule("reasoning", &if is_open { "reasoned".to_owned() } else { format!("{open} reasoned") });
            if is_open { "reasoning SPACES" } else { "(reasoning SPACES)?" }
        }
    };
    if !reasoning.is_empty() {
        grammar.rule("SPACES", r"/[ \n]{0,4}/");
    }
    let more = match &calls.separator {
        Some(separator) if rule.is_parallel => format!("({} call){{0,{}}}", text(separator), CALLS_MAX - 1),
        _ => String::new(),
    };
    let [open, close] = [&calls.section.open, &calls.section.close].map(|tag| text(tag));
    grammar.rule("start", &format!("{reasoning} (calls {or_answer})"));
    grammar.rule("calls", &format!("{open} call {more} {close}"));
    let [open, close] = [&calls.call.open, &calls.call.close].map(|tag| text(tag));
    grammar.rule("call", &format!("{open} body {close}"));
    grammar.bodies(tools);
    grammar.lark
}

/// Writes the grammar of what stands behind the tags that open a call: one call, and then anything.
pub fn opened_grammar(format: &ReplyFormat, tools: &[&Tool], text: &dyn Fn(&str) -> String) -> String {
    let mut grammar = Writer::new(format, text);
    grammar.rule("start", "LEADING body TRAILING");
    grammar.rule("LEADING", r"/[ \n]{0,4}/");
    grammar.rule("TRAILING", "/(?s:.*)/");
    grammar.bodies(tools);
    grammar.lark
}

/// Writes rules of a Lark grammar.
struct Writer<'a> {
    format: &'a ReplyFormat,
    text: &'a dyn Fn(&str) -> String,
    lark: String,
}

impl<'a> Writer<'a> {
    fn new(format: &'a ReplyFormat, text: &'a dyn Fn(&str) -> String) -> Self {
        Self { format, text, lark: String::from("%llguidance {}\n") }
    }

    fn rule(&mut self, name: &str, body: &str) {
        let body = if body.trim().is_empty() { "\"\"" } else { body.trim() };
        let _ = writeln!(self.lark, "{name}: {body}");
    }

    /// Writes a rule for any text up to a closing tag, which it takes too.
    fn enclosed(&mut self, name: &str, close: &str) {
        let written = (self.text)(close.trim());
        if written.starts_with('"') && !written.contains("<[") {
            let _ = writeln!(self.lark, "{name}[suffix={written}]: /(?s:.*)/");
        } else {
            // A control token is no text, so the text ends in front of it by itself.
            self.rule(name, &format!("/(?s:.*)/ {written}"));
        }
    }

    fn harmony_calls(&mut self, tools: &[&Tool]) {
        let text = self.text;
        let names: Vec<String> = (0..tools.len()).map(|index| format!("tool_{index}")).collect();
        self.rule("call", &names.join(" | "));
        for (index, tool) in tools.iter().enumerate() {
            let head =
                format!("<|channel|>commentary to=functions.{} <|constrain|>json<|message|>", tool.name);
            let schema = layout(parameters(tool));
            self.rule(&format!("tool_{index}"), &format!("{} arguments_{index}", text(&head)));
            self.rule(&format!("arguments_{index}"), &format!("%json {schema}"));
        }
    }

    /// Writes the rule `body`: what stands between the tags of a call, for each of the tools.
    fn bodies(&mut self, tools: &[&Tool]) {
        let names: Vec<String> = (0..tools.len()).map(|index| format!("tool_{index}")).collect();
        self.rule("body", &names.join(" | "));
        for (index, tool) in tools.iter().enumerate() {
            self.tool(index, tool);
        }
        if matches!(self.format.calls.shape, CallShape::Literal { .. }) {
            self.literals();
        }
    }

    fn tool(&mut self, index: usize, tool: &Tool) {
        let rule = format!("tool_{index}");
        let text = self.text;
        match &self.format.calls.shape {
            CallShape::Object { name, arguments, id } => {
                let schema = object(tool, name, arguments, id.as_deref());
                self.rule(&rule, &format!("%json {}", layout(schema)));
            }
            CallShape::Named { separator, id } => {
                let head = match id {
                    IdStyle::Absent => text(&format!("{}{separator}", tool.name)),
                    IdStyle::AfterName(before) => {
                        let before = text(&format!("{}{before}", tool.name));
                        format!("{before} /[a-zA-Z0-9]{{9}}/ {}", text(separator))
                    }
                    IdStyle::AroundName => {
                        let before = text(&format!("functions.{}:", tool.name));
                        format!("{before} /[0-9]{{1,3}}/ {}", text(separator))
                    }
                };
                self.rule(&rule, &format!("{head} arguments_{index}"));
                self.rule(&format!("arguments_{index}"), &format!("%json {}", layout(parameters(tool))));
            }
            CallShape::Tagged { after_name, key, value } => {
                let (after_name, key, value) = (after_name.clone(), key.clone(), value.clone());
                self.tagged(index, tool, &after_name, &key, &value);
            }
            CallShape::Literal { arguments, assign, quote, separator } => {
                let (arguments, assign) = (arguments.clone(), assign.clone());
                let (quote, separator) = (quote.clone(), separator.clone());
                self.literal(index, tool, &arguments, &assign, &quote, &separator);
            }
        }
    }

    fn tagged(&mut self, index: usize, tool: &Tool, after_name: &str, key: &Tags, value: &Tags) {
        let text = self.text;
        let mut sequence = text(&format!("{}{after_name}", tool.name));
        let parameters = parameters(tool);
        for (position, (name, schema, is_required)) in arguments(&parameters).into_iter().enumerate() {
            let rule = format!("argument_{index}_{position}");
            let open = text(&format!("{}{name}{}{}", key.open, key.close, value.open));
            if is_text(&schema) && schema.get("enum").is_none() {
                // The closing tag ends the text, with the white space that stands in front of it.
                self.enclosed(&format!("{rule}_value"), &value.close);
                let behind = &value.close[value.close.trim_end().len()..];
                self.rule(&rule, &format!("{open} {rule}_value {}", text(behind)));
            } else {
                let choices = schema.get("enum").and_then(Json::as_array).filter(|_| is_text(&schema));
                let written = if let Some(choices) = choices {
                    let choices: Vec<String> = choices.iter().filter_map(Json::as_str).map(text).collect();
                    format!("({})", choices.join(" | "))
                } else {
                    let json = layout(within(&parameters, schema));
                    self.rule(&format!("{rule}_value"), &format!("%json {json}"));
                    format!("{rule}_value")
                };
                self.rule(&rule, &format!("{open} {written} {}", text(&value.close)));
            }
            let _ = write!(sequence, " {rule}{}", if is_required { "" } else { "?" });
        }
        self.rule(&format!("tool_{index}"), &sequence);
    }

    fn literal(
        &mut self,
        index: usize,
        tool: &Tool,
        around: &Tags,
        assign: &str,
        quote: &str,
        separator: &str,
    ) {
        let text = self.text;
        let words = words(assign);
        let parameters = parameters(tool);
        let mut all = arguments(&parameters);
        // Named arguments may stand in any order, so those that must be there come first.
        all.sort_by_key(|(_, _, is_required)| !is_required);
        let mut written = String::new();
        let required = all.iter().filter(|(_, _, is_required)| *is_required).count();
        for (position, (name, schema, is_required)) in all.iter().enumerate() {
            let value = match (schema.get("enum").and_then(Json::as_array), schema.get("type")) {
                (Some(values), _) => {
                    let values: Vec<String> =
                        values.iter().map(|value| text(&literal(value, quote, words))).collect();
                    format!("({})", values.join(" | "))
                }
                (None, Some(kind)) if kind == "string" => "quoted".to_owned(),
                (None, Some(kind)) if kind == "integer" => r"/-?(0|[1-9][0-9]{0,17})/".to_owned(),
                (None, Some(kind)) if kind == "number" => "NUMBER".to_owned(),
                (None, Some(kind)) if kind == "boolean" => format!("(\"{}\" | \"{}\")", words[0], words[1]),
                (None, Some(kind)) if kind == "array" => "list".to_owned(),
                (None, Some(kind)) if kind == "object" => "dictionary".to_owned(),
                (None, _) => "value".to_owned(),
            };
            let argument = format!("{} {value}", text(&format!("{name}{assign}")));
            let separator = text(separator);
            let _ = match (is_required, position) {
                (true, 0) => write!(written, "{argument}"),
                (true, _) => write!(written, " {separator} {argument}"),
                // Without a required one in front, at most one optional argument is written.
                (false, 0) => write!(written, "({argument})?"),
                (false, _) if required == 0 => Ok(()),
                (false, _) => write!(written, " ({separator} {argument})?"),
            };
        }
        let [open, close] = [text(&format!("{}{}", tool.name, around.open)), text(&around.close)];
        self.rule(&format!("tool_{index}"), &format!("{open} {written} {close}"));
    }

    /// Writes the rules of literals.
    fn literals(&mut self) {
        let CallShape::Literal { quote, assign, .. } = &self.format.calls.shape else { return };
        let text = self.text;
        let quote = quote.clone();
        let quoted = match quote.as_str() {
            "'" => r#""'" /([^'\\\n]|\\['\\nt])*/ "'""#.to_owned(),
            "\"" => r#""\"" /([^"\\\n]|\\["\\nt])*/ "\"""#.to_owned(),
            other => format!("{} {}", text(other), {
                self.enclosed("quoted_text", other);
                "quoted_text"
            }),
        };
        self.rule("quoted", &quoted);
        self.rule("NUMBER", r"/-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?/");
        let [yes, no, nothing] = words(assign);
        self.rule(
            "value",
            &format!(r#"quoted | NUMBER | "{yes}" | "{no}" | "{nothing}" | list | dictionary"#),
        );
        self.rule("list", r#""[" (value (", " value)*)? "]""#);
        self.rule("dictionary", r#""{" (quoted ": " value (", " quoted ": " value)*)? "}""#);
    }
}

/// The schema of a call that is one object.
fn object(tool: &Tool, name: &str, arguments: &str, id: Option<&str>) -> Json {
    let mut parameters = parameters(tool);
    let mut properties = Map::new();
    properties.insert(name.to_owned(), json!({ "const": tool.name }));
    let mut schema = Map::new();
    // References begin at the root, so what they refer to moves there.
    for key in DEFINITIONS {
        if let Some(definitions) = parameters.as_object_mut().and_then(|fields| fields.shift_remove(key)) {
            schema.insert(key.to_owned(), definitions);
        }
    }
    properties.insert(arguments.to_owned(), parameters);
    if let Some(id) = id {
        properties.insert(id.to_owned(), json!({ "type": "string", "pattern": "^[a-zA-Z0-9]{9}$" }));
    }
    let required: Vec<String> = properties.keys().cloned().collect();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    schema.insert("required".into(), required.into());
    schema.insert("additionalProperties".into(), false.into());
    schema.into()
}

/// The schema of a tool's arguments: an object, whatever the definition says.
fn parameters(tool: &Tool) -> Json {
    let given = tool.parameters.as_ref().and_then(|schema| serde_json::from_str(&schema.0).ok());
    let mut parameters: Map<String, Json> = given.unwrap_or_default();
    parameters.insert("type".into(), "object".into());
    parameters.shift_remove("$schema");
    if !parameters.contains_key("properties") {
        parameters.insert("properties".into(), json!({}));
    }
    // What the schema does not name, a model that must call would invent.
    parameters.entry("additionalProperties").or_insert(false.into());
    parameters.into()
}

/// Lists the arguments of a tool: name, schema, whether it must be given.
fn arguments(parameters: &Json) -> Vec<(String, Json, bool)> {
    let required: Vec<&str> = parameters
        .get("required")
        .and_then(Json::as_array)
        .map(|names| names.iter().filter_map(Json::as_str).collect())
        .unwrap_or_default();
    let properties = parameters.get("properties").and_then(Json::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.clone(), schema.clone(), required.contains(&name.as_str())))
        .collect()
}

/// Gives the schema of one argument what its references refer to.
fn within(parameters: &Json, schema: Json) -> Json {
    let Json::Object(mut schema) = schema else { return schema };
    for key in DEFINITIONS {
        if let Some(definitions) = parameters.get(key) {
            schema.insert(key.to_owned(), definitions.clone());
        }
    }
    schema.into()
}

fn is_text(schema: &Json) -> bool {
    schema.get("type").is_some_and(|kind| kind == "string")
}

/// The words for true, false and nothing: those of Python, unless arguments are written as in JSON.
fn words(assign: &str) -> [&'static str; 3] {
    if assign.trim() == ":" { ["true", "false", "null"] } else { ["True", "False", "None"] }
}

/// Writes a value as a literal.
fn literal(value: &Json, quote: &str, words: [&str; 3]) -> String {
    match value {
        Json::String(text) => {
            format!("{quote}{}{quote}", text.replace('\\', "\\\\").replace(quote, &format!("\\{quote}")))
        }
        Json::Bool(true) => words[0].to_owned(),
        Json::Bool(false) => words[1].to_owned(),
        Json::Null => words[2].to_owned(),
        other => other.to_string(),
    }
}

/// Lays JSON out as templates write earlier calls, so that the model writes what it knows.
fn layout(mut schema: Json) -> Json {
    let options = json!({ "item_separator": ", ", "key_separator": ": ", "whitespace_flexible": false });
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("x-guidance".into(), options);
    }
    schema
}

/// Where schemas keep what references refer to.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];
/// The most calls in one reply that must call.
const CALLS_MAX: usize = 64;
