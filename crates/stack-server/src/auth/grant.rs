//! What a key allows.

use std::num::NonZeroU32;

use stack_chat::{Failure, FailureKind, Priority, Tenant};

use super::model_pattern::ModelPattern;
use super::scope::{Scope, Scopes};

/// What a key allows whoever has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The part of the key that is no secret, by which it is listed, limited and revoked.
    pub key_id: String,
    /// What somebody called it.
    pub name: String,
    /// Whose requests these are.
    pub tenant: Tenant,
    /// The kinds of acts.
    pub scopes: Scopes,
    /// The models; each of these patterns adds some.
    pub models: Vec<ModelPattern>,
    /// How much in a minute.
    pub limits: RateLimits,
    /// The most urgent that its requests can be.
    pub priority: Priority,
    /// When it ends, in seconds since 1970.
    pub expires_s: Option<u64>,
}

/// How much a key may take in any minute; `None` = as much as there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests.
    pub requests: Option<NonZeroU32>,
    /// Tokens that are read and written. A request is admitted as long as fewer were counted; what it takes itself is
    /// counted while it goes on.
    pub tokens: Option<NonZeroU32>,
}

impl Grant {
    /// What the operator may do on this machine without any key: everything.
    pub(crate) fn operator() -> Self {
        Self {
            key_id: String::new(),
            name: "operator".to_owned(),
            tenant: Tenant::default(),
            scopes: Scopes::from_iter([Scope::Admin]),
            models: vec!["*".parse().expect("a star is a pattern")],
            limits: RateLimits::default(),
            priority: Priority::Interactive,
            expires_s: None,
        }
    }

    /// What a request may do before it is known whose it is: nothing.
    pub(crate) fn nobody() -> Self {
        Self { name: "nobody".to_owned(), scopes: Scopes::default(), models: Vec::new(), ..Self::operator() }
    }

    /// Whether it is for a model.
    pub(crate) fn covers(&self, model: &str) -> bool {
        self.models.iter().any(|pattern| pattern.covers(model))
    }

    /// Whether it is for every model there is.
    pub(crate) fn covers_all(&self) -> bool {
        self.models.iter().any(|pattern| pattern.as_str() == "*")
    }

    /// Leaves of a list of models those that it is for.
    pub(crate) fn covered<'a, T: Copy>(&self, all: &[T], name: impl Fn(&T) -> &'a str) -> Vec<T> {
        all.iter().filter(|model| self.covers(name(model))).copied().collect()
    }

    /// Refuses what concerns everybody who uses the server, where the key is for less.
    pub(crate) fn operates(&self) -> Result<(), Failure> {
        if self.scopes.allow(Scope::Operate) {
            return Ok(());
        }
        let message = "the API key does not allow this: it lacks the scope `operate`";
        Err(Failure::new(FailureKind::AccessDenied, message))
    }

    /// Makes the error for a model that it is not for.
    pub(crate) fn excludes(model: &str) -> Failure {
        let shown: String = model.chars().take(NAME_CHARS_MAX).collect();
        let message =
            format!("the API key is not for the model {shown:?}; GET /v1/models lists those that it is for");
        Failure { field: Some("model".into()), ..Failure::new(FailureKind::AccessDenied, message) }
    }

    pub(super) fn has_expired(&self, now_s: u64) -> bool {
        self.expires_s.is_some_and(|end| end <= now_s)
    }
}

/// No error repeats more of a name.
const NAME_CHARS_MAX: usize = 128;
