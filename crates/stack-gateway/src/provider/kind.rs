//! What is known of each kind of provider.

use std::time::Duration;

use stack_wire::provider::{Family, ThinkingForm};

/// A kind of provider, whose ways this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// OpenAI, and whoever speaks as it does.
    Openai,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini.
    Gemini,
    /// xAI.
    Xai,
    /// Ollama, on this machine or another.
    Ollama,
    /// vLLM.
    Vllm,
    /// llama.cpp's server.
    LlamaCpp,
}

/// Which of OpenAI's two interfaces a provider is asked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interface {
    /// Chat completions.
    Chat,
    /// Responses.
    Responses,
}

impl ProviderKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Openai, Self::Anthropic, Self::Gemini, Self::Xai, Self::Ollama, Self::Vllm, Self::LlamaCpp];

    /// Returns its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Xai => "xai",
            Self::Ollama => "ollama",
            Self::Vllm => "vllm",
            Self::LlamaCpp => "llama.cpp",
        }
    }

    /// Finds the kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns where it is, for those that are in one place.
    pub const fn base(self) -> &'static str {
        match self {
            Self::Openai => "https://api.openai.com",
            Self::Anthropic => "https://api.anthropic.com",
            Self::Gemini => "https://generativelanguage.googleapis.com",
            Self::Xai => "https://api.x.ai",
            Self::Ollama => "http://127.0.0.1:11434",
            Self::Vllm => "http://127.0.0.1:8000",
            Self::LlamaCpp => "http://127.0.0.1:8080",
        }
    }

    /// Returns the interface that it is asked through where nothing is said: the newer one of those who have two.
    pub const fn interface(self) -> Interface {
        match self {
            Self::Openai | Self::Xai => Interface::Responses,
            _ => Interface::Chat,
        }
    }

    /// Whether it speaks OpenAI's responses beside its chat completions.
    pub const fn has_interfaces(self) -> bool {
        matches!(self, Self::Openai | Self::Xai | Self::Vllm)
    }

    pub(crate) const fn family(self, interface: Interface) -> Family {
        match (self, interface) {
            (Self::Anthropic, _) => Family::Anthropic,
            (Self::Gemini, _) => Family::Gemini,
            (Self::Ollama, _) => Family::Ollama,
            (_, Interface::Responses) => Family::OpenaiResponses,
            (_, Interface::Chat) => Family::OpenaiChat,
        }
    }

    /// Whether it takes the options by which open servers extend OpenAI's interface.
    pub(super) const fn is_extended(self) -> bool {
        matches!(self, Self::Vllm | Self::LlamaCpp)
    }

    /// How its models are told to think where nothing is said; an open model may be unable to.
    pub const fn thinking(self) -> Option<ThinkingForm> {
        match self {
            Self::Openai | Self::Anthropic | Self::Gemini | Self::Xai => Some(ThinkingForm::Effort),
            Self::Ollama | Self::Vllm | Self::LlamaCpp => None,
        }
    }

    /// How long its first output is waited for while somebody else could answer: as long as it takes one that works. A prompt
    /// of so many tokens has to be read first, and open servers may be busy with others.
    pub fn patience(self, tokens: u32) -> Duration {
        match self {
            Self::Ollama => Duration::from_mins(2),
            Self::Vllm | Self::LlamaCpp => Duration::from_secs(30),
            Self::Openai | Self::Anthropic | Self::Gemini | Self::Xai => {
                Duration::from_secs(10 + u64::from(tokens / 10_000))
            }
        }
    }

    /// How long it may take until the first output. Ollama may have to load the model first.
    pub const fn first_output(self) -> Duration {
        match self {
            Self::Ollama => Duration::from_mins(2),
            _ => Duration::from_mins(1),
        }
    }
}

impl Interface {
    /// Returns its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
        }
    }

    /// Finds the interface of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Chat, Self::Responses].into_iter().find(|interface| interface.name() == name)
    }
}
