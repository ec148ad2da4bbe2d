//! The text of an answer.

use std::future::poll_fn;

use stack_chat::{ChatEvent, ChatModel, ChatRequest, Failure, Fragment};

/// Asks a model, and returns the text that it answers with, without what it thinks.
pub(crate) async fn answer(model: &dyn ChatModel, request: ChatRequest) -> Result<String, Failure> {
    let mut stream = model.chat(request)?;
    let mut text = String::new();
    while let Some(event) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        if let ChatEvent::Delta(delta) = event?
            && let Fragment::Text(fragment) = &delta.fragment
        {
            text.push_str(fragment);
        }
    }
    Ok(text)
}
