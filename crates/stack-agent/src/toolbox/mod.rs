//! The tools that models may call: a table, each with its rank and the shape of its arguments.

mod table;

use std::fmt;

use serde_json::Value;
use stack_chat::{Json, Tool};

use crate::policy::Mode;
use crate::schema::{BadArguments, Field, Shape};
pub use table::TOOLS;

/// How much a tool may do, and with that what happens without a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// Reads below the workspace: runs.
    Restricted,
    /// Writes what can be undone: asks once a session.
    Standard,
    /// Removes: asks each time.
    Elevated,
}

impl Rank {
    /// Returns its name in the log and in rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restricted => "restricted",
            Self::Standard => "standard",
            Self::Elevated => "elevated",
        }
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which code a tool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the tools")]
pub enum Builtin {
    ReadFile,
    ListFiles,
    FindFiles,
    SearchCode,
    StatFile,
    WriteFile,
    EditFile,
    MoveFile,
    DeleteFile,
}

/// A tool of the program.
#[derive(Clone, Copy, Debug)]
pub struct ToolSpec {
    /// The name by which models call it.
    pub name: &'static str,
    /// What it does, for the model.
    pub description: &'static str,
    /// How much it may do.
    pub rank: Rank,
    /// The fields of its arguments.
    pub arguments: &'static [Field],
    /// Which code it is.
    pub builtin: Builtin,
}

impl ToolSpec {
    /// Checks arguments.
    ///
    /// # Errors
    ///
    /// Names the first place that is wrong.
    pub fn check(&self, arguments: &Value) -> Result<(), BadArguments> {
        Shape::Object(self.arguments).check(arguments)
    }

    /// Returns the JSON Schema of its arguments.
    pub fn schema(&self) -> Value {
        Shape::Object(self.arguments).to_json()
    }

    /// Returns the tool as models are shown it. Where a grammar can hold the model to the schema, it does.
    pub fn shown(&self) -> Tool {
        Tool {
            name: self.name.to_owned(),
            description: Some(self.description.to_owned()),
            parameters: Some(Json(self.schema().to_string())),
            strict: true,
        }
    }

    /// Returns the paths among some arguments, and whether each is written.
    pub(crate) fn paths<'a>(&self, arguments: &'a Value) -> Vec<&'a str> {
        let paths = self.arguments.iter().filter(|field| matches!(field.shape, Shape::Path));
        paths.filter_map(|field| arguments.get(field.name)?.as_str()).collect()
    }

    /// Returns whether a mode offers the tool. Modes only narrow.
    pub fn is_offered(&self, mode: Mode) -> bool {
        match mode {
            Mode::Agent => true,
            Mode::Plan => self.rank == Rank::Restricted || self.builtin == Builtin::WriteFile,
            Mode::Ask => self.rank == Rank::Restricted,
        }
    }
}

/// Finds the tool of this name.
pub fn find(name: &str) -> Option<&'static ToolSpec> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// Names that no rule can allow and no tool can have.
pub fn is_of_system(name: &str) -> bool {
    SYSTEM.contains(&name)
}

/// What models never do, whatever rules say.
const SYSTEM: [&str; 9] = [
    "audit_erase",
    "change_policy",
    "delete_all",
    "format_disk",
    "install_tool",
    "read_key",
    "rm_rf",
    "shutdown_system",
    "write_configuration",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_named_and_described_as_manifests_must_be() {
        for (at, tool) in TOOLS.iter().enumerate() {
            let mut letters = tool.name.chars();
            assert!(letters.next().is_some_and(|first| first.is_ascii_lowercase()), "{}", tool.name);
            assert!(
                letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
                "{}",
                tool.name
            );
            assert!((10..=4096).contains(&tool.description.len()), "{}", tool.name);
            assert!(!is_of_system(tool.name), "{}", tool.name);
            assert!(TOOLS[..at].iter().all(|other| other.name != tool.name), "{} is there twice", tool.name);
        }
    }

    #[test]
    fn modes_only_narrow() {
        let names = |mode| {
            let offered = TOOLS.iter().filter(|tool| tool.is_offered(mode));
            offered.map(|tool| tool.name).collect::<Vec<_>>()
        };
        assert_eq!(names(Mode::Agent).len(), TOOLS.len());
        assert_eq!(names(Mode::Ask), ["read_file", "list_files", "find_files", "search_code", "stat_file"]);
        let plan = names(Mode::Plan);
        assert!(
            plan.contains(&"write_file") && !plan.contains(&"edit_file") && !plan.contains(&"delete_file")
        );
    }
}
