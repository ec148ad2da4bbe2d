//! Conversations on disk: an array of messages, which `stack render` reads too.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use stack_chat::{Message, Role};

use crate::error::{CommandError, Kind};
use crate::terminal::input;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    role: String,
    content: String,
}

/// Writes a conversation to a file that must not exist yet.
pub(super) fn save(path: &Path, messages: &[Message]) -> Result<(), CommandError> {
    let entries: Vec<Entry> = messages
        .iter()
        .map(|message| Entry {
            role: message.role.as_str().to_owned(),
            content: message.text().unwrap_or_default(),
        })
        .collect();
    let failed = |error: std::io::Error| {
        CommandError::new(Kind::Machine, format!("{} cannot be written", path.display()))
            .caused(error)
            .hint("/save writes new files only")
    };
    let text = serde_json::to_string_pretty(&entries).map_err(|error| failed(error.into()))?;
    let mut file = File::create_new(path).map_err(failed)?;
    writeln!(file, "{text}").map_err(failed)
}

/// Reads a conversation: the instructions, and the messages behind them.
pub(super) fn load(path: &Path) -> Result<(Option<String>, Vec<Message>), CommandError> {
    let mut entries: Vec<Entry> = serde_json::from_str(&input::text(path)?).map_err(|error| {
        CommandError::new(Kind::Malformed, format!("{} holds no conversation", path.display()))
            .caused(error)
            .hint("it should be what /save writes: a JSON array of objects with role and content")
    })?;
    let has_system = entries.first().is_some_and(|entry| entry.role == "system");
    let system = has_system.then(|| entries.remove(0).content);
    let messages =
        entries.into_iter().map(|entry| Message::new(Role::from(entry.role.as_str()), entry.content));
    Ok((system, messages.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_survives_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("talk.json");
        let messages = [
            Message::new(Role::System, "Be \"terse\"."),
            Message::user("Hi"),
            Message::new(Role::Assistant, "Ho\n"),
        ];
        save(&path, &messages).unwrap();
        let (system, rest) = load(&path).unwrap();
        assert_eq!(system.as_deref(), Some("Be \"terse\"."));
        assert_eq!(rest, messages[1..]);
        assert_eq!(save(&path, &messages).unwrap_err().kind(), Kind::Machine);
    }

    #[test]
    fn other_json_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("talk.json");
        for text in ["", "{}", "[1]", r#"[{"role": "user"}]"#, r#"[{"role": "user", "content": null}]"#] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(load(&path).unwrap_err().kind(), Kind::Malformed, "{text}");
        }
        assert_eq!(load(&dir.path().join("none")).unwrap_err().kind(), Kind::Missing);
    }
}
