//! `GET /v1/models` in Anthropic's shape.

use serde_json::{Value, json};

use crate::Availability;
use crate::timestamp::rfc3339;

/// Renders one model.
pub fn model_object(id: &str, availability: Availability<'_>) -> String {
    model_value(id, availability).to_string()
}

/// Renders the list of all models, which is never cut into pages.
pub fn model_list(models: &[(&str, Availability<'_>)]) -> String {
    let data: Vec<Value> = models.iter().map(|(id, availability)| model_value(id, *availability)).collect();
    let id_of = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
    let (first, last) = (id_of(data.first()), id_of(data.last()));
    json!({"data": data, "has_more": false, "first_id": first, "last_id": last}).to_string()
}

fn model_value(id: &str, availability: Availability<'_>) -> Value {
    let card = match availability {
        Availability::Ready(card) => Some(card),
        Availability::Loading | Availability::Failed | Availability::Stored => None,
    };
    json!({
        "type": "model",
        "id": id,
        "display_name": id,
        "created_at": rfc3339(card.map_or(0, |card| card.created_s)),
        "lifecycle": "active",
        // Prompt and answer share the context.
        "max_input_tokens": card.map(|card| card.context),
        "max_tokens": card.map(|card| card.context),
    })
}

#[cfg(test)]
mod tests {
    use stack_chat::ModelCard;

    use super::*;

    #[test]
    fn the_list_says_where_it_begins_and_ends() {
        let card = ModelCard { created_s: 951_782_399, context: 64, ..ModelCard::default() };
        let list = [("a", Availability::Ready(&card)), ("b", Availability::Loading)];
        let list: Value = serde_json::from_str(&model_list(&list)).unwrap();
        assert_eq!(
            (&list["first_id"], &list["last_id"], &list["has_more"]),
            (&json!("a"), &json!("b"), &json!(false))
        );
        assert_eq!(list["data"][0]["created_at"], "2000-02-28T23:59:59Z");
        let first = &list["data"][0];
        assert_eq!((&first["type"], &first["lifecycle"]), (&json!("model"), &json!("active")));
        assert_eq!((&first["max_input_tokens"], &list["data"][1]["max_tokens"]), (&json!(64), &Value::Null));
        let none: Value = serde_json::from_str(&model_list(&[])).unwrap();
        assert_eq!((&none["data"], &none["first_id"]), (&json!([]), &Value::Null));
    }
}
