//! Requests as they were parsed.

use crate::{Ignored, KeepAlive};

/// A request as it was parsed: what the model is asked, and how the answer travels.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<T> {
    /// The model asked for, if the request names one.
    pub model: Option<String>,
    /// What the model is asked.
    pub request: T,
    /// How the answer travels.
    pub delivery: Delivery,
    /// What the request said without effect.
    pub ignored: Ignored,
    /// How long the model stays in memory afterwards, if the request says it.
    pub keep_alive: Option<KeepAlive>,
}

impl<T> Call<T> {
    /// Makes something else of what the model is asked.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Call<U> {
        let Self { model, request, delivery, ignored, keep_alive } = self;
        Call { model, request: change(request), delivery, ignored, keep_alive }
    }
}

/// How an answer travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As one JSON object, when it is complete.
    Whole,
    /// Event by event, while it is generated.
    Stream {
        /// Whether the end of the stream carries the usage, in dialects that leave the choice.
        include_usage: bool,
    },
}
