//! How a model is loaded, and where its chat template comes from.

use jiff::Zoned;

use crate::executor::Placement;
use crate::template::{ChatTemplate, builtin};
use crate::weights::{Files, LoadError, WeightSource};

/// How a model is loaded.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where it runs.
    pub placement: Placement,
    /// Tokens that a sequence may hold; `None` = as many as the model was trained for and memory allows.
    pub context: Option<usize>,
    /// A chat template that replaces the model's own.
    pub template: Option<String>,
    /// Requests that may wait or run at once; more are refused.
    pub queue_max: usize,
    /// The time that templates show; the system's local time unless a test gives its own.
    pub clock: fn() -> Zoned,
}

impl Default for EngineOptions {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the clock enters; callers may give their own"
    )]
    fn default() -> Self {
        Self {
            placement: Placement::default(),
            context: None,
            template: None,
            queue_max: 512,
            clock: Zoned::now,
        }
    }
}

impl EngineOptions {
    /// Finds the chat template: given here, in the model's metadata, in a file beside it, or built in for its
    /// architecture. A model may have none.
    pub fn template_for(&self, source: &dyn WeightSource) -> Result<Option<ChatTemplate>, LoadError> {
        let (origin, text) = if let Some(given) = &self.template {
            ("the given chat template".to_owned(), given.clone())
        } else if let Some(own) = own_template(source)? {
            own
        } else {
            let architecture =
                source.metadata().text("general.architecture").ok().flatten().unwrap_or_default();
            match builtin(architecture) {
                Some(text) => (format!("the built-in chat template of {architecture}"), text.to_owned()),
                None => return Ok(None),
            }
        };
        ChatTemplate::compile(&text).map(Some).map_err(|error| LoadError {
            subject: origin,
            problem: "cannot be compiled".to_owned(),
            source: Some(Box::new(error)),
        })
    }
}

/// The chat template that a model brings along, and where it was found: in its metadata, or in a file beside it.
///
/// # Errors
///
/// When there is one that cannot be read.
pub fn own_template(source: &dyn WeightSource) -> Result<Option<(String, String)>, LoadError> {
    match source.metadata().text("tokenizer.chat_template")? {
        Some(stored) => Ok(Some(("the model's chat template".to_owned(), stored.to_owned()))),
        None => beside(source.files()),
    }
}

/// A template in the model's folder: `chat_template.jinja`, or the `chat_template` of `tokenizer_config.json`.
fn beside(files: &Files) -> Result<Option<(String, String)>, LoadError> {
    if files.has_companion(JINJA) {
        let subject = files.subject(JINJA);
        return match String::from_utf8(files.read(JINJA)?) {
            Ok(text) => Ok(Some((subject, text))),
            Err(_) => Err(LoadError::new(subject, "is not UTF-8")),
        };
    }
    if !files.has_companion(TOKENIZER_CONFIG) {
        return Ok(None);
    }
    let subject = files.subject(TOKENIZER_CONFIG);
    let json: serde_json::Value = serde_json::from_slice(&files.read(TOKENIZER_CONFIG)?)
        .map_err(|error| LoadError::new(subject.as_str(), format!("is not JSON: {error}")))?;
    // Older files list several templates by name.
    let template = match &json["chat_template"] {
        serde_json::Value::Array(named) => {
            named.iter().find(|entry| entry["name"] == "default").map(|e| &e["template"])
        }
        other => Some(other),
    };
    Ok(template.and_then(|template| template.as_str()).map(|text| (subject, text.to_owned())))
}

const JINJA: &str = "chat_template.jinja";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
