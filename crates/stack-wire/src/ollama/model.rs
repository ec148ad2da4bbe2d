//! Which models there are: tags, ps, show, version.

use serde_json::{Map, Value, json};
use stack_chat::{Ability, Failure, ModelCard};

use crate::fields::Fields;
use crate::timestamp::rfc3339;
use crate::{Availability, Call, Delivery, Ignored};

/// Parses the body of `POST /api/show`, which names a model, if it names any.
///
/// # Errors
///
/// Of kind `InvalidRequest`, and naming the field at fault unless the body as a whole is wrong.
pub fn parse_show(body: &[u8]) -> Result<Call<()>, Failure> {
    let mut fields = Fields::parse(body)?;
    let older = fields.text("name", 512)?;
    let model = fields.text("model", 512)?.or(older).filter(|name| !name.is_empty());
    let mut ignored = Ignored::default();
    fields.ignore_rest("", &mut ignored);
    Ok(Call { model, request: (), delivery: Delivery::Whole, ignored, keep_alive: None })
}

/// Renders the models that can be asked, now or when they are loaded.
pub fn model_list(models: &[(&str, Availability<'_>)]) -> String {
    let models: Vec<Value> = models
        .iter()
        .filter_map(|(id, availability)| match availability {
            Availability::Loading | Availability::Stored => Some(entry(id, &ModelCard::default())),
            Availability::Ready(card) => Some(entry(id, card)),
            Availability::Failed => None,
        })
        .collect();
    json!({"models": models}).to_string()
}

/// A model that is in memory.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// Its name.
    pub id: &'a str,
    /// What it is.
    pub card: &'a ModelCard,
    /// Bytes that it takes.
    pub bytes: u64,
    /// When it goes if nobody asks it, in seconds since 1970; `None` = never.
    pub expires_s: Option<u64>,
}

/// Renders the models that are in memory.
pub fn running_list(models: &[Running<'_>]) -> String {
    let models: Vec<Value> = models
        .iter()
        .map(|Running { id, card, bytes, expires_s }| {
            let mut model = entry(id, card);
            if let Some(fields) = model.as_object_mut() {
                fields.remove("modified_at");
            }
            model["size"] = (*bytes).into();
            model["expires_at"] = expires_s.map_or_else(|| NEVER.to_owned(), rfc3339).into();
            model["size_vram"] = 0.into();
            model["context_length"] = card.context.into();
            model
        })
        .collect();
    json!({"models": models}).to_string()
}

/// The last second that all clients can read.
const NEVER: &str = "9999-12-31T23:59:59Z";

/// Renders what is known of one model, whose chat template is `template`.
pub fn show_object(availability: Availability<'_>, template: Option<&str>) -> String {
    let unknown = ModelCard::default();
    let card = match availability {
        Availability::Ready(card) => card,
        Availability::Loading | Availability::Failed | Availability::Stored => &unknown,
    };
    let of = |name: &str| format!("{}.{name}", card.architecture);
    let info = Map::from_iter([
        ("general.architecture".to_owned(), card.architecture.as_str().into()),
        ("general.parameter_count".to_owned(), card.parameters.into()),
        (of("context_length"), card.context_trained.into()),
        (of("embedding_length"), card.embedding.into()),
    ]);
    let capabilities: Vec<&str> = card
        .abilities
        .iter()
        .map(|ability| match ability {
            Ability::Completes => "completion",
            Ability::Chats => "chat",
            Ability::Embeds => "embedding",
            Ability::Ranks => "rerank",
            Ability::Calls => "tools",
            Ability::Thinks => "thinking",
        })
        .collect();
    json!({
        "modelfile": "",
        "parameters": "",
        "template": template.unwrap_or_default(),
        "details": details(card),
        "model_info": info,
        "capabilities": capabilities,
        "modified_at": rfc3339(card.created_s),
    })
    .to_string()
}

/// Renders the version of this program.
pub fn version_object() -> String {
    json!({"version": env!("CARGO_PKG_VERSION")}).to_string()
}

fn entry(id: &str, card: &ModelCard) -> Value {
    json!({
        "name": id,
        "model": id,
        "modified_at": rfc3339(card.created_s),
        "size": card.size_bytes,
        "digest": digest(card),
        "details": details(card),
    })
}

/// Clients show the first digits of what they take for a SHA-256 digest, and some break where there are none.
fn digest(card: &ModelCard) -> String {
    let digits = card.digest.as_deref().and_then(|digest| Some(digest.split_once(':')?.1.to_owned()));
    digits.unwrap_or_else(|| "0".repeat(64))
}

fn details(card: &ModelCard) -> Value {
    json!({
        "parent_model": "",
        "format": "gguf",
        "family": card.architecture,
        "families": [card.architecture],
        "parameter_size": parameter_size(card.parameters),
        "quantization_level": card.quantization.as_deref().unwrap_or("unknown"),
    })
}

/// Counts weights as Ollama does: 134.5M, 8.0B.
fn parameter_size(parameters: u64) -> String {
    match parameters {
        1_000_000_000.. => format!("{:.1}B", parameters as f64 / 1e9),
        1_000_000.. => format!("{:.1}M", parameters as f64 / 1e6),
        1000.. => format!("{:.1}K", parameters as f64 / 1e3),
        _ => parameters.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> ModelCard {
        ModelCard {
            architecture: "llama".into(),
            parameters: 134_515_008,
            size_bytes: 9,
            context: 64,
            abilities: vec![Ability::Completes],
            digest: Some("blake3:ab12".into()),
            quantization: Some("Q4_1".into()),
            ..ModelCard::default()
        }
    }

    #[test]
    fn lists_hold_what_can_be_asked_and_what_is_in_memory() {
        let card = card();
        let models =
            || [("a", Availability::Ready(&card)), ("b", Availability::Loading), ("c", Availability::Failed)];
        let tags: Value = serde_json::from_str(&model_list(&models())).unwrap();
        let names: Vec<_> = tags["models"].as_array().unwrap().iter().map(|model| &model["name"]).collect();
        assert_eq!(names, ["a", "b"]);
        let first = &tags["models"][0];
        assert_eq!(
            (&first["details"]["parameter_size"], &first["digest"]),
            (&json!("134.5M"), &json!("ab12"))
        );
        assert_eq!(first["details"]["quantization_level"], "Q4_1");
        assert_eq!(
            tags["models"][1]["digest"].as_str().unwrap().len(),
            64,
            "clients cut it off at some digit"
        );
        let running = [Some(60), None].map(|expires_s| Running { id: "a", card: &card, bytes: 7, expires_s });
        let running: Value = serde_json::from_str(&running_list(&running)).unwrap();
        let [goes, stays] = [0, 1].map(|place| &running["models"][place]);
        assert_eq!((&goes["context_length"], &goes["size"]), (&json!(64), &json!(7)));
        assert_eq!(goes.get("modified_at"), None);
        assert_eq!(
            (&goes["expires_at"], &stays["expires_at"]),
            (&json!("1970-01-01T00:01:00Z"), &json!(NEVER))
        );
    }

    #[test]
    fn one_model_tells_what_it_can_do() {
        let card = card();
        let show: Value =
            serde_json::from_str(&show_object(Availability::Ready(&card), Some("{{ t }}"))).unwrap();
        assert_eq!(show["template"], "{{ t }}");
        assert_eq!(show["capabilities"], json!(["completion"]));
        assert_eq!(show["model_info"]["general.parameter_count"], 134_515_008);
        assert_eq!(parse_show(br#"{"name": "a"}"#).unwrap().model.as_deref(), Some("a"));
        assert_eq!(parse_show(br#"{"model": "b", "name": "a"}"#).unwrap().model.as_deref(), Some("b"));
        assert_eq!(parse_show(br#"{"model": 1}"#).unwrap_err().field.as_deref(), Some("model"));
    }

    #[test]
    fn sizes_are_short() {
        for (parameters, text) in [(7, "7"), (260_000, "260.0K"), (8_030_261_248, "8.0B")] {
            assert_eq!(parameter_size(parameters), text);
        }
    }
}
