//! An error on its way to a client, before a dialect gives it its shape.

use std::time::Duration;

use stack_chat::{Failure, FailureKind, Retry};

/// An error as clients see it: an HTTP status, a word to branch on, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The word on which clients branch, where the dialect has one.
    pub code: Option<&'static str>,
    /// What went wrong.
    pub failure: Failure,
}

impl Problem {
    /// Makes a problem of the transport, which a status tells better than a kind of failure.
    pub fn new(status: u16, code: &'static str, failure: Failure) -> Self {
        Self { status, code: Some(code), failure }
    }

    /// Returns when it makes sense to try again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.failure.retry {
            Retry::After(wait) => Some(wait),
            Retry::Never | Retry::SameRoute | Retry::OtherRoute => None,
        }
    }
}

/// The one table of statuses and codes.
impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let (status, code) = match failure.kind {
            FailureKind::InvalidRequest => (400, failure.field.as_ref().map(|_| "invalid_value")),
            FailureKind::Unsupported => (400, Some("unsupported_parameter")),
            FailureKind::ContextExceeded => (400, Some("context_length_exceeded")),
            FailureKind::ContentRejected => (400, Some("content_policy_violation")),
            FailureKind::Unauthenticated => (401, Some("invalid_api_key")),
            FailureKind::BudgetExceeded => (402, Some("insufficient_quota")),
            FailureKind::RequestTooExpensive => (402, Some("request_too_expensive")),
            FailureKind::PriceUnknown => (402, Some("price_unknown")),
            FailureKind::AccessDenied => (403, Some("access_denied")),
            FailureKind::ModelBlocked => (403, Some("model_blocked")),
            FailureKind::PrivacyBlocked => (403, Some("privacy_blocked")),
            FailureKind::ModelUnknown | FailureKind::ModelMissing => (404, Some("model_not_found")),
            FailureKind::RateLimited | FailureKind::ProviderRateLimited => (429, Some("rate_limit_exceeded")),
            FailureKind::Cancelled => (499, Some("cancelled")),
            FailureKind::Internal => (500, None),
            FailureKind::ServerError
            | FailureKind::ConnectionFailed
            | FailureKind::Redirected
            | FailureKind::StreamTruncated
            | FailureKind::StreamMalformed
            | FailureKind::AuthFailed
            | FailureKind::Billing
            | FailureKind::CredentialsExhausted
            | FailureKind::SchemaDrift
            | FailureKind::Other => (502, Some("provider_error")),
            FailureKind::Overloaded | FailureKind::QueueFull => (503, Some("overloaded")),
            FailureKind::Loading => (503, Some("model_loading")),
            FailureKind::Draining => (503, Some("shutting_down")),
            FailureKind::CircuitOpen | FailureKind::NoRoute => (503, Some("no_route")),
            FailureKind::Timeout | FailureKind::StreamStalled => (504, Some("timeout")),
        };
        Self { status, code, failure }
    }
}

#[cfg(test)]
mod tests {
    use stack_chat::Domain;

    use super::*;

    #[test]
    fn the_status_tells_whose_matter_it_is() {
        for kind in FailureKind::ALL {
            let problem = Problem::from(Failure::new(kind, "x"));
            let is_callers = matches!(kind.domain(), Domain::Caller | Domain::Policy);
            assert!(!is_callers || (400..500).contains(&problem.status), "{}", kind.as_str());
            assert!(kind.domain() != Domain::Gateway || problem.status >= 500, "{}", kind.as_str());
        }
    }

    #[test]
    fn who_may_try_again_is_told_when() {
        let busy = Failure::new(FailureKind::QueueFull, "x").after(Duration::from_secs(7));
        assert_eq!(Problem::from(busy).retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(Problem::from(Failure::invalid("n", "x")).retry_after(), None);
    }
}
