//! The interfaces that providers speak.

use stack_chat::{ChatRequest, Failure};

use super::draft::Draft;
use super::reader::Codec;
use super::records::Records;
use super::{ProviderRequest, Route, anthropic, gemini, ollama, openai_chat, openai_responses};
use crate::Delivery;

/// An interface that one or more providers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// OpenAI's chat completions, which vLLM, llama.cpp and many others speak too.
    OpenaiChat,
    /// OpenAI's responses, which xAI speaks too.
    OpenaiResponses,
    /// Anthropic's messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
    /// Ollama's own chat.
    Ollama,
}

/// Which header carries the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
    /// `Authorization: Bearer …`.
    Bearer,
    /// A header of this name, with nothing but the key.
    Named(&'static str),
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 5] =
        [Self::OpenaiChat, Self::OpenaiResponses, Self::Anthropic, Self::Gemini, Self::Ollama];

    /// Returns its name in configurations and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::OpenaiResponses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }

    /// Returns the header in which a key is sent, where there is one. The key itself is the transport's matter.
    pub const fn key_header(self) -> KeyHeader {
        match self {
            Self::OpenaiChat | Self::OpenaiResponses | Self::Ollama => KeyHeader::Bearer,
            Self::Anthropic => KeyHeader::Named("x-api-key"),
            Self::Gemini => KeyHeader::Named("x-goog-api-key"),
        }
    }

    /// Renders a request.
    pub(super) fn render(
        self,
        request: &ChatRequest,
        route: &Route,
        delivery: Delivery,
    ) -> Result<ProviderRequest, Failure> {
        let draft = Draft::new(request, route, delivery)?;
        match self {
            Self::OpenaiChat => openai_chat::render(draft),
            Self::OpenaiResponses => openai_responses::render(draft),
            Self::Anthropic => anthropic::render(draft),
            Self::Gemini => gemini::render(draft),
            Self::Ollama => ollama::render(draft),
        }
    }

    /// Prepares to read a reply.
    pub(super) fn codec(self) -> Box<dyn Codec> {
        match self {
            Self::OpenaiChat => Box::new(openai_chat::Chat::default()),
            Self::OpenaiResponses => Box::new(openai_responses::Responses::default()),
            Self::Anthropic => Box::new(anthropic::Messages::default()),
            Self::Gemini => Box::new(gemini::Content::default()),
            Self::Ollama => Box::new(ollama::Lines::default()),
        }
    }

    /// Tells how a reply is framed.
    pub(super) fn records(self, delivery: Delivery) -> Records {
        match (self, delivery) {
            (_, Delivery::Whole) => Records::Whole(Vec::new()),
            (Self::Ollama, Delivery::Stream { .. }) => Records::ndjson(),
            (_, Delivery::Stream { .. }) => Records::sse(),
        }
    }
}
