//! Who asks, and whether that may be answered.
//!
//! A request brings an API key in one of two headers ([`presented`]); whoever keeps the keys ([`ApiKeys`]) says what it allows,
//! a [`Grant`]; the route's row in the table says what it needs ([`Access`]). What a key takes is counted against its limits
//! ([`rates`]). On a loopback listener that does not require keys, a request without one is the operator's own.

mod grant;
mod model_pattern;
mod presented;
pub(crate) mod rates;
mod scope;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use stack_chat::{Failure, FailureKind};

use self::presented::presented;
use self::rates::Limited;
use crate::answer::now_s;
use crate::error::ApiError;
use crate::route::Access;
use crate::server::Server;

pub use self::grant::{Grant, RateLimits};
pub use self::model_pattern::{BadModelPattern, ModelPattern};
pub use self::scope::{Scope, Scopes};

/// Keeps API keys. Keys are made and revoked while a server runs, and what this says holds from the next request on.
pub trait ApiKeys: Debug + Send + Sync {
    /// Whether what is kept has changed since it was last read. If so, [`Self::find`] waits for a disk.
    fn have_changed(&self) -> bool;

    /// Finds what a key allows. Takes as long for a wrong key as for a right one, wherever they differ.
    ///
    /// # Errors
    ///
    /// When what is kept cannot be read; then nobody has a key. The text says why, for the log.
    fn find(&self, key: &str) -> Result<FoundKey, String>;
}

/// What is known of a text that was sent as a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundKey {
    /// It is a key, and allows this.
    Valid(Arc<Grant>),
    /// It has the form of a key, and is none, or none any more.
    Unknown,
    /// It was never a key of this server: clients send something where they must.
    Foreign,
}

/// Which keys there are, and whether every request needs one.
#[derive(Clone, Debug)]
pub struct Auth {
    /// The keys.
    pub keys: Arc<dyn ApiKeys>,
    /// Whether a request without a key is refused. Otherwise it is the operator's own, which is right on a loopback
    /// listener alone.
    pub required: bool,
}

/// Finds out whose a request is. The key is looked for on a thread where that holds nobody up, if it takes a while.
///
/// # Errors
///
/// When it needs a key and has none, or one that does not allow it, or one that has taken its share of this minute.
pub(crate) async fn admit(
    server: &Server,
    access: Access,
    headers: &HeaderMap,
) -> Result<Arc<Grant>, ApiError> {
    let operator = || Arc::clone(&server.operator);
    let Some(auth) = &server.options.auth else { return Ok(operator()) };
    if access == Access::Open {
        return Ok(operator());
    }
    let keys = match presented(headers) {
        Ok(keys) => keys,
        Err(_) if !auth.required => return Ok(operator()),
        Err(wrong) => return Err(unauthenticated(wrong)),
    };
    let Some(grant) = granted(auth, &keys).await? else {
        if !auth.required {
            return Ok(operator());
        }
        return Err(unauthenticated(
            "an API key is needed: send it as `Authorization: Bearer KEY` or as `x-api-key: KEY`",
        ));
    };
    if grant.has_expired(now_s()) {
        return Err(unauthenticated("the API key has expired"));
    }
    if let Some(needed) = access.missing(grant.scopes) {
        let message = format!("the API key does not allow this: it lacks the scope {needed}");
        return Err(Failure::new(FailureKind::AccessDenied, message).into());
    }
    if access == Access::Inference {
        server.rates.admit(&grant, Instant::now()).map_err(limited)?;
    }
    Ok(grant)
}

/// Finds what the keys of a request allow, of which one may be meant. Where none is needed, texts that were never keys of this
/// server are none.
async fn granted(auth: &Auth, keys: &[&str]) -> Result<Option<Arc<Grant>>, ApiError> {
    if auth.required && keys.len() > 1 {
        return Err(unauthenticated(TWO_KEYS));
    }
    let mut granted = None;
    for &key in keys {
        let grant = match find(auth, key).await? {
            FoundKey::Foreign if !auth.required => continue,
            FoundKey::Valid(grant) => grant,
            FoundKey::Unknown | FoundKey::Foreign => {
                return Err(unauthenticated("the API key is not known here, or has been revoked"));
            }
        };
        if granted.replace(grant).is_some() {
            return Err(unauthenticated(TWO_KEYS));
        }
    }
    Ok(granted)
}

/// Which of them is meant is not for us to guess.
const TWO_KEYS: &str = "the request has two different API keys";

async fn find(auth: &Auth, key: &str) -> Result<FoundKey, ApiError> {
    let found = if auth.keys.have_changed() {
        let (keys, key) = (Arc::clone(&auth.keys), key.to_owned());
        tokio::task::spawn_blocking(move || keys.find(&key)).await.map_err(|_panicked| ApiError::Panic)?
    } else {
        auth.keys.find(key)
    };
    found.map_err(|cause| Failure::internal(cause).into())
}

fn unauthenticated(message: &str) -> ApiError {
    Failure::new(FailureKind::Unauthenticated, message).into()
}

fn limited(Limited { what, limit, wait }: Limited) -> ApiError {
    // Whole seconds, as the header says them, so that nobody comes back too early. The last sentence is one that clients
    // look for.
    let wait = Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
    let message = format!(
        "the API key has used its {limit} {what} of this minute. Please try again in {}s.",
        wait.as_secs()
    );
    Failure::new(FailureKind::RateLimited, message).after(wait).into()
}
