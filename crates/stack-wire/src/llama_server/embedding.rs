//! `/embedding`: request and answer.

use stack_chat::{EmbedRequest, Embeddings, Failure};

use super::completion::inputs;
use crate::fields::Fields;
use crate::openai::{self, EMBEDDING};
use crate::{Call, Delivery, Ignored};

/// Parses the body of a request for embeddings, whose inputs stand in `content` or in `input`.
///
/// # Errors
///
/// Names the field at fault.
pub fn parse_embedding(body: &[u8]) -> Result<Call<EmbedRequest>, Failure> {
    let mut fields = Fields::parse(body)?;
    let mut ignored = Ignored::default();
    openai::refuse(&mut fields, EMBEDDING)?;
    let name = if fields.rest().contains_key("input") { "input" } else { "content" };
    let request = EmbedRequest { inputs: inputs(&mut fields, name, INPUTS_MAX)?, dimensions: None };
    let model = openai::model(&mut fields)?;
    fields.ignore_rest("", &mut ignored);
    Ok(Call { model, request, delivery: Delivery::Whole, ignored, keep_alive: None })
}

/// Renders the vectors. Each is a list in a list, as llama-server may return one for each token.
pub fn embedding_list(embeddings: &Embeddings) -> String {
    let entry = |(index, vector): (usize, &Vec<f32>)| {
        format!(r#"{{"index":{index},"embedding":[{}]}}"#, openai::numbers(vector))
    };
    format!("[{}]", embeddings.vectors.iter().enumerate().map(entry).collect::<Vec<_>>().join(","))
}

const INPUTS_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use stack_chat::EmbedInput;

    use super::*;

    #[test]
    fn inputs_have_two_names() {
        for body in [r#"{"content": ["a", "b"]}"#, r#"{"input": ["a", "b"]}"#] {
            let call = parse_embedding(body.as_bytes()).unwrap();
            assert_eq!(call.request.inputs, ["a", "b"].map(|text| EmbedInput::Text(text.into())));
        }
        assert_eq!(parse_embedding(b"{}").unwrap_err().field.as_deref(), Some("content"));
    }

    #[test]
    fn a_vector_is_a_list_in_a_list() {
        let embeddings = Embeddings { vectors: vec![vec![0.5, -1.0]], tokens: 2 };
        assert_eq!(embedding_list(&embeddings), r#"[{"index":0,"embedding":[[0.5,-1.0]]}]"#);
    }
}
