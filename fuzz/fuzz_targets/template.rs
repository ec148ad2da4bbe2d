//! A chat template from a stranger's model: it renders within its bounds, or is an error.

#![no_main]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, json};
use stack_engine::template::ChatTemplate;

fuzz_target!(|source: &str| {
    let Ok(template) = ChatTemplate::compile(source) else { return };
    let conversation = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": [1, \"é\"]}"}},
        ]},
        {"role": "tool", "tool_call_id": "1", "content": "4"},
    ]);
    let variables = Map::from_iter([("messages".to_owned(), conversation)]);
    let _ = template.render_json(variables, &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC));
});
