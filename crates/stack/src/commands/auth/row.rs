//! A key, for programs: everything but what makes it a key.

use serde_json::{Value, json};
use stack_seal::time::UnixTime;

use crate::api_keys::{ApiKey, priority_name};

/// Returns what is known of a key.
pub(super) fn json(key: &ApiKey) -> Value {
    let grant = &key.grant;
    json!({
        "id": grant.key_id,
        "name": grant.name,
        "tenant": grant.tenant.as_str(),
        "scopes": grant.scopes.iter().map(stack_server::Scope::name).collect::<Vec<_>>(),
        "models": grant.models.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "requests_per_minute": grant.limits.requests,
        "tokens_per_minute": grant.limits.tokens,
        "priority": priority_name(grant.priority),
        "created": key.created.to_string(),
        "expires": grant.expires_s.map(|end| UnixTime::from_seconds(end).to_string()),
    })
}
