//! Responses that are kept, so that a conversation goes on without being sent again.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

/// Finds a stored response by its identifier.
pub type Find<'a> = dyn Fn(&str) -> Option<Arc<StoredResponse>> + 'a;

/// A response that is kept, with the items that it answers.
#[derive(Debug)]
pub struct StoredResponse {
    id: String,
    body: String,
    is_background: bool,
    input: Vec<StoredItem>,
    output: Vec<StoredItem>,
    /// How many items of the output a conversation goes on with.
    continued: usize,
}

/// The items that a response answers, before it has a name. They are written out already, because naming them must not take
/// long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredInput {
    /// What earlier responses hold.
    earlier: Vec<StoredItem>,
    /// What the request adds.
    new: Vec<NewItem>,
}

/// An item that a request adds to a conversation.
#[derive(Clone, Debug, PartialEq)]
enum NewItem {
    /// It stands for a stored one, or has a name of its own.
    Named(StoredItem),
    /// It gets a name that begins with `prefix`.
    Unnamed { prefix: &'static str, fields: String },
}

/// An item of a conversation, shared by all responses that go on from it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredItem(Arc<Entry>);

#[derive(Debug, PartialEq)]
struct Entry {
    id: String,
    /// The JSON of all fields but `id`, of which there is at least one.
    fields: String,
}

impl StoredResponse {
    /// Keeps a response as it is rendered, and what it answers.
    pub(super) fn new(input: Vec<StoredItem>, mut response: Value) -> Self {
        let body = response.to_string();
        let items = match response.get_mut("output").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        // A call that the limit cut has no arguments that a model could be shown.
        let is_whole = |item: &&Value| item["status"] != "incomplete" || item["type"] == "message";
        let continued = items.iter().take_while(is_whole).count();
        Self {
            id: response["id"].as_str().unwrap_or_default().to_owned(),
            is_background: response["background"] == true,
            output: items.into_iter().map(StoredItem::new).collect(),
            continued,
            input,
            body,
        }
    }

    /// Returns its identifier.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the response.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Tells whether it was made while nobody waited for it.
    pub fn is_background(&self) -> bool {
        self.is_background
    }

    /// Returns about how many bytes it takes. What several responses share is counted for each of them.
    pub fn bytes(&self) -> usize {
        let items = self.input.iter().chain(&self.output);
        self.body.len() + items.map(StoredItem::bytes).sum::<usize>()
    }

    /// Says that it was cancelled.
    #[must_use]
    pub fn cancelled(&self) -> Self {
        let mut response: Value = serde_json::from_str(&self.body).unwrap_or_default();
        response["status"] = "cancelled".into();
        Self::new(self.input.clone(), response)
    }

    /// Renders a part of the items that it answers.
    pub fn input_items(&self, options: &ListOptions) -> String {
        let mut items: Vec<_> = self.input.iter().collect();
        if options.descending {
            items.reverse();
        }
        let after = options.after.as_deref();
        let skipped = after.and_then(|after| items.iter().position(|item| item.0.id == after));
        let mut rest = items.into_iter().skip(skipped.map_or(0, |place| place + 1));
        let shown: Vec<_> = rest.by_ref().take(options.limit).collect();
        let data: Vec<_> = shown.iter().map(|item| item.json()).collect();
        let page = json!({
            "object": "list",
            "first_id": shown.first().map(|item| &item.0.id),
            "last_id": shown.last().map(|item| &item.0.id),
            "has_more": rest.next().is_some(),
        });
        // The items are JSON already, and may be long.
        with_field("data", &format!("[{}]", data.join(",")), &page.to_string())
    }

    /// Iterates over the items that a conversation goes on with.
    pub(super) fn conversation(&self) -> impl Iterator<Item = &StoredItem> {
        self.input.iter().chain(&self.output[..self.continued])
    }

    /// Returns all its items by their names. What it answers with goes before what a caller calls the same.
    pub(super) fn by_id(&self) -> HashMap<String, StoredItem> {
        let items = self.input.iter().chain(&self.output);
        items.map(|item| (item.0.id.clone(), item.clone())).collect()
    }
}

/// Which items of an input are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOptions {
    /// Those behind this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// The newest first.
    pub descending: bool,
}

impl StoredInput {
    /// Begins with the items of earlier responses.
    pub(super) fn after(earlier: Vec<StoredItem>) -> Self {
        Self { earlier, new: Vec::new() }
    }

    /// Adds an item that was found valid.
    pub(super) fn add(&mut self, item: Value) {
        let mut item = whole(item);
        let (prefix, id) = (prefix(&item), take_id(&mut item));
        let fields = item.to_string();
        self.new.push(match id {
            Some(id) => NewItem::Named(StoredItem::of(id, fields)),
            None => NewItem::Unnamed { prefix, fields },
        });
    }

    /// Adds an item of an earlier response.
    pub(super) fn recalled(&mut self, item: &StoredItem) {
        self.new.push(NewItem::Named(item.clone()));
    }

    /// Gives the items that have no name one that tells the response, whose own name holds `unique`.
    pub fn named(self, unique: &str) -> Vec<StoredItem> {
        let Self { mut earlier, new } = self;
        earlier.extend(new.into_iter().enumerate().map(|(number, item)| match item {
            NewItem::Named(item) => item,
            NewItem::Unnamed { prefix, fields } => {
                StoredItem::of(format!("{prefix}_{unique}_in{number}"), fields)
            }
        }));
        earlier
    }
}

impl StoredItem {
    fn new(mut item: Value) -> Self {
        let id = take_id(&mut item).unwrap_or_default();
        Self::of(id, item.to_string())
    }

    fn of(id: String, fields: String) -> Self {
        Self(Arc::new(Entry { id, fields }))
    }

    /// Writes it down.
    fn json(&self) -> String {
        with_field("id", &Value::from(self.0.id.as_str()).to_string(), &self.0.fields)
    }

    /// Returns what it says.
    pub(super) fn value(&self) -> Value {
        serde_json::from_str(&self.json()).unwrap_or_default()
    }

    /// Returns about how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.id.len() + self.0.fields.len() + size_of::<Entry>()
    }
}

/// Takes the name out of an item. One that is no text is none.
fn take_id(item: &mut Value) -> Option<String> {
    match item.as_object_mut()?.remove("id") {
        Some(Value::String(id)) => Some(id),
        _ => None,
    }
}

/// Tells which response an item belongs to: its identifier says it.
pub(super) fn response_of(id: &str) -> Option<String> {
    Some(format!("resp_{}", id.split('_').nth(1)?))
}

/// Puts one more field in front of those of an object, which has at least one.
fn with_field(name: &str, value: &str, object: &str) -> String {
    format!("{{\"{name}\":{value},{}", object.strip_prefix('{').unwrap_or(object))
}

/// Renders that a response was deleted.
pub fn deleted_object(id: &str) -> String {
    json!({"id": id, "object": "response", "deleted": true}).to_string()
}

/// Writes an item out, as it is listed: a request may leave out its type, its state and the type of its content.
fn whole(mut item: Value) -> Value {
    if !item["type"].is_string() {
        item["type"] = "message".into();
    }
    if item["type"] == "message"
        && let Some(text) = item["content"].as_str()
    {
        item["content"] = if item["role"] == "assistant" {
            json!([{"type": "output_text", "text": text, "annotations": [], "logprobs": []}])
        } else {
            json!([{"type": "input_text", "text": text}])
        };
    }
    if item["status"].is_null() {
        item["status"] = "completed".into();
    }
    item
}

fn prefix(item: &Value) -> &'static str {
    match item["type"].as_str() {
        Some("message") => "msg",
        Some("reasoning") => "rs",
        Some("function_call") => "fc",
        Some("function_call_output") => "fco",
        Some("custom_tool_call") => "ctc",
        Some("custom_tool_call_output") => "ctco",
        _ => "item",
    }
}

#[cfg(test)]
mod tests {
    use stack_chat::{Failure, Prompt};

    use super::*;
    use crate::Call;
    use crate::responses::{ResponseRequest, parse_response};

    fn stored(new: &Value, output: &Value) -> StoredResponse {
        let mut input = StoredInput::default();
        new.as_array().unwrap().iter().for_each(|item| input.add(item.clone()));
        let response = json!({"id": "resp_1", "background": true, "status": "in_progress", "output": output});
        StoredResponse::new(input.named("1"), response)
    }

    fn from(after: Option<&str>, limit: usize, descending: bool) -> ListOptions {
        ListOptions { after: after.map(str::to_owned), limit, descending }
    }

    #[test]
    fn items_are_listed_whole_and_a_page_at_a_time() {
        let response = stored(
            &json!([
                {"role": "user", "content": "Hi"},
                {"type": "message", "id": "msg_9", "role": "assistant", "content": "Ho"},
                {"type": "function_call_output", "id": null, "call_id": "c", "output": "1", "status": null},
            ]),
            &json!([]),
        );
        let list = |options: &ListOptions| -> Value {
            serde_json::from_str(&response.input_items(options)).unwrap()
        };
        let all = list(&from(None, 20, false));
        let text = json!([{"type": "input_text", "text": "Hi"}]);
        let first = json!({"type": "message", "id": "msg_1_in0", "role": "user", "status": "completed", "content": text});
        assert_eq!((&all["data"][0], &all["has_more"]), (&first, &json!(false)));
        assert_eq!(all["data"][1]["content"][0]["type"], "output_text");
        assert_eq!((&all["data"][2]["id"], &all["last_id"]), (&json!("fco_1_in2"), &json!("fco_1_in2")));
        for (options, ids, has_more) in [
            (from(None, 2, true), &["fco_1_in2", "msg_9"][..], true),
            (from(Some("msg_9"), 2, true), &["msg_1_in0"], false),
            (from(Some("msg_1_in0"), 1, false), &["msg_9"], true),
            (from(Some("fco_1_in2"), 1, false), &[], false),
        ] {
            let got = list(&options);
            let listed: Vec<_> = got["data"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
            assert_eq!(listed, ids);
            assert_eq!(got["has_more"], has_more);
        }
    }

    #[test]
    fn a_conversation_goes_on_without_the_call_that_was_cut() {
        let response = stored(
            &json!([{"role": "user", "content": "Hi"}]),
            &json!([
                {"type": "message", "id": "a", "status": "completed", "content": []},
                {"type": "function_call", "id": "b", "status": "incomplete", "arguments": "{\"x"},
            ]),
        );
        let ids: Vec<_> = response.conversation().map(|item| item.0.id.clone()).collect();
        assert_eq!(ids, ["msg_1_in0", "a"]);
        assert!(response.bytes() > response.body().len());
    }

    /// Asks with one response stored: "Hi" was answered by a call.
    fn ask(more: &str) -> Result<Call<ResponseRequest>, Failure> {
        let call = json!({"type": "function_call", "id": "fc_1_0", "call_id": "c", "name": "f",
                          "arguments": "{}", "status": "completed"});
        let response = Arc::new(stored(&json!([{"role": "user", "content": "Hi"}]), &json!([call])));
        let find = |id: &str| (id == "resp_1").then(|| Arc::clone(&response));
        parse_response(format!("{{{more}}}").as_bytes(), Some(&find))
    }

    const RESULT: &str = r#"{"type": "function_call_output", "call_id": "c", "output": "1"}"#;

    #[test]
    fn a_request_goes_on_from_a_response_or_an_item() {
        let roles = |call: &Call<ResponseRequest>| {
            let Prompt::Messages(messages) = &call.request.request.prompt else { panic!() };
            messages.iter().map(|message| message.role.as_str().to_owned()).collect::<Vec<_>>()
        };
        let on =
            ask(&format!(r#""previous_response_id": "resp_1", "input": [{RESULT}], "instructions": "x""#));
        let on = on.unwrap();
        assert_eq!(roles(&on), ["system", "user", "assistant", "tool"]);
        let kept = on.request.stored.unwrap().named("2");
        let ids: Vec<_> = kept.iter().map(|item| item.0.id.as_str()).collect();
        assert_eq!(ids, ["msg_1_in0", "fc_1_0", "fco_2_in0"], "what was said before keeps its names");
        let reference = r#"{"type": "item_reference", "id": "fc_1_0"}"#;
        let by_item = ask(&format!(r#""input": [{reference}, {RESULT}]"#)).unwrap();
        assert_eq!(roles(&by_item), ["assistant", "tool"]);
        let kept = by_item.request.stored.unwrap().named("3");
        assert_eq!(kept[0].value()["type"], "function_call", "what a reference means is stored in its place");
    }

    #[test]
    fn what_is_stored_can_be_chosen_and_is_repeated() {
        for (more, is_stored) in [("", true), (r#", "store": true"#, true), (r#", "store": false"#, false)] {
            let call = ask(&format!(r#""input": "Hi"{more}"#)).unwrap();
            assert_eq!(call.request.stored.is_some(), is_stored, "{more}");
            assert_eq!(call.request.echo.response("r", 7, "m", "s")["store"], is_stored);
            assert_eq!(call.ignored.header_value(), None);
        }
        assert!(ask(r#""input": "Hi", "background": true"#).unwrap().request.background);
    }

    #[test]
    fn what_cannot_be_gone_on_from_is_refused_by_name() {
        let call = r#""input": [{"type": "item_reference", "id": "fc_1_0"}"#;
        let many = format!("{call}{}]", r#", {"type": "item_reference", "id": "fc_1_0"}"#.repeat(10_000));
        for (body, field) in [
            (r#""input": "Hi", "previous_response_id": "resp_2""#, "previous_response_id"),
            (r#""input": "Hi", "previous_response_id": 1"#, "previous_response_id"),
            (r#""previous_response_id": "resp_1""#, "input"),
            (r#""input": [{"type": "item_reference", "id": "fc_2_0"}]"#, "input[0].id"),
            (r#""input": [{"type": "item_reference"}]"#, "input[0].id"),
            (many.as_str(), "input"),
            (r#""input": "Hi", "background": true, "store": false"#, "background"),
            (r#""input": "Hi", "background": true, "stream": true"#, "background"),
        ] {
            let shown: String = body.chars().take(80).collect();
            assert_eq!(ask(body).unwrap_err().field.as_deref(), Some(field), "{shown}");
        }
    }

    #[test]
    fn short_requests_cannot_bring_up_endless_conversations() {
        let long = json!([{"type": "message", "id": "msg_1_0", "role": "assistant", "content": "x".repeat(1 << 20)}]);
        let response = Arc::new(stored(&json!([]), &long));
        let find = |_: &str| Some(Arc::clone(&response));
        let reference = r#"{"type": "item_reference", "id": "msg_1_0"}"#;
        let ask = |count: usize| {
            let input = vec![reference; count].join(",");
            parse_response(format!(r#"{{"input": [{input}]}}"#).as_bytes(), Some(&find))
        };
        assert!(ask(60).is_ok());
        assert_eq!(ask(70).unwrap_err().field.as_deref(), Some("input[63].id"));
    }

    #[test]
    fn a_cancelled_response_keeps_all_but_its_status() {
        let response = stored(&json!([{"role": "user", "content": "Hi"}]), &json!([]));
        let cancelled = response.cancelled();
        assert!(cancelled.body().contains("\"status\":\"cancelled\"") && cancelled.is_background());
        assert_eq!((cancelled.id(), &cancelled.input), ("resp_1", &response.input));
    }
}
