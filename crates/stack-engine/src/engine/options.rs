//! How a model is loaded, and where its chat template comes from.

use std::path::Path;

use jiff::Zoned;

use super::read_bounded;
use crate::executor::Placement;
use crate::template::{ChatTemplate, builtin};
use crate::weights::{LoadError, WeightSource};

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
    pub fn template_for(
        &self,
        path: &Path,
        source: &dyn WeightSource,
    ) -> Result<Option<ChatTemplate>, LoadError> {
        let (origin, text) = if let Some(given) = &self.template {
            ("the given chat template".to_owned(), given.clone())
        } else if let Some(stored) = source
            .metadata()
            .text("tokenizer.chat_template")
            .map_err(|error| LoadError::new(format!("metadata key {}", error.key), error.problem))?
        {
            ("the model's chat template".to_owned(), stored.to_owned())
        } else if let Some(found) = beside(path)? {
            found
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

/// A template in the model's folder: `chat_template.jinja`, or the `chat_template` of `tokenizer_config.json`.
fn beside(path: &Path) -> Result<Option<(String, String)>, LoadError> {
    if !path.is_dir() {
        return Ok(None);
    }
    let jinja = path.join("chat_template.jinja");
    let name = |path: &Path| path.display().to_string();
    if jinja.exists() {
        let text = String::from_utf8(read_bounded(&jinja)?)
            .map_err(|_| LoadError::new(name(&jinja), "is not UTF-8"))?;
        return Ok(Some((name(&jinja), text)));
    }
    let config = path.join("tokenizer_config.json");
    if !config.exists() {
        return Ok(None);
    }
    let json: serde_json::Value = serde_json::from_slice(&read_bounded(&config)?)
        .map_err(|error| LoadError::new(name(&config), format!("is not JSON: {error}")))?;
    // Older files list several templates by name.
    let template = match &json["chat_template"] {
        serde_json::Value::Array(named) => {
            named.iter().find(|entry| entry["name"] == "default").map(|e| &e["template"])
        }
        other => Some(other),
    };
    Ok(template.and_then(|template| template.as_str()).map(|text| (name(&config), text.to_owned())))
}
