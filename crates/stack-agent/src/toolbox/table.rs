//! The table of tools.

use super::{Builtin, Rank, ToolSpec};
use crate::schema::{Field, Shape};

const fn required(name: &'static str, about: &'static str, shape: Shape) -> Field {
    Field { name, about, shape, required: true }
}

const fn optional(name: &'static str, about: &'static str, shape: Shape) -> Field {
    Field { name, about, shape, required: false }
}

/// All tools, those that only read first.
pub static TOOLS: &[ToolSpec] = &[
    ToolSpec {
        name: "read_file",
        description: "Read a text file of the workspace",
        rank: Rank::Restricted,
        arguments: &[
            required("path", "The file, relative to the workspace", Shape::Path),
            optional("offset", "The byte to start at", Shape::Integer(0, 1 << 40)),
            optional("max_bytes", "Bytes to read at most; 65536 if left out", Shape::Integer(1, 1 << 20)),
        ],
        builtin: Builtin::ReadFile,
    },
    ToolSpec {
        name: "list_files",
        description: "List the entries of a folder of the workspace",
        rank: Rank::Restricted,
        arguments: &[required(
            "path",
            "The folder, relative to the workspace; . is the workspace",
            Shape::Path,
        )],
        builtin: Builtin::ListFiles,
    },
    ToolSpec {
        name: "find_files",
        description: "Find files below the workspace whose names match a pattern with * and ?",
        rank: Rank::Restricted,
        arguments: &[
            required("pattern", "The pattern of the name, such as *.txt", Shape::Text(256)),
            optional("path", "The folder to start in; the workspace if left out", Shape::Path),
        ],
        builtin: Builtin::FindFiles,
    },
    ToolSpec {
        name: "search_code",
        description: "Search the text files below the workspace for lines that match a regular expression",
        rank: Rank::Restricted,
        arguments: &[
            required("pattern", "The regular expression", Shape::Text(1024)),
            optional("path", "The folder to start in; the workspace if left out", Shape::Path),
            optional("glob", "Only files whose names match this, such as *.rs", Shape::Text(256)),
            optional("max", "Lines at most; 200 if left out", Shape::Integer(1, 1000)),
        ],
        builtin: Builtin::SearchCode,
    },
    ToolSpec {
        name: "stat_file",
        description: "Tell what a path of the workspace is, how long, and how many lines it has",
        rank: Rank::Restricted,
        arguments: &[required("path", "The path, relative to the workspace", Shape::Path)],
        builtin: Builtin::StatFile,
    },
    ToolSpec {
        name: "write_file",
        description: "Write a text to a file of the workspace",
        rank: Rank::Standard,
        arguments: &[
            required("path", "The file, relative to the workspace", Shape::Path),
            required("content", "The text", Shape::Text(1 << 20)),
            optional(
                "mode",
                "Whether the text replaces the file or goes to its end",
                Shape::Word(&["overwrite", "append"]),
            ),
            optional("create_dirs", "Whether folders that are missing are made", Shape::Boolean),
        ],
        builtin: Builtin::WriteFile,
    },
    ToolSpec {
        name: "edit_file",
        description: "Replace exact texts in a file of the workspace",
        rank: Rank::Standard,
        arguments: &[
            required("path", "The file, relative to the workspace", Shape::Path),
            required(
                "edits",
                "The replacements, in order",
                Shape::List(
                    &Shape::Object(&[
                        required("old", "The text that is there, exactly", Shape::Text(64 << 10)),
                        required("new", "The text that replaces it", Shape::Text(64 << 10)),
                        optional(
                            "count",
                            "How often the old text must be there; once if left out",
                            Shape::Integer(1, 1000),
                        ),
                    ]),
                    64,
                ),
            ),
        ],
        builtin: Builtin::EditFile,
    },
    ToolSpec {
        name: "move_file",
        description: "Move or rename a file within the workspace",
        rank: Rank::Standard,
        arguments: &[
            required("from", "The file, relative to the workspace", Shape::Path),
            required("to", "Where it goes; nothing must be there", Shape::Path),
        ],
        builtin: Builtin::MoveFile,
    },
    ToolSpec {
        name: "delete_file",
        description: "Delete a file of the workspace",
        rank: Rank::Elevated,
        arguments: &[required("path", "The file, relative to the workspace", Shape::Path)],
        builtin: Builtin::DeleteFile,
    },
];
