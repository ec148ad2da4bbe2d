//! What providers say when they do not answer, in whichever shape.

use std::time::Duration;

use serde_json::{Map, Value};
use stack_chat::{Failure, FailureKind, Overflow};

use super::adapter::{Adapter, Told};
use super::object::Object;
use super::wait;

/// An error as a provider tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Complaint {
    message: String,
    /// The words that tell it from other errors, the most precise first.
    words: Vec<String>,
    /// The field of our request that it blames.
    param: Option<String>,
    /// The HTTP status that it would have, where it says so itself.
    status: Option<u16>,
    /// After which time it wants to be asked again.
    wait: Option<Duration>,
    overflow: Option<Overflow>,
    /// What it is, where the provider's adapter knows it by a value.
    known: Option<FailureKind>,
    /// What it is, where the provider's adapter knows it by a phrase.
    guessed: Option<FailureKind>,
}

impl Complaint {
    /// Finds the error in a record, if it is one; `is_named` says that its event is called so.
    pub(super) fn within(record: Object<'_>, is_named: bool) -> Option<Self> {
        let text = |name| record.text(name).ok().flatten();
        if let Some(error) = record.value("error") {
            return Some(match error {
                Value::Object(error) => Self::of_object(error),
                // xAI puts its code beside the text.
                Value::String(message) => {
                    let words = text("code").map(str::to_owned).into_iter().collect();
                    Self { message: message.clone(), words, ..Self::default() }
                }
                other => Self::of_text(&other.to_string()),
            });
        }
        let is_error = is_named || text("object") == Some("error") || text("type") == Some("error");
        is_error.then(|| Self::of_object(record.map()))
    }

    /// Takes a body apart, which may be anything, and returns it as JSON if it is that.
    pub(super) fn of_body(body: &[u8]) -> (Self, Value) {
        let text = String::from_utf8_lossy(&body[..body.len().min(BODY_BYTES_MAX)]);
        let value = match crate::limits::check(text.as_bytes()) {
            Ok(()) => serde_json::from_str(&text).unwrap_or(Value::Null),
            Err(_) => Value::Null,
        };
        let value = match value {
            Value::Array(mut values) if values.len() == 1 => values.remove(0),
            other => other,
        };
        let complaint = match &value {
            Value::Object(fields) => match Self::within(Object::new(fields), false) {
                Some(complaint) => complaint,
                None if fields.contains_key("message") => Self::of_object(fields),
                None => Self::of_text(fields.get("detail").and_then(Value::as_str).unwrap_or(&text)),
            },
            _ => Self::of_text(&text),
        };
        (complaint, value)
    }

    /// Returns the status that it says it would have.
    pub(super) fn status(&self) -> Option<u16> {
        self.status
    }

    /// Lets the adapter of the provider say what it is. Values come before the words of the family, phrases after them.
    pub(super) fn judge(&mut self, adapter: &Adapter, told: Told<'_>) {
        let known = adapter.verdict(told);
        let guessed = adapter.guess(told);
        self.wait = known.or(guessed).and_then(|verdict| verdict.wait).or(self.wait);
        self.known = known.map(|verdict| verdict.kind);
        self.guessed = guessed.map(|verdict| verdict.kind);
    }

    /// Takes a text that says no more than itself.
    pub(super) fn of_text(text: &str) -> Self {
        Self { message: text.trim().to_owned(), ..Self::default() }
    }

    fn of_object(error: &Map<String, Value>) -> Self {
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        let number = |name: &str| error.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        let details = error.get("details");
        let mut words: Vec<String> = Vec::new();
        // Anthropic has an object of details and Google a list.
        words.extend(details.and_then(|details| details["error_code"].as_str()).map(str::to_owned));
        let listed = details.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        words.extend(listed.iter().filter_map(|detail| detail["reason"].as_str()).map(str::to_owned));
        words.extend(["code", "status", "type"].into_iter().filter_map(text).map(str::to_owned));
        let overflow = number("n_prompt_tokens")
            .zip(number("n_ctx"))
            .map(|(prompt_tokens, context)| Overflow { prompt_tokens, context });
        Self {
            message: text("message").unwrap_or_default().to_owned(),
            words,
            param: text("param").map(str::to_owned),
            // Other numbers are codes of some other system.
            status: number("code")
                .and_then(|code| u16::try_from(code).ok())
                .filter(|code| (300..600).contains(code)),
            wait: listed.iter().find_map(|detail| wait::span(detail["retryDelay"].as_str()?)),
            overflow,
            known: None,
            guessed: None,
        }
    }

    /// Decides what kind of failure it is: by what the adapter knows, by its words, by what the adapter guesses, and by its
    /// status. `status` is that of the reply, if this was all of it.
    pub(super) fn into_failure(self, provider: &str, status: Option<u16>) -> Failure {
        let status = status.filter(|status| *status >= 300).or(self.status);
        let kind = self.kind(status);
        let said: String = self.message.chars().take(MESSAGE_CHARS_MAX).collect();
        let is_for_callers = matches!(
            kind,
            FailureKind::InvalidRequest
                | FailureKind::ContextExceeded
                | FailureKind::ContentRejected
                | FailureKind::ModelMissing
        );
        let message = if is_for_callers && !said.is_empty() {
            format!("{provider}: {said}")
        } else {
            format!("{provider} {}", sentence(kind))
        };
        let words = self.words.join(", ");
        let status = status.map_or_else(String::new, |status| format!("{status} "));
        let mut failure = Failure::new(kind, message);
        // What is wrong with a request may quote it, and a log must not hold prompts.
        let said = if is_for_callers { "" } else { said.as_str() };
        failure.cause = Some(format!("{status}[{words}] {said}"));
        failure.field = self.param.filter(|_| kind == FailureKind::InvalidRequest);
        failure.overflow = self.overflow.filter(|_| kind == FailureKind::ContextExceeded);
        match self.wait {
            Some(wait) if wait::helps(kind) => failure.after(wait),
            _ => failure,
        }
    }

    fn kind(&self, status: Option<u16>) -> FailureKind {
        let says = |word: &str| self.words.iter().any(|said| said == word);
        // Where somebody is sent elsewhere, what the page says is not the provider's.
        if let Some(300..=399) = status {
            return FailureKind::Redirected;
        }
        if let Some(kind) = self.known {
            return kind;
        }
        if let Some((_, kind)) = WORDS.iter().find(|(word, _)| says(word)) {
            return *kind;
        }
        if let Some(kind) = self.guessed {
            return kind;
        }
        match status {
            Some(status) => by_status(status),
            None if says("invalid_request_error") => FailureKind::InvalidRequest,
            None => FailureKind::ServerError,
        }
    }
}

/// Tells what a status says where nothing else does.
fn by_status(status: u16) -> FailureKind {
    match status {
        401 | 403 => FailureKind::AuthFailed,
        402 => FailureKind::Billing,
        404 | 410 => FailureKind::ModelMissing,
        408 | 504 => FailureKind::Timeout,
        429 => FailureKind::ProviderRateLimited,
        503 | 529 => FailureKind::Overloaded,
        409 | 500..=599 => FailureKind::ServerError,
        400..=499 => FailureKind::InvalidRequest,
        _ => FailureKind::Other,
    }
}

/// Says what happened, in words that tell callers nothing of the operator's account.
fn sentence(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::ProviderRateLimited => "says that it is asked too often",
        FailureKind::Overloaded => "has no room at the moment",
        FailureKind::Loading => "is still loading the model",
        FailureKind::AuthFailed => "does not accept the key of this program",
        FailureKind::Billing => "wants to be paid before it answers again",
        FailureKind::Timeout => "did not answer in time",
        FailureKind::Redirected => "sent the request elsewhere, which is not followed",
        FailureKind::ModelMissing => "does not have this model",
        FailureKind::ContextExceeded => "finds the prompt too long",
        FailureKind::ContentRejected => "does not answer such requests",
        FailureKind::InvalidRequest => "finds the request wrong",
        _ => "failed",
    }
}

/// What the words of providers mean, the most precise first.
const WORDS: &[(&str, FailureKind)] = &[
    ("context_length_exceeded", FailureKind::ContextExceeded),
    ("exceed_context_size_error", FailureKind::ContextExceeded),
    ("insufficient_quota", FailureKind::Billing),
    ("billing_hard_limit_reached", FailureKind::Billing),
    ("billing_not_active", FailureKind::Billing),
    ("credit_balance_exhausted", FailureKind::Billing),
    ("organization_spend_limit_exceeded", FailureKind::Billing),
    ("project_spend_limit_exceeded", FailureKind::Billing),
    ("enforced_spend_limit_reached", FailureKind::Billing),
    ("billing_error", FailureKind::Billing),
    ("content_policy_violation", FailureKind::ContentRejected),
    ("content_filter", FailureKind::ContentRejected),
    ("invalid_prompt", FailureKind::ContentRejected),
    ("rate_limit_exceeded", FailureKind::ProviderRateLimited),
    ("rate_limit_error", FailureKind::ProviderRateLimited),
    ("RESOURCE_EXHAUSTED", FailureKind::ProviderRateLimited),
    ("invalid_api_key", FailureKind::AuthFailed),
    ("authentication_error", FailureKind::AuthFailed),
    ("permission_error", FailureKind::AuthFailed),
    ("API_KEY_INVALID", FailureKind::AuthFailed),
    ("UNAUTHENTICATED", FailureKind::AuthFailed),
    ("PERMISSION_DENIED", FailureKind::AuthFailed),
    ("model_not_found", FailureKind::ModelMissing),
    ("not_found_error", FailureKind::ModelMissing),
    ("NOT_FOUND", FailureKind::ModelMissing),
    ("unavailable_error", FailureKind::Loading),
    ("overloaded_error", FailureKind::Overloaded),
    ("server_is_overloaded", FailureKind::Overloaded),
    ("slow_down", FailureKind::Overloaded),
    ("UNAVAILABLE", FailureKind::Overloaded),
    ("timeout_error", FailureKind::Timeout),
    ("DEADLINE_EXCEEDED", FailureKind::Timeout),
    ("api_error", FailureKind::ServerError),
    ("server_error", FailureKind::ServerError),
    ("INTERNAL", FailureKind::ServerError),
];

const BODY_BYTES_MAX: usize = 256 << 10;
const MESSAGE_CHARS_MAX: usize = 500;
