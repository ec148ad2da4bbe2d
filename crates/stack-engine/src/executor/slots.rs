//! Sequences by their ids.

use super::SequenceId;

/// The open sequences of an executor.
#[derive(Debug)]
pub(super) struct Slots<S>(Vec<Option<S>>);

impl<S> Slots<S> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// Gives a sequence an id, that of a closed one if there is any.
    pub(super) fn insert(&mut self, sequence: S) -> SequenceId {
        if let Some(free) = self.0.iter().position(Option::is_none) {
            self.0[free] = Some(sequence);
            return SequenceId(free);
        }
        self.0.push(Some(sequence));
        SequenceId(self.0.len() - 1)
    }

    pub(super) fn remove(&mut self, id: SequenceId) {
        self.0[id.0] = None;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &S> {
        self.0.iter().flatten()
    }

    pub(super) fn get(&self, id: SequenceId) -> &S {
        self.0[id.0].as_ref().expect("a sequence is used only while it is open")
    }

    pub(super) fn get_mut(&mut self, id: SequenceId) -> &mut S {
        self.0[id.0].as_mut().expect("a sequence is used only while it is open")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_closed_sequence_is_used_again() {
        let mut slots = Slots::new();
        let (first, second) = (slots.insert('a'), slots.insert('b'));
        slots.remove(first);
        assert_eq!(slots.insert('c'), first);
        *slots.get_mut(second) = 'd';
        assert_eq!((slots.get(first), slots.get(second)), (&'c', &'d'));
        assert_eq!(slots.iter().collect::<String>(), "cd");
    }
}
