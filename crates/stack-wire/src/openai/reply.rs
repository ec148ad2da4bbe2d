//! What every answer says about itself.

use serde_json::{Value, json};
use stack_chat::{FinishReason, Logprobs, Timings, Usage};

/// The two shapes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Messages: `chat.completion` and `chat.completion.chunk`.
    Chat,
    /// Plain text: `text_completion`.
    Completion,
}

/// What an answer says about itself, the same in every chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its shape.
    pub shape: Shape,
    /// What tells its identifier from all others.
    pub unique: String,
    /// When it was started, in seconds since 1970.
    pub created_s: u64,
    /// The model that answers.
    pub model: String,
    /// The log-probabilities that were asked for.
    pub logprobs: Option<Logprobs>,
}

impl Reply {
    /// Starts a response object; `streamed` tells chunks from whole answers.
    pub(super) fn head(&self, streamed: bool) -> Value {
        let (prefix, object) = match (self.shape, streamed) {
            (Shape::Chat, false) => ("chatcmpl", "chat.completion"),
            (Shape::Chat, true) => ("chatcmpl", "chat.completion.chunk"),
            (Shape::Completion, _) => ("cmpl", "text_completion"),
        };
        json!({
            "id": format!("{prefix}-{}", self.unique),
            "object": object,
            "created": self.created_s,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
        })
    }
}

/// Renders why a choice ended.
pub(super) fn finish_word(reason: FinishReason) -> &'static str {
    match reason {
        // The dialect has no word for an answer that can go on; this one at least says that it is not complete.
        FinishReason::Paused => FinishReason::Length.name(),
        reason => reason.name(),
    }
}

/// Renders the token counts.
pub(super) fn usage_object(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt(),
        "completion_tokens": usage.generated(),
        "total_tokens": usage.total(),
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

/// Renders the times with the names of llama-server.
pub(crate) fn timings_object(usage: Usage, timings: Timings) -> Value {
    let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let computed = usage.computed();
    let (prompt_n, predicted_n) = (f64::from(computed), f64::from(usage.generated()));
    let (prompt_ms, predicted_ms) = (ms(timings.prefill), ms(timings.decode));
    json!({
        "cache_n": usage.cache_read,
        "prompt_n": computed,
        "prompt_ms": prompt_ms,
        "prompt_per_token_ms": ratio(prompt_ms, prompt_n),
        "prompt_per_second": ratio(prompt_n * 1e3, prompt_ms),
        "predicted_n": usage.generated(),
        "predicted_ms": predicted_ms,
        "predicted_per_token_ms": ratio(predicted_ms, predicted_n),
        "predicted_per_second": ratio(predicted_n * 1e3, predicted_ms),
    })
}

/// What the same seed gives the same answer under.
const FINGERPRINT: &str = concat!("stack-", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timings_are_rates_over_what_was_computed() {
        let usage = Usage { input: 4, cache_read: 6, answer: 8, ..Usage::default() };
        let timings = Timings {
            queue: Duration::ZERO,
            prefill: Duration::from_millis(500),
            decode: Duration::from_secs(2),
        };
        let json = timings_object(usage, timings);
        assert_eq!(
            (&json["cache_n"], &json["prompt_n"], &json["predicted_n"]),
            (&json!(6), &json!(4), &json!(8))
        );
        assert_eq!((&json["prompt_per_second"], &json["predicted_per_second"]), (&json!(8.0), &json!(4.0)));
        assert_eq!(timings_object(Usage::default(), Timings::default())["prompt_per_second"], json!(0.0));
    }
}
