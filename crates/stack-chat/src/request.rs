//! What is asked.

use crate::{Json, Logprobs, Message, Sampling, Tool};

/// What the model continues.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompt {
    /// A conversation, rendered by the model's chat template.
    Messages(Vec<Message>),
    /// Text, continued as it is. No chat template: control tokens count, and BOS is added where the vocabulary asks for it
    /// and the text does not begin with it.
    Text(String),
    /// Token ids, continued exactly as they are.
    Tokens(Vec<u32>),
}

/// Values that a chat template may look at, beside the messages and tools.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TemplateOptions {
    /// Whether a reasoning model may think; `None` leaves it to the template.
    pub enable_thinking: Option<bool>,
    /// Further variables, by name.
    pub variables: Vec<(String, Json)>,
    /// Where the rendered text ends.
    pub end: PromptEnd,
}

/// Where the text of a rendered conversation ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PromptEnd {
    /// Inside the last message if it is the model's own, which then goes on; else where its answer begins.
    #[default]
    Auto,
    /// Inside the last message, which must be the model's own.
    Continue,
    /// Where a new message of the model begins, whoever spoke last.
    Answer,
    /// Behind the last message.
    Closed,
}

/// A part of a request that the model's chat template does not look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unused {
    /// The tools.
    Tools,
    /// Whether the model may think.
    EnableThinking,
    /// The names of speakers.
    SpeakerNames,
    /// The reasoning of earlier turns.
    Reasoning,
    /// A variable, by its name.
    Variable(String),
}

/// One request for one or more answers to the same prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatRequest {
    /// What is continued.
    pub prompt: Prompt,
    /// The tools that the template shows to the model.
    pub tools: Vec<Tool>,
    /// Values for the template.
    pub template: TemplateOptions,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// The most tokens that each answer may have; `None` = what the context leaves.
    pub max_tokens: Option<u32>,
    /// Texts that end an answer and are not part of it.
    pub stop: Vec<String>,
    /// How many answers; at least 1.
    pub choices: u32,
    /// Whether the events carry log-probabilities.
    pub logprobs: Option<Logprobs>,
    /// Whether generation goes on after an end-of-generation token.
    pub ignore_eos: bool,
}

impl ChatRequest {
    /// Makes a request with every option at its default.
    pub fn new(prompt: Prompt) -> Self {
        Self {
            prompt,
            tools: Vec::new(),
            template: TemplateOptions::default(),
            sampling: Sampling::default(),
            max_tokens: None,
            stop: Vec::new(),
            choices: 1,
            logprobs: None,
            ignore_eos: false,
        }
    }
}
