//! What is kept of a key, and how it is written down.

use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stack_chat::{Priority, Tenant};
use stack_seal::digest::{Digest, Root};
use stack_seal::time::UnixTime;
use stack_server::{Grant, RateLimits, Scope};

/// A key that somebody has: what it allows, and the digest by which it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiKey {
    pub(crate) digest: Root,
    pub(crate) created: UnixTime,
    pub(crate) grant: Arc<Grant>,
}

/// The same as the file has it. Its fields are in the order in which people read them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    id: String,
    name: String,
    tenant: String,
    scopes: Vec<String>,
    models: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requests_per_minute: Option<NonZeroU32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens_per_minute: Option<NonZeroU32>,
    priority: String,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    digest: String,
}

impl ApiKey {
    /// Whether it has ended.
    pub(crate) fn has_expired(&self, now: UnixTime) -> bool {
        self.grant.expires_s.is_some_and(|end| end <= now.seconds())
    }
}

impl From<&ApiKey> for Record {
    fn from(key: &ApiKey) -> Self {
        let grant = &key.grant;
        Self {
            id: grant.key_id.clone(),
            name: grant.name.clone(),
            tenant: grant.tenant.to_string(),
            scopes: grant.scopes.iter().map(|scope| scope.to_string()).collect(),
            models: grant.models.iter().map(ToString::to_string).collect(),
            requests_per_minute: grant.limits.requests,
            tokens_per_minute: grant.limits.tokens,
            priority: priority_name(grant.priority).to_owned(),
            created: key.created.to_string(),
            expires: grant.expires_s.map(|end| UnixTime::from_seconds(end).to_string()),
            digest: Digest::from(key.digest).to_string(),
        }
    }
}

impl TryFrom<Record> for ApiKey {
    type Error = String;

    /// Reads a record, whose every field must make sense: a key that allows something else than it says is worse than none.
    fn try_from(record: Record) -> Result<Self, String> {
        let wrong = |field: &str| format!("the key {:?} has a malformed {field}", record.id);
        let time = |text: &str, field| text.parse::<UnixTime>().map_err(|_| wrong(field));
        let digest: Digest = record.digest.parse().map_err(|_| wrong("digest"))?;
        let scopes = record.scopes.iter().map(|name| Scope::from_name(name).ok_or_else(|| wrong("scope")));
        let models = record.models.iter().map(|text| text.parse().map_err(|_| wrong("model pattern")));
        let expires = record.expires.as_deref().map(|text| time(text, "end")).transpose()?;
        Ok(Self {
            digest: digest.try_into().map_err(|_| wrong("digest"))?,
            created: time(&record.created, "beginning")?,
            grant: Arc::new(Grant {
                tenant: parse_tenant(&record.tenant).map_err(|_| wrong("tenant"))?,
                scopes: scopes.collect::<Result<_, _>>()?,
                models: models.collect::<Result<_, _>>()?,
                limits: RateLimits { requests: record.requests_per_minute, tokens: record.tokens_per_minute },
                priority: parse_priority(&record.priority).map_err(|_| wrong("priority"))?,
                expires_s: expires.map(UnixTime::seconds),
                key_id: record.id,
                name: record.name,
            }),
        })
    }
}

/// Reads the name of a tenant.
pub(crate) fn parse_tenant(text: &str) -> Result<Tenant, String> {
    word(text).map(|text| Tenant::new(&text))
}

/// Reads a word that names a key or a tenant: it stands in lists and logs.
pub(crate) fn word(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte);
    if text.is_empty() || text.len() > WORD_MAX || !text.bytes().all(is_plain) {
        return Err(format!("expected up to {WORD_MAX} letters, digits and `-_.@+`"));
    }
    Ok(text.to_owned())
}

/// Reads how urgent requests may be.
pub(crate) fn parse_priority(text: &str) -> Result<Priority, String> {
    match text {
        "interactive" => Ok(Priority::Interactive),
        "batch" => Ok(Priority::Batch),
        _ => Err("expected interactive or batch".to_owned()),
    }
}

/// Returns the name of a priority.
pub(crate) fn priority_name(priority: Priority) -> &'static str {
    match priority {
        Priority::Interactive => "interactive",
        Priority::Batch => "batch",
    }
}

const WORD_MAX: usize = 64;
