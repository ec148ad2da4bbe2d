//! Memory for packed weights: cache lines, zeroed, aligned.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// One cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u8; 64]);

impl Line {
    /// A line of zeros.
    pub(crate) const ZERO: Self = Self([0; 64]);

    /// Returns the four bytes of one of sixteen lanes.
    #[inline]
    pub(crate) fn lane(&self, lane: usize) -> u32 {
        u32::from_le_bytes(self.0.as_chunks().0[lane])
    }

    /// Sets the four bytes of one of sixteen lanes.
    #[inline]
    pub(crate) fn set_lane(&mut self, lane: usize, bytes: u32) {
        self.0.as_chunks_mut().0[lane] = bytes.to_le_bytes();
    }

    /// Returns the bytes of lines.
    pub(crate) fn bytes(lines: &[Self]) -> &[u8] {
        // SAFETY: a line is 64 initialized bytes without padding, and bytes need no alignment.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), 64 * lines.len()) }
    }

    /// Returns the bytes of lines, to change them.
    pub(crate) fn bytes_mut(lines: &mut [Self]) -> &mut [u8] {
        // SAFETY: as in `bytes`; every value of a byte makes a valid line.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), 64 * lines.len()) }
    }
}

/// Lines that were zero when they were made.
///
/// A `Vec` would write the zeros; the allocator knows that fresh pages have them already, so that whoever packs the
/// weights touches each page first.
pub(crate) struct Buffer {
    start: NonNull<Line>,
    lines: usize,
}

impl Buffer {
    /// Makes a buffer of zeros.
    ///
    /// # Panics
    ///
    /// When that many lines exceed the address space.
    pub(crate) fn zeroed(lines: usize) -> Self {
        if lines == 0 {
            return Self { start: NonNull::dangling(), lines };
        }
        let layout = layout(lines);
        // SAFETY: the layout is not empty, as `lines` is not zero.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(memory.cast()) else { handle_alloc_error(layout) };
        Self { start, lines }
    }
}

impl Deref for Buffer {
    type Target = [Line];

    fn deref(&self) -> &[Line] {
        // SAFETY: `start` has room for `lines` lines since `zeroed`, all of them initialized; every byte is valid.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.lines) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [Line] {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.lines) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.lines > 0 {
            // SAFETY: `start` came from the allocator with the same layout in `zeroed`.
            unsafe { dealloc(self.start.as_ptr().cast(), layout(self.lines)) }
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("lines", &self.lines).finish_non_exhaustive()
    }
}

// SAFETY: the buffer owns its memory, as a `Vec<Line>` would.
unsafe impl Send for Buffer {}

// SAFETY: shared references only read.
unsafe impl Sync for Buffer {}

fn layout(lines: usize) -> Layout {
    Layout::array::<Line>(lines).expect("the lines fit the address space")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zero_and_writable() {
        let mut buffer = Buffer::zeroed(100);
        assert!(buffer.iter().all(|line| line.0 == [0; 64]));
        buffer[99].set_lane(15, 0x0403_0201);
        assert_eq!(Line::bytes(&buffer)[6395..], [0, 1, 2, 3, 4]);
        assert_eq!(buffer[99].lane(15), 0x0403_0201);
        assert!(Buffer::zeroed(0).is_empty());
    }
}
