//! Entries for people: one line each, in which nothing can pretend to be another line or move a cursor.

use std::fmt::Write as _;

use stack_seal::time::UnixTime;

use crate::entry::{Entry, Format, Phase};
use crate::log::{FullEntry, PayloadState};

/// Writes the entries of a stream, each with its place there.
pub(super) fn document(entries: &[FullEntry], withhold: bool) -> String {
    lines(entries, withhold, |entry| format!("{:>6}", entry.seq))
}

/// Writes entries of any streams, each with its index.
pub(super) fn listed(entries: &[FullEntry]) -> String {
    lines(entries, false, |entry| format!("{:>6} {}", entry.index, entry.stream))
}

fn lines(entries: &[FullEntry], withhold: bool, place: impl Fn(&Entry) -> String) -> String {
    let mut text = String::new();
    for FullEntry { entry, payload, .. } in entries {
        let at = UnixTime::from_seconds(entry.wall_ms / 1000);
        let outcome = match entry.phase {
            Phase::Note => String::new(),
            Phase::Intent => " begins".to_owned(),
            Phase::Effect { closes, outcome } => format!(" {} (of {closes})", outcome.name()),
        };
        let _infallible =
            write!(text, "{} {at} {} {}{outcome}", place(entry), visible(entry.actor.as_str()), entry.kind);
        let shown = match payload {
            PayloadState::None => String::new(),
            PayloadState::Erased => " [erased]".to_owned(),
            PayloadState::Present { .. } if withhold => " [withheld]".to_owned(),
            PayloadState::Present { bytes, .. } => match (entry.commitment, std::str::from_utf8(bytes)) {
                (Some(commitment), Ok(content)) if commitment.format != Format::Bytes => {
                    format!(" {}", visible(content))
                }
                _ => format!(" [{} bytes]", bytes.len()),
            },
        };
        text.push_str(&shown);
        text.push('\n');
    }
    text
}

/// Escapes what a terminal would obey or hide: control characters, and marks that reorder or join what is shown.
fn visible(text: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_a_cursor_or_hides() {
        assert_eq!(visible("a\u{1b}[2J\nb\u{202e}c\u{200b}é"), "a\\u{1b}[2J\\nb\\u{202e}c\\u{200b}é");
    }
}
