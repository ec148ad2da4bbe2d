//! Replies that are rows of messages, each with a head of its own, and not one text with tags in it.

use super::call::ToolTypes;
use super::event::ReplyEvent;
use super::format::MessageFormat;
use super::harmony::Harmony;
use super::recipients::Recipients;

/// Takes such a reply apart.
#[derive(Clone, Debug)]
pub(super) enum Messages {
    Harmony(Harmony),
    Recipients(Recipients),
}

impl Messages {
    pub(super) fn new(format: MessageFormat, prompt_end: &str) -> Self {
        match format {
            MessageFormat::Harmony => Self::Harmony(Harmony::new(prompt_end)),
            MessageFormat::Recipients => Self::Recipients(Recipients::new(prompt_end)),
        }
    }

    pub(super) fn push(&mut self, text: &str, tools: &ToolTypes) -> Vec<ReplyEvent> {
        match self {
            Self::Harmony(harmony) => harmony.push(text),
            Self::Recipients(recipients) => recipients.push(text, tools),
        }
    }

    pub(super) fn finish(&mut self) -> Vec<ReplyEvent> {
        match self {
            Self::Harmony(harmony) => harmony.finish(),
            Self::Recipients(recipients) => recipients.finish(),
        }
    }

    /// Ends a reply for which no room was left. Heads in harmony are said by control tokens, which are never half there.
    pub(super) fn cut(&mut self, tools: &ToolTypes) -> Vec<ReplyEvent> {
        match self {
            Self::Harmony(harmony) => harmony.finish(),
            Self::Recipients(recipients) => recipients.cut(tools),
        }
    }

    pub(super) fn open_call(&self) -> Option<&str> {
        match self {
            Self::Harmony(harmony) => harmony.open_call(),
            Self::Recipients(recipients) => recipients.open_call(),
        }
    }

    pub(super) fn is_reasoning(&self) -> bool {
        match self {
            Self::Harmony(harmony) => harmony.is_reasoning(),
            Self::Recipients(_) => false,
        }
    }

    pub(super) fn calls(&self) -> usize {
        match self {
            Self::Harmony(harmony) => harmony.calls(),
            Self::Recipients(recipients) => recipients.calls(),
        }
    }
}
