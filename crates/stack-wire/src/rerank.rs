//! Ranking documents: the request and the answer of Jina, Cohere and llama-server, and those of text-embeddings-inference,
//! which llama-server tells by `texts`.
//!
//! Sources: the API references of Jina and Cohere, `tools/server/README.md` of ggml-org/llama.cpp.

use serde_json::{Value, json};
use stack_chat::{Failure, RankRequest, Ranking};

use crate::fields::{Fields, bounded, mismatch};
use crate::openai::{self, RERANK};
use crate::{Call, Delivery, Ignored};

/// How a ranking is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankingFormat {
    /// Results that are returned, the best ones.
    top: usize,
    style: Style,
    /// The documents, if they are repeated.
    documents: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// An object with `results`, each with a `relevance_score`.
    Jina,
    /// A list, each entry with a `score`.
    Tei,
}

/// Parses the body of a request to rank documents.
///
/// # Errors
///
/// Names the field at fault.
pub fn parse_rerank(body: &[u8]) -> Result<Call<(RankRequest, RankingFormat)>, Failure> {
    let mut fields = Fields::parse(body)?;
    let mut ignored = Ignored::default();
    openai::refuse(&mut fields, RERANK)?;
    let style = if fields.rest().contains_key("texts") { Style::Tei } else { Style::Jina };
    let (list, repeat) = match style {
        Style::Jina => ("documents", "return_documents"),
        Style::Tei => ("texts", "return_text"),
    };
    let query = match fields.require("query")? {
        Value::String(query) => query,
        other => return Err(mismatch("query".to_owned(), "a string", &other)),
    };
    let documents = documents(&mut fields, list)?;
    let top = fields.integer("top_n", 1..=u32::MAX)?.map_or(documents.len(), |top| top as usize);
    let repeats = fields.flag(repeat)?.unwrap_or(false);
    let model = openai::model(&mut fields)?;
    fields.ignore_rest("", &mut ignored);
    let format = RankingFormat { top, style, documents: repeats.then(|| documents.clone()) };
    let request = (RankRequest { query, documents }, format);
    Ok(Call { model, request, delivery: Delivery::Whole, ignored, keep_alive: None })
}

/// Takes texts, or objects with a `text`.
fn documents(fields: &mut Fields, name: &str) -> Result<Vec<String>, Failure> {
    let values = match fields.require(name)? {
        Value::Array(values) => values,
        other => return Err(mismatch(name.to_owned(), "an array of strings", &other)),
    };
    if values.is_empty() {
        return Err(Failure::invalid(name, format!("`{name}` must not be empty")));
    }
    bounded(name, values.len(), DOCUMENTS_MAX)?;
    let document = |(index, value)| match value {
        Value::String(text) => Ok(text),
        Value::Object(mut map) if map.len() == 1 && map.get("text").is_some_and(Value::is_string) => {
            Ok(map.remove("text").and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default())
        }
        other => Err(mismatch(format!("{name}[{index}]"), "a string, or an object with a `text`", &other)),
    };
    values.into_iter().enumerate().map(document).collect()
}

/// Renders the answer, the best document first. Among equal ones, the first goes first.
pub fn ranking_object(model: &str, ranking: &Ranking, format: &RankingFormat) -> String {
    let mut order: Vec<usize> = (0..ranking.scores.len()).collect();
    order.sort_by(|&a, &b| ranking.scores[b].total_cmp(&ranking.scores[a]));
    let results: Vec<Value> = order
        .into_iter()
        .take(format.top)
        .map(|index| {
            let score = ranking.scores[index];
            let text = format.documents.as_ref().map(|documents| documents[index].as_str());
            match (format.style, text) {
                (Style::Jina, None) => json!({"index": index, "relevance_score": score}),
                (Style::Jina, Some(text)) => {
                    json!({"index": index, "relevance_score": score, "document": {"text": text}})
                }
                (Style::Tei, None) => json!({"index": index, "score": score}),
                (Style::Tei, Some(text)) => json!({"index": index, "score": score, "text": text}),
            }
        })
        .collect();
    if format.style == Style::Tei {
        return Value::Array(results).to_string();
    }
    let usage = json!({"prompt_tokens": ranking.tokens, "total_tokens": ranking.tokens});
    json!({"model": model, "object": "list", "usage": usage, "results": results}).to_string()
}

const DOCUMENTS_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<(RankRequest, RankingFormat), Failure> {
        parse_rerank(body.as_bytes()).map(|call| call.request)
    }

    fn answer(body: &str, scores: &[f32]) -> Value {
        let (_, format) = parse(body).unwrap();
        let ranking = Ranking { scores: scores.to_vec(), tokens: 7 };
        serde_json::from_str(&ranking_object("m", &ranking, &format)).unwrap()
    }

    #[test]
    fn documents_are_texts_or_objects_with_one() {
        let (request, _) = parse(r#"{"query": "q", "documents": ["a", {"text": "b"}]}"#).unwrap();
        assert_eq!(request, RankRequest { query: "q".into(), documents: vec!["a".into(), "b".into()] });
        let call = parse_rerank(br#"{"model": "m", "query": "", "texts": [""], "user": "x"}"#).unwrap();
        assert_eq!(
            (call.model.as_deref(), call.ignored.header_value().as_deref()),
            (Some("m"), Some("user"))
        );
    }

    #[test]
    fn the_best_comes_first_and_of_equals_the_first() {
        let body = r#"{"query": "q", "documents": ["a", "b", "c"], "return_documents": true}"#;
        let found = answer(body, &[0.5, 2.0, 0.5]);
        assert_eq!(
            found,
            json!({
                "model": "m",
                "object": "list",
                "usage": {"prompt_tokens": 7, "total_tokens": 7},
                "results": [
                    {"index": 1, "relevance_score": 2.0, "document": {"text": "b"}},
                    {"index": 0, "relevance_score": 0.5, "document": {"text": "a"}},
                    {"index": 2, "relevance_score": 0.5, "document": {"text": "c"}},
                ],
            })
        );
    }

    #[test]
    fn only_the_top_is_returned_and_it_may_be_more_than_there_is() {
        let body = |top: &str| format!(r#"{{"query": "q", "documents": ["a", "b"], "top_n": {top}}}"#);
        let count = |top| answer(&body(top), &[-1.0, -0.5])["results"].as_array().unwrap().len();
        assert_eq!((count("1"), count("99"), count("null")), (1, 2, 2));
    }

    #[test]
    fn texts_are_answered_with_a_list() {
        let found = answer(r#"{"query": "q", "texts": ["a", "b"], "return_text": true}"#, &[0.25, 0.5]);
        let expected = [("b", 1, 0.5), ("a", 0, 0.25)]
            .map(|(text, index, score)| json!({"index": index, "score": score, "text": text}));
        assert_eq!(found, json!(expected));
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let many = format!(r#"{{"query": "q", "documents": [{}""]}}"#, r#""","#.repeat(DOCUMENTS_MAX));
        for (body, field) in [
            (r#"{"documents": ["a"]}"#, "query"),
            (r#"{"query": 1, "documents": ["a"]}"#, "query"),
            (r#"{"query": {"text": "q"}, "documents": ["a"]}"#, "query"),
            (r#"{"query": "q"}"#, "documents"),
            (r#"{"query": "q", "documents": null}"#, "documents"),
            (r#"{"query": "q", "documents": 123}"#, "documents"),
            (r#"{"query": "q", "documents": []}"#, "documents"),
            (r#"{"query": "q", "texts": []}"#, "texts"),
            (r#"{"query": "q", "documents": ["a", 1]}"#, "documents[1]"),
            (r#"{"query": "q", "documents": [{"title": "a"}]}"#, "documents[0]"),
            (r#"{"query": "q", "documents": [{"text": "a", "title": "b"}]}"#, "documents[0]"),
            (r#"{"query": "q", "documents": ["a"], "top_n": 0}"#, "top_n"),
            (r#"{"query": "q", "documents": ["a"], "top_n": 1.5}"#, "top_n"),
            (r#"{"query": "q", "documents": ["a"], "return_documents": 1}"#, "return_documents"),
            (r#"{"query": "q", "documents": ["a"], "max_tokens_per_doc": 5}"#, "max_tokens_per_doc"),
            (r#"{"query": "q", "texts": ["a"], "truncate": true}"#, "truncate"),
            (r#"{"query": "q", "texts": ["a"], "raw_scores": false}"#, "raw_scores"),
            (many.as_str(), "documents"),
        ] {
            assert_eq!(parse(body).unwrap_err().field.as_deref(), Some(field), "{body:.80}");
        }
    }
}
