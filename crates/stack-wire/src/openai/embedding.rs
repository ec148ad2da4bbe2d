//! `POST /v1/embeddings`: request and answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stack_chat::{EmbedRequest, Embeddings, Failure};

use super::input::inputs;
use super::options;
use super::unsupported::{self, EMBEDDING};
use crate::Ignored;
use crate::fields::{Fields, mismatch};

/// A request for embeddings as it was parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingCall {
    /// The model asked for, if the request names one.
    pub model: Option<String>,
    /// What is embedded.
    pub request: EmbedRequest,
    /// How the vectors are written.
    pub encoding: Encoding,
    /// What the request said without effect.
    pub ignored: Ignored,
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As lists of numbers.
    Float,
    /// As Base64 of little-endian 32-bit floats.
    Base64,
}

/// Parses the body of a request for embeddings.
///
/// # Errors
///
/// Of kind `Invalid`, and naming the field at fault unless the body as a whole is wrong.
pub fn parse_embedding(body: &[u8]) -> Result<EmbeddingCall, Failure> {
    let mut fields = Fields::parse(body)?;
    let mut ignored = Ignored::default();
    unsupported::refuse(&mut fields, EMBEDDING)?;
    let request = EmbedRequest {
        inputs: inputs(&mut fields, "input", INPUTS_MAX)?,
        dimensions: fields.integer("dimensions", 1..=DIMENSIONS_MAX)?,
    };
    let encoding = match fields.take("encoding_format") {
        None => Encoding::Float,
        Some(Value::String(name)) if name == "float" => Encoding::Float,
        Some(Value::String(name)) if name == "base64" => Encoding::Base64,
        Some(other) => return Err(mismatch("encoding_format".into(), "\"float\" or \"base64\"", &other)),
    };
    let model = options::model(&mut fields)?;
    fields.ignore_rest("", &mut ignored);
    Ok(EmbeddingCall { model, request, encoding, ignored })
}

/// Renders the answer. The vectors are written into the text one by one: as a tree of JSON values they would take
/// many times their size.
pub fn embedding_list(model: &str, embeddings: &Embeddings, encoding: Encoding) -> String {
    let entry = |(index, vector): (usize, &Vec<f32>)| {
        let vector = match encoding {
            Encoding::Float => numbers(vector),
            Encoding::Base64 => base64(vector),
        };
        format!(r#"{{"object":"embedding","index":{index},"embedding":{vector}}}"#)
    };
    let data = embeddings.vectors.iter().enumerate().map(entry).collect::<Vec<_>>().join(",");
    let usage = json!({"prompt_tokens": embeddings.tokens, "total_tokens": embeddings.tokens});
    format!(r#"{{"object":"list","data":[{data}],"model":{},"usage":{usage}}}"#, Value::from(model))
}

/// Renders a vector.
pub(crate) fn numbers(vector: &[f32]) -> String {
    serde_json::to_string(vector).expect("a list of floats is always JSON")
}

fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
    format!("\"{}\"", STANDARD.encode(bytes))
}

const INPUTS_MAX: usize = 2048;
const DIMENSIONS_MAX: u32 = 1 << 20;

#[cfg(test)]
mod tests {
    use stack_chat::EmbedInput;

    use super::*;

    #[test]
    fn a_request_is_parsed() {
        let call =
            parse_embedding(br#"{"input": "a", "encoding_format": "base64", "dimensions": 8, "user": "x"}"#);
        let call = call.unwrap();
        assert_eq!(call.request.inputs, [EmbedInput::Text("a".into())]);
        assert_eq!((call.request.dimensions, call.encoding), (Some(8), Encoding::Base64));
        assert_eq!(call.ignored.header_value().as_deref(), Some("user"));
    }

    #[test]
    fn an_input_is_never_cut_silently() {
        for (json, field) in [
            (r#"{"input": "a", "truncate": true}"#, "truncate"),
            (r#"{"input": "a", "truncate_prompt_tokens": 5}"#, "truncate_prompt_tokens"),
            (r#"{"input": "a", "normalize": false}"#, "normalize"),
            (r#"{"input": "a", "embd_normalize": -1}"#, "embd_normalize"),
        ] {
            assert_eq!(parse_embedding(json.as_bytes()).unwrap_err().field.as_deref(), Some(field), "{json}");
        }
        let call = parse_embedding(br#"{"input": "a", "truncate": false, "normalize": true}"#).unwrap();
        assert_eq!(call.ignored, Ignored::default());
    }

    #[test]
    fn the_field_at_fault_is_named() {
        for (json, field) in [
            (r"{}", "input"),
            (r#"{"input": "a", "encoding_format": "hex"}"#, "encoding_format"),
            (r#"{"input": "a", "encoding_format": 1}"#, "encoding_format"),
            (r#"{"input": "a", "dimensions": 0}"#, "dimensions"),
            (r#"{"input": "a", "dimensions": -1}"#, "dimensions"),
            (r#"{"input": "a", "model": 1}"#, "model"),
        ] {
            assert_eq!(parse_embedding(json.as_bytes()).unwrap_err().field.as_deref(), Some(field), "{json}");
        }
    }

    #[test]
    fn both_encodings_say_the_same() {
        let embeddings = Embeddings { vectors: vec![vec![0.1, -1.0], vec![0.0, 3.5]], tokens: 4 };
        let float: Value =
            serde_json::from_str(&embedding_list("m\"", &embeddings, Encoding::Float)).unwrap();
        assert_eq!(
            float,
            json!({
                "object": "list",
                "data": [
                    {"object": "embedding", "index": 0, "embedding": [0.1, -1.0]},
                    {"object": "embedding", "index": 1, "embedding": [0.0, 3.5]},
                ],
                "model": "m\"",
                "usage": {"prompt_tokens": 4, "total_tokens": 4},
            })
        );
        let base64: Value =
            serde_json::from_str(&embedding_list("m", &embeddings, Encoding::Base64)).unwrap();
        assert_eq!(base64["data"][1]["embedding"], "AAAAAAAAYEA=");
    }
}
