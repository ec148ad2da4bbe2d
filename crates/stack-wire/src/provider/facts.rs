//! What a reply says about itself.

use stack_chat::{Money, Usage};

/// What a reply says about itself beside its events, as far as it has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplyFacts {
    /// The provider's name for the reply.
    pub id: Option<String>,
    /// The model that answered, which may be a dated version of the one that was asked.
    pub model: Option<String>,
    /// Why it ended, in the provider's own word.
    pub finish_word: Option<String>,
    /// Tokens counted; `None` if the provider did not say, or not in a way that can be read.
    pub usage: Option<Usage>,
    /// What the provider says that it charges.
    pub billed: Option<Money>,
    /// Where a server on this machine or network says that it had the answer from.
    pub forwarded_to: Option<String>,
    /// What came and has no meaning here: events, blocks, parts. Signs that the provider has changed.
    pub unknown: Vec<String>,
}

impl ReplyFacts {
    pub(super) fn id(&mut self, id: Option<&str>) {
        self.id = self.id.take().or_else(|| id.map(shortened));
    }

    pub(super) fn model(&mut self, model: Option<&str>) {
        self.model = self.model.take().or_else(|| model.map(shortened));
    }

    pub(super) fn finish_word(&mut self, word: &str) {
        self.finish_word = Some(shortened(word));
    }

    pub(super) fn forwarded_to(&mut self, host: Option<&str>) {
        self.forwarded_to = self.forwarded_to.take().or_else(|| host.map(shortened));
    }

    /// Notes something unknown, once and within bounds.
    pub(super) fn unknown(&mut self, what: &str, word: &str) {
        let note = shortened(&format!("{what} {word:?}"));
        if self.unknown.len() < UNKNOWN_MAX && !self.unknown.contains(&note) {
            self.unknown.push(note);
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(CHARS_MAX).collect()
}

const CHARS_MAX: usize = 256;
const UNKNOWN_MAX: usize = 32;
