//! Where a rendered conversation ends.

use serde_json::Value as Json;
use stack_chat::PromptEnd;

use super::error::TemplateError;
use super::forms::{calls, role, text};

/// Where the text of one conversation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Where the answer begins.
    Answer,
    /// Inside the last message.
    Inside,
    /// Behind the last message.
    Closed,
}

impl Ending {
    /// Decides where a conversation ends. A last message of the model that says nothing is taken away: the answer
    /// begins where it would.
    pub(super) fn of(messages: &mut Vec<Json>, wanted: PromptEnd) -> Result<Self, TemplateError> {
        let continues = match messages.last() {
            Some(last) if role(last) == "assistant" => calls(last).is_empty(),
            _ => false,
        };
        let last = messages.len().saturating_sub(1);
        if wanted != PromptEnd::Closed && continues && last > 0 && role(&messages[last - 1]) == "assistant" {
            let problem = format!(
                "messages[{}] and messages[{last}] are both the assistant's, and only one can be continued: \
                 join them, or end with another role",
                last - 1
            );
            return Err(TemplateError::Message { field: format!("messages[{last}].role"), problem });
        }
        match wanted {
            PromptEnd::Closed => return Ok(Self::Closed),
            PromptEnd::Answer => return Ok(Self::Answer),
            PromptEnd::Continue if !continues => {
                let problem =
                    "`continue_final_message` needs a last message of the assistant without tool calls";
                return Err(TemplateError::Message {
                    field: "continue_final_message".into(),
                    problem: problem.into(),
                });
            }
            PromptEnd::Auto if !continues => return Ok(Self::Answer),
            PromptEnd::Continue | PromptEnd::Auto => {}
        }
        if messages.last().is_some_and(|last| continuation(last).is_none()) {
            messages.pop();
            return Ok(Self::Answer);
        }
        Ok(Self::Inside)
    }
}

/// Where a message goes on.
enum Continuation {
    Content,
    Reasoning,
}

/// Finds where a message goes on: behind its text, else behind its reasoning.
fn continuation(message: &Json) -> Option<Continuation> {
    let has_text = |text: &str| !text.trim().is_empty();
    if text(message).is_some_and(|text| has_text(&text)) {
        return Some(Continuation::Content);
    }
    message["reasoning_content"].as_str().filter(|text| has_text(text)).map(|_| Continuation::Reasoning)
}

/// Puts a mark where the message goes on.
pub(super) fn mark(message: &mut Json, mark: char) {
    let append = |value: &mut Json| {
        if let Json::String(text) = value {
            text.push(mark);
        }
    };
    match continuation(message) {
        Some(Continuation::Content) => match &mut message["content"] {
            Json::Array(parts) => match parts.last_mut() {
                Some(part @ Json::Object(_)) => append(&mut part["text"]),
                Some(part) => append(part),
                None => {}
            },
            content => append(content),
        },
        Some(Continuation::Reasoning) => {
            for key in ["reasoning_content", "thinking"] {
                append(&mut message[key]);
            }
        }
        None => {}
    }
}

/// Ends a rendered text at its last mark; an error if the template shows none.
pub(super) fn cut(mut rendered: String, mark: char, message: usize) -> Result<String, TemplateError> {
    let Some(end) = rendered.rfind(mark) else {
        let problem = "the chat template of this model cannot continue a message of the assistant: \
                       end the conversation with another role";
        return Err(TemplateError::Message {
            field: format!("messages[{message}].role"),
            problem: problem.into(),
        });
    };
    rendered.truncate(end);
    Ok(if rendered.contains(mark) { rendered.replace(mark, "") } else { rendered })
}
