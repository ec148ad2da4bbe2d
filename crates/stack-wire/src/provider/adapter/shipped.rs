//! The specs that are part of the program, and their recordings.

use super::{Adapter, Recordings, SpecFault};

/// A spec that is part of the program: the first version for its provider and family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShippedSpec {
    /// The name of its file.
    pub file: &'static str,
    /// The file.
    pub text: &'static str,
}

impl ShippedSpec {
    /// Every one.
    pub const ALL: &[Self] = &[
        shipped("anthropic.json", include_str!("../../../adapters/anthropic.json")),
        shipped("gemini.json", include_str!("../../../adapters/gemini.json")),
        shipped("llama.cpp.json", include_str!("../../../adapters/llama.cpp.json")),
        shipped("ollama.json", include_str!("../../../adapters/ollama.json")),
        shipped("openai.chat.json", include_str!("../../../adapters/openai.chat.json")),
        shipped("openai.responses.json", include_str!("../../../adapters/openai.responses.json")),
        shipped("vllm.chat.json", include_str!("../../../adapters/vllm.chat.json")),
        shipped("vllm.responses.json", include_str!("../../../adapters/vllm.responses.json")),
        shipped("xai.chat.json", include_str!("../../../adapters/xai.chat.json")),
        shipped("xai.responses.json", include_str!("../../../adapters/xai.responses.json")),
    ];

    /// Compiles it, and holds it to its examples.
    ///
    /// # Errors
    ///
    /// Never for a program that passed its tests.
    pub fn load(self, recordings: &Recordings) -> Result<Adapter, SpecFault> {
        Adapter::load(self.text.as_bytes(), recordings)
    }
}

const fn shipped(file: &'static str, text: &'static str) -> ShippedSpec {
    ShippedSpec { file, text }
}

/// Recordings by their names, made after the public descriptions of each interface.
pub(super) const RECORDINGS: &[(&str, &str)] = &[
    ("anthropic-call", include_str!("../../../adapters/recordings/anthropic-call.json")),
    ("anthropic-credit", include_str!("../../../adapters/recordings/anthropic-credit.json")),
    ("anthropic-limits", include_str!("../../../adapters/recordings/anthropic-limits.json")),
    (
        "anthropic-limits-workspace",
        include_str!("../../../adapters/recordings/anthropic-limits-workspace.json"),
    ),
    ("anthropic-long", include_str!("../../../adapters/recordings/anthropic-long.json")),
    ("anthropic-overloaded", include_str!("../../../adapters/recordings/anthropic-overloaded.json")),
    ("anthropic-text", include_str!("../../../adapters/recordings/anthropic-text.json")),
    ("gemini-call", include_str!("../../../adapters/recordings/gemini-call.json")),
    ("gemini-long", include_str!("../../../adapters/recordings/gemini-long.json")),
    ("gemini-quota", include_str!("../../../adapters/recordings/gemini-quota.json")),
    ("gemini-text", include_str!("../../../adapters/recordings/gemini-text.json")),
    ("llama-cpp-error-field", include_str!("../../../adapters/recordings/llama-cpp-error-field.json")),
    ("llama-cpp-loading", include_str!("../../../adapters/recordings/llama-cpp-loading.json")),
    ("llama-cpp-long", include_str!("../../../adapters/recordings/llama-cpp-long.json")),
    ("llama-cpp-text", include_str!("../../../adapters/recordings/llama-cpp-text.json")),
    ("ollama-call", include_str!("../../../adapters/recordings/ollama-call.json")),
    ("ollama-missing", include_str!("../../../adapters/recordings/ollama-missing.json")),
    ("ollama-text", include_str!("../../../adapters/recordings/ollama-text.json")),
    ("openai-chat-call", include_str!("../../../adapters/recordings/openai-chat-call.json")),
    ("openai-chat-long", include_str!("../../../adapters/recordings/openai-chat-long.json")),
    ("openai-chat-reasoning", include_str!("../../../adapters/recordings/openai-chat-reasoning.json")),
    ("openai-chat-text", include_str!("../../../adapters/recordings/openai-chat-text.json")),
    ("openai-chat-whole", include_str!("../../../adapters/recordings/openai-chat-whole.json")),
    ("openai-quota", include_str!("../../../adapters/recordings/openai-quota.json")),
    ("openai-rate", include_str!("../../../adapters/recordings/openai-rate.json")),
    ("openai-responses-call", include_str!("../../../adapters/recordings/openai-responses-call.json")),
    ("openai-responses-failed", include_str!("../../../adapters/recordings/openai-responses-failed.json")),
    ("openai-responses-text", include_str!("../../../adapters/recordings/openai-responses-text.json")),
    ("vllm-chat-limit", include_str!("../../../adapters/recordings/vllm-chat-limit.json")),
    ("vllm-context", include_str!("../../../adapters/recordings/vllm-context.json")),
    ("vllm-context-old", include_str!("../../../adapters/recordings/vllm-context-old.json")),
    ("vllm-missing", include_str!("../../../adapters/recordings/vllm-missing.json")),
    ("xai-chat-gone", include_str!("../../../adapters/recordings/xai-chat-gone.json")),
    ("xai-chat-reasoning", include_str!("../../../adapters/recordings/xai-chat-reasoning.json")),
    ("xai-credits-gone", include_str!("../../../adapters/recordings/xai-credits-gone.json")),
    ("xai-long", include_str!("../../../adapters/recordings/xai-long.json")),
    ("xai-responses-long", include_str!("../../../adapters/recordings/xai-responses-long.json")),
];
