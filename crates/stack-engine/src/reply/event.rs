//! What is reported of a reply.

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyEvent {
    /// More reasoning.
    Reasoning(String),
    /// More text.
    Text(String),
    /// A call begins.
    CallStart {
        /// The identifier that the model wrote, where its format has one.
        id: Option<String>,
        /// The tool.
        name: String,
    },
    /// More of the call's arguments, a JSON object.
    Arguments(String),
    /// The call is complete.
    CallEnd,
    /// The call that began is malformed. All of it, with its tags, is this text.
    CallBroken(String),
}

/// Joins pieces of the same part that follow each other.
pub(super) fn merged(events: Vec<ReplyEvent>) -> Vec<ReplyEvent> {
    let mut merged: Vec<ReplyEvent> = Vec::with_capacity(events.len());
    for event in events {
        match (merged.last_mut(), &event) {
            (Some(ReplyEvent::Text(text)), ReplyEvent::Text(more))
            | (Some(ReplyEvent::Reasoning(text)), ReplyEvent::Reasoning(more))
            | (Some(ReplyEvent::Arguments(text)), ReplyEvent::Arguments(more)) => text.push_str(more),
            _ => merged.push(event),
        }
    }
    merged
}
