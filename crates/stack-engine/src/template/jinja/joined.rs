//! Putting texts together so that no two texts of callers spell a control text where they meet.

use super::budget::{Budget, TEXT_BYTES_MAX};
use super::fault::{Fault, Outcome};
use super::interpreter::{Input, Interpreter};
use super::value::{Str, Value};

/// A text that is being put together.
#[derive(Debug, Default)]
pub(super) struct Joined {
    text: String,
    /// Where one text of a caller follows another one.
    joints: Vec<usize>,
    /// Where the last text of a caller ended.
    caller_end: usize,
    from_caller: bool,
}

impl Joined {
    /// Appends a text, which is paid for.
    pub(super) fn push(&mut self, text: &str, from_caller: bool, budget: &mut Budget) -> Outcome<()> {
        budget.pay_text(text.len())?;
        if self.text.len() + text.len() > TEXT_BYTES_MAX {
            return Err(Fault::exhausted("it writes more text than a prompt can hold"));
        }
        if from_caller && !text.is_empty() {
            if self.caller_end == self.text.len() && self.from_caller {
                budget.step()?;
                self.joints.push(self.text.len());
            }
            self.from_caller = true;
            self.caller_end = self.text.len() + text.len();
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Returns the text.
    pub(super) fn finish(self, input: &Input<'_>) -> Str {
        let Self { text, joints, from_caller, .. } = self;
        let text = match input.guard {
            Some((control, marker)) if !joints.is_empty() => {
                control.mark_joints(&text, &joints, marker).into()
            }
            _ => text.into(),
        };
        Str { text, safe: false, from_caller }
    }
}

impl Interpreter<'_> {
    /// Makes a text of what was cut out of another one. The cut ends of a caller's text may be where a control text
    /// continues.
    pub(super) fn cut(&self, whole: &Str, part: &str) -> Value {
        match self.input.guard {
            Some((control, marker)) if whole.from_caller && part.len() < whole.text.len() => {
                whole.with(control.mark_edges(part, marker).as_ref())
            }
            _ => whole.with(part),
        }
    }

    /// Makes a text of characters that were picked from another one. A caller's text may spell a control text now,
    /// and no template means that.
    pub(super) fn respelled(&self, whole: &Str, text: String) -> Value {
        match self.input.guard {
            Some((control, marker)) if whole.from_caller => whole.with(control.mark(&text, marker).as_ref()),
            _ => whole.with(text),
        }
    }

    /// Makes a text of what was left of another one when parts of it were replaced, at these places.
    pub(super) fn spliced(&self, whole: &Str, text: String, joints: &[usize]) -> Value {
        match self.input.guard {
            Some((control, marker)) if whole.from_caller && !joints.is_empty() => {
                let text = control.mark_joints(&text, joints, marker);
                whole.with(control.mark_edges(&text, marker).as_ref())
            }
            _ => whole.with(text),
        }
    }
}
