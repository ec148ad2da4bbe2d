//! What a request says by referring to stored responses.

use std::collections::HashMap;

use serde_json::Value;
use stack_chat::Failure;

use super::input::Conversation;
use super::stored::{self, Find, StoredItem};

/// What is brought up from the stored responses.
pub(super) struct Recall<'a> {
    find: &'a Find<'a>,
    /// The items of the responses that were referred to by an item, by the names of both.
    items: HashMap<String, HashMap<String, StoredItem>>,
    bytes: usize,
}

impl<'a> Recall<'a> {
    pub(super) fn new(find: &'a Find<'a>) -> Self {
        Self { find, items: HashMap::new(), bytes: 0 }
    }

    /// Finds an item by its identifier, which names the response that it belongs to. The items of each response are gone
    /// through once, however many references there are.
    fn item(&mut self, id: &str) -> Option<StoredItem> {
        let response = stored::response_of(id)?;
        if !self.items.contains_key(&response) {
            let items = (self.find)(&response).map(|found| found.by_id()).unwrap_or_default();
            self.items.insert(response.clone(), items);
        }
        self.items.get(&response)?.get(id).cloned()
    }

    /// Counts an item of a stored response: a short request may refer to a long one many times.
    fn count(&mut self, path: &str, item: &StoredItem) -> Result<(), Failure> {
        self.bytes += item.bytes();
        if self.bytes > RECALLED_BYTES_MAX {
            let message = format!(
                "`{path}` brings more than {} MiB of stored items into the conversation",
                RECALLED_BYTES_MAX >> 20
            );
            return Err(Failure::invalid(path, message));
        }
        Ok(())
    }
}

impl Conversation<'_> {
    /// Reads the conversation that a stored response ends.
    pub(super) fn earlier(&mut self, id: &str) -> Result<Vec<StoredItem>, Failure> {
        let Some(recall) = &mut self.stored else {
            return Err(not_stored(PREVIOUS.to_owned(), "an earlier response"));
        };
        let Some(response) = (recall.find)(id) else {
            let shown: String = id.chars().take(64).collect();
            let message = format!(
                "`{PREVIOUS}` is {shown:?}, which is not stored here, or no longer; send the conversation in `input`"
            );
            return Err(Failure::invalid(PREVIOUS, message));
        };
        let items: Vec<_> = response.conversation().cloned().collect();
        items.iter().try_for_each(|item| recall.count(PREVIOUS, item))?;
        items.iter().try_for_each(|item| self.item(PREVIOUS.to_owned(), item.value()))?;
        Ok(items)
    }

    /// Finds what an item refers to, if it is a reference.
    pub(super) fn resolve(&mut self, path: &str, item: &Value) -> Result<Option<StoredItem>, Failure> {
        if item["type"] != "item_reference" {
            return Ok(None);
        }
        let path = format!("{path}.id");
        let Some(recall) = &mut self.stored else {
            return Err(not_stored(path, "an item of an earlier response"));
        };
        let id = item["id"].as_str().unwrap_or_default();
        let Some(found) = recall.item(id) else {
            let shown: String = id.chars().take(64).collect();
            let message = format!("`{path}` is {shown:?}, which no response that is stored here holds");
            return Err(Failure::invalid(path, message));
        };
        recall.count(&path, &found)?;
        Ok(Some(found))
    }
}

/// Makes the error for a reference where nothing is stored.
fn not_stored(path: String, what: &str) -> Failure {
    let message = format!(
        "`{path}` refers to {what}, but this server stores none (`--stored-responses` makes it); send the whole \
         conversation in `input`"
    );
    Failure::unsupported(path, message)
}

/// The field that names the response to go on from.
pub(super) const PREVIOUS: &str = "previous_response_id";
/// Stored items are as many bytes as a few bodies can bring.
const RECALLED_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::responses::{StoredInput, StoredResponse};

    #[test]
    fn an_item_is_found_by_its_own_name_alone_and_its_response_is_looked_through_once() {
        let item_of =
            |id: &str, says: &str| json!({"type": "message", "id": id, "role": "assistant", "content": says});
        let mut input = StoredInput::default();
        input.add(item_of("msg_1_in0", "in"));
        input.add(item_of("msg_1_0", "a caller's own"));
        let output = json!({"id": "resp_1", "output": [item_of("msg_1_0", "out")]});
        let response = Arc::new(StoredResponse::new(input.named("1"), output));
        let looks = Cell::new(0);
        let find = |id: &str| {
            looks.set(looks.get() + 1);
            (id == "resp_1").then(|| Arc::clone(&response))
        };
        let mut recall = Recall::new(&find);
        for (id, says) in [
            ("msg_1_0", json!("out")),
            (
                "msg_1_in0",
                json!([{"type": "output_text", "text": "in",
            "annotations": [], "logprobs": []}]),
            ),
        ] {
            let found = recall.item(id).unwrap().value();
            assert_eq!((&found["id"], &found["content"]), (&json!(id), &says));
        }
        for id in ["", "msg", "msg_1", "msg_1_1", "resp_1"] {
            assert!(recall.item(id).is_none(), "{id}");
        }
        assert_eq!(looks.get(), 1);
        assert!(recall.item("msg_2_0").is_none());
    }
}
