//! Server-sent events: the framing of a streamed answer.

/// The media type of a stream of events.
pub const MEDIA_TYPE: &str = "text/event-stream";

/// A frame that only shows that the connection lives; clients skip it.
pub const PING: &str = ": ping\n\n";

/// The frame after the last event of a successful OpenAI stream, and of every stream of responses.
pub const DONE: &str = "data: [DONE]\n\n";

/// Appends one event. `data` is JSON, which holds no raw line break, so one line is enough.
pub fn event(out: &mut String, data: &str) {
    debug_assert!(!data.contains(['\n', '\r']), "a line break would end the event early");
    out.push_str("data: ");
    out.push_str(data);
    out.push_str("\n\n");
}

/// Appends one event that has a name.
pub fn named_event(out: &mut String, name: &str, data: &str) {
    out.push_str("event: ");
    out.push_str(name);
    out.push('\n');
    event(out, data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_and_a_blank_one() {
        let mut out = String::new();
        event(&mut out, &serde_json::json!({"text": "a\nb"}).to_string());
        assert_eq!(out, "data: {\"text\":\"a\\nb\"}\n\n");
    }
}
