//! What one rendering may spend: work, text and depth. A template is a program of a stranger.

use super::fault::{Fault, Outcome};

/// Counts the work of one rendering.
///
/// Everything that copies or searches pays for the bytes that it touches, so that the count also bounds the memory:
/// nothing is kept that was not paid for.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: u64,
    depth: usize,
}

impl Budget {
    /// Pays for work on bytes.
    pub(super) fn pay(&mut self, bytes: usize) -> Outcome<()> {
        self.spent = self.spent.saturating_add(bytes as u64);
        if self.spent > WORK_MAX {
            return Err(Fault::exhausted("it computes more than a conversation can need"));
        }
        Ok(())
    }

    /// Pays for a step of the program.
    pub(super) fn step(&mut self) -> Outcome<()> {
        self.pay(STEP)
    }

    /// Pays for items of a sequence.
    pub(super) fn pay_items(&mut self, items: usize) -> Outcome<()> {
        self.pay(items.saturating_mul(ITEM))
    }

    /// Pays for a text of this length, which must not be longer than a prompt can be.
    pub(super) fn pay_text(&mut self, bytes: usize) -> Outcome<()> {
        if bytes > TEXT_BYTES_MAX {
            return Err(Fault::exhausted("it writes more text than a prompt can hold"));
        }
        self.pay(bytes.saturating_mul(TEXT_BYTE))
    }

    /// Goes one level down.
    pub(super) fn enter(&mut self) -> Outcome<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::exhausted("its macros and loops call each other too deep"));
        }
        self.step()
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }
}

/// The longest text that a template may make.
pub(super) const TEXT_BYTES_MAX: usize = 16 << 20;
/// The bytes that one rendering may touch.
const WORK_MAX: u64 = 512 << 20;
/// What a step costs; a conversation of a thousand messages with tools takes a tenth of what is there.
const STEP: usize = 64;
/// What an item of a sequence takes in memory.
const ITEM: usize = 32;
/// What a byte of a text costs: it is read and written.
const TEXT_BYTE: usize = 2;
/// How deep expressions, statements, macros and loops may lie in each other while they run.
const DEPTH_MAX: usize = 5000;
