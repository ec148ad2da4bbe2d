//! A list of operations, and what came of applying it.

use serde_json::Value;

use super::op::{MismatchKind, Op, Scope};
use super::pointer::{Allowance, TooManyMatches};

/// The operations of one direction, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) ops: Vec<Op>,
}

/// What was found where an operation looked, and not as it expected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mismatch {
    /// The address, as the spec has it.
    pub pointer: String,
    /// How it was.
    pub kind: MismatchKind,
}

/// What came of the operations of a stage, over all texts that it was applied to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    changed: Vec<bool>,
    odd: Vec<(usize, MismatchKind)>,
}

impl Stage {
    /// Applies all operations to a text.
    pub(super) fn apply(
        &self,
        root: &mut Value,
        scope: Scope<'_>,
        notes: &mut Notes,
    ) -> Result<(), TooManyMatches> {
        notes.changed.resize(self.ops.len(), false);
        let mut left = Allowance::new();
        for (place, op) in self.ops.iter().enumerate() {
            let found = op.apply(root, scope, &mut left)?;
            notes.changed[place] |= found.changed;
            if let Some(kind) = found.odd
                && !notes.odd.contains(&(place, kind))
            {
                notes.odd.push((place, kind));
            }
        }
        Ok(())
    }

    /// Lists what was other than expected, and the operations that never changed anything.
    pub(super) fn mismatches(&self, notes: &Notes) -> Vec<Mismatch> {
        let odd = notes.odd.iter().copied();
        let is_odd = |place: usize| notes.odd.iter().any(|(odd, _)| *odd == place);
        let idle = (0..self.ops.len())
            .filter(|place| !notes.changed.get(*place).copied().unwrap_or_default() && !is_odd(*place))
            .map(|place| (place, MismatchKind::Absent));
        odd.chain(idle)
            .map(|(place, kind)| Mismatch { pointer: self.ops[place].source().to_string(), kind })
            .collect()
    }

    /// Tells whether an operation changed something.
    pub(super) fn has_changed(notes: &Notes, place: usize) -> bool {
        notes.changed.get(place).copied().unwrap_or_default()
    }
}
