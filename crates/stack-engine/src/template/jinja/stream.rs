//! Reading tokens one after the other.

use std::sync::Arc;

use super::fault::{Fault, Outcome};
use super::lexer::Kind;
use super::parser::Parser;

impl Parser {
    pub(super) fn peek(&self) -> &Kind {
        &self.tokens[self.at.min(self.tokens.len() - 1)].kind
    }

    pub(super) fn peek_second(&self) -> &Kind {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].kind
    }

    pub(super) fn line(&self) -> u32 {
        self.tokens[self.at.min(self.tokens.len() - 1)].line
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    pub(super) fn take(&mut self) -> Kind {
        let kind = self.peek().clone();
        self.at += 1;
        kind
    }

    pub(super) fn name(&mut self) -> Outcome<Arc<str>> {
        let line = self.line();
        match self.take() {
            Kind::Name(name) => Ok(name),
            other => Err(unexpected(&other, line)),
        }
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Kind::Name(found) if **found == *name)
    }

    pub(super) fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    pub(super) fn is_operator(&self, operator: &str) -> bool {
        matches!(self.peek(), Kind::Operator(found) if *found == operator)
    }

    pub(super) fn skip_operator(&mut self, operator: &str) -> bool {
        let found = self.is_operator(operator);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_operator(&mut self, operator: &'static str) -> Outcome<()> {
        self.expect(&Kind::Operator(operator))
    }

    pub(super) fn expect_name(&mut self, name: &str) -> Outcome<()> {
        let line = self.line();
        if self.skip_name(name) { Ok(()) } else { Err(unexpected(self.peek(), line)) }
    }

    pub(super) fn expect(&mut self, kind: &Kind) -> Outcome<()> {
        if self.peek() == kind {
            self.at += 1;
            return Ok(());
        }
        let message = format!("{} is unexpected, {} is missing", shown(self.peek()), shown(kind));
        Err(Fault::syntax(message, self.line() as usize))
    }
}

pub(super) fn unexpected(kind: &Kind, line: u32) -> Fault {
    Fault::syntax(format!("{} is unexpected", shown(kind)), line as usize)
}

/// Names a token in a message.
fn shown(kind: &Kind) -> String {
    match kind {
        Kind::Data(_) => "text".into(),
        Kind::PrintBegin => "{{".into(),
        Kind::PrintEnd => "}}".into(),
        Kind::BlockBegin => "{%".into(),
        Kind::BlockEnd => "%}".into(),
        Kind::Name(name) => format!("{name:?}"),
        Kind::Text(_) => "a string".into(),
        Kind::Int(_) | Kind::Float(_) => "a number".into(),
        Kind::Operator(operator) => format!("{operator:?}"),
        Kind::End => "the end of the template".into(),
    }
}
