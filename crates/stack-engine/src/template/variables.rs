//! The variables of a template.

use jiff::Zoned;
use serde_json::{Map, Value as Json};
use stack_chat::{Message, Role, TemplateOptions, Tool};

use super::conversation;
use super::error::TemplateError;
use super::guard::ControlTexts;
use super::jinja::{Input, Value};

/// What a template is rendered with.
#[derive(Clone, Copy, Debug)]
pub struct RenderInput<'a> {
    /// The conversation.
    pub messages: &'a [Message],
    /// The tools that the model may call.
    pub tools: &'a [Tool],
    /// The text of the token that begins a sequence; empty if there is none.
    pub bos_token: &'a str,
    /// The text of the token that ends a sequence; empty if there is none.
    pub eos_token: &'a str,
    /// Further variables, and where the text ends.
    pub options: &'a TemplateOptions,
    /// The texts that only the template may write as control tokens.
    pub control: &'a ControlTexts,
    /// The moment that `strftime_now` shows, in its own time zone.
    pub now: &'a Zoned,
}

/// The variables of one request, apart from the messages.
pub(super) struct Variables {
    /// What the model and the program say.
    pub(super) trusted: Map<String, Json>,
    /// What the caller says.
    pub(super) caller: Map<String, Json>,
}

impl Variables {
    /// Collects the variables of a request.
    pub(super) fn new(input: &RenderInput<'_>) -> Result<Self, TemplateError> {
        let mut trusted = Map::new();
        trusted.insert("bos_token".into(), input.bos_token.into());
        trusted.insert("eos_token".into(), input.eos_token.into());
        let mut caller = Map::new();
        caller.insert("documents".into(), Json::Null);
        for (name, value) in &input.options.variables {
            caller.insert(
                name.clone(),
                conversation::parse(&value.0, &format!("the template variable {name}"))?,
            );
        }
        if let Some(enable) = input.options.enable_thinking {
            caller.insert("enable_thinking".into(), enable.into());
        }
        caller.insert("tools".into(), conversation::tools(input.tools)?);
        Ok(Self { trusted, caller })
    }
}

/// Returns the variables that are there unless given.
pub(super) fn defaults() -> Map<String, Json> {
    let mut defaults = Map::new();
    defaults.insert("add_generation_prompt".into(), true.into());
    defaults.insert("tools".into(), Json::Null);
    defaults.insert("documents".into(), Json::Null);
    defaults
}

/// Makes the interpreter's input. Where a name is in both maps, the trusted one wins.
pub(super) fn context<'a>(
    trusted: &Map<String, Json>,
    caller: &Map<String, Json>,
    marker: Option<char>,
    control: &'a ControlTexts,
    now: &'a Zoned,
) -> Input<'a> {
    let marked = |text: &str, is_role: bool| match marker {
        Some(marker) if is_role && is_unusual(text) => {
            Value::caller_text(control.mark_inner(text, marker).as_ref())
        }
        Some(marker) => Value::caller_text(control.mark(text, marker).as_ref()),
        None => Value::text(text),
    };
    let caller = caller.iter().map(|(name, value)| (name.clone(), from_json(value, &marked)));
    let trusted =
        trusted.iter().map(|(name, value)| (name.clone(), from_json(value, &|text, _| Value::text(text))));
    Input { variables: caller.chain(trusted).collect(), now, guard: marker.map(|marker| (control, marker)) }
}

fn from_json(value: &Json, text: &impl Fn(&str, bool) -> Value) -> Value {
    let nested = |value: Result<Value, _>| value.unwrap_or(Value::None);
    match value {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number.into()),
            (None, Some(number)) => Value::Int(number.into()),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(value) => text(value, false),
        Json::Array(items) => nested(Value::list(items.iter().map(|item| from_json(item, text)).collect())),
        Json::Object(fields) => {
            let field = |name: &str, value: &Json| match value {
                Json::String(value) => text(value, name == "role"),
                value => from_json(value, text),
            };
            nested(Value::dict(fields.iter().map(|(name, value)| (text(name, false), field(name, value)))))
        }
    }
}

/// Returns whether a role is not one that every template knows. Templates spell roles inside control texts
/// (`'<|' + role + '|>'`), which is right for the known ones only.
fn is_unusual(role: &str) -> bool {
    matches!(Role::from(role), Role::Other(_))
}

/// Characters that neither the template nor the caller uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Markers {
    /// Keeps text of the caller from becoming control tokens.
    pub(super) guard: char,
    /// Stands where the last message goes on.
    pub(super) end: char,
}

impl Markers {
    /// Chooses markers for a template and the texts of its variables and messages.
    pub(super) fn choose(
        source: &str,
        caller: &Map<String, Json>,
        messages: &[Json],
    ) -> Result<Self, TemplateError> {
        let mut texts = vec![source];
        for (name, value) in caller {
            texts.push(name);
            collect_texts(value, &mut texts);
        }
        messages.iter().for_each(|message| collect_texts(message, &mut texts));
        let free = |taken: &str| {
            ControlTexts::marker(texts.iter().copied().chain([taken])).ok_or_else(|| {
                TemplateError::Input("the text uses every noncharacter from U+FDD0 to U+FDEF".into())
            })
        };
        let guard = free("")?;
        let end = free(guard.encode_utf8(&mut [0; 4]))?;
        Ok(Self { guard, end })
    }
}

fn collect_texts<'a>(value: &'a Json, texts: &mut Vec<&'a str>) {
    match value {
        Json::String(text) => texts.push(text),
        Json::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Json::Object(fields) => {
            for (name, value) in fields {
                texts.push(name);
                collect_texts(value, texts);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
