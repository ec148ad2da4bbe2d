//! What a request says by referring to stored responses.

use serde_json::Value;
use stack_chat::Failure;

use super::input::Conversation;
use super::stored::{self, StoredItem};

impl Conversation<'_> {
    /// Reads the conversation that a stored response ends.
    pub(super) fn earlier(&mut self, id: &str) -> Result<Vec<StoredItem>, Failure> {
        let Some(find) = self.find else {
            return Err(not_stored(PREVIOUS.to_owned(), "an earlier response"));
        };
        let Some(response) = find(id) else {
            let shown: String = id.chars().take(64).collect();
            let message = format!(
                "`{PREVIOUS}` is {shown:?}, which is not stored here, or no longer; send the conversation in `input`"
            );
            return Err(Failure::invalid(PREVIOUS, message));
        };
        let items: Vec<_> = response.conversation().cloned().collect();
        for item in &items {
            self.recall(PREVIOUS, item)?;
            self.item(PREVIOUS.to_owned(), item.value())?;
        }
        Ok(items)
    }

    /// Puts what it refers to in the place of a reference.
    pub(super) fn resolve(&mut self, path: &str, item: &mut Value) -> Result<(), Failure> {
        if item["type"] != "item_reference" {
            return Ok(());
        }
        let path = format!("{path}.id");
        let Some(find) = self.find else {
            return Err(not_stored(path, "an item of an earlier response"));
        };
        let id = item["id"].as_str().unwrap_or_default();
        let Some(found) = stored::item(find, id) else {
            let shown: String = id.chars().take(64).collect();
            let message = format!("`{path}` is {shown:?}, which no response that is stored here holds");
            return Err(Failure::invalid(path, message));
        };
        self.recall(&path, &found)?;
        *item = found.value();
        Ok(())
    }

    /// Counts an item of a stored response: a short request may refer to a long one many times.
    fn recall(&mut self, path: &str, item: &StoredItem) -> Result<(), Failure> {
        self.recalled_bytes += item.bytes();
        if self.recalled_bytes > RECALLED_BYTES_MAX {
            let message = format!(
                "`{path}` brings more than {} MiB of stored items into the conversation",
                RECALLED_BYTES_MAX >> 20
            );
            return Err(Failure::invalid(path, message));
        }
        Ok(())
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
