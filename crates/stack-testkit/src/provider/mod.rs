//! Replies as providers of each family send them, to be played byte by byte.

mod anthropic;
mod gemini;
mod ollama;
mod openai_chat;
mod openai_responses;

use crate::http::{HttpReply, Step};

/// An interface that providers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderFamily {
    /// OpenAI's chat completions.
    OpenaiChat,
    /// OpenAI's responses.
    OpenaiResponses,
    /// Anthropic's messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
    /// Ollama's chat.
    Ollama,
}

/// A part of an answer, as a provider says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Text, in one piece.
    Text(&'static str),
    /// A thought.
    Thought(&'static str),
    /// A call of a tool; the arguments are the text of a JSON object.
    Call {
        /// The tool.
        name: &'static str,
        /// Its arguments.
        arguments: &'static str,
    },
}

/// The stream of one reply, record by record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    family: ProviderFamily,
    /// The records, each with what ends it.
    pub records: Vec<String>,
}

impl ProviderFamily {
    /// Every family.
    pub const ALL: [Self; 5] =
        [Self::OpenaiChat, Self::OpenaiResponses, Self::Anthropic, Self::Gemini, Self::Ollama];

    /// Returns the media type of its streams.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Ollama => "application/x-ndjson",
            _ => "text/event-stream",
        }
    }

    /// Returns how it tells an error, as the body of a reply.
    pub fn error(self, status: u16, word: &str, message: &str) -> String {
        let value = match self {
            Self::OpenaiChat | Self::OpenaiResponses => {
                serde_json::json!({"error": {"message": message, "type": word, "code": word, "param": null}})
            }
            Self::Anthropic => {
                serde_json::json!({"type": "error", "error": {"type": word, "message": message}})
            }
            Self::Gemini => {
                serde_json::json!({"error": {"code": status, "status": word, "message": message}})
            }
            Self::Ollama => serde_json::json!({"error": message}),
        };
        value.to_string()
    }
}

impl Recording {
    /// Records an answer of 7 tokens to a prompt of 11.
    pub fn of(family: ProviderFamily, said: &[Said]) -> Self {
        let records = match family {
            ProviderFamily::OpenaiChat => openai_chat::records(said),
            ProviderFamily::OpenaiResponses => openai_responses::records(said),
            ProviderFamily::Anthropic => anthropic::records(said),
            ProviderFamily::Gemini => gemini::records(said),
            ProviderFamily::Ollama => ollama::records(said),
        };
        Self { family, records }
    }

    /// Plays all of it.
    pub fn reply(&self) -> HttpReply {
        self.play([Step::Send(self.records.concat().into_bytes())])
    }

    /// Plays the first records, and breaks off.
    pub fn cut_after(&self, records: usize) -> HttpReply {
        self.play([Step::Send(self.records[..records].concat().into_bytes()), Step::Break])
    }

    /// Plays these steps under the family's media type.
    pub fn play(&self, steps: impl IntoIterator<Item = Step>) -> HttpReply {
        HttpReply::steps(200, steps).header("content-type", self.family.media_type())
    }
}

/// Makes a server-sent event without a name.
fn data(value: &serde_json::Value) -> String {
    format!("data: {value}\n\n")
}

/// Makes a server-sent event that is called as its type.
fn event(value: &serde_json::Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap_or_default())
}

const PROMPT_TOKENS: u32 = 11;
const ANSWER_TOKENS: u32 = 7;
