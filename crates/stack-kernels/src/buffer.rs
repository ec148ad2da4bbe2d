//! Memory for packed weights: cache lines, zeroed, aligned.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

#[cfg(target_os = "linux")]
use rustix::mm::Advice;

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
/// A `Vec` would write the zeros, and so would the allocator if it were asked for the alignment; fresh pages have them
/// already. Hence the alignment is made here, inside of a larger allocation, and whoever packs the weights touches
/// each page first.
pub(crate) struct Buffer {
    allocation: NonNull<u8>,
    layout: Layout,
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
        let bytes = lines.checked_mul(size_of::<Line>());
        let alignment =
            if bytes.is_some_and(|bytes| bytes < 2 * HUGE_PAGE) { size_of::<Line>() } else { HUGE_PAGE };
        let layout = bytes
            .and_then(|bytes| bytes.checked_add(alignment))
            .and_then(|bytes| Layout::from_size_align(bytes, align_of::<u64>()).ok())
            .expect("the lines fit the address space");
        // SAFETY: the layout is not empty, as the alignment is not zero.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(allocation) = NonNull::new(memory) else { handle_alloc_error(layout) };
        // SAFETY: the allocation is larger than the lines by a whole alignment.
        let start = unsafe { allocation.add(allocation.align_offset(alignment)) }.cast();
        let mut buffer = Self { allocation, layout, start, lines };
        if alignment == HUGE_PAGE {
            advise_huge_pages(&mut buffer);
        }
        buffer
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
        // SAFETY: `zeroed` got the allocation from the allocator, with the same layout.
        unsafe { dealloc(self.allocation.as_ptr(), self.layout) }
    }
}

/// Asks for large pages under the lines: fewer faults while they are filled, fewer misses while they are read.
///
/// Only pages that lie in the buffer as a whole are meant, so that it takes no more memory.
#[cfg(target_os = "linux")]
fn advise_huge_pages(lines: &mut [Line]) {
    let whole = size_of_val(lines) / HUGE_PAGE * HUGE_PAGE;
    // SAFETY: the range lies in the buffer, and the advice changes no content.
    let advised = unsafe { rustix::mm::madvise(lines.as_mut_ptr().cast(), whole, Advice::LinuxHugepage) };
    // A kernel without large pages says so; small ones do as well.
    let _ = advised;
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages(_: &mut [Line]) {}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("lines", &self.lines).finish_non_exhaustive()
    }
}

// SAFETY: the buffer owns its memory, as a `Vec<Line>` would.
unsafe impl Send for Buffer {}

// SAFETY: shared references only read.
unsafe impl Sync for Buffer {}

/// The size of a large page on every processor that has kernels here.
const HUGE_PAGE: usize = 2 << 20;

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

    #[test]
    fn large_buffers_are_aligned_to_large_pages() {
        let mut buffer = Buffer::zeroed(5 * HUGE_PAGE / 64 + 1);
        assert!(buffer.as_ptr().addr().is_multiple_of(HUGE_PAGE));
        assert!(buffer.iter().all(|line| line.0 == [0; 64]));
        buffer.last_mut().expect("there are lines").set_lane(0, 1);
    }
}
