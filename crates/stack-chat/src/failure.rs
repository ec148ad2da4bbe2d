//! What can go wrong, whose matter it is, and whether another attempt makes sense.

use std::fmt;
use std::time::Duration;

/// Why a request was not answered, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What callers branch on.
    pub kind: FailureKind,
    /// What was attempted and what is wrong with it, in one sentence that anyone may read.
    pub message: String,
    /// The request field that is at fault, where one is.
    pub field: Option<String>,
    /// By how much the prompt is too long, where that is the failure and the numbers are known.
    pub overflow: Option<Overflow>,
    /// Whether another attempt makes sense.
    pub retry: Retry,
    /// What lies behind it; for the log, never for callers.
    pub cause: Option<String>,
}

/// A prompt that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// Tokens in the prompt.
    pub prompt_tokens: u32,
    /// Tokens that the context holds.
    pub context: u32,
}

/// Whose matter a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// The request is wrong.
    Caller,
    /// A rule of the operator forbids it.
    Policy,
    /// The model, or who runs it, failed.
    Provider,
    /// This program failed, or has no room.
    Gateway,
}

/// Whether another attempt makes sense, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would fail the same way.
    Never,
    /// The same model may answer.
    SameRoute,
    /// Only another model, or the same one elsewhere, may answer.
    OtherRoute,
    /// The same request may be answered after this time.
    After(Duration),
}

/// The kinds of [`Failure`]: a closed set, so that every place that treats them treats all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The request cannot be right for any model.
    InvalidRequest,
    /// The request may be right, but this model or program cannot honour it.
    Unsupported,
    /// There is no such model.
    ModelUnknown,
    /// The caller left before the end.
    Cancelled,
    /// The caller gave no valid key.
    Unauthenticated,
    /// The caller's key does not allow it.
    AccessDenied,
    /// The operator does not allow this model.
    ModelBlocked,
    /// It would leave the machine, which the privacy tier forbids.
    PrivacyBlocked,
    /// The caller asks too often.
    RateLimited,
    /// The budget is spent.
    BudgetExceeded,
    /// The request alone may cost more than it is allowed to.
    RequestTooExpensive,
    /// Nobody knows what it would cost.
    PriceUnknown,
    /// The provider says that we ask too often.
    ProviderRateLimited,
    /// The provider has no room.
    Overloaded,
    /// The provider reports a defect of its own.
    ServerError,
    /// No connection to the provider was made, or it broke before the answer.
    ConnectionFailed,
    /// The provider sent the request elsewhere, which is never followed.
    Redirected,
    /// The answer did not come in time.
    Timeout,
    /// The answer began and then stood still.
    StreamStalled,
    /// The answer ended without saying that it was complete.
    StreamTruncated,
    /// The answer cannot be read.
    StreamMalformed,
    /// The model is not ready yet.
    Loading,
    /// The provider does not accept our key.
    AuthFailed,
    /// The provider wants to be paid.
    Billing,
    /// Every key for the provider has been refused.
    CredentialsExhausted,
    /// The prompt does not fit.
    ContextExceeded,
    /// The provider does not answer such requests.
    ContentRejected,
    /// The provider no longer has the model.
    ModelMissing,
    /// The provider speaks otherwise than it used to.
    SchemaDrift,
    /// The provider failed often and is left alone for a while.
    CircuitOpen,
    /// No model may answer.
    NoRoute,
    /// Every place is taken.
    QueueFull,
    /// The program is shutting down.
    Draining,
    /// A defect or a failed device.
    Internal,
    /// Something that has no kind yet.
    Other,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 35] = [
        Self::InvalidRequest,
        Self::Unsupported,
        Self::ModelUnknown,
        Self::Cancelled,
        Self::Unauthenticated,
        Self::AccessDenied,
        Self::ModelBlocked,
        Self::PrivacyBlocked,
        Self::RateLimited,
        Self::BudgetExceeded,
        Self::RequestTooExpensive,
        Self::PriceUnknown,
        Self::ProviderRateLimited,
        Self::Overloaded,
        Self::ServerError,
        Self::ConnectionFailed,
        Self::Redirected,
        Self::Timeout,
        Self::StreamStalled,
        Self::StreamTruncated,
        Self::StreamMalformed,
        Self::Loading,
        Self::AuthFailed,
        Self::Billing,
        Self::CredentialsExhausted,
        Self::ContextExceeded,
        Self::ContentRejected,
        Self::ModelMissing,
        Self::SchemaDrift,
        Self::CircuitOpen,
        Self::NoRoute,
        Self::QueueFull,
        Self::Draining,
        Self::Internal,
        Self::Other,
    ];

    /// Returns its name in logs and in native answers: the domain first.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// Tells whose matter it is.
    pub const fn domain(self) -> Domain {
        self.row().1
    }

    /// Tells whether another attempt makes sense where nothing more is known.
    pub const fn retry(self) -> Retry {
        self.row().2
    }

    /// The one table that decides.
    const fn row(self) -> (&'static str, Domain, Retry) {
        use Domain::{Caller, Gateway, Policy, Provider};
        use Retry::{Never, OtherRoute, SameRoute};

        const fn after(seconds: u64) -> Retry {
            Retry::After(Duration::from_secs(seconds))
        }
        match self {
            Self::InvalidRequest => ("caller_invalid_request", Caller, Never),
            Self::Unsupported => ("caller_unsupported", Caller, Never),
            Self::ModelUnknown => ("caller_model_unknown", Caller, Never),
            Self::Cancelled => ("caller_cancelled", Caller, Never),
            Self::Unauthenticated => ("policy_unauthenticated", Policy, Never),
            Self::AccessDenied => ("policy_access_denied", Policy, Never),
            Self::ModelBlocked => ("policy_model_blocked", Policy, Never),
            Self::PrivacyBlocked => ("policy_privacy_blocked", Policy, Never),
            Self::RateLimited => ("policy_rate_limited", Policy, after(1)),
            Self::BudgetExceeded => ("policy_budget_exceeded", Policy, Never),
            Self::RequestTooExpensive => ("policy_request_too_expensive", Policy, Never),
            Self::PriceUnknown => ("policy_price_unknown", Policy, Never),
            Self::ProviderRateLimited => ("provider_rate_limited", Provider, after(5)),
            Self::Overloaded => ("provider_overloaded", Provider, SameRoute),
            Self::ServerError => ("provider_server_error", Provider, SameRoute),
            Self::ConnectionFailed => ("provider_connection_failed", Provider, SameRoute),
            Self::Redirected => ("provider_redirected", Provider, OtherRoute),
            Self::Timeout => ("provider_timeout", Provider, OtherRoute),
            Self::StreamStalled => ("provider_stream_stalled", Provider, OtherRoute),
            Self::StreamTruncated => ("provider_stream_truncated", Provider, SameRoute),
            Self::StreamMalformed => ("provider_stream_malformed", Provider, SameRoute),
            Self::Loading => ("provider_loading", Provider, after(2)),
            Self::AuthFailed => ("provider_auth_failed", Provider, OtherRoute),
            Self::Billing => ("provider_billing", Provider, OtherRoute),
            Self::CredentialsExhausted => ("provider_credentials_exhausted", Provider, OtherRoute),
            Self::ContextExceeded => ("provider_context_exceeded", Provider, OtherRoute),
            Self::ContentRejected => ("provider_content_rejected", Provider, Never),
            Self::ModelMissing => ("provider_model_missing", Provider, OtherRoute),
            Self::SchemaDrift => ("provider_schema_drift", Provider, OtherRoute),
            Self::CircuitOpen => ("gateway_circuit_open", Gateway, after(60)),
            Self::NoRoute => ("gateway_no_route", Gateway, after(5)),
            Self::QueueFull => ("gateway_queue_full", Gateway, after(1)),
            Self::Draining => ("gateway_draining", Gateway, after(5)),
            Self::Internal => ("gateway_internal", Gateway, Never),
            Self::Other => ("gateway_other", Gateway, OtherRoute),
        }
    }
}

impl Failure {
    /// Makes a failure that says no more than its kind and a sentence.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), field: None, overflow: None, retry: kind.retry(), cause: None }
    }

    /// Makes a failure of kind [`FailureKind::InvalidRequest`] that names the request field at fault.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(FailureKind::InvalidRequest, message) }
    }

    /// Makes a failure of kind [`FailureKind::Unsupported`] that names the request field at fault.
    pub fn unsupported(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(FailureKind::Unsupported, message) }
    }

    /// Makes the failure of a defect or a device. Callers learn nothing about the `cause`.
    pub fn internal(cause: impl Into<String>) -> Self {
        let message = "Internal server error; see the server's log.";
        Self { cause: Some(cause.into()), ..Self::new(FailureKind::Internal, message) }
    }

    /// Makes the failure of a prompt that does not fit.
    pub fn overflow(overflow: Overflow, message: impl Into<String>) -> Self {
        Self { overflow: Some(overflow), ..Self::new(FailureKind::ContextExceeded, message) }
    }

    /// Says after which time the same request may be answered.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self { retry: Retry::After(wait), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_that_begins_with_its_domain() {
        let names: HashSet<_> = FailureKind::ALL.map(FailureKind::as_str).into();
        assert_eq!(names.len(), FailureKind::ALL.len());
        for kind in FailureKind::ALL {
            let domain = format!("{:?}_", kind.domain()).to_lowercase();
            assert!(kind.as_str().starts_with(&domain), "{}", kind.as_str());
        }
    }

    #[test]
    fn what_is_the_callers_matter_is_never_tried_again() {
        for kind in FailureKind::ALL {
            if kind.domain() == Domain::Caller {
                assert_eq!(kind.retry(), Retry::Never, "{}", kind.as_str());
            }
        }
    }

    #[test]
    fn a_cause_is_not_part_of_the_sentence() {
        let failure = Failure::internal("secret");
        assert!(!failure.to_string().contains("secret"));
        assert_eq!(failure.cause.as_deref(), Some("secret"));
    }
}
