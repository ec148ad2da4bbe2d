//! A conversation of the same shape in which every text is a word of its own.
//!
//! What a template shows depends on who speaks and in which order, seldom on what is said. So rendering the shadow of a
//! conversation tells which of its texts the template leaves out, whatever the template does with text: trimming,
//! quoting, and cutting off what an earlier turn thought are none of this module's concern.

use std::collections::HashSet;

use serde_json::Value as Json;

use super::forms::{calls, text};

/// The shadow of a conversation and of its tools.
pub(super) struct Shadow {
    pub(super) messages: Vec<Json>,
    /// As the template sees them: null if there are none.
    pub(super) tools: Json,
    /// What each word stands for, by its number.
    words: Vec<TextRole>,
}

/// What a text of a conversation is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextRole {
    /// The content of a message, by its index.
    Content(usize),
    /// A call of a message, by its index.
    Call(usize),
    /// The name of a speaker.
    Name,
    /// What a message was reasoned to be.
    Reasoning,
    /// The name of a tool.
    Tool,
}

/// What a rendered shadow lacks.
#[derive(Debug, Default)]
pub(super) struct Missing {
    parts: Vec<TextRole>,
    reasoning: bool,
}

impl Shadow {
    /// Makes the shadow of a conversation.
    pub(super) fn of(messages: &[Json], tools: &Json) -> Self {
        let mut shadow = Self { messages: messages.to_vec(), tools: tools.clone(), words: Vec::new() };
        let mut messages = std::mem::take(&mut shadow.messages);
        for (index, message) in messages.iter_mut().enumerate() {
            shadow.replace(index, message);
        }
        shadow.messages = messages;
        let mut tools = std::mem::take(&mut shadow.tools);
        for tool in tools.as_array_mut().into_iter().flatten() {
            let tool = if tool.get("function").is_some() { &mut tool["function"] } else { tool };
            if tool.get("name").is_some_and(Json::is_string) {
                tool["name"] = shadow.word(TextRole::Tool).into();
            }
        }
        shadow.tools = tools;
        shadow
    }

    fn replace(&mut self, index: usize, message: &mut Json) {
        if text(message).is_some_and(|text| !text.trim().is_empty()) {
            let word = self.word(TextRole::Content(index));
            match &mut message["content"] {
                Json::Array(parts) => parts.iter_mut().for_each(|part| match part {
                    Json::String(text) => text.clone_from(&word),
                    part => part["text"] = word.as_str().into(),
                }),
                content => *content = word.into(),
            }
        }
        let is_tool = message.get("role").is_some_and(|role| role == "tool");
        if !is_tool && message.get("name").is_some_and(Json::is_string) {
            message["name"] = self.word(TextRole::Name).into();
        }
        if message.get("reasoning_content").is_some_and(Json::is_string) {
            let word = self.word(TextRole::Reasoning);
            for key in ["reasoning_content", "thinking"] {
                message[key] = word.as_str().into();
            }
        }
        for call in 0..calls(message).len() {
            let call = &mut message["tool_calls"][call];
            let call = if call.get("function").is_some() { &mut call["function"] } else { call };
            if !call.is_object() {
                continue;
            }
            call["name"] = self.word(TextRole::Call(index)).into();
            if let Some(arguments) = call.get_mut("arguments") {
                self.replace_leaves(index, arguments);
            }
        }
    }

    /// Replaces the texts of arguments; their names may be words that the template knows.
    fn replace_leaves(&mut self, index: usize, value: &mut Json) {
        match value {
            Json::String(text) if !text.is_empty() => *text = self.word(TextRole::Call(index)),
            Json::Array(items) => items.iter_mut().for_each(|item| self.replace_leaves(index, item)),
            Json::Object(fields) => {
                fields.iter_mut().for_each(|(_, value)| self.replace_leaves(index, value));
            }
            _ => {}
        }
    }

    fn word(&mut self, part: TextRole) -> String {
        self.words.push(part);
        format!("{WORD}{}x", self.words.len() - 1)
    }

    /// Returns what a text that was rendered from the shadow lacks.
    pub(super) fn missing_in(&self, rendered: &str) -> Missing {
        let lower = rendered.to_ascii_lowercase();
        let number = |(at, _)| {
            let behind = &lower[at + WORD.len()..];
            let digits = behind.bytes().take(DIGITS_MAX).take_while(u8::is_ascii_digit).count();
            if behind[digits..].starts_with('x') { behind[..digits].parse().ok() } else { None }
        };
        let seen: HashSet<usize> = lower.match_indices(WORD).filter_map(number).collect();
        let (shown, lost): (Vec<_>, Vec<_>) =
            self.words.iter().enumerate().partition(|(number, _)| seen.contains(number));
        Missing {
            parts: lost.into_iter().map(|(_, part)| *part).collect(),
            reasoning: !shown.iter().any(|(_, part)| **part == TextRole::Reasoning),
        }
    }
}

impl Missing {
    /// Returns the first content or call that is missing.
    pub(super) fn said(&self) -> impl Iterator<Item = TextRole> {
        self.parts.iter().copied().filter(|part| matches!(part, TextRole::Content(_) | TextRole::Call(_)))
    }

    /// Whether some name of a tool is missing.
    pub(super) fn tools(&self) -> bool {
        self.parts.contains(&TextRole::Tool)
    }

    /// Whether some name of a speaker is missing.
    pub(super) fn names(&self) -> bool {
        self.parts.contains(&TextRole::Name)
    }

    /// Whether there is reasoning, and all of it is missing.
    pub(super) fn all_reasoning(&self) -> bool {
        self.reasoning && self.parts.contains(&TextRole::Reasoning)
    }
}

/// Counts the words by which templates show what is not there. Those of the template's own text are the same in
/// every form of a conversation.
pub(super) fn nulls(rendered: &str) -> usize {
    let lower = rendered.to_ascii_lowercase();
    ["none", "null", "undefined"].iter().map(|word| lower.matches(word).count()).sum()
}

/// How the words begin: as names may begin, and as no word of a template does.
const WORD: &str = "zq";
/// More digits than the number of any word has.
const DIGITS_MAX: usize = 9;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_text_gets_a_word_and_missing_words_are_found() {
        let messages = [
            json!({ "role": "system", "content": "Be brief.", "name": "s" }),
            json!({ "role": "user", "content": [{ "type": "text", "text": "Hi" }] }),
            json!({ "role": "assistant", "content": "", "reasoning_content": "Hm.", "thinking": "Hm.",
                    "tool_calls": [{ "function": { "name": "f", "arguments": { "a": ["x", 1] } } }] }),
            json!({ "role": "tool", "content": " \n", "name": "f" }),
        ];
        let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
        let shadow = Shadow::of(&messages, &tools);
        let all = format!("{}{}", Json::from(shadow.messages.clone()), shadow.tools);
        let missing = shadow.missing_in(&all);
        assert!(missing.parts.is_empty() && !missing.all_reasoning());
        assert!(!all.contains("Hi") && !all.contains("Hm."), "{all}");
        assert!(
            all.contains(r#"" \n""#) && all.contains(r#""name":"f""#),
            "a tool message keeps its name: {all}"
        );

        let missing = shadow.missing_in("ZQ0X zq2x");
        assert!(missing.names() && missing.tools() && missing.all_reasoning());
        assert_eq!(missing.said().collect::<Vec<_>>(), [TextRole::Call(2), TextRole::Call(2)]);
    }
}
