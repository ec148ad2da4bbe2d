//! Forms of a conversation that mean the same.
//!
//! Templates differ in what they can show: some know no developer, some one system message, some no system message,
//! some no text beside tool calls, some one call per message, some no calls at all. A [`Form`] rewrites a conversation
//! so that such a template shows all of it.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

/// One way to write a conversation down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    developer: Developer,
    system: System,
    calls: Calls,
    ids: Ids,
}

/// What becomes of developer messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Developer {
    #[default]
    Kept,
    /// They are system messages.
    AsSystem,
}

/// What becomes of system and developer messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum System {
    #[default]
    Kept,
    /// They are one message, the first.
    First,
    /// They are the beginning of the user message behind them.
    InUser,
}

/// What becomes of messages with tool calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Calls {
    #[default]
    Kept,
    /// Their text is a message of its own, in front of them.
    TextApart,
    /// Each call is a message of its own, and its result follows it.
    Single,
    /// Both.
    TextApartSingle,
    /// They are text of the assistant, and their results stay messages of a tool.
    AsText,
    /// They are text of the assistant, and their results text of the user.
    AsTextOfBoth,
}

/// What becomes of the identifiers that tie results to calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ids {
    #[default]
    Kept,
    /// They are numbers of nine digits, which the templates of Mistral demand.
    Numbers,
}

/// How content is written that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    Kept,
    Null,
    Absent,
    Empty,
}

impl Form {
    /// Lists the forms of a conversation, the most faithful first. A developer stays one only in templates that know
    /// the word.
    pub(super) fn all(messages: &[Json], knows_developer: bool) -> impl Iterator<Item = Self> {
        let has_developer = messages.iter().any(|message| role(message) == "developer");
        let developers: &[Developer] = match (has_developer, knows_developer) {
            (false, _) => &[Developer::Kept],
            (true, true) => &[Developer::Kept, Developer::AsSystem],
            (true, false) => &[Developer::AsSystem],
        };
        let mut forms = Vec::new();
        for system in [System::Kept, System::First, System::InUser] {
            for &developer in developers {
                for calls in Calls::ALL {
                    forms.extend([Ids::Kept, Ids::Numbers].map(|ids| Self { developer, system, calls, ids }));
                }
            }
        }
        forms.into_iter()
    }

    /// Whether calls are written as text, which no template asks for.
    pub(super) fn has_calls_as_text(self) -> bool {
        matches!(self.calls, Calls::AsText | Calls::AsTextOfBoth)
    }

    /// Writes a conversation in this form; `None` if another form before it is the same.
    pub(super) fn apply(self, messages: &[Json]) -> Option<Vec<Json>> {
        let messages = match self.developer {
            Developer::Kept => messages.to_vec(),
            Developer::AsSystem => with_developers_as_system(messages),
        };
        let messages = match self.system {
            System::Kept => messages,
            System::First => with_one_system(&messages)?,
            System::InUser => with_system_in_user(messages)?,
        };
        let messages = match self.calls {
            Calls::Kept => messages,
            Calls::TextApart => with_text_apart(&messages)?,
            Calls::Single => with_single_calls(&messages)?,
            Calls::TextApartSingle => with_single_calls(&with_text_apart(&messages)?)?,
            Calls::AsText => with_calls_as_text(&messages)?,
            Calls::AsTextOfBoth => with_results_as_text(with_calls_as_text(&messages)?)?,
        };
        match self.ids {
            Ids::Kept => Some(messages),
            Ids::Numbers => with_numbers(messages),
        }
    }
}

impl Calls {
    /// The most faithful first: what a template was written for goes before what is only text to it.
    const ALL: [Self; 6] =
        [Self::Kept, Self::TextApart, Self::Single, Self::TextApartSingle, Self::AsText, Self::AsTextOfBoth];
}

impl Silence {
    /// Lists the ways to write a conversation's silent messages: one if there are none.
    pub(super) fn all(messages: &[Json]) -> &'static [Self] {
        if messages.iter().any(is_silent) {
            &[Self::Kept, Self::Null, Self::Absent, Self::Empty]
        } else {
            &[Self::Kept]
        }
    }

    /// Writes silent messages this way.
    pub(super) fn apply(self, messages: &mut [Json]) {
        for message in messages.iter_mut().filter(|message| is_silent(message)) {
            let Some(fields) = message.as_object_mut() else { continue };
            match self {
                Self::Kept => {}
                Self::Null => {
                    fields.insert("content".into(), Json::Null);
                }
                Self::Absent => {
                    fields.shift_remove("content");
                }
                Self::Empty => {
                    fields.insert("content".into(), "".into());
                }
            }
        }
    }
}

/// Returns the role of a message.
pub(super) fn role(message: &Json) -> &str {
    message.get("role").and_then(Json::as_str).unwrap_or_default()
}

/// Returns the text of a message: its content, or the texts of its parts.
pub(super) fn text(message: &Json) -> Option<String> {
    match message.get("content")? {
        Json::String(text) => Some(text.clone()),
        Json::Array(parts) => {
            let texts: Option<Vec<&str>> =
                parts.iter().map(|part| part.as_str().or_else(|| part.get("text")?.as_str())).collect();
            texts.map(|texts| texts.join("\n"))
        }
        _ => None,
    }
}

/// Returns the tool calls of a message.
pub(super) fn calls(message: &Json) -> &[Json] {
    message.get("tool_calls").and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// Whether a message says nothing: its content is null, or it only calls tools.
fn is_silent(message: &Json) -> bool {
    match message.get("content") {
        Some(Json::Null) => true,
        Some(Json::String(text)) => text.is_empty() && !calls(message).is_empty(),
        None => !calls(message).is_empty(),
        _ => false,
    }
}

fn is_system(message: &Json) -> bool {
    matches!(role(message), "system" | "developer")
}

fn with_developers_as_system(messages: &[Json]) -> Vec<Json> {
    let mut messages = messages.to_vec();
    for message in messages.iter_mut().filter(|message| role(message) == "developer") {
        message["role"] = "system".into();
    }
    messages
}

/// Makes all system messages one, which is the first; `None` if that is so already.
fn with_one_system(messages: &[Json]) -> Option<Vec<Json>> {
    let (system, mut others): (Vec<&Json>, Vec<&Json>) =
        messages.iter().partition(|message| is_system(message));
    let mut first = (*system.first()?).clone();
    if system.len() == 1 && is_system(&messages[0]) {
        return None;
    }
    let texts: Option<Vec<String>> = system.into_iter().map(text).collect();
    first["content"] = texts?.join("\n\n").into();
    others.insert(0, &first);
    Some(others.into_iter().cloned().collect())
}

/// Moves the text of system messages to the front of the user message behind them; `None` if there are none.
///
/// Where no user message follows, the text goes behind the last one if nobody has answered it, and else becomes one.
fn with_system_in_user(messages: Vec<Json>) -> Option<Vec<Json>> {
    if !messages.iter().any(is_system) {
        return None;
    }
    let mut merged: Vec<Json> = Vec::with_capacity(messages.len());
    let mut pending = Vec::new();
    for mut message in messages {
        if is_system(&message) {
            pending.push(text(&message)?);
            continue;
        }
        if role(&message) == "user" && !pending.is_empty() {
            pending.push(text(&message)?);
            message["content"] = std::mem::take(&mut pending).join("\n\n").into();
        }
        merged.push(message);
    }
    if pending.is_empty() {
        return Some(merged);
    }
    // What the model has begun to say stays the end.
    let begun = merged.pop_if(|last| role(last) == "assistant");
    match merged.last_mut().filter(|last| role(last) == "user") {
        Some(last) => {
            pending.insert(0, text(last)?);
            last["content"] = pending.join("\n\n").into();
        }
        None => merged.push(serde_json::json!({ "role": "user", "content": pending.join("\n\n") })),
    }
    merged.extend(begun);
    Some(merged)
}

/// Gives the text beside tool calls a message of its own; `None` if there is none.
fn with_text_apart(messages: &[Json]) -> Option<Vec<Json>> {
    let mut apart = Vec::with_capacity(messages.len() + 1);
    for message in messages {
        let has_text = text(message).is_some_and(|text| !text.trim().is_empty());
        if calls(message).is_empty() || !has_text {
            apart.push(message.clone());
            continue;
        }
        let fields = ["role", "content"].into_iter();
        let said: Map<String, Json> =
            fields.filter_map(|key| Some((key.to_owned(), message.get(key)?.clone()))).collect();
        apart.push(Json::Object(said));
        let mut called = message.clone();
        called["content"] = Json::Null;
        apart.push(called);
    }
    (apart.len() > messages.len()).then_some(apart)
}

/// Gives each call a message of its own, followed by its results; `None` if no message has several calls.
fn with_single_calls(messages: &[Json]) -> Option<Vec<Json>> {
    let mut single = Vec::with_capacity(messages.len() + 1);
    let mut split = false;
    let mut rest = messages;
    while let [message, behind @ ..] = rest {
        rest = behind;
        let calls = calls(message);
        if calls.len() < 2 {
            single.push(message.clone());
            continue;
        }
        split = true;
        let count = rest.iter().take_while(|message| role(message) == "tool").count();
        let (results, others) = rest.split_at(count);
        rest = others;
        let mut results: Vec<&Json> = results.iter().collect();
        for (index, call) in calls.iter().enumerate() {
            let mut message = message.clone();
            message["tool_calls"] = Json::Array(vec![call.clone()]);
            if index > 0 {
                message["content"] = Json::Null;
                for key in ["reasoning_content", "thinking"] {
                    message.as_object_mut().map(|fields| fields.shift_remove(key));
                }
            }
            single.push(message);
            let last = index + 1 == calls.len();
            let answers = |result: &&Json| last || result.get("tool_call_id") == call.get("id");
            single.extend(results.extract_if(.., |result| answers(result)).cloned());
        }
    }
    split.then_some(single)
}

/// Writes calls as text, for templates that know none, in the way of Hermes, which most models have seen; `None` if there
/// are none.
fn with_calls_as_text(messages: &[Json]) -> Option<Vec<Json>> {
    if messages.iter().all(|message| calls(message).is_empty()) {
        return None;
    }
    let as_text = |message: &Json| {
        let mut parts: Vec<String> = text(message).filter(|text| !text.is_empty()).into_iter().collect();
        parts.extend(calls(message).iter().map(|call| {
            let call = call.get("function").unwrap_or(call);
            let called = serde_json::json!({ "name": call.get("name"), "arguments": call.get("arguments") });
            format!("<tool_call>\n{called}\n</tool_call>")
        }));
        let mut message = message.clone();
        if message.as_object_mut()?.shift_remove("tool_calls").is_some() {
            message["content"] = parts.join("\n").into();
        }
        Some(message)
    };
    messages.iter().map(as_text).collect()
}

/// Writes the results of calls as text of the user, one message for all that follow each other, which the next message of
/// the user joins; `None` if there are none.
fn with_results_as_text(messages: Vec<Json>) -> Option<Vec<Json>> {
    let mut written: Vec<Json> = Vec::with_capacity(messages.len());
    let mut after_result = false;
    let mut any = false;
    for message in messages {
        let is_result = role(&message) == "tool";
        let said = match role(&message) {
            "tool" => Some(format!("<tool_response>\n{}\n</tool_response>", text(&message)?)),
            "user" if after_result => Some(text(&message)?),
            _ => None,
        };
        match said {
            None => written.push(message),
            Some(said) if after_result => {
                let last = written.last_mut()?;
                last["content"] = format!("{}\n{said}", text(last)?).into();
            }
            Some(said) => written.push(serde_json::json!({ "role": "user", "content": said })),
        }
        any |= is_result;
        after_result = is_result;
    }
    any.then_some(written)
}

/// Replaces identifiers of calls by numbers; `None` if there are none.
fn with_numbers(mut messages: Vec<Json>) -> Option<Vec<Json>> {
    let mut numbers = HashMap::new();
    let mut number = |id: &mut Json| {
        if let Json::String(id) = id {
            let next = numbers.len();
            *id = format!("{:09}", *numbers.entry(id.clone()).or_insert(next));
        }
    };
    for message in &mut messages {
        for call in message.get_mut("tool_calls").and_then(Json::as_array_mut).into_iter().flatten() {
            call.get_mut("id").map(&mut number);
        }
        message.get_mut("tool_call_id").map(&mut number);
    }
    (!numbers.is_empty()).then_some(messages)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(role: &str, content: &str) -> Json {
        json!({ "role": role, "content": content })
    }

    #[test]
    fn system_messages_become_one_in_front() {
        let [a, b, c] = [message("system", "a"), message("user", "b"), message("developer", "c")];
        assert_eq!(with_one_system(&[a.clone(), b.clone()]), None);
        assert_eq!(with_one_system(std::slice::from_ref(&b)), None);
        assert_eq!(
            with_one_system(&[a.clone(), b.clone(), c]).unwrap(),
            [message("system", "a\n\nc"), b.clone()]
        );
        assert_eq!(with_one_system(&[b.clone(), a.clone()]).unwrap(), [a, b]);
    }

    #[test]
    fn system_text_joins_the_user_message_nearest_to_it() {
        let of = |messages: &[(&str, &str)]| {
            let messages = messages.iter().map(|(role, content)| message(role, content)).collect();
            let merged = with_system_in_user(messages).expect("there is a system message");
            merged.iter().map(|m| format!("{}: {}", role(m), text(m).unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(of(&[("system", "s"), ("user", "u")]), ["user: s\n\nu"]);
        assert_eq!(
            of(&[("user", "u"), ("assistant", "a"), ("system", "s"), ("user", "v")]),
            ["user: u", "assistant: a", "user: s\n\nv"]
        );
        assert_eq!(of(&[("user", "u"), ("system", "s")]), ["user: u\n\ns"]);
        assert_eq!(
            of(&[("user", "u"), ("system", "s"), ("assistant", "a")]),
            ["user: u\n\ns", "assistant: a"]
        );
        assert_eq!(of(&[("system", "s")]), ["user: s"]);
    }

    #[test]
    fn several_calls_are_taken_apart_with_their_results() {
        let call = |id: &str| json!({ "id": id, "function": { "name": id, "arguments": {} } });
        let result = |id: &str| json!({ "role": "tool", "tool_call_id": id, "content": id });
        let both = json!({ "role": "assistant", "content": "t", "tool_calls": [call("x"), call("y")] });
        let single = with_single_calls(&[both, result("y"), result("x"), message("user", "u")]).unwrap();
        let order: Vec<String> = single
            .iter()
            .map(|message| match calls(message) {
                [call] => format!("call {} {}", call["id"], message["content"]),
                _ => format!("{} {}", role(message), message["content"]),
            })
            .collect();
        assert_eq!(
            order,
            [r#"call "x" "t""#, r#"tool "x""#, r#"call "y" null"#, r#"tool "y""#, r#"user "u""#]
        );
    }

    #[test]
    fn calls_and_their_results_can_be_text() {
        let call = json!({ "id": "x", "function": { "name": "f", "arguments": { "city": "Rome" } } });
        let result = |content: &str| json!({ "role": "tool", "tool_call_id": "x", "content": content });
        let called = json!({ "role": "assistant", "content": "t", "tool_calls": [call, call] });
        let text = "<tool_call>\n{\"name\":\"f\",\"arguments\":{\"city\":\"Rome\"}}\n</tool_call>";
        let messages = [message("user", "u"), called, result("a"), result("b"), message("user", "v")];
        let written = with_calls_as_text(&messages).unwrap();
        assert_eq!(written[1], message("assistant", &format!("t\n{text}\n{text}")));
        assert_eq!(written[2..], messages[2..]);
        let results = "<tool_response>\na\n</tool_response>\n<tool_response>\nb\n</tool_response>\nv";
        let written = with_results_as_text(written).unwrap();
        assert_eq!(written.len(), 3);
        assert_eq!(written[2], message("user", results));
        assert_eq!(with_calls_as_text(&messages[..1]), None);
        assert_eq!(with_results_as_text(messages[..1].to_vec()), None);
    }

    #[test]
    fn identifiers_become_numbers_that_still_tie_results_to_calls() {
        let call = json!({ "role": "assistant", "tool_calls": [{ "id": "x" }, { "id": "y" }] });
        let numbered = with_numbers(vec![call, json!({ "role": "tool", "tool_call_id": "y" })]).unwrap();
        assert_eq!(numbered[0]["tool_calls"], json!([{ "id": "000000000" }, { "id": "000000001" }]));
        assert_eq!(numbered[1]["tool_call_id"], "000000001");
        assert_eq!(with_numbers(vec![message("user", "u")]), None);
    }

    #[test]
    fn text_beside_calls_can_stand_in_front_of_them() {
        let calls = json!([{ "function": { "name": "f" } }]);
        let both = json!({ "role": "assistant", "content": "t", "tool_calls": calls });
        let apart = with_text_apart(&[both]).unwrap();
        assert_eq!(
            apart,
            [message("assistant", "t"), json!({ "role": "assistant", "content": null, "tool_calls": calls })]
        );
        assert_eq!(with_text_apart(&[message("assistant", "t")]), None);
    }
}
