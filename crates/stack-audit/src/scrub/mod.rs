//! Secrets are replaced before anything is hashed, so that a log never has to be destroyed because of one.
//!
//! Three nets, in this order: the values that this program holds itself; fields of JSON whose names say what they hold;
//! shapes and contexts of credentials as their providers publish them. What is replaced leaves a tag,
//! `[secret:<rule>:<6 hex>]`, whose digits are keyed: equal secrets have equal tags in one process, and nobody can
//! test a guess.

mod contexts;
mod entropy;
mod loaded;
mod rule;
mod shapes;

use std::fmt;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
pub use loaded::BadSecret;
use serde_json::Value;
use stack_seal::hex;

use crate::hash::sha256;
use crate::payload::Payload;
use loaded::Loaded;
use rule::Rule;

/// Replaces secrets in what is about to be written down.
///
/// ```
/// use stack_audit::Scrubber;
///
/// let scrubber = Scrubber::new([7; 32]).with_secrets(&[("db".to_owned(), "correct horse".to_owned())])?;
/// let (text, count) = scrubber.text("psql: correct horse, ok");
/// assert!(text.starts_with("psql: [secret:db:") && text.ends_with("], ok"));
/// assert_eq!(count, 1);
/// # Ok::<(), stack_audit::BadSecret>(())
/// ```
pub struct Scrubber {
    tag_key: [u8; 32],
    loaded: Option<Loaded>,
    rules: Vec<Rule>,
    /// Finds the keywords of all rules in one pass; pattern `n` is that of rule `n`.
    keywords: AhoCorasick,
}

impl Scrubber {
    /// Makes a scrubber of all rules. The key, random bytes, makes the digits of tags.
    ///
    /// # Panics
    ///
    /// Never: the keywords of the rules are few and short.
    pub fn new(tag_key: [u8; 32]) -> Self {
        let rules = Rule::all();
        // A whole table of states takes half a megabyte, and reads a byte in one step.
        let keywords = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .ascii_case_insensitive(true)
            .build(rules.iter().map(|rule| rule.keyword));
        Self { tag_key, loaded: None, rules, keywords: keywords.expect("the keywords are few and short") }
    }

    /// Also replaces these values, each given with its name.
    ///
    /// # Errors
    ///
    /// When one is so short that it would be found everywhere.
    pub fn with_secrets(self, secrets: &[(String, String)]) -> Result<Self, BadSecret> {
        let loaded = if secrets.is_empty() { None } else { Some(Loaded::new(secrets)?) };
        Ok(Self { loaded, ..self })
    }

    /// Replaces secrets in a payload, and returns how many.
    pub fn payload(&self, payload: Payload) -> (Payload, u32) {
        match payload {
            Payload::None => (Payload::None, 0),
            Payload::Text(text) => {
                let (text, count) = self.text(&text);
                (Payload::Text(text), count)
            }
            Payload::Bytes(bytes) => match self.bytes(&bytes) {
                Some((scrubbed, count)) => (Payload::Bytes(scrubbed), count),
                None => (Payload::Bytes(bytes), 0),
            },
            Payload::Json(mut value) => {
                let count = self.json(&mut value, false);
                (Payload::Json(value), count)
            }
        }
    }

    /// Replaces secrets in a text, and returns how many.
    pub fn text(&self, text: &str) -> (String, u32) {
        match self.bytes(text.as_bytes()) {
            // Secrets are whole characters; that nothing else is cut, no rule has to be trusted with.
            Some((scrubbed, count)) => (String::from_utf8_lossy(&scrubbed).into_owned(), count),
            None => (text.to_owned(), 0),
        }
    }

    /// Replaces secrets in all texts of a value; in a field whose name says so, every text and number is one.
    fn json(&self, value: &mut Value, is_secret: bool) -> u32 {
        match value {
            Value::Number(number) if is_secret => {
                *value = Value::String(self.tag("field", number.to_string().as_bytes()));
                1
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) if is_secret && !text.is_empty() && !is_tag(text.as_bytes()) => {
                *text = self.tag("field", text.as_bytes());
                1
            }
            Value::String(text) => {
                let Some((scrubbed, count)) = self.bytes(text.as_bytes()) else { return 0 };
                *text = String::from_utf8_lossy(&scrubbed).into_owned();
                count
            }
            Value::Array(items) => items.iter_mut().map(|item| self.json(item, is_secret)).sum(),
            Value::Object(fields) => {
                let mut count = 0;
                for (name, mut inner) in std::mem::take(fields) {
                    count += self.json(&mut inner, is_secret || is_sensitive(&name));
                    let (name, in_name) = self.text(&name);
                    count += in_name;
                    fields.insert(name, inner);
                }
                count
            }
        }
    }

    /// Replaces secrets in bytes; `None` where there are none.
    fn bytes(&self, bytes: &[u8]) -> Option<(Vec<u8>, u32)> {
        let mut found: Vec<(Range<usize>, &str)> = Vec::new();
        if let Some(loaded) = &self.loaded {
            found.extend(loaded.find(bytes));
        }
        for hit in self.keywords.find_overlapping_iter(bytes) {
            let rule = &self.rules[hit.pattern().as_usize()];
            found.extend(find(rule, bytes, hit.range()).map(|range| (range, rule.name)));
        }
        if found.is_empty() {
            return None;
        }
        // Of secrets that overlap, the one that begins first, and of those the longest, covers the others' beginnings;
        // ends that stick out are covered, too.
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut scrubbed = Vec::with_capacity(bytes.len());
        let (mut done, mut count) = (0, 0);
        for (range, name) in found {
            if range.start >= done {
                scrubbed.extend(&bytes[done..range.start]);
                scrubbed.extend(self.tag(name, &bytes[range.clone()]).into_bytes());
                count += 1;
            }
            done = done.max(range.end);
        }
        scrubbed.extend(&bytes[done..]);
        Some((scrubbed, count))
    }

    fn tag(&self, name: &str, secret: &[u8]) -> String {
        let keyed = sha256(&[&self.tag_key, secret]);
        format!("[secret:{name}:{}]", hex::encode(&keyed[..3]))
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubber").field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}

/// Tries a rule where its keyword stands.
fn find(rule: &Rule, bytes: &[u8], hit: Range<usize>) -> Option<Range<usize>> {
    // Keywords are found in any case of letters, and in the middle of words; most hits end here.
    if rule.is_shape()
        && (bytes[hit.clone()] != *rule.keyword.as_bytes() || !rule.may_begin_at(bytes, hit.start))
    {
        return None;
    }
    let (before, behind) = rule.reach;
    let (start, end) = (hit.start.saturating_sub(before), bytes.len().min(hit.start + behind));
    let captures = rule.expression().captures(&bytes[start..end])?;
    let (whole, secret) = (captures.get(0)?, captures.get(1)?);
    if start + whole.start() > hit.start || start + secret.end() < hit.start {
        return None;
    }
    let range = start + secret.start()..start + secret.end();
    let secret_bytes = secret.as_bytes();
    let is_random = if rule.is_shape() {
        ends_alone(bytes, range.end)
            && begins_alone(bytes, range.start)
            && entropy::is_random(secret_bytes, rule.keyword.len())
    } else if rule.name == contexts::ASSIGNMENT {
        // A word behind `token:` is most often a type or a description. Where the text already has a tag, it is one.
        secret_bytes.iter().any(u8::is_ascii_digit)
            && entropy::bits(secret_bytes) >= 3.0
            && !is_within_tag(bytes, &range)
    } else {
        !is_within_tag(bytes, &range)
    };
    is_random.then_some(range)
}

/// Returns whether a word begins here, not in the middle of a longer one. Before it may stand an escape, such as the `\n`
/// of JSON or the `%3D` of an address, whose letters are none of the word's.
fn begins_alone(bytes: &[u8], start: usize) -> bool {
    match &bytes[..start] {
        [] | [.., b'\\', _] => true,
        [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
        [.., last] => !last.is_ascii_alphanumeric(),
    }
}

/// Returns whether a word ends here.
fn ends_alone(bytes: &[u8], end: usize) -> bool {
    bytes.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

/// Returns whether a text is a tag as a whole.
fn is_tag(text: &[u8]) -> bool {
    let inner = text.strip_prefix(b"[secret:").and_then(|rest| rest.strip_suffix(b"]"));
    inner.is_some_and(|inner| inner.len() <= 71 && !inner.contains(&b'['))
}

/// Returns whether a range begins in a tag.
fn is_within_tag(bytes: &[u8], range: &Range<usize>) -> bool {
    let from = range.start.saturating_sub(80);
    let Some(start) = bytes[from..range.end].windows(8).rposition(|window| window == b"[secret:") else {
        return false;
    };
    let start = from + start;
    let Some(length) = bytes[start..].iter().take(80).position(|&byte| byte == b']') else { return false };
    is_tag(&bytes[start..=start + length]) && range.start <= start + length
}

/// Returns whether the name of a field says that it holds a secret.
fn is_sensitive(name: &str) -> bool {
    let letters: String = name
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | ' ' | '.'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    SENSITIVE.contains(&letters.as_str())
}

/// Names of fields, without what joins their words.
const SENSITIVE: &[&str] = &[
    "accesstoken",
    "apikey",
    "apisecret",
    "apitoken",
    "authorization",
    "authtoken",
    "bearertoken",
    "clientsecret",
    "cookie",
    "idtoken",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "proxyauthorization",
    "pwd",
    "refreshtoken",
    "secret",
    "secretaccesskey",
    "secretkey",
    "sessiontoken",
    "setcookie",
    "signingkey",
    "token",
    "xapikey",
    "xgoogapikey",
];

#[cfg(test)]
mod tests;
