//! Takes down an answer while it is written for its caller.

use std::sync::Arc;

use stack_chat::{Answerer, ChatEvent, Failure};
use stack_wire::responses::{StoredItem, Writer};
use stack_wire::{Answer, AnswerWriter};

use super::StoredResponses;

/// Writes an answer, and keeps it once it is complete. One that fails, or whose caller leaves, is not kept.
pub(crate) struct Record {
    writer: Writer,
    input: Vec<StoredItem>,
    stored: Arc<StoredResponses>,
    answer: Answer,
}

impl Record {
    pub(crate) fn new(writer: Writer, input: Vec<StoredItem>, stored: Arc<StoredResponses>) -> Self {
        Self { writer, input, stored, answer: Answer::new(1) }
    }
}

impl AnswerWriter for Record {
    fn answered_by(&mut self, answerer: &Answerer) {
        self.writer.answered_by(answerer);
    }

    fn whole(&self, answer: &Answer) -> String {
        let response = self.writer.reply().answered(self.input.clone(), answer);
        let body = response.body().to_owned();
        self.stored.keep(response);
        body
    }

    fn event(&mut self, event: &ChatEvent, out: &mut String) {
        self.writer.event(event, out);
        self.answer.push(event.clone());
        if self.answer.is_complete() {
            // The last event of the stream says the same.
            self.whole(&self.answer);
        }
    }

    fn failure(&mut self, failure: &Failure, out: &mut String) {
        self.writer.failure(failure, out);
    }

    fn alive(&self) -> &'static str {
        self.writer.alive()
    }

    fn media_type(&self) -> &'static str {
        self.writer.media_type()
    }

    fn cuts_off(&self) -> bool {
        self.writer.cuts_off()
    }
}
