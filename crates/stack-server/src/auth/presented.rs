//! The key that a request brings: in `Authorization`, as clients of OpenAI send it, in `x-api-key`, as those of Anthropic do,
//! or in both.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Finds the keys, each once. Several headers may repeat one.
///
/// # Errors
///
/// Says what is wrong where a header holds no key.
pub(super) fn presented(headers: &HeaderMap) -> Result<Vec<&str>, &'static str> {
    let bearers = headers.get_all(header::AUTHORIZATION).iter().map(bearer);
    let plain = headers.get_all(API_KEY).iter().map(|value| text(value));
    let mut found = Vec::new();
    for key in bearers.chain(plain) {
        // What is sent without a value was left empty in the settings of a client.
        let key = key.ok_or(MALFORMED)?;
        if !key.is_empty() && !found.contains(&key) {
            found.push(key);
        }
    }
    Ok(found)
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let text = text(value)?;
    let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(str::trim)
}

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const MALFORMED: &str =
    "the API key cannot be read: send it as `Authorization: Bearer KEY` or as `x-api-key: KEY`";

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(&'static str, &str)]) -> Result<Vec<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        presented(&headers).map(|keys| keys.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn a_key_comes_in_either_header_or_in_both() {
        let key = Ok(vec!["k".to_owned()]);
        assert_eq!(found(&[]), Ok(Vec::new()));
        assert_eq!(found(&[("authorization", "Bearer k")]), key);
        assert_eq!(found(&[("authorization", "bearer  k ")]), key);
        assert_eq!(found(&[("x-api-key", "k")]), key);
        assert_eq!(found(&[("x-api-key", "k"), ("authorization", "Bearer k")]), key);
        assert_eq!(found(&[("x-api-key", ""), ("authorization", "Bearer k")]), key);
        assert_eq!(found(&[("authorization", "Bearer ")]), Ok(Vec::new()));
    }

    #[test]
    fn different_keys_are_told_apart() {
        for pairs in [
            [("x-api-key", "k"), ("authorization", "Bearer K")],
            [("x-api-key", "k"), ("x-api-key", "l")],
            [("authorization", "Bearer k"), ("authorization", "Bearer l")],
        ] {
            assert_eq!(found(&pairs).map(|keys| keys.len()), Ok(2), "{pairs:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_told() {
        for value in ["Basic dXNlcjpwYXNz", "k", "Bearerk", "Bearer ä"] {
            assert_eq!(found(&[("authorization", value)]), Err(MALFORMED), "{value}");
        }
    }
}
