//! `/tokenize`, `/detokenize` and `/apply-template`.

use serde_json::{Value, json};
use stack_chat::{Failure, TokenizeOptions};

use crate::fields::{Fields, bounded, mismatch};
use crate::openai;
use crate::{Call, Delivery, Ignored};

/// What is to become tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokenize {
    /// Texts and tokens, in order; texts in the middle get no tokens around them.
    pub content: Vec<Content>,
    /// How the texts are read.
    pub options: TokenizeOptions,
    /// Whether the answer also says what the tokens stand for.
    pub with_pieces: bool,
}

/// A piece of what becomes tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A text.
    Text(String),
    /// A token as it is.
    Token(u32),
}

/// Tokens with the bytes that each stands for.
pub type Pieces<'a> = [(u32, &'a [u8])];

/// Parses the body of `/tokenize`.
///
/// # Errors
///
/// Names the field at fault.
pub fn parse_tokenize(body: &[u8]) -> Result<Call<Tokenize>, Failure> {
    let mut fields = Fields::parse(body)?;
    let content = match fields.require("content")? {
        Value::Array(items) => {
            bounded("content", items.len(), TOKENS_MAX)?;
            items.into_iter().map(content).collect::<Result<_, _>>()?
        }
        one => vec![content(one)?],
    };
    let options = TokenizeOptions {
        add_special: fields.flag("add_special")?.unwrap_or(false),
        parse_special: fields.flag("parse_special")?.unwrap_or(true),
    };
    let with_pieces = fields.flag("with_pieces")?.unwrap_or(false);
    call(fields, Tokenize { content, options, with_pieces })
}

/// Parses the body of `/detokenize`.
///
/// # Errors
///
/// Names the field at fault.
pub fn parse_detokenize(body: &[u8]) -> Result<Call<Vec<u32>>, Failure> {
    let mut fields = Fields::parse(body)?;
    let Some(items) = fields.list("tokens", TOKENS_MAX)? else { return Err(fields.missing("tokens")) };
    let token =
        |item: Value| token(&item).ok_or_else(|| mismatch("tokens".into(), "an array of token ids", &item));
    let tokens = items.into_iter().map(token).collect::<Result<_, _>>()?;
    call(fields, tokens)
}

/// Renders tokens alone.
pub fn tokens_object(tokens: &[u32]) -> String {
    json!({"tokens": tokens}).to_string()
}

/// Renders tokens with what they stand for: a text, or where that is no whole one, its bytes.
pub fn pieces_object(pieces: &Pieces<'_>) -> String {
    let piece = |(id, bytes): &(u32, &[u8])| match std::str::from_utf8(bytes) {
        Ok(text) => json!({"id": id, "piece": text}),
        Err(_) => json!({"id": id, "piece": bytes}),
    };
    json!({"tokens": pieces.iter().map(piece).collect::<Vec<_>>()}).to_string()
}

/// Renders the text of tokens; bytes that are no text become U+FFFD.
pub fn content_object(bytes: &[u8]) -> String {
    json!({"content": String::from_utf8_lossy(bytes)}).to_string()
}

/// Renders the text that a conversation becomes.
pub fn prompt_object(text: &str) -> String {
    json!({"prompt": text}).to_string()
}

fn call<T>(mut fields: Fields, request: T) -> Result<Call<T>, Failure> {
    let mut ignored = Ignored::default();
    let model = openai::model(&mut fields)?;
    fields.ignore_rest("", &mut ignored);
    Ok(Call { model, request, delivery: Delivery::Whole, ignored, keep_alive: None })
}

fn content(value: Value) -> Result<Content, Failure> {
    match (token(&value), value) {
        (Some(token), _) => Ok(Content::Token(token)),
        (None, Value::String(text)) => Ok(Content::Text(text)),
        (None, other) => {
            Err(mismatch("content".into(), "a string or an array of strings and token ids", &other))
        }
    }
}

fn token(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok())
}

/// The most tokens that a request may list; the number of values in a body is bounded, too.
const TOKENS_MAX: usize = 1 << 19;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_tokens_may_be_mixed() {
        let call =
            parse_tokenize(br#"{"content": ["a", 7], "add_special": true, "with_pieces": true}"#).unwrap();
        assert_eq!(call.request.content, [Content::Text("a".into()), Content::Token(7)]);
        assert_eq!(call.request.options, TokenizeOptions { add_special: true, parse_special: true });
        assert!(call.request.with_pieces);
        let plain = parse_tokenize(br#"{"content": "a", "parse_special": false, "model": "m"}"#).unwrap();
        assert_eq!(plain.request.options, TokenizeOptions::default());
        assert_eq!((plain.model.as_deref(), plain.request.with_pieces), (Some("m"), false));
    }

    #[test]
    fn what_is_neither_text_nor_token_is_named() {
        for body in [r#"{"content": {}}"#, r#"{"content": [-1]}"#, r#"{"content": [[1]]}"#, "{}"] {
            assert_eq!(
                parse_tokenize(body.as_bytes()).unwrap_err().field.as_deref(),
                Some("content"),
                "{body}"
            );
        }
        for body in [r#"{"tokens": "a"}"#, r#"{"tokens": [1.5]}"#, r#"{"tokens": [4294967296]}"#, "{}"] {
            assert_eq!(
                parse_detokenize(body.as_bytes()).unwrap_err().field.as_deref(),
                Some("tokens"),
                "{body}"
            );
        }
    }

    #[test]
    fn a_piece_that_is_no_text_is_its_bytes() {
        let want = r#"{"tokens":[{"id":1,"piece":"a"},{"id":2,"piece":[195]}]}"#;
        assert_eq!(pieces_object(&[(1, b"a"), (2, b"\xc3")]), want);
        assert_eq!(content_object(b"a\xc3"), "{\"content\":\"a\u{fffd}\"}");
    }
}
