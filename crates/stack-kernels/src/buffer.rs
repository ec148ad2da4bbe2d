//! Memory for packed weights: cache lines, zeroed, aligned.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

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
pub(crate) struct Buffer {
    start: NonNull<Line>,
    lines: usize,
    /// The memory that they lie in.
    _block: Arc<Block>,
}

impl Deref for Buffer {
    type Target = [Line];

    fn deref(&self) -> &[Line] {
        // SAFETY: `start` has room for `lines` lines of the block, all of them initialized; every byte is valid.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.lines) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [Line] {
        // SAFETY: as in `deref`; no two buffers share lines, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.lines) }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("lines", &self.lines).finish_non_exhaustive()
    }
}

// SAFETY: a buffer owns its lines, as a `Vec<Line>` would.
unsafe impl Send for Buffer {}

// SAFETY: shared references only read.
unsafe impl Sync for Buffer {}

/// An arena that buffers are cut from.
///
/// Weights that are read one after the other lie one after the other, on large pages that they share: decoding reads all
/// of them for every token, and small pages cost it a tenth of the bandwidth.
#[derive(Default)]
pub(crate) struct Arena {
    /// The block that the next buffer is cut from, and how many of its lines are taken.
    current: Mutex<Option<(Arc<Block>, usize)>>,
}

impl Arena {
    /// Makes a buffer of zeros.
    ///
    /// # Panics
    ///
    /// When that many lines exceed the address space.
    pub(crate) fn zeroed(&self, lines: usize) -> Buffer {
        if lines < SMALL_LINES {
            return Block::new(lines, align_of::<Line>()).cut(0, lines);
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((block, taken)) = &mut *current
            && lines <= block.lines - *taken
        {
            let first = *taken;
            *taken += lines;
            return block.cut(first, lines);
        }
        let block = Block::new(lines.max(BLOCK_LINES), HUGE_PAGE);
        let buffer = block.cut(0, lines);
        *current = Some((block, lines));
        buffer
    }
}

/// Memory for buffers, returned when the last of them goes.
///
/// A `Vec` would write the zeros, and so would the allocator if it were asked for the alignment; fresh pages have them
/// already. Hence the alignment is made here, inside of a larger allocation, and the packing of weights touches
/// each page first. What is never touched takes no memory.
struct Block {
    allocation: NonNull<u8>,
    layout: Layout,
    start: NonNull<Line>,
    lines: usize,
}

impl Block {
    fn new(lines: usize, alignment: usize) -> Arc<Self> {
        let layout = lines
            .checked_mul(size_of::<Line>())
            .and_then(|bytes| bytes.checked_add(alignment))
            .and_then(|bytes| Layout::from_size_align(bytes, align_of::<u64>()).ok())
            .expect("the lines fit the address space");
        // SAFETY: the layout is not empty, as the alignment is not zero.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(allocation) = NonNull::new(memory) else { handle_alloc_error(layout) };
        // SAFETY: the allocation is larger than the lines by a whole alignment.
        let start = unsafe { allocation.add(allocation.align_offset(alignment)) }.cast();
        if alignment == HUGE_PAGE {
            advise(start, lines);
        }
        Arc::new(Self { allocation, layout, start, lines })
    }

    /// The lines from `first` on, which nothing else may have been given.
    fn cut(self: &Arc<Self>, first: usize, lines: usize) -> Buffer {
        assert!(first + lines <= self.lines, "a buffer lies in its block");
        // SAFETY: the block is that long.
        let start = unsafe { self.start.add(first) };
        Buffer { start, lines, _block: Arc::clone(self) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: `new` got the allocation from the allocator, with the same layout, and no buffer is left.
        unsafe { dealloc(self.allocation.as_ptr(), self.layout) }
    }
}

// SAFETY: a block gives its lines to buffers and touches none itself.
unsafe impl Send for Block {}

// SAFETY: as above.
unsafe impl Sync for Block {}

/// Advises large pages under the lines: fewer faults while they are filled, fewer misses while they are read.
///
/// And no image of the process gets them: gigabytes of weights explain no crash, and those that lie sealed on the disk are
/// in the clear here. A process with secrets has no core dump at all; but what an operator takes of a running one, with
/// `gcore`, obeys only this mark.
#[cfg(target_os = "linux")]
fn advise(start: NonNull<Line>, lines: usize) {
    let bytes = lines * size_of::<Line>();
    for (advice, length) in
        [(Advice::LinuxHugepage, bytes / HUGE_PAGE * HUGE_PAGE), (Advice::LinuxDontDump, bytes)]
    {
        // SAFETY: the range lies in the block and begins a page, and the advice changes no content.
        let advised = unsafe { rustix::mm::madvise(start.as_ptr().cast(), length, advice) };
        // A kernel that does not know one of them goes on without.
        let _ = advised;
    }
}

#[cfg(not(target_os = "linux"))]
fn advise(_: NonNull<Line>, _: usize) {}

/// The size of a large page on every processor that has kernels here.
const HUGE_PAGE: usize = 2 << 20;

/// Lines of a block, unless one buffer needs more: 256 MiB of addresses, of which half a large page is wasted.
const BLOCK_LINES: usize = (256 << 20) / size_of::<Line>();

/// Buffers below 128 KiB are not worth a large page.
const SMALL_LINES: usize = (128 << 10) / size_of::<Line>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zero_and_writable() {
        let arena = Arena::default();
        for lines in [100, SMALL_LINES, SMALL_LINES + 1] {
            let mut buffer = arena.zeroed(lines);
            assert!(buffer.iter().all(|line| line.0 == [0; 64]));
            buffer[lines - 1].set_lane(15, 0x0403_0201);
            assert!(Line::bytes(&buffer).ends_with(&[0, 1, 2, 3, 4]));
            assert_eq!(buffer[lines - 1].lane(15), 0x0403_0201);
        }
        assert!(arena.zeroed(0).is_empty());
    }

    #[test]
    fn buffers_share_a_block_but_no_line() {
        let arena = Arena::default();
        let mut first = arena.zeroed(SMALL_LINES + 3);
        let second = arena.zeroed(SMALL_LINES);
        assert!(first.as_ptr().addr().is_multiple_of(HUGE_PAGE));
        assert_eq!(first.as_ptr_range().end, second.as_ptr());
        first.fill(Line([7; 64]));
        assert!(second.iter().all(|line| line.0 == [0; 64]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn images_of_the_process_leave_weights_out() {
        let buffer = Arena::default().zeroed(SMALL_LINES);
        let address = buffer.as_ptr().addr();
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("Linux lists its mappings");
        let holds = |line: &&str| {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let ends = range.map(|(a, b)| (usize::from_str_radix(a, 16), usize::from_str_radix(b, 16)));
            matches!(ends, Some((Ok(first), Ok(end))) if (first..end).contains(&address))
        };
        let mut mapping = maps.lines().skip_while(|line| !holds(line));
        let flags = mapping.find_map(|line| line.strip_prefix("VmFlags:")).expect("the mapping has flags");
        assert!(flags.split_whitespace().any(|flag| flag == "dd"), "not marked: {flags}");
    }

    #[test]
    fn a_buffer_that_does_not_fit_has_a_block_of_its_own() {
        let arena = Arena::default();
        let small = arena.zeroed(SMALL_LINES);
        let mut large = arena.zeroed(BLOCK_LINES + 1);
        let rest = arena.zeroed(SMALL_LINES);
        assert!(large.as_ptr().addr().is_multiple_of(HUGE_PAGE));
        large.last_mut().expect("there are lines").set_lane(0, 1);
        drop((small, arena));
        assert!(large[0].0 == [0; 64] && rest[0].0 == [0; 64]);
    }
}
