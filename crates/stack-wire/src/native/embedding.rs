//! `POST /api/v1/embed`: request and answer.

use serde_json::{Value, json};
use stack_chat::{EmbedRequest, Embeddings, Failure, ModelCard};

use super::PROVIDER;
use super::lineage::embedding_value;
use super::request::LOCAL;
use crate::fields::Fields;
use crate::openai;
use crate::{Call, Delivery, Ignored};

/// Parses the body of a request for embeddings.
///
/// # Errors
///
/// Names the field at fault.
pub fn parse_embed(body: &[u8]) -> Result<Call<EmbedRequest>, Failure> {
    let mut fields = Fields::parse(body)?;
    let mut ignored = Ignored::default();
    let request = EmbedRequest {
        inputs: openai::inputs(&mut fields, "input", INPUTS_MAX)?,
        dimensions: fields.integer("dimensions", 1..=DIMENSIONS_MAX)?,
    };
    let model = openai::model(&mut fields)?.filter(|model| ![LOCAL, "embed"].contains(&model.as_str()));
    fields.ignore_rest("", &mut ignored);
    Ok(Call { model, request, delivery: Delivery::Whole, ignored, keep_alive: None })
}

/// Renders the vectors, one by one: as a tree of JSON values they would take many times their size.
pub fn embedding_object(
    model: &str,
    card: &ModelCard,
    embeddings: &Embeddings,
    created_s: u64,
    request_id: &str,
) -> String {
    let vectors: Vec<_> = embeddings.vectors.iter().map(|vector| openai::numbers(vector)).collect();
    let vectors = vectors.join(",");
    let usage = json!({"input": embeddings.tokens, "total": embeddings.tokens});
    let lineage = embedding_value(card, model, created_s, request_id);
    format!(
        r#"{{"embeddings":[{vectors}],"model":{},"provider":"{PROVIDER}","usage":{usage},"lineage":{lineage}}}"#,
        Value::from(model)
    )
}

const INPUTS_MAX: usize = 2048;
const DIMENSIONS_MAX: u32 = 1 << 20;

#[cfg(test)]
mod tests {
    use stack_chat::EmbedInput;

    use super::*;

    #[test]
    fn any_embedder_is_meant_where_no_model_is_named() {
        for (model, want) in
            [(r#""embed""#, None), (r#""local""#, None), ("null", None), (r#""m""#, Some("m"))]
        {
            let call = parse_embed(format!(r#"{{"input": "a", "model": {model}}}"#).as_bytes()).unwrap();
            assert_eq!(
                (call.model.as_deref(), call.request.inputs),
                (want, vec![EmbedInput::Text("a".into())])
            );
        }
        assert_eq!(parse_embed(b"{}").unwrap_err().field.as_deref(), Some("input"));
    }

    #[test]
    fn vectors_come_with_their_record() {
        let embeddings = Embeddings { vectors: vec![vec![0.5]], tokens: 2 };
        let text = embedding_object("m", &ModelCard::default(), &embeddings, 0, "r");
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&object["embeddings"], &object["usage"]["input"]), (&json!([[0.5]]), &json!(2)));
        assert_eq!(object["lineage"]["request_id"], "r");
    }
}
