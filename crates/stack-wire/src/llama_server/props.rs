//! `/props`: what llama-server says about itself.

use serde_json::{Value, json};
use stack_chat::{ModelCard, Sampling};

use crate::provider::decimal;

/// What is said about a model and the server that runs it.
#[derive(Clone, Copy, Debug)]
pub struct Properties<'a> {
    /// The name by which requests select the model.
    pub id: &'a str,
    /// The model.
    pub card: &'a ModelCard,
    /// The source of its chat template.
    pub template: Option<&'a str>,
    /// That of the template for conversations with tools, where it is another one.
    pub tool_template: Option<&'a str>,
    /// The texts of the tokens that begin and end a text.
    pub bounds: [&'a str; 2],
    /// How many requests may be waiting or running.
    pub slots: usize,
    /// What is used where a request leaves it open.
    pub sampling: &'a Sampling,
}

/// Renders the properties of a model.
pub fn properties_object(properties: &Properties<'_>) -> String {
    let Properties { id, card, template, tool_template, bounds: [bos, eos], slots, sampling } = properties;
    let mut object = json!({
        "default_generation_settings": {"n_ctx": card.context, "params": parameters(sampling)},
        "total_slots": slots,
        "model_alias": id,
        "model_path": id,
        "is_sleeping": false,
        "modalities": {"vision": false, "audio": false},
        "bos_token": bos,
        "eos_token": eos,
        "build_info": concat!("stack-", env!("CARGO_PKG_VERSION")),
    });
    if let Some(template) = template {
        object["chat_template"] = (*template).into();
    }
    if let Some(template) = tool_template {
        object["chat_template_tool_use"] = (*template).into();
    }
    object.to_string()
}

/// Writes down what is known of the parameters.
fn parameters(sampling: &Sampling) -> Value {
    let all = [
        ("temperature", sampling.temperature.map(decimal)),
        ("top_k", sampling.top_k.map(Value::from)),
        ("top_p", sampling.top_p.map(decimal)),
        ("min_p", sampling.min_p.map(decimal)),
        ("typical_p", sampling.typical_p.map(decimal)),
        ("repeat_penalty", sampling.repeat_penalty.map(decimal)),
        ("repeat_last_n", sampling.repeat_last_n.map(Value::from)),
        ("presence_penalty", sampling.presence_penalty.map(decimal)),
        ("frequency_penalty", sampling.frequency_penalty.map(decimal)),
    ];
    let known = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(known.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_find_context_template_and_tokens() {
        let card = ModelCard { context: 64, ..ModelCard::default() };
        let properties = Properties {
            id: "m",
            card: &card,
            template: Some("{{ messages }}"),
            tool_template: None,
            bounds: ["<s>", "</s>"],
            slots: 4,
            sampling: &Sampling { temperature: Some(0.8), top_k: Some(40), ..Sampling::default() },
        };
        let object: Value = serde_json::from_str(&properties_object(&properties)).unwrap();
        let settings = json!({"n_ctx": 64, "params": {"temperature": 0.8, "top_k": 40}});
        assert_eq!(object["default_generation_settings"], settings);
        assert_eq!((&object["total_slots"], &object["chat_template"]), (&json!(4), &json!("{{ messages }}")));
        assert_eq!((&object["bos_token"], object.get("chat_template_tool_use")), (&json!("<s>"), None));
    }
}
