//! `/slots`: what is being computed.

use serde_json::{Value, json};

/// A request that waits or runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its number, which no other has at the same time.
    pub id: usize,
    /// The model that answers.
    pub model: String,
    /// The context that a sequence of it may have.
    pub context: u32,
    /// Tokens in the prompt; 0 before they are known.
    pub prompt_tokens: u32,
    /// Tokens generated so far.
    pub generated_tokens: u32,
}

/// Renders the slots at work, and as an idle one whatever else is `free`, because clients look for one, with the context that it
/// would have, if that is known.
pub fn slot_list(busy: &[Slot], free: Option<Option<u32>>) -> String {
    let at_work = busy.iter().map(|slot| {
        json!({
            "id": slot.id,
            "is_processing": true,
            "model": slot.model,
            "n_ctx": slot.context,
            "n_prompt_tokens": slot.prompt_tokens,
            "next_token": [{"n_decoded": slot.generated_tokens}],
        })
    });
    let id = busy.iter().map(|slot| slot.id + 1).max().unwrap_or(0);
    let idle = free.map(|context| match context {
        Some(context) => json!({"id": id, "is_processing": false, "n_ctx": context}),
        None => json!({"id": id, "is_processing": false}),
    });
    at_work.chain(idle).collect::<Value>().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_for_a_free_slot_finds_one_while_there_is_room() {
        let busy = [Slot { id: 3, model: "m".into(), context: 8, prompt_tokens: 5, generated_tokens: 2 }];
        let list: Value = serde_json::from_str(&slot_list(&busy, Some(Some(8)))).unwrap();
        assert_eq!((&list[0]["id"], &list[0]["is_processing"]), (&json!(3), &json!(true)));
        assert_eq!(list[0]["next_token"][0]["n_decoded"], 2);
        assert_eq!(list[1], json!({"id": 4, "is_processing": false, "n_ctx": 8}));
        assert_eq!(slot_list(&[], None), "[]");
        assert_eq!(slot_list(&[], Some(None)), r#"[{"id":0,"is_processing":false}]"#);
    }
}
