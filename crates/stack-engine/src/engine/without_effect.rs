//! What of a request has no effect here.

use stack_chat::{ChatRequest, Part, Prompt, Unused};

/// Lists what has no effect, and without which the request is right.
pub(super) fn without_effect(request: &ChatRequest) -> Vec<Unused> {
    let mut unused = Vec::new();
    if let Prompt::Messages(messages) = &request.prompt {
        let mut parts = messages.iter().flat_map(|message| &message.parts);
        let failed = parts.any(|part| matches!(part, Part::ToolResult(result) if result.is_error));
        unused.extend(failed.then_some(Unused::ToolErrors));
    }
    unused
}

#[cfg(test)]
mod tests {
    use stack_chat::{Message, ToolResult};

    use super::*;

    #[test]
    fn that_a_tool_failed_is_listed() {
        let failed = ToolResult { call: "c".into(), name: None, parts: Vec::new(), is_error: true };
        let request = |messages| ChatRequest::new(Prompt::Messages(messages));
        assert_eq!(without_effect(&request(vec![Message::user("a")])), []);
        assert_eq!(without_effect(&request(vec![Message::result(failed)])), [Unused::ToolErrors]);
    }
}
