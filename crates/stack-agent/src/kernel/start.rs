//! What a session is started with: all that a replay needs.

use serde_json::{Value, json};

use super::KernelError;
use crate::limits::Limits;
use crate::policy::Mode;

/// What a session is started with. The rules stand in it as a whole, so that a replay asks no file.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// What is to be done.
    pub task: String,
    /// The name of the model.
    pub model: String,
    /// The folder that tools work in, for people; nothing where it has none.
    pub workspace: String,
    /// What it may do at all.
    pub mode: Mode,
    /// What it may take.
    pub limits: Limits,
    /// The rules.
    pub policy: Value,
    /// The tools that the model is shown.
    pub tools: Vec<String>,
    /// Whether the first failure of a tool ends it.
    pub strict: bool,
    /// Whether what lies in the workspace was written by people who are trusted.
    pub trusts_workspace: bool,
}

impl Start {
    /// Returns what the first entry says.
    pub fn to_json(&self) -> Value {
        json!({
            "kernel": KERNEL_VERSION,
            "task": self.task,
            "model": self.model,
            "workspace": self.workspace,
            "mode": self.mode.name(),
            "limits": self.limits.to_json(),
            "policy": self.policy,
            "tools": self.tools,
            "strict": self.strict,
            "trusts_workspace": self.trusts_workspace,
        })
    }

    /// Reads what the first entry says.
    pub(super) fn from_json(seq: u64, value: &Value) -> Result<Self, KernelError> {
        let malformed = |field| KernelError::Malformed { seq, field };
        let version = value["kernel"].as_i64().ok_or(malformed("kernel"))?;
        if version != KERNEL_VERSION {
            return Err(KernelError::UnsupportedKernel { version });
        }
        let text = |field: &'static str| value[field].as_str().map(str::to_owned).ok_or(malformed(field));
        let flag = |field: &'static str| value[field].as_bool().ok_or(malformed(field));
        let tools = value["tools"].as_array().ok_or(malformed("tools"))?;
        let tools = tools.iter().map(|tool| tool.as_str().map(str::to_owned)).collect::<Option<_>>();
        Ok(Self {
            task: text("task")?,
            model: text("model")?,
            workspace: text("workspace")?,
            mode: Mode::from_name(&text("mode")?).ok_or(malformed("mode"))?,
            limits: Limits::from_json(&value["limits"]).ok_or(malformed("limits"))?,
            policy: value["policy"].clone(),
            tools: tools.ok_or(malformed("tools"))?,
            strict: flag("strict")?,
            trusts_workspace: flag("trusts_workspace")?,
        })
    }
}

/// The version of the machine's rules. Golden logs freeze them: another rule is another version.
pub const KERNEL_VERSION: i64 = 1;
