//! Bounds that hold before a body is parsed.
//!
//! A JSON value takes some seventy bytes in memory and only two in the body (`1,`), so the number of values is bounded
//! beside the number of bytes, which is the transport's business.

use stack_chat::{Failure, FailureKind};

/// How deeply arrays and objects may nest.
const DEPTH_MAX: u32 = 64;

/// How many values a body may hold: enough for a prompt of half a million token ids.
const VALUES_MAX: u32 = 1 << 19;

/// Checks the nesting and the number of values of a JSON text, valid or not, in one pass over its bytes.
///
/// # Errors
///
/// Names the limit that is exceeded.
pub(crate) fn check(body: &[u8]) -> Result<(), Failure> {
    let (mut depth, mut values, mut in_string, mut escaped) = (0_u32, 0_u32, false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                values += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' | b':' => values += 1,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(exceeded(format!("the body nests deeper than {DEPTH_MAX} levels")));
        }
        if values > VALUES_MAX {
            return Err(exceeded(format!("the body holds more than {VALUES_MAX} values")));
        }
    }
    Ok(())
}

fn exceeded(message: String) -> Failure {
    Failure::new(FailureKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_nesting_is_refused() {
        let deep = |depth| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert!(check(&deep(64)).is_ok());
        assert!(check(&deep(65)).is_err());
        assert!(check(&vec![b'{'; 1 << 20]).is_err());
    }

    #[test]
    fn too_many_values_are_refused() {
        assert!(check(&b"1,".repeat(1 << 18)).is_ok());
        assert!(check(&b"1,".repeat((1 << 19) + 1)).is_err());
    }

    #[test]
    fn text_is_not_structure() {
        let body = format!(r#"{{"content": "{}\"{}"}}"#, "[".repeat(1000), "{,:".repeat(1 << 20));
        assert!(check(body.as_bytes()).is_ok());
    }
}
