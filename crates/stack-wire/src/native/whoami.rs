//! What a server says of who asks.

use serde_json::json;

use crate::timestamp::rfc3339;

/// Who asks: what is known of the key of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whoami<'a> {
    /// The key's id; `None` where no key is needed.
    pub key_id: Option<&'a str>,
    /// What the key is called.
    pub name: &'a str,
    /// Whose requests these are.
    pub tenant: &'a str,
    /// What the key allows.
    pub scopes: Vec<&'static str>,
    /// The patterns of the models that it is for.
    pub models: Vec<&'a str>,
    /// Requests that it may make in a minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens that it may read and write in a minute.
    pub tokens_per_minute: Option<u32>,
    /// When it ends, in seconds since 1970.
    pub expires_s: Option<u64>,
}

/// Renders who asks.
pub fn whoami_object(whoami: &Whoami<'_>) -> String {
    json!({
        "key_id": whoami.key_id,
        "name": whoami.name,
        "tenant": whoami.tenant,
        "scopes": whoami.scopes,
        "models": whoami.models,
        "requests_per_minute": whoami.requests_per_minute,
        "tokens_per_minute": whoami.tokens_per_minute,
        "expires": whoami.expires_s.map(rfc3339),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_limited_is_null() {
        let whoami = Whoami { name: "ci", scopes: vec!["infer"], models: vec!["*"], ..Whoami::default() };
        let want = r#"{"key_id":null,"name":"ci","tenant":"","scopes":["infer"],"models":["*"],"requests_per_minute":null,"tokens_per_minute":null,"expires":null}"#;
        assert_eq!(whoami_object(&whoami), want);
    }
}
