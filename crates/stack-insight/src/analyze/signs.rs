//! The table of what gives a call to a model away. Adding a provider is adding rows.

use stack_chat::Tier;

use super::egress::Clue;

/// A text that gives a call away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sign {
    pub(crate) text: &'static str,
    pub(crate) clue: Clue,
    pub(crate) provider: &'static str,
    pub(crate) tier: Tier,
}

pub(crate) const SIGNS: &[Sign] = &[
    host("api.openai.com", "OpenAI"),
    host("openai.azure.com", "Azure OpenAI"),
    host("api.anthropic.com", "Anthropic"),
    host("generativelanguage.googleapis.com", "Google"),
    host("aiplatform.googleapis.com", "Google"),
    host("api.mistral.ai", "Mistral"),
    host("api.cohere.ai", "Cohere"),
    host("api.cohere.com", "Cohere"),
    host("api.groq.com", "Groq"),
    host("api.together.xyz", "Together"),
    host("api.together.ai", "Together"),
    host("api.fireworks.ai", "Fireworks"),
    host("api.deepseek.com", "DeepSeek"),
    host("api.perplexity.ai", "Perplexity"),
    host("api.x.ai", "xAI"),
    host("api.replicate.com", "Replicate"),
    host("api-inference.huggingface.co", "Hugging Face"),
    host("router.huggingface.co", "Hugging Face"),
    host("openrouter.ai", "OpenRouter"),
    host("api.voyageai.com", "Voyage"),
    host("api.jina.ai", "Jina"),
    host("api.ai21.com", "AI21"),
    host("api.cerebras.ai", "Cerebras"),
    host("dashscope.aliyuncs.com", "Alibaba"),
    host("integrate.api.nvidia.com", "NVIDIA"),
    host("bedrock-runtime", "Amazon Bedrock"),
    Sign { tier: Tier::Sovereign, ..host("localhost:11434", "Ollama") },
    Sign { tier: Tier::Sovereign, ..host("127.0.0.1:11434", "Ollama") },
    Sign { tier: Tier::Sovereign, ..host("localhost:8084", "stack") },
    Sign { tier: Tier::Sovereign, ..host("127.0.0.1:8084", "stack") },
    import("openai", "OpenAI"),
    import("async_openai", "OpenAI"),
    import("github.com/sashabaranov/go-openai", "OpenAI"),
    import("github.com/openai/openai-go", "OpenAI"),
    import("com.openai", "OpenAI"),
    import("langchain_openai", "OpenAI"),
    import("@langchain/openai", "OpenAI"),
    import("@ai-sdk/openai", "OpenAI"),
    import("anthropic", "Anthropic"),
    import("@anthropic-ai/sdk", "Anthropic"),
    import("github.com/anthropics/anthropic-sdk-go", "Anthropic"),
    import("langchain_anthropic", "Anthropic"),
    import("@langchain/anthropic", "Anthropic"),
    import("@ai-sdk/anthropic", "Anthropic"),
    import("google.generativeai", "Google"),
    import("google.genai", "Google"),
    import("@google/generative-ai", "Google"),
    import("@google/genai", "Google"),
    import("vertexai", "Google"),
    import("mistralai", "Mistral"),
    import("@mistralai/mistralai", "Mistral"),
    import("cohere", "Cohere"),
    import("cohere-ai", "Cohere"),
    import("groq", "Groq"),
    import("groq-sdk", "Groq"),
    import("together", "Together"),
    import("replicate", "Replicate"),
    import("litellm", "LiteLLM"),
    import("huggingface_hub", "Hugging Face"),
    import("@huggingface/inference", "Hugging Face"),
    Sign { tier: Tier::Sovereign, ..import("ollama", "Ollama") },
    key("OPENAI_API_KEY", "OpenAI"),
    key("AZURE_OPENAI_API_KEY", "Azure OpenAI"),
    key("ANTHROPIC_API_KEY", "Anthropic"),
    key("GOOGLE_API_KEY", "Google"),
    key("GEMINI_API_KEY", "Google"),
    key("MISTRAL_API_KEY", "Mistral"),
    key("COHERE_API_KEY", "Cohere"),
    key("CO_API_KEY", "Cohere"),
    key("GROQ_API_KEY", "Groq"),
    key("TOGETHER_API_KEY", "Together"),
    key("FIREWORKS_API_KEY", "Fireworks"),
    key("DEEPSEEK_API_KEY", "DeepSeek"),
    key("PERPLEXITY_API_KEY", "Perplexity"),
    key("XAI_API_KEY", "xAI"),
    key("REPLICATE_API_TOKEN", "Replicate"),
    key("HF_TOKEN", "Hugging Face"),
    key("HUGGINGFACE_API_KEY", "Hugging Face"),
    key("OPENROUTER_API_KEY", "OpenRouter"),
    key("VOYAGE_API_KEY", "Voyage"),
];

const fn host(text: &'static str, provider: &'static str) -> Sign {
    Sign { text, clue: Clue::Host, provider, tier: Tier::Standard }
}

const fn import(text: &'static str, provider: &'static str) -> Sign {
    Sign { clue: Clue::Import, ..host(text, provider) }
}

const fn key(text: &'static str, provider: &'static str) -> Sign {
    Sign { clue: Clue::Key, ..host(text, provider) }
}
