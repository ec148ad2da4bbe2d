//! What a model writes, taken apart: reasoning, text and calls of tools.
//!
//! Every family of models writes calls in its own way, and a model's chat template knows it, because it writes earlier
//! calls of the conversation in that way. So nothing here asks for a model's name: [`infer`] renders the template with
//! and without a call, and reads the format off the difference. One record, [`ReplyFormat`], then yields the
//! incremental [`ReplyParser`] and, in [`lark`], the grammar that makes a malformed call impossible.
//!
//! What a model wrote is never lost: a call that turns out to be malformed is text.

mod call;
mod event;
mod format;
mod harmony;
mod infer;
mod json_scan;
mod lark;
mod literal;
mod marker;
mod messages;
mod object_call;
mod parser;
mod probe;
mod recipients;
mod tagged_call;

pub use event::ReplyEvent;
pub use format::{CallFormat, CallShape, MessageFormat, ReplyFormat, Tags};
pub use lark::{CallRule, opened_grammar, reply_grammar};
pub use parser::ReplyParser;

#[cfg(test)]
mod family_tests;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) mod testing {
    //! Formats of real families for the tests of others.

    use super::ReplyFormat;

    /// The formats of the reference templates and of those in `testdata`, each with the name of its template.
    pub(crate) fn formats() -> Vec<(String, ReplyFormat)> {
        let reference = super::tests::families();
        let reference = reference.into_iter().map(|(name, _, format)| (name, (*format).clone()));
        reference.chain(super::family_tests::formats()).collect()
    }
}
