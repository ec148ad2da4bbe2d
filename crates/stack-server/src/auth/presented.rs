//! The key that a request brings: in `Authorization`, as clients of OpenAI send it, in `x-api-key`, as those of Anthropic do,
//! or in both.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Finds the key. Several headers may repeat it.
///
/// # Errors
///
/// Says what is wrong where a header holds no key, or two hold different ones: which of them is meant is not for us to guess.
pub(super) fn presented(headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
    let bearers = headers.get_all(header::AUTHORIZATION).iter().map(bearer);
    let plain = headers.get_all(API_KEY).iter().map(|value| text(value));
    let mut found = None;
    for key in bearers.chain(plain) {
        // What is sent without a value was left empty in the settings of a client.
        let key = key.ok_or(MALFORMED)?;
        if key.is_empty() {
            continue;
        }
        if *found.get_or_insert(key) != key {
            return Err("the request has two different API keys");
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

    fn found(pairs: &[(&'static str, &str)]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        presented(&headers).map(|key| key.map(str::to_owned))
    }

    #[test]
    fn a_key_comes_in_either_header_or_in_both() {
        let key = Ok(Some("k".to_owned()));
        assert_eq!(found(&[]), Ok(None));
        assert_eq!(found(&[("authorization", "Bearer k")]), key);
        assert_eq!(found(&[("authorization", "bearer  k ")]), key);
        assert_eq!(found(&[("x-api-key", "k")]), key);
        assert_eq!(found(&[("x-api-key", "k"), ("authorization", "Bearer k")]), key);
        assert_eq!(found(&[("x-api-key", ""), ("authorization", "Bearer k")]), key);
        assert_eq!(found(&[("authorization", "Bearer ")]), Ok(None));
    }

    #[test]
    fn two_different_keys_are_none() {
        for pairs in [
            [("x-api-key", "k"), ("authorization", "Bearer K")],
            [("x-api-key", "k"), ("x-api-key", "l")],
            [("authorization", "Bearer k"), ("authorization", "Bearer l")],
        ] {
            assert!(found(&pairs).unwrap_err().contains("two different"), "{pairs:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_told() {
        for value in ["Basic dXNlcjpwYXNz", "k", "Bearerk", "Bearer ä"] {
            assert_eq!(found(&[("authorization", value)]), Err(MALFORMED), "{value}");
        }
    }
}
