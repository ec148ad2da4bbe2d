//! Identifiers of calls, as a provider takes them.

use std::collections::{HashMap, HashSet};

use stack_chat::{Message, Part};

/// What stands for the identifiers of a conversation. Providers make them of different characters and lengths and
/// refuse those of others, so what does not fit gets another name, the same one wherever it stands.
#[derive(Debug, Default)]
pub(super) struct CallIds {
    renamed: HashMap<String, String>,
    tools: HashMap<String, String>,
}

impl CallIds {
    /// Looks at the calls of a conversation; identifiers of at most `chars_max` letters, digits, `_` and `-` fit.
    pub(super) fn of(messages: &[Message], chars_max: usize) -> Self {
        let fits = |id: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            (1..=chars_max).contains(&id.len()) && id.chars().all(is_plain)
        };
        let parts = || messages.iter().flat_map(|message| &message.parts);
        let ids = parts().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.id.as_str()),
            Part::ToolResult(result) => Some(result.call.as_str()),
            _ => None,
        });
        let (kept, unfit): (Vec<_>, Vec<_>) = ids.partition(|id| fits(id));
        let mut taken: HashSet<String> = kept.into_iter().map(str::to_owned).collect();
        let mut renamed = HashMap::new();
        let mut number = 0;
        for id in unfit {
            if renamed.contains_key(id) {
                continue;
            }
            let mut name = format!("call_{number}");
            while !taken.insert(name.clone()) {
                number += 1;
                name = format!("call_{number}");
            }
            number += 1;
            renamed.insert(id.to_owned(), name);
        }
        let calls = messages.iter().flat_map(Message::tool_calls);
        let tools = calls.map(|call| (call.id.clone(), call.name.clone())).collect();
        Self { renamed, tools }
    }

    /// Returns what stands for an identifier.
    pub(super) fn get<'a>(&'a self, id: &'a str) -> &'a str {
        self.renamed.get(id).map_or(id, String::as_str)
    }

    /// Tells whether any identifier got another name.
    pub(super) fn are_renamed(&self) -> bool {
        !self.renamed.is_empty()
    }

    /// Returns the tool that a call is of.
    pub(super) fn tool(&self, id: &str) -> Option<&str> {
        self.tools.get(id).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use stack_chat::{Json, Role, ToolCall};

    use super::*;

    #[test]
    fn what_does_not_fit_gets_one_other_name_that_is_free() {
        let call = |id: &str| {
            Part::ToolCall(ToolCall { id: id.into(), name: format!("of {id}"), arguments: Json("{}".into()) })
        };
        let parts = ["call_0", "a b", "toolu_1", "é", "a b", "", "call_2"].map(call).to_vec();
        let messages = [Message { role: Role::Assistant, name: None, parts }];
        let ids = CallIds::of(&messages, 40);
        let names = ["call_0", "a b", "toolu_1", "é", "", "call_2"].map(|id| ids.get(id).to_owned());
        assert_eq!(names, ["call_0", "call_1", "toolu_1", "call_3", "call_4", "call_2"]);
        assert_eq!((ids.are_renamed(), ids.tool("é")), (true, Some("of é")));
        assert_eq!(CallIds::of(&messages[..0], 40).get("x y"), "x y");
    }
}
