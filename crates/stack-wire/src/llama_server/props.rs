//! `/props`: what llama-server says about itself.

use serde_json::json;
use stack_chat::ModelCard;

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
}

/// Renders the properties of a model.
pub fn properties_object(properties: &Properties<'_>) -> String {
    let Properties { id, card, template, tool_template, bounds: [bos, eos], slots } = properties;
    let mut object = json!({
        "default_generation_settings": {"n_ctx": card.context},
        "total_slots": slots,
        "model_alias": id,
        "model_path": id,
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

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
        };
        let object: Value = serde_json::from_str(&properties_object(&properties)).unwrap();
        assert_eq!(object["default_generation_settings"]["n_ctx"], 64);
        assert_eq!((&object["total_slots"], &object["chat_template"]), (&json!(4), &json!("{{ messages }}")));
        assert_eq!((&object["bos_token"], object.get("chat_template_tool_use")), (&json!("<s>"), None));
    }
}
