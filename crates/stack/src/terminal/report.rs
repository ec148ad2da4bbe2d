//! Errors and warnings, on stderr.

use stack_trust::private_file::Exposure;
use stack_trust::signatures::SignatureError;

use super::output::{sanitize, stderr, stderr_exactly};
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

/// Says what others on this machine may do about a file that matters.
pub(crate) fn warn_exposed(exposure: &Exposure) {
    let line = match exposure {
        Exposure::Readable(path) => {
            let path = path.display();
            format!("warning: {path} can be read by others on this machine; `chmod 0600 {path}` ends that")
        }
        Exposure::Writable(path) => {
            let path = path.display();
            format!("warning: others on this machine may write into {path}; `chmod 0600 {path}` ends that")
        }
        Exposure::Replaceable(folder) => {
            let folder = folder.display();
            format!(
                "warning: others on this machine may write into {folder}; `chmod 0700 {folder}` ends that"
            )
        }
    };
    stderr(sanitize(&line));
}
