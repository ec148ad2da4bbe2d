//! `GET /v1/models`: what can be asked.

use serde_json::{Value, json};
use stack_chat::Basis;

use crate::Availability;

/// Renders one model. `meta` and `status` go beyond OpenAI and are named as llama-server names them, except for
/// `basis`, which says why the weights are taken to be the right ones.
pub fn model_object(id: &str, availability: Availability<'_>) -> String {
    model_value(id, availability).to_string()
}

/// Renders the list of all models.
pub fn model_list(models: &[(&str, Availability<'_>)]) -> String {
    let data: Value = models.iter().map(|(id, availability)| model_value(id, *availability)).collect();
    json!({"object": "list", "data": data}).to_string()
}

fn model_value(id: &str, availability: Availability<'_>) -> Value {
    let (status, card) = match availability {
        Availability::Loading => ("loading", None),
        Availability::Ready(card) => ("loaded", Some(card)),
        Availability::Failed => ("failed", None),
        Availability::Stored => ("unloaded", None),
    };
    let meta = card.map(|card| {
        json!({
            "architecture": card.architecture,
            "n_vocab": card.vocabulary,
            "n_ctx": card.context,
            "n_ctx_train": card.context_trained,
            "n_embd": card.embedding,
            "n_params": card.parameters,
            "size": card.size_bytes,
            "digest": card.digest,
            "quantization": card.quantization,
            "basis": card.basis.map(Basis::name),
        })
    });
    json!({
        "id": id,
        "object": "model",
        "created": card.map_or(0, |card| card.created_s),
        "owned_by": "local",
        "status": {"value": status},
        "meta": meta,
    })
}

#[cfg(test)]
mod tests {
    use stack_chat::ModelCard;

    use super::*;

    #[test]
    fn a_ready_model_says_what_it_is() {
        let basis = Some(Basis::Pinned);
        let card = ModelCard { created_s: 5, context: 64, parameters: 9, basis, ..ModelCard::default() };
        let list: Value = serde_json::from_str(&model_list(&[("a/b", Availability::Ready(&card))])).unwrap();
        let model = &list["data"][0];
        assert_eq!(
            (&model["id"], &model["object"], &model["created"]),
            (&json!("a/b"), &json!("model"), &json!(5))
        );
        assert_eq!((&model["meta"]["n_ctx"], &model["meta"]["n_params"]), (&json!(64), &json!(9)));
        assert_eq!(model["meta"]["basis"], "pinned");
    }

    #[test]
    fn a_loading_model_says_so() {
        let model: Value = serde_json::from_str(&model_object("m", Availability::Loading)).unwrap();
        assert_eq!((&model["status"]["value"], &model["meta"]), (&json!("loading"), &Value::Null));
    }
}
