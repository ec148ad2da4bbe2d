//! Log-probabilities in the shapes of the two routes.

use serde_json::{Map, Value, json};
use stack_chat::{Logprobs, TokenLogprob};

/// Renders one token of `choices[].logprobs.content`.
pub(super) fn chat_token(token: &TokenLogprob, wanted: Logprobs) -> Value {
    let mut object = token_value(token);
    object["top_logprobs"] = token.top.iter().take(wanted.top.into()).map(token_value).collect();
    object
}

/// Renders `choices[].logprobs` of a completion. `offset` is where the first token begins, in characters of the
/// choice's text, and is moved behind the last.
pub(super) fn completion(tokens: &[TokenLogprob], wanted: Logprobs, offset: &mut usize) -> Value {
    let offsets: Vec<usize> = tokens
        .iter()
        .map(|token| {
            let start = *offset;
            *offset += token.bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
            start
        })
        .collect();
    let top = |token: &TokenLogprob| -> Map<String, Value> {
        token
            .top
            .iter()
            .take(wanted.top.into())
            .map(|token| (printable(&token.bytes), finite(token)))
            .collect()
    };
    json!({
        "tokens": tokens.iter().map(|token| printable(&token.bytes)).collect::<Vec<_>>(),
        "token_logprobs": tokens.iter().map(finite).collect::<Vec<_>>(),
        "top_logprobs": (wanted.top > 0).then(|| tokens.iter().map(top).collect::<Vec<_>>()),
        "text_offset": offsets,
    })
}

/// Renders a token without its alternatives.
pub(crate) fn token_value(token: &TokenLogprob) -> Value {
    let text = String::from_utf8_lossy(&token.bytes);
    json!({"token": text, "logprob": finite(token), "bytes": token.bytes})
}

/// JSON has no infinity; OpenAI writes −9999 for a token that could not have been chosen.
fn finite(token: &TokenLogprob) -> Value {
    Value::from(f64::from(token.logprob).max(-9999.0))
}

/// Completions carry no bytes, so a token that is not UTF-8 is spelled out, as OpenAI does.
fn printable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().fold("bytes:".to_owned(), |out, byte| out + &format!("\\x{byte:02x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(bytes: &[u8], logprob: f32, top: Vec<TokenLogprob>) -> TokenLogprob {
        TokenLogprob { id: 0, bytes: bytes.to_vec(), logprob, top }
    }

    #[test]
    fn chat_tokens_carry_their_bytes_and_alternatives() {
        let top = vec![token(b"a", -0.5, vec![]), token(b"b", f32::NEG_INFINITY, vec![])];
        let want = json!({
            "token": "a", "logprob": -0.5, "bytes": [97],
            "top_logprobs": [{"token": "a", "logprob": -0.5, "bytes": [97]}],
        });
        assert_eq!(chat_token(&token(b"a", -0.5, top.clone()), Logprobs { top: 1 }), want);
        let two = chat_token(&token(b"a", -0.5, top), Logprobs { top: 2 });
        assert_eq!(two["top_logprobs"][1]["logprob"], json!(-9999.0));
    }

    #[test]
    fn completion_offsets_count_characters_across_split_ones() {
        let mut offset = 0;
        let tokens =
            ["é".as_bytes(), b"x", &[0xe2], &[0x82, 0xac], b"y"].map(|bytes| token(bytes, -1.0, vec![]));
        let got = completion(&tokens, Logprobs { top: 0 }, &mut offset);
        assert_eq!(got["text_offset"], json!([0, 1, 2, 3, 3]));
        assert_eq!(got["tokens"], json!(["é", "x", "bytes:\\xe2", "bytes:\\x82\\xac", "y"]));
        assert_eq!((&got["top_logprobs"], offset), (&Value::Null, 4));
    }

    #[test]
    fn completion_alternatives_are_a_map() {
        let tokens = [token(b"a", -0.5, vec![token(b"a", -0.5, vec![]), token(b"b", -1.5, vec![])])];
        let got = completion(&tokens, Logprobs { top: 2 }, &mut 0);
        assert_eq!(got["top_logprobs"], json!([{"a": -0.5, "b": -1.5}]));
    }
}
