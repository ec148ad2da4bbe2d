//! `POST /models/load` and `POST /models/unload`.

use serde_json::json;
use stack_chat::Failure;

use crate::KeepAlive;
use crate::fields::Fields;
use crate::keep_alive::keep_alive;

/// A model that is to be loaded or unloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedModel {
    /// Its name.
    pub model: String,
    /// How long it stays.
    pub keep_alive: Option<KeepAlive>,
}

/// Parses the body of either.
///
/// # Errors
///
/// Of kind `InvalidRequest`, and naming the field at fault unless the body as a whole is wrong.
pub fn parse_model(body: &[u8]) -> Result<NamedModel, Failure> {
    let mut fields = Fields::parse(body)?;
    let model = fields.require_text("model", 512)?;
    Ok(NamedModel { model, keep_alive: keep_alive(&mut fields)? })
}

/// Says that it was done.
pub fn success_object() -> String {
    json!({"success": true}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named() {
        let named = parse_model(br#"{"model": "m", "keep_alive": -1}"#).unwrap();
        assert_eq!(named, NamedModel { model: "m".to_owned(), keep_alive: Some(KeepAlive::Forever) });
        for body in [&b"{}"[..], br#"{"model": 7}"#] {
            assert_eq!(parse_model(body).unwrap_err().field.as_deref(), Some("model"));
        }
    }
}
