//! Who answers.

use crate::{ChatRequest, Class, EventStream, Failure, Sampling};

/// Anything that answers a conversation.
pub trait ChatModel: Send + Sync {
    /// Describes the model.
    fn card(&self) -> &ModelCard;

    /// Says what is used where a request leaves it open, as far as that is known here.
    fn sampling(&self) -> Sampling {
        Sampling::default()
    }

    /// Starts to answer.
    ///
    /// Returns at once; what takes time happens behind the stream. A request that cannot be admitted fails here
    /// (no place, unsupported option) or as the stream's first item (a prompt that does not fit).
    ///
    /// # Errors
    ///
    /// The kinds of [`Failure`] say what callers can do about it.
    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure>;

    /// Estimates how many tokens a prompt has, where it would have to leave this process to be counted. `None` means that
    /// asking costs nothing: the first event of an answer tells.
    fn estimate(&self, _request: &ChatRequest) -> Option<Result<u32, Failure>> {
        None
    }
}

/// What callers may know about a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelCard {
    /// The name by which requests select it.
    pub id: String,
    /// When it was made or last changed, in seconds since 1970; 0 if unknown.
    pub created_s: u64,
    /// Tokens that one sequence may hold here; 0 for models without a context limit.
    pub context: u32,
    /// Tokens that it was trained for.
    pub context_trained: u32,
    /// Number of weights.
    pub parameters: u64,
    /// Bytes of its weights on disk.
    pub size_bytes: u64,
    /// Tokens in its vocabulary.
    pub vocabulary: u32,
    /// Length of its embedding vectors.
    pub embedding: u32,
    /// Its architecture, as its file names it.
    pub architecture: String,
    /// What it can do.
    pub abilities: Vec<Ability>,
    /// Why its weights are taken to be the right ones; `None` where there are none to verify.
    pub basis: Option<Basis>,
    /// The digest of its weights, such as `blake3:…`, once they were verified.
    pub digest: Option<String>,
    /// The provider that it runs at; `None` = it runs here.
    pub provider: Option<String>,
    /// Where its answers come from.
    pub class: Class,
    /// How most of its weights are stored, such as `Q4_K`, where they are tensors of a file.
    pub quantization: Option<String>,
}

/// Why a model's weights are taken to be the right ones, once they were verified. Of several files, the weakest reason
/// counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// They are part of the program.
    BuiltIn,
    /// Somebody who is trusted for this model signed them.
    Signed,
    /// They are those that were recorded before.
    Pinned,
    /// Nobody said anything: they are what was found.
    FirstSeen,
}

impl Basis {
    /// Names it as messages and the API do.
    pub fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built_in",
            Self::Signed => "signed",
            Self::Pinned => "pinned",
            Self::FirstSeen => "first_seen",
        }
    }
}

/// One thing that a model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Continues text.
    Completes,
    /// Has a chat template.
    Chats,
    /// Returns embedding vectors.
    Embeds,
    /// Ranks documents.
    Ranks,
    /// Is shown tools, and calls them.
    Calls,
    /// Thinks before it answers.
    Thinks,
}
