//! A tool call that a model asks for.

use std::fmt;

use serde_json::{Value, json};
use stack_audit::StreamId;
use stack_audit::payload::canonical;

use crate::digest::{digest, digest_json, hex};
use crate::path::RelativePath;
use crate::policy::Mode;
use crate::tool_failure::{ToolFailure, ToolFailureKind};
use crate::toolbox::{self, Builtin, Rank, ToolSpec};

/// The name of a call: derived from its place in the log, so that a replay finds the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(String);

impl CallId {
    /// Derives the name from the stream, the seq of the reply, and the position in the reply.
    pub fn derive(stream: StreamId, reply: u64, position: u64) -> Self {
        let digest = digest("stack/call/v1", &[&stream.0, &reply.to_be_bytes(), &position.to_be_bytes()]);
        let mut name = "c_".to_owned();
        // 80 bits, five at a time.
        let bits = digest[..10].iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
        for at in (0..16).rev() {
            name.push(char::from(BASE32[(bits >> (at * 5) & 31) as usize]));
        }
        Self(name)
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A call whose tool is known and whose arguments have the right shape. Whether it may run is another question.
#[derive(Clone, Debug)]
pub struct Proposal {
    call: CallId,
    tool: &'static ToolSpec,
    arguments: Value,
    paths: Vec<RelativePath>,
}

impl PartialEq for Proposal {
    fn eq(&self, other: &Self) -> bool {
        (&self.call, self.tool.name, &self.arguments) == (&other.call, other.tool.name, &other.arguments)
    }
}

impl Proposal {
    /// Reads what a model asks for.
    ///
    /// # Errors
    ///
    /// When there is no such tool, the mode does not offer it, or the arguments are not what it takes.
    pub fn read(call: CallId, name: &str, arguments: &str, mode: Mode) -> Result<Self, ToolFailure> {
        let Some(tool) = toolbox::find(name).filter(|tool| tool.is_offered(mode)) else {
            let name: String = name.chars().take(64).collect();
            let message = format!("there is no tool {name:?}, or the mode {mode} does not offer it");
            return Err(ToolFailure::new(ToolFailureKind::UnknownTool, message));
        };
        let invalid = |message: String| ToolFailure::new(ToolFailureKind::InputInvalid, message);
        if arguments.len() > crate::limits::ARGUMENT_BYTES {
            return Err(invalid("the arguments have more than 1 MiB".to_owned()));
        }
        let arguments: Value =
            serde_json::from_str(if arguments.trim().is_empty() { "{}" } else { arguments })
                .map_err(|error| invalid(format!("the arguments are no JSON: {error}")))?;
        // What has no canonical form cannot be hashed, and nobody could have approved it.
        canonical(&arguments).map_err(|error| invalid(error.to_string()))?;
        tool.check(&arguments).map_err(|error| invalid(error.to_string()))?;
        let paths =
            tool.paths(&arguments).into_iter().map(RelativePath::parse).collect::<Result<Vec<_>, _>>();
        let paths =
            paths.map_err(|error| ToolFailure::new(ToolFailureKind::PathEscape, error.to_string()))?;
        let writes = tool.rank != Rank::Restricted;
        if let Some(path) = paths.iter().find(|path| writes && path.is_protected()) {
            let message = format!("{path} is protected: programs obey what they find there");
            return Err(ToolFailure::new(ToolFailureKind::ProtectedPath, message));
        }
        if writes && holds_secret_tag(&arguments) {
            let message = "the arguments hold a tag such as [secret:…], which stands in place of a secret; leave that part out";
            return Err(ToolFailure::new(ToolFailureKind::SecretTag, message));
        }
        if mode == Mode::Plan && tool.builtin == Builtin::WriteFile && !paths.iter().all(is_plan) {
            let message = "the mode plan writes only Markdown files below plans/";
            return Err(ToolFailure::new(ToolFailureKind::PolicyDenied, message));
        }
        Ok(Self { call, tool, arguments, paths })
    }

    /// Returns the name of the call.
    pub fn call(&self) -> &CallId {
        &self.call
    }

    /// Returns the tool.
    pub fn tool(&self) -> &'static ToolSpec {
        self.tool
    }

    /// Returns the arguments.
    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// Returns the paths among the arguments.
    pub fn paths(&self) -> &[RelativePath] {
        &self.paths
    }

    /// Returns the digest of what a person says yes or no to, in hexadecimal.
    pub fn hash(&self) -> String {
        let whole = json!({"call": self.call.as_str(), "tool": self.tool.name, "args": self.arguments});
        hex(&digest_json("stack/proposal/v1", &whole))
    }

    /// Returns the digest of tool and arguments, by which the same call is known again.
    pub(crate) fn likeness(&self) -> String {
        likeness(self.tool.name, &self.arguments)
    }
}

pub(crate) fn likeness(tool: &str, arguments: &Value) -> String {
    let whole = json!({"tool": tool, "args": arguments});
    canonical(&whole).map_or_else(|_| String::new(), |bytes| hex(&digest("stack/likeness/v1", &[&bytes])))
}

/// Whether a text anywhere in it holds what the log writes in place of secrets.
fn holds_secret_tag(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("[secret:"),
        Value::Array(items) => items.iter().any(holds_secret_tag),
        Value::Object(fields) => fields.values().any(holds_secret_tag),
        _ => false,
    }
}

fn is_plan(path: &RelativePath) -> bool {
    let is_markdown = path.parts().last().is_some_and(|name| {
        std::path::Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("md"))
    });
    is_markdown && path.parts().len() > 1 && path.parts()[0] == "plans"
}

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, arguments: &str, mode: Mode) -> Result<Proposal, ToolFailureKind> {
        let call = CallId::derive(StreamId([1; 16]), 4, 0);
        Proposal::read(call, name, arguments, mode).map_err(|failure| failure.kind)
    }

    #[test]
    fn names_of_calls_follow_from_their_places() {
        let stream = StreamId([1; 16]);
        let name = CallId::derive(stream, 4, 0);
        assert_eq!((name.as_str().len(), &name.as_str()[..2]), (18, "c_"));
        assert_eq!(name, CallId::derive(stream, 4, 0));
        for other in [(stream, 4, 1), (stream, 5, 0), (StreamId([2; 16]), 4, 0)] {
            assert_ne!(name, CallId::derive(other.0, other.1, other.2));
        }
    }

    #[test]
    fn what_no_tool_takes_is_refused_before_anybody_decides() {
        use ToolFailureKind::{
            InputInvalid, PathEscape, PolicyDenied, ProtectedPath, SecretTag, UnknownTool,
        };
        for (name, arguments, mode, kind) in [
            ("rm_rf", "{}", Mode::Agent, UnknownTool),
            ("write_file", r#"{"path":"a","content":"b"}"#, Mode::Ask, UnknownTool),
            ("read_file", "nonsense", Mode::Agent, InputInvalid),
            ("read_file", "{}", Mode::Agent, InputInvalid),
            ("read_file", r#"{"path":"a","path2":"b"}"#, Mode::Agent, InputInvalid),
            ("read_file", r#"{"path":"a","offset":1.5}"#, Mode::Agent, InputInvalid),
            ("read_file", r#"{"path":"../a"}"#, Mode::Agent, PathEscape),
            ("read_file", r#"{"path":"/etc/shadow"}"#, Mode::Agent, PathEscape),
            ("write_file", r#"{"path":".git/hooks/x","content":""}"#, Mode::Agent, ProtectedPath),
            ("move_file", r#"{"from":"a","to":".bashrc"}"#, Mode::Agent, ProtectedPath),
            ("write_file", r#"{"path":"a","content":"[secret:x:123456]"}"#, Mode::Agent, SecretTag),
            ("write_file", r#"{"path":"a.md","content":""}"#, Mode::Plan, PolicyDenied),
            ("write_file", r#"{"path":"plans/a.txt","content":""}"#, Mode::Plan, PolicyDenied),
        ] {
            assert_eq!(read(name, arguments, mode), Err(kind), "{name} {arguments}");
        }
        read("write_file", r#"{"path":"plans/a.md","content":"x"}"#, Mode::Plan).unwrap();
        read("read_file", r#"{"path":".git/config"}"#, Mode::Ask).unwrap();
    }

    #[test]
    fn the_hash_covers_call_tool_and_arguments() {
        let one = read("read_file", r#"{"path":"a"}"#, Mode::Agent).unwrap();
        let same = read("read_file", r#"{ "path" : "a" }"#, Mode::Agent).unwrap();
        assert_eq!(one.hash(), same.hash());
        let other = read("read_file", r#"{"path":"b"}"#, Mode::Agent).unwrap();
        assert_ne!(one.hash(), other.hash());
        let stat = read("stat_file", r#"{"path":"a"}"#, Mode::Agent).unwrap();
        assert_ne!((one.hash(), one.likeness()), (stat.hash(), stat.likeness()));
    }
}
