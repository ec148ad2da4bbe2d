//! Errors and warnings, on stderr.

use stack_trust::signatures::SignatureError;

use super::output::{stderr, stderr_exactly};
use crate::error::CommandError;

/// Prints an error, its causes and the hint.
pub(crate) fn report(error: &CommandError) {
    if !error.is_silent() {
        stderr(error.to_string());
    }
}

/// Prints an error as one JSON object.
pub(crate) fn report_json(error: &CommandError) {
    if !error.is_silent() {
        stderr_exactly(error.to_json().to_string());
    }
}

/// Says that a signature is passed over, because another one can be used.
pub(crate) fn warn_passed_over(error: SignatureError) {
    stderr(format!("warning: {}; it is passed over", CommandError::from(error)));
}
