//! What goes wrong with a call of a tool, as the model and the log are told.

use std::fmt;

use serde_json::{Value, json};

/// Why a call of a tool came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolFailure {
    /// What callers branch on.
    pub kind: ToolFailureKind,
    /// What was attempted, and what is wrong with it.
    pub message: String,
}

/// The kinds of [`ToolFailure`]: a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToolFailureKind {
    /// There is no such tool, or the mode does not offer it.
    UnknownTool,
    /// The arguments do not have the shape that the tool demands.
    InputInvalid,
    /// The reply itself cannot be honoured.
    ReplyInvalid,
    /// The same call has had the same result before.
    Repeated,
    /// A rule or the mode forbids it.
    PolicyDenied,
    /// A person said no.
    ApprovalDenied,
    /// The path leads out of the workspace.
    PathEscape,
    /// Nobody writes there.
    ProtectedPath,
    /// The text holds a tag in place of a secret.
    SecretTag,
    /// The tool tried and failed.
    Failed,
    /// Nobody knows whether it happened, and a person said that it did not.
    NotDone,
}

impl ToolFailureKind {
    const ALL: [Self; 11] = [
        Self::UnknownTool,
        Self::InputInvalid,
        Self::ReplyInvalid,
        Self::Repeated,
        Self::PolicyDenied,
        Self::ApprovalDenied,
        Self::PathEscape,
        Self::ProtectedPath,
        Self::SecretTag,
        Self::Failed,
        Self::NotDone,
    ];

    /// Returns its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownTool => "unknown_tool",
            Self::InputInvalid => "input_invalid",
            Self::ReplyInvalid => "reply_invalid",
            Self::Repeated => "repeated",
            Self::PolicyDenied => "policy_denied",
            Self::ApprovalDenied => "approval_denied",
            Self::PathEscape => "path_escape",
            Self::ProtectedPath => "protected_path",
            Self::SecretTag => "secret_tag",
            Self::Failed => "failed",
            Self::NotDone => "not_done",
        }
    }

    /// Returns whether it counts among the calls that were denied, and not among those that failed.
    pub fn is_denial(self) -> bool {
        matches!(
            self,
            Self::PolicyDenied
                | Self::ApprovalDenied
                | Self::PathEscape
                | Self::ProtectedPath
                | Self::SecretTag
        )
    }
}

impl ToolFailure {
    /// Makes a failure from a sentence.
    pub fn new(kind: ToolFailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"kind": self.kind.name(), "message": self.message})
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let name = value.get("kind")?.as_str()?;
        let kind = ToolFailureKind::ALL.into_iter().find(|kind| kind.name() == name)?;
        Some(Self::new(kind, value.get("message")?.as_str()?))
    }
}

impl fmt::Display for ToolFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_was_written() {
        for kind in ToolFailureKind::ALL {
            let failure = ToolFailure::new(kind, "why");
            assert_eq!(ToolFailure::from_json(&failure.to_json()), Some(failure));
        }
        assert_eq!(ToolFailure::from_json(&json!({"kind": "other", "message": "why"})), None);
    }
}
