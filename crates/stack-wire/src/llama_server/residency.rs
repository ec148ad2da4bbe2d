//! `POST /models/load` and `POST /models/unload`.

use serde_json::json;
use stack_chat::Failure;

use crate::fields::Fields;
use crate::keep_alive::keep_alive;
use crate::{Call, Delivery, Ignored};

/// Parses the body of either, which names a model.
///
/// # Errors
///
/// Of kind `InvalidRequest`, and naming the field at fault unless the body as a whole is wrong.
pub fn parse_model(body: &[u8]) -> Result<Call<String>, Failure> {
    let mut fields = Fields::parse(body)?;
    let request = fields.require_text("model", 512)?;
    let keep_alive = keep_alive(&mut fields)?;
    let mut ignored = Ignored::default();
    fields.ignore_rest("", &mut ignored);
    Ok(Call { model: None, request, delivery: Delivery::Whole, ignored, keep_alive })
}

/// Says that it was done.
pub fn success_object() -> String {
    json!({"success": true}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeepAlive;

    #[test]
    fn a_model_is_named() {
        let named = parse_model(br#"{"model": "m", "keep_alive": -1, "extra_args": []}"#).unwrap();
        assert_eq!((named.request.as_str(), named.keep_alive), ("m", Some(KeepAlive::Forever)));
        assert_eq!(named.ignored.header_value().as_deref(), Some("extra_args"));
        for body in [&b"{}"[..], br#"{"model": 7}"#] {
            assert_eq!(parse_model(body).unwrap_err().field.as_deref(), Some("model"));
        }
    }
}
