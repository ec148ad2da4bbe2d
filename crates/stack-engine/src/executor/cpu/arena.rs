//! Memory that one batch after the other computes in.

use stack_kernels::Activations;

use super::linear::Inputs;

/// Numbers that are overwritten by every batch. They grow to the largest batch and stay, so that later ones allocate
/// nothing.
///
/// They begin with a cache line, as then do rows of most lengths: kernels store whole lines, and one that crosses the
/// border of two takes twice as long.
#[derive(Debug, Default)]
pub(crate) struct Buffer(Vec<f32>);

impl Buffer {
    /// The first `length` numbers, whatever they are.
    pub(crate) fn take(&mut self, length: usize) -> &mut [f32] {
        if self.0.len() < length + LINE {
            self.0.resize(length + LINE, 0.0);
        }
        let start = self.start();
        &mut self.0[start..start + length]
    }

    /// The first `length` numbers, which were written before.
    pub(crate) fn get(&self, length: usize) -> &[f32] {
        &self.0[self.start()..][..length]
    }

    /// The first number of a cache line.
    fn start(&self) -> usize {
        self.0.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE)
    }
}

/// The residual stream and what a layer keeps beside it, `[rows, embedding]` each.
#[derive(Default)]
pub(super) struct Stream {
    /// The residual stream.
    pub(super) hidden: Buffer,
    /// What the layer was given, where a part of it still needs that after the mixer.
    pub(super) origin: Buffer,
    /// What the mixer reads.
    pub(super) mixer_input: Buffer,
    /// What the feed-forward reads, where that is something else.
    pub(super) network_input: Buffer,
    /// What a part of the layer returns, where it cannot be added at once.
    pub(super) returned: Buffer,
    /// The same, normalized.
    pub(super) normalized: Buffer,
}

/// What the parts of a layer compute in. Each part uses it alone, and leaves its result where its doc says.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) inputs: Inputs,
    pub(super) query: Buffer,
    pub(super) key: Buffer,
    pub(super) value: Buffer,
    pub(super) heads: Buffer,
    pub(super) gate: Buffer,
    pub(super) up: Buffer,
    pub(super) inner: Buffer,
    pub(super) spare: Buffer,
    /// Inputs of matrices that each see other rows: one for each expert or head.
    pub(super) parts: Vec<Activations>,
}

/// Numbers in a cache line.
const LINE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_keeps_what_a_smaller_batch_does_not_use() {
        let mut buffer = Buffer::default();
        buffer.take(4).copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
        buffer.take(1)[0] = 9.0;
        assert_eq!(buffer.get(4), [9.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn a_buffer_begins_with_a_line() {
        let mut buffer = Buffer::default();
        for length in [1, 16, 1000, 100_000] {
            assert!(buffer.take(length).as_ptr().addr().is_multiple_of(64), "{length} numbers");
        }
    }
}
