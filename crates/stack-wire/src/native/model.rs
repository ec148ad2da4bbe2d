//! `GET /api/v1/models`: what can be asked.

use serde_json::{Value, json};
use stack_chat::{Ability, Basis};

use super::PROVIDER;
use crate::Availability;

/// Renders the list of all models, and the names that stand for one of them.
pub fn model_list(models: &[(&str, Availability<'_>)]) -> String {
    let list: Vec<Value> = models.iter().map(|(id, availability)| model(id, *availability)).collect();
    let mut aliases = json!({});
    if let [(only, _)] = models {
        aliases["local"] = (*only).into();
    }
    json!({"models": list, "aliases": aliases}).to_string()
}

fn model(id: &str, availability: Availability<'_>) -> Value {
    let (status, card) = match availability {
        Availability::Loading => ("loading", None),
        Availability::Ready(card) => ("loaded", Some(card)),
        Availability::Failed => ("failed", None),
        Availability::Stored => ("unloaded", None),
    };
    let class = card.map(|card| card.class).unwrap_or_default();
    let can = |ability| card.map(|card| card.abilities.contains(&ability));
    json!({
        "id": id,
        "provider": card.and_then(|card| card.provider.as_deref()).unwrap_or(PROVIDER),
        "class": class.name(),
        "tier": class.tier().name(),
        "context_window": card.map(|card| card.context),
        "chat": can(Ability::Chats),
        "embed": can(Ability::Embeds),
        "tools": can(Ability::Calls),
        "thinking": can(Ability::Thinks),
        "vision": card.map(|_| false),
        "schema": can(Ability::Completes),
        "basis": card.and_then(|card| card.basis).map(Basis::name),
        "digest": card.and_then(|card| card.digest.as_deref()),
        "status": status,
        "loaded": card.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use stack_chat::ModelCard;

    use super::*;

    #[test]
    fn a_model_says_what_it_can_and_the_only_one_is_the_local_one() {
        let card = ModelCard { context: 8, abilities: vec![Ability::Completes], ..ModelCard::default() };
        let list: Value = serde_json::from_str(&model_list(&[("m", Availability::Ready(&card))])).unwrap();
        let model = &list["models"][0];
        assert_eq!((&model["context_window"], &model["schema"]), (&json!(8), &json!(true)));
        assert_eq!((&model["tools"], &list["aliases"]["local"]), (&json!(false), &json!("m")));
        let two = [("a", Availability::Loading), ("b", Availability::Failed)];
        let list: Value = serde_json::from_str(&model_list(&two)).unwrap();
        assert_eq!((&list["models"][0]["tools"], &list["aliases"]), (&Value::Null, &json!({})));
    }
}
