//! OpenAI's chat completions, as providers speak them: OpenAI itself, vLLM, llama.cpp and many others.

mod message;
mod reply;
mod request;

pub(super) use reply::{Chat, bill};
pub(super) use request::{effort_word, render};
