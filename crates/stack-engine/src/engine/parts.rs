//! The parts of an answer as events: numbered as they start, one open at a time.

use stack_chat::{ChatEvent, Delta, Fragment, PartKind, TokenLogprob};

/// The parts of a choice, numbered as they start.
pub(super) struct Parts {
    choice: u32,
    next: u32,
    open: Option<PartKind>,
    /// Tokens that no event has carried yet.
    tokens: Vec<TokenLogprob>,
}

impl Parts {
    pub(super) fn new(choice: u32) -> Self {
        Self { choice, next: 0, open: None, tokens: Vec::new() }
    }

    /// Takes note of a token, which the next event carries.
    pub(super) fn take(&mut self, token: TokenLogprob) {
        self.tokens.push(token);
    }

    /// Adds to the open part, or to a new one if what is added is of another kind.
    pub(super) fn add(&mut self, fragment: Fragment, events: &mut Vec<ChatEvent>) {
        if fragment.as_str().is_empty() {
            return;
        }
        self.fit(&fragment, events);
        self.delta(fragment, events);
    }

    fn fit(&mut self, fragment: &Fragment, events: &mut Vec<ChatEvent>) {
        if self.open.as_ref().is_some_and(|open| fragment.is_of(open)) {
            return;
        }
        let kind = match fragment {
            Fragment::Text(_) => PartKind::Text,
            Fragment::Thinking(_) => PartKind::Thinking,
            Fragment::Refusal(_) => PartKind::Refusal,
            // Arguments come behind the start of their call.
            Fragment::Arguments(_) => return,
        };
        self.start(kind, events);
    }

    pub(super) fn start(&mut self, kind: PartKind, events: &mut Vec<ChatEvent>) {
        self.close(events);
        events.push(ChatEvent::PartStarted { choice: self.choice, part: self.next, kind: kind.clone() });
        self.open = Some(kind);
        self.next += 1;
    }

    pub(super) fn close(&mut self, events: &mut Vec<ChatEvent>) {
        if self.open.take().is_some() {
            events.push(ChatEvent::PartEnded { choice: self.choice, part: self.next - 1 });
        }
    }

    fn delta(&mut self, fragment: Fragment, events: &mut Vec<ChatEvent>) {
        let tokens = std::mem::take(&mut self.tokens);
        events.push(ChatEvent::Delta(Delta { choice: self.choice, part: self.next - 1, fragment, tokens }));
    }

    /// Reports tokens that have no text yet; with `starts` also where no part is open.
    pub(super) fn tokens_alone(&mut self, starts: bool, events: &mut Vec<ChatEvent>) {
        if self.tokens.is_empty() || (self.open.is_none() && (!starts || self.next > 0)) {
            return;
        }
        let fragment = match &self.open {
            None | Some(PartKind::Text) => Fragment::Text(String::new()),
            Some(PartKind::Thinking) => Fragment::Thinking(String::new()),
            Some(PartKind::ToolCall { .. }) => Fragment::Arguments(String::new()),
            Some(PartKind::Refusal) => Fragment::Refusal(String::new()),
        };
        self.fit(&fragment, events);
        self.delta(fragment, events);
    }
}
