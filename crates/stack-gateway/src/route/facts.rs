//! What a request is, as far as routing looks at it.

use stack_chat::{Fallback, Tier};

/// What a request is, as far as routing looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// How far it may reach.
    pub tier: Tier,
    /// What a model has to be able to do for it.
    pub needs: Vec<Need>,
    /// About how many tokens its prompt and its answer take; 0 if that is not known.
    pub tokens: u32,
    /// Whether another candidate may stand in.
    pub fallback: Fallback,
    /// The conversation, if it has a name.
    pub session: Option<String>,
    /// Who sees the same variant each time.
    pub subject: Option<String>,
}

/// Something that a model has to be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// To call tools.
    Tools,
    /// To see images, or to take other media.
    Media,
    /// To think before it answers.
    Thinking,
    /// To end at texts that the request names.
    Stop,
    /// To give several answers at once.
    Choices,
    /// To continue a text that is no conversation.
    RawPrompt,
}

impl Facts {
    /// A request that needs nothing and may reach everything.
    pub const fn any() -> Self {
        Self {
            tier: Tier::Standard,
            needs: Vec::new(),
            tokens: 0,
            fallback: Fallback::Allowed,
            session: None,
            subject: None,
        }
    }
}

impl Need {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Media => "media",
            Self::Thinking => "thinking",
            Self::Stop => "stop texts",
            Self::Choices => "several choices",
            Self::RawPrompt => "raw prompts",
        }
    }
}
