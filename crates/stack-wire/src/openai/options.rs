//! What chat completions and completions have in common.

use serde_json::Value;
use stack_chat::{ChatRequest, ContextPolicy, Failure};

use super::sampling::sampling;
use crate::fields::{Fields, bounded, mismatch};
use crate::{Delivery, Ignored};

/// Takes `model`. An empty name, which clients send where none was chosen, names none.
pub(crate) fn model(fields: &mut Fields) -> Result<Option<String>, Failure> {
    Ok(fields.text("model", 512)?.filter(|name| !name.is_empty()))
}

/// Takes the most tokens of an answer under any of `names`, of which the first that is there wins. The value -1, which
/// llama-server and its clients know, asks for no limit; `default` is for requests that say nothing.
pub(crate) fn max_tokens(
    fields: &mut Fields,
    names: &[&str],
    default: Option<u32>,
) -> Result<Option<u32>, Failure> {
    let mut asked = None;
    for name in names {
        let tokens = fields.integer(name, -1..=i64::from(TOKENS_MAX))?;
        if tokens == Some(0) {
            let message = format!("`{name}` must be at least 1; -1 asks for no limit");
            return Err(Failure::invalid(*name, message));
        }
        asked = asked.or(tokens);
    }
    // What is left is positive, or -1.
    Ok(asked.map_or(default, |tokens| u32::try_from(tokens).ok()))
}

/// Takes `stream` and `stream_options`.
pub(crate) fn delivery(fields: &mut Fields, ignored: &mut Ignored) -> Result<Delivery, Failure> {
    let stream = fields.flag("stream")?.unwrap_or(false);
    let mut include_usage = false;
    if let Some(mut options) = fields.object("stream_options")? {
        if !stream {
            let message = "`stream_options` is only allowed together with `stream: true`";
            return Err(Failure::invalid("stream_options", message));
        }
        include_usage = options.flag("include_usage")?.unwrap_or(false);
        options.ignore_rest("stream_options", ignored);
    }
    Ok(if stream { Delivery::Stream { include_usage } } else { Delivery::Whole })
}

/// Takes how tokens are chosen and what ends an answer.
pub(crate) fn generation(fields: &mut Fields, request: &mut ChatRequest) -> Result<(), Failure> {
    request.sampling = sampling(fields)?;
    request.stop = stop(fields)?;
    let choices = fields.integer("n", 1..=CHOICES_MAX)?;
    // llama-server's name for it, which goes before the other there, too.
    request.choices = fields.integer("n_cmpl", 1..=CHOICES_MAX)?.or(choices).unwrap_or(1);
    request.ignore_eos = fields.flag("ignore_eos")?.unwrap_or(false);
    request.context_policy = context_policy(fields)?;
    Ok(())
}

/// Takes what becomes of a prompt that does not fit.
fn context_policy(fields: &mut Fields) -> Result<ContextPolicy, Failure> {
    let path = fields.path("context_policy");
    match fields.take("context_policy") {
        None => Ok(ContextPolicy::Error),
        Some(value) => match value.as_str() {
            Some("error") => Ok(ContextPolicy::Error),
            Some("window") => Ok(ContextPolicy::Window),
            Some("middle") => Ok(ContextPolicy::Middle),
            _ => Err(mismatch(path, "\"error\", \"window\" or \"middle\"", &value)),
        },
    }
}

/// Takes the texts that end an answer.
pub(crate) fn stop(fields: &mut Fields) -> Result<Vec<String>, Failure> {
    let path = fields.path("stop");
    let expected = format!("a string of 1 to {STOP_BYTES_MAX} bytes or an array of them");
    let texts = match fields.take("stop") {
        None => return Ok(Vec::new()),
        Some(Value::Array(texts)) => texts,
        Some(text @ Value::String(_)) => vec![text],
        Some(other) => return Err(mismatch(path, &expected, &other)),
    };
    bounded(&path, texts.len(), STOPS_MAX)?;
    let text = |text| match text {
        Value::String(text) if (1..=STOP_BYTES_MAX).contains(&text.len()) => Ok(text),
        other => Err(mismatch(path.clone(), &expected, &other)),
    };
    texts.into_iter().map(text).collect()
}

/// The most tokens that a request may ask for; the context is the real bound.
pub(super) const TOKENS_MAX: u32 = i32::MAX as u32;

const CHOICES_MAX: u32 = 16;
const STOPS_MAX: usize = 32;
const STOP_BYTES_MAX: usize = 1024;
