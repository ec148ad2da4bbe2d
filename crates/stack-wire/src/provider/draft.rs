//! A request while it is being rendered, and what all families do alike.

use serde_json::{Map, Value};
use stack_chat::{
    ChatRequest, Failure, Json, Message, Opaque, Output, Prompt, Role, Tool, ToolChoice, Unused,
};

use super::adapter::Outgoing;
use super::{Change, Header, ProviderRequest, Route};
use crate::Delivery;

/// A request while it is being rendered.
pub(super) struct Draft<'a> {
    pub(super) request: &'a ChatRequest,
    pub(super) messages: &'a [Message],
    pub(super) route: &'a Route,
    pub(super) body: Map<String, Value>,
    delivery: Delivery,
    changes: Vec<Change>,
    unused: Vec<Unused>,
}

impl<'a> Draft<'a> {
    /// Begins with what no provider can be asked.
    pub(super) fn new(
        request: &'a ChatRequest,
        route: &'a Route,
        delivery: Delivery,
    ) -> Result<Self, Failure> {
        let Prompt::Messages(messages) = &request.prompt else {
            return Err(Failure::unsupported("prompt", "providers are asked in messages, not in plain text"));
        };
        if request.choices != 1 {
            return Err(Failure::unsupported("n", "providers are asked for one answer at a time"));
        }
        if request.logprobs.is_some() {
            return Err(Failure::unsupported("logprobs", "providers do not say which tokens they chose"));
        }
        if request.ignore_eos {
            return Err(Failure::unsupported("ignore_eos", "providers end where their model does"));
        }
        if matches!(request.output, Output::Grammar(_)) {
            return Err(Failure::unsupported(
                "grammar",
                "providers take no grammars; a JSON schema may do instead",
            ));
        }
        for (index, tool) in request.tools.iter().enumerate() {
            check_name(&format!("tools[{index}].name"), &tool.name)?;
        }
        let body = Map::new();
        Ok(Self { request, messages, route, body, delivery, changes: Vec::new(), unused: Vec::new() })
    }

    /// Tells whether the reply is asked as a stream.
    pub(super) fn streams(&self) -> bool {
        matches!(self.delivery, Delivery::Stream { .. })
    }

    /// Sets a field of the body.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.body.insert(name.to_owned(), value.into());
    }

    /// Sets a field of the body to a number, if it is given.
    pub(super) fn set_number(&mut self, name: &str, number: Option<f32>) {
        if let Some(number) = number {
            self.set(name, decimal(number));
        }
    }

    /// Sets a field of the body, if it is given.
    pub(super) fn set_given<T: Into<Value>>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Notes a change, once.
    pub(super) fn change(&mut self, change: Change) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    /// Notes the options that are given and that the family does not have.
    pub(super) fn drop_given<const N: usize>(&mut self, options: [(bool, &'static str); N]) {
        for (is_given, name) in options {
            if is_given {
                self.change(Change::Dropped(name));
            }
        }
    }

    /// Notes that something has no effect, once.
    pub(super) fn unused(&mut self, unused: Unused) {
        if !self.unused.contains(&unused) {
            self.unused.push(unused);
        }
    }

    /// Tells whether an opaque part may be sent on this route; one that may not is noted.
    pub(super) fn may_send(&mut self, opaque: &Opaque) -> bool {
        let is_own = opaque.origin == self.route.origin();
        if !is_own {
            self.change(Change::OpaqueDropped(opaque.origin.clone()));
        }
        is_own
    }

    /// Notes the names of speakers, for families without them.
    pub(super) fn drop_names(&mut self) {
        if self.messages.iter().any(|message| message.name.is_some()) {
            self.unused(Unused::SpeakerNames);
        }
    }

    /// Notes what open servers alone understand.
    pub(super) fn drop_template_options(&mut self) {
        let template = &self.request.template;
        if template.enable_thinking.is_some() {
            self.unused(Unused::EnableThinking);
        }
        for (name, _) in &template.variables {
            self.unused(Unused::Variable(name.clone()));
        }
    }

    /// Ends with the path and the headers, and with what the route's adapter makes of it all.
    pub(super) fn into_request(
        self,
        path: String,
        headers: &[(&'static str, &'static str)],
    ) -> Result<ProviderRequest, Failure> {
        let accept = match self.delivery {
            Delivery::Whole => "application/json",
            Delivery::Stream { .. } if self.route.family == super::Family::Ollama => "application/x-ndjson",
            Delivery::Stream { .. } => crate::sse::MEDIA_TYPE,
        };
        let mut all = vec![("content-type", "application/json"), ("accept", accept)];
        all.extend_from_slice(headers);
        let headers: Vec<Header> =
            all.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let (streams, mut unused) = (self.streams(), self.unused);
        let mut outgoing = Outgoing { path, headers, body: Value::Object(self.body), dropped: Vec::new() };
        if let Some(adapter) = &self.route.adapter {
            adapter.adapt(&mut outgoing, &self.route.model, streams)?;
        }
        unused.extend(outgoing.dropped.into_iter().map(Unused::Option));
        Ok(ProviderRequest {
            path: outgoing.path,
            headers: outgoing.headers,
            body: outgoing.body.to_string(),
            changes: self.changes,
            unused,
            seed: self.request.sampling.seed.unwrap_or_default(),
            delivery: self.delivery,
        })
    }
}

/// Tells whether a message instructs the model.
pub(super) fn is_instruction(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// Makes the failure of a role that only a template knows.
pub(super) fn unknown_role(index: usize, role: &Role) -> Failure {
    let field = format!("messages[{index}].role");
    let shown: String = role.as_str().chars().take(32).collect();
    let message = format!("`{field}` is {shown:?}, which only the template of some local model knows");
    Failure::unsupported(field, message)
}

/// Makes the failure of a part that the family has no place for.
pub(super) fn no_place(field: &str, noun: &str) -> Failure {
    Failure::unsupported(field, format!("`{field}` is {noun}, which this provider does not take there"))
}

/// Parses a JSON text that the caller gave.
pub(super) fn parsed(field: &str, json: &Json) -> Result<Value, Failure> {
    serde_json::from_str(&json.0)
        .map_err(|error| Failure::invalid(field, format!("`{field}` is not valid JSON: {error}")))
}

/// Parses the arguments of a call, which must be an object where a family sends them as one.
pub(super) fn arguments(field: &str, json: &Json) -> Result<Value, Failure> {
    let value = if json.0.trim().is_empty() { Value::Object(Map::new()) } else { parsed(field, json)? };
    if value.is_object() {
        return Ok(value);
    }
    Err(Failure::invalid(field, format!("`{field}` must be a JSON object")))
}

/// Returns the schema of a tool's arguments; a tool without one takes none.
pub(super) fn parameters(index: usize, tool: &Tool) -> Result<Value, Failure> {
    match &tool.parameters {
        Some(json) => parsed(&format!("tools[{index}].parameters"), json),
        None => Ok(serde_json::json!({"type": "object", "properties": {}})),
    }
}

/// Tells whether the model must call a tool.
pub(super) fn is_forced(choice: &ToolChoice) -> bool {
    matches!(choice, ToolChoice::Required | ToolChoice::Named(_))
}

/// Writes a number as short as it was given: 0.7 and not 0.699999988079071.
pub(crate) fn decimal(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// Names of tools are what every provider takes.
fn check_name(field: &str, name: &str) -> Result<(), Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(fits) {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
    let message = format!(
        "`{field}` is {shown:?}; providers take 1 to {NAME_CHARS_MAX} of the characters A-Z, a-z, 0-9, _ and -"
    );
    Err(Failure::unsupported(field, message))
}

const NAME_CHARS_MAX: usize = 64;
