//! What a spec cannot say: who is asked, with which credentials, what was said, and where a path leads.

use super::fault::Rule;
use super::pointer::{Pointer, Token};
use crate::provider::gemini;

/// Checks that an operation may change what a request has at an address.
pub(super) fn check_request_pointer(pointer: &Pointer) -> Result<(), Rule> {
    if let Some(Token::Key { name, .. }) = pointer.tokens().first()
        && READ_ONLY.contains(&name.as_str())
    {
        return Err(Rule::ReadOnly);
    }
    let covers = |leaf: &str| {
        let leaf: Vec<&str> = leaf.split('/').skip(1).collect();
        pointer.tokens().len() <= leaf.len()
            && pointer.tokens().iter().zip(&leaf).all(|(token, step)| is_step(token, step))
    };
    if TEXTS.iter().any(|leaf| covers(leaf)) { Err(Rule::ReadOnlyText) } else { Ok(()) }
}

/// Checks that an operation may change what a reply has at an address. Whether a server on this machine had the answer from
/// elsewhere decides whether it may be read at all.
pub(super) fn check_reply_pointer(pointer: &Pointer) -> Result<(), Rule> {
    match pointer.tokens().first() {
        Some(Token::Key { name, .. }) if FORWARDED.contains(&name.as_str()) => Err(Rule::ReadOnly),
        _ => Ok(()),
    }
}

fn is_step(token: &Token, step: &str) -> bool {
    match token {
        Token::Every => step == "*",
        Token::Key { name, index } => name == step || (step == "*" && index.is_some()),
    }
}

/// Checks that a header is one that a spec may set.
pub(super) fn check_header(name: &str, value: &str) -> Result<(), Rule> {
    let is_letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > HEADER_NAME_BYTES_MAX || !name.bytes().all(is_letter) {
        return Err(Rule::BadHeader);
    }
    if DENIED.contains(&name) || DENIED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(Rule::DeniedHeader(name.to_owned()));
    }
    let is_printable = value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && value.trim() == value;
    if !is_printable || value.len() > HEADER_VALUE_BYTES_MAX { Err(Rule::BadHeader) } else { Ok(()) }
}

/// A path to which the model's name may be added, as one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathTemplate(String);

impl PathTemplate {
    pub(super) fn parse(text: &str) -> Result<Self, Rule> {
        if !text.starts_with('/') || text.len() > PATH_BYTES_MAX {
            return Err(Rule::BadPath("it begins with `/` and has at most 256 bytes"));
        }
        let plain = text.replace(MODEL, "m");
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~:".contains(&byte);
        if !plain.bytes().all(is_plain) {
            return Err(Rule::BadPath(
                "it has letters, digits, `-`, `.`, `_`, `~`, `:` and {model}, and nothing else",
            ));
        }
        if plain[1..].split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(Rule::BadPath("no segment is empty, `.` or `..`"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the path for a model.
    pub(super) fn render(&self, model: &str) -> String {
        let segment = gemini::segment(model);
        // A segment of dots would lead upwards, however it is written; no model is called so.
        let is_dots = !segment.is_empty() && segment.bytes().all(|byte| byte == b'.');
        self.0.replace(MODEL, if is_dots { "_" } else { &segment })
    }
}

const MODEL: &str = "{model}";
const PATH_BYTES_MAX: usize = 256;
const HEADER_NAME_BYTES_MAX: usize = 64;
const HEADER_VALUE_BYTES_MAX: usize = 256;

/// What the route decides and no spec.
const READ_ONLY: [&str; 2] = ["model", "stream"];

/// Where a reply says who answered in place of the one that was asked.
const FORWARDED: [&str; 2] = ["remote_host", "remote_model"];

/// Where requests of any family have what was said. What holds one of them is as read-only as itself.
const TEXTS: &[&str] = &[
    "/messages/*/content",
    "/messages/*/content/*/text",
    "/messages/*/content/*/thinking",
    "/messages/*/content/*/content",
    "/messages/*/content/*/content/*/text",
    "/messages/*/reasoning_content",
    "/messages/*/refusal",
    "/messages/*/thinking",
    "/system",
    "/system/*/text",
    "/instructions",
    "/input",
    "/input/*/content",
    "/input/*/content/*/text",
    "/input/*/output",
    "/contents/*/parts/*/text",
    "/systemInstruction/parts/*/text",
];

/// Headers that carry credentials, name hosts, or say how the message is framed and what may come back.
const DENIED: &[&str] = &[
    "accept",
    "accept-encoding",
    "api-key",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-api-key",
    "x-auth-token",
    "x-goog-api-key",
    "x-real-ip",
];

const DENIED_PREFIXES: [&str; 4] = ["proxy-", "sec-", "x-forwarded-", "x-amz-security-"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_and_who_is_asked_stays() {
        let check = |text: &str| check_request_pointer(&Pointer::parse(text).unwrap());
        for text in ["/model", "/stream", "/model/x", "/stream/0"] {
            assert_eq!(check(text), Err(Rule::ReadOnly), "{text}");
        }
        for text in [
            "/messages",
            "/messages/*",
            "/messages/0",
            "/messages/*/content",
            "/messages/3/content/*/text",
            "/messages/*/content/0",
            "/system",
            "/system/0/text",
            "/instructions",
            "/input",
            "/contents/*/parts",
            "/systemInstruction",
        ] {
            assert_eq!(check(text), Err(Rule::ReadOnlyText), "{text}");
        }
        for text in [
            "/temperature",
            "/messages/*/role",
            "/messages/*/content/*/citations",
            "/messages/*/tool_calls",
            "/tools/*/function/strict",
            "/stream_options",
            "/generationConfig/topK",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn headers_with_credentials_hosts_or_framing_are_denied() {
        for name in DENIED.iter().copied().chain(["proxy-authorization", "x-forwarded-for", "sec-fetch-site"])
        {
            assert_eq!(check_header(name, "x"), Err(Rule::DeniedHeader(name.to_owned())));
        }
        for (name, value) in
            [("X-A", "x"), ("", "x"), ("a b", "x"), ("x-a", "a\r\nb: c"), ("x-a", " x"), ("x-a", "é")]
        {
            assert_eq!(check_header(name, value), Err(Rule::BadHeader), "{name:?} {value:?}");
        }
        assert_eq!(check_header("anthropic-version", "2026-10-21"), Ok(()));
    }

    #[test]
    fn paths_lead_nowhere_else() {
        for wrong in [
            "v1/x",
            "//evil.test/x",
            "/a/../b",
            "/a/./b",
            "/a//b",
            "/a/",
            "/a?b",
            "/a#b",
            "/a\\b",
            "/a@b",
            "/a%2fb",
            "/{host}",
            "/a b",
            "/",
        ] {
            assert!(matches!(PathTemplate::parse(wrong), Err(Rule::BadPath(_))), "{wrong}");
        }
        let path = PathTemplate::parse("/v1beta/models/{model}:generateContent").unwrap();
        assert_eq!(path.render("m-1"), "/v1beta/models/m-1:generateContent");
        assert_eq!(path.render("../a?b"), "/v1beta/models/..%2Fa%3Fb:generateContent");
        assert_eq!(PathTemplate::parse("/models/{model}").unwrap().render(".."), "/models/_");
    }
}
