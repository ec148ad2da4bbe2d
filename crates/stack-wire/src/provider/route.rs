//! Who is asked.

use std::sync::Arc;

use stack_chat::Origin;

use super::{Adapter, Family};

/// A model at a provider, and what must be known of it to ask rightly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The provider, by its configured name.
    pub provider: String,
    /// The interface that it is asked through.
    pub family: Family,
    /// The model, as the provider calls it.
    pub model: String,
    /// The most tokens that the model writes, if that is known.
    pub output_tokens_max: Option<u32>,
    /// How the model is told to think; `None` if it cannot.
    pub thinking: Option<ThinkingForm>,
    /// Whether the provider takes the options by which vLLM and llama.cpp extend OpenAI's interface.
    pub extended: bool,
    /// Whether the provider may be told to fetch media from the network.
    pub remote_media: bool,
    /// What it calls otherwise than its family; without one it speaks the canonical form.
    pub adapter: Option<Arc<Adapter>>,
}

/// How a model is told how much to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThinkingForm {
    /// By a word.
    Effort,
    /// By a number of tokens.
    Budget,
}

impl Route {
    /// Makes a route of which no more is known.
    pub fn new(provider: &str, family: Family, model: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            family,
            model: model.to_owned(),
            output_tokens_max: None,
            thinking: None,
            extended: false,
            remote_media: false,
            adapter: None,
        }
    }

    /// Returns where what is opaque comes from on this route, and may return to.
    pub fn origin(&self) -> Origin {
        Origin { provider: self.provider.clone(), family: self.family.as_str().to_owned() }
    }
}
