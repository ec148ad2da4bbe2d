//! `POST /api/embed` and the older `POST /api/embeddings`.

use serde_json::{Value, json};
use stack_chat::{EmbedInput, EmbedRequest, Embeddings, Failure};

use super::options::{WORDS, model};
use crate::fields::Fields;
use crate::keep_alive::keep_alive;
use crate::openai::inputs;
use crate::{Call, Delivery, Ignored};

/// Parses the body of `POST /api/embed`.
///
/// # Errors
///
/// Of kind `InvalidRequest`, and naming the field at fault unless the body as a whole is wrong.
pub fn parse_embed(body: &[u8]) -> Result<Call<EmbedRequest>, Failure> {
    let mut fields = Fields::parse(body)?;
    let request = EmbedRequest {
        inputs: inputs(&mut fields, "input", INPUTS_MAX)?,
        dimensions: fields.integer("dimensions", 1..=DIMENSIONS_MAX)?,
    };
    finish(fields, request)
}

/// Parses the body of `POST /api/embeddings`, which embeds one prompt.
///
/// # Errors
///
/// As [`parse_embed`].
pub fn parse_embedding(body: &[u8]) -> Result<Call<EmbedRequest>, Failure> {
    let mut fields = Fields::parse(body)?;
    let inputs = vec![EmbedInput::Text(fields.require_text("prompt", usize::MAX)?)];
    finish(fields, EmbedRequest { inputs, dimensions: None })
}

fn finish(mut fields: Fields, request: EmbedRequest) -> Result<Call<EmbedRequest>, Failure> {
    let mut ignored = Ignored::in_words(WORDS);
    // Nothing is cut to fit, so that asking for it changes nothing.
    if fields.flag("truncate")? == Some(true) {
        ignored.note("truncate");
    }
    let model = model(&mut fields)?;
    let keep_alive = keep_alive(&mut fields)?;
    fields.ignore_rest("", &mut ignored);
    Ok(Call { model, request, delivery: Delivery::Whole, ignored, keep_alive })
}

/// Renders the answer of `POST /api/embed`. The vectors are written into the text one by one: as a tree of JSON values
/// they would take many times their size.
pub fn embed_object(model: &str, embeddings: &Embeddings) -> String {
    let vectors = embeddings.vectors.iter().map(|vector| numbers(vector)).collect::<Vec<_>>().join(",");
    let (model, tokens) = (Value::from(model), embeddings.tokens);
    format!(
        r#"{{"model":{model},"embeddings":[{vectors}],"total_duration":0,"load_duration":0,"prompt_eval_count":{tokens}}}"#
    )
}

/// Renders the answer of `POST /api/embeddings`.
pub fn embedding_object(embeddings: &Embeddings) -> String {
    match embeddings.vectors.first() {
        Some(vector) => format!(r#"{{"embedding":{}}}"#, numbers(vector)),
        None => json!({"embedding": []}).to_string(),
    }
}

fn numbers(vector: &[f32]) -> String {
    serde_json::to_string(vector).expect("a list of floats is always JSON")
}

const INPUTS_MAX: usize = 2048;
const DIMENSIONS_MAX: u32 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_routes_are_parsed() {
        let text = |text: &str| EmbedInput::Text(text.into());
        let call =
            parse_embed(br#"{"model": "m", "input": ["a", "b"], "truncate": true, "options": {}}"#).unwrap();
        assert_eq!(call.request.inputs, [text("a"), text("b")]);
        assert_eq!(call.ignored.header_value().as_deref(), Some("options, truncate"));
        assert_eq!(parse_embedding(br#"{"prompt": "a"}"#).unwrap().request.inputs, [text("a")]);
        for (failure, field) in [
            (parse_embed(b"{}").unwrap_err(), "input"),
            (parse_embed(br#"{"input": 1}"#).unwrap_err(), "input"),
            (parse_embed(br#"{"input": "a", "truncate": 1}"#).unwrap_err(), "truncate"),
            (parse_embedding(b"{}").unwrap_err(), "prompt"),
            (parse_embedding(br#"{"prompt": []}"#).unwrap_err(), "prompt"),
        ] {
            assert_eq!(failure.field.as_deref(), Some(field));
        }
    }

    #[test]
    fn both_answers_are_rendered() {
        let embeddings = Embeddings { vectors: vec![vec![0.5, -1.0], vec![0.0]], tokens: 4 };
        let got: Value = serde_json::from_str(&embed_object("m\"", &embeddings)).unwrap();
        assert_eq!((&got["model"], &got["embeddings"]), (&json!("m\""), &json!([[0.5, -1.0], [0.0]])));
        assert_eq!(got["prompt_eval_count"], 4);
        assert_eq!(embedding_object(&embeddings), r#"{"embedding":[0.5,-1.0]}"#);
    }
}
