//! `/infill`: the request.

use stack_chat::{Failure, Infill, Prompt};

use super::completion::{Completion, options};
use crate::Call;
use crate::fields::Fields;

/// Parses the body of a request for what stands between two texts.
///
/// # Errors
///
/// Names the field at fault.
pub fn parse_infill(body: &[u8]) -> Result<Call<Completion>, Failure> {
    let mut fields = Fields::parse(body)?;
    let prefix = fields.require_text("input_prefix", usize::MAX)?;
    let suffix = fields.require_text("input_suffix", usize::MAX)?;
    let beginning = fields.text("prompt", usize::MAX)?.unwrap_or_default();
    let mut context = Vec::new();
    for (index, file) in fields.list("input_extra", FILES_MAX)?.unwrap_or_default().into_iter().enumerate() {
        let mut file = Fields::open(format!("input_extra[{index}]"), file)?;
        let name = file.text("filename", NAME_BYTES_MAX)?.unwrap_or_else(|| "tmp".to_owned());
        context.push((name, file.require_text("text", usize::MAX)?));
    }
    options(fields, vec![Prompt::Infill(Infill { prefix, suffix, beginning, context })])
}

const FILES_MAX: usize = 1024;
const NAME_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_has_two_sides_and_may_have_other_files() {
        let body = r#"{"input_prefix": "a", "input_suffix": "b", "prompt": "c", "n_predict": 3,
            "input_extra": [{"filename": "x.rs", "text": "X"}, {"text": "Y"}]}"#;
        let call = parse_infill(body.as_bytes()).unwrap();
        let gap = Infill {
            prefix: "a".into(),
            suffix: "b".into(),
            beginning: "c".into(),
            context: vec![("x.rs".into(), "X".into()), ("tmp".into(), "Y".into())],
        };
        assert_eq!(call.request.requests[0].prompt, Prompt::Infill(gap));
        assert_eq!(call.request.requests[0].max_tokens, Some(3));
    }

    #[test]
    fn the_field_at_fault_is_named() {
        for (body, field) in [
            (r#"{"input_suffix": "b"}"#, "input_prefix"),
            (r#"{"input_prefix": "a"}"#, "input_suffix"),
            (
                r#"{"input_prefix": "a", "input_suffix": "b", "input_extra": [{"filename": "x"}]}"#,
                "input_extra[0].text",
            ),
            (r#"{"input_prefix": "a", "input_suffix": "b", "input_extra": [1]}"#, "input_extra[0]"),
            (r#"{"input_prefix": "a", "input_suffix": "b", "prompt": [1]}"#, "prompt"),
        ] {
            assert_eq!(parse_infill(body.as_bytes()).unwrap_err().field.as_deref(), Some(field), "{body}");
        }
    }
}
