//! A slice whose parts are written by several threads at once.

use std::marker::PhantomData;
use std::ops::Range;

/// A mutable slice that hands out parts of itself to several threads.
///
/// The borrow checker cannot see that the tasks of a parallel region write different parts of one output; this type
/// is where that promise is made.
pub(crate) struct Disjoint<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it is a mutable slice in all but name, and parts of it reach other threads as `&mut [T]`, which needs
// `T: Send`. Sharing it gives no access to a part without the promise that `part` asks for.
unsafe impl<T: Send> Send for Disjoint<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns one part.
    ///
    /// # Panics
    ///
    /// When the slice has no such part.
    ///
    /// # Safety
    ///
    /// No element of the part may be in another part that is in use at the same time.
    #[expect(clippy::mut_from_ref, reason = "the caller promises that parts do not overlap")]
    pub(crate) unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "no part {range:?} in {}", self.len);
        // SAFETY: the range was just checked to lie in the slice, which is borrowed mutably for 'a.
        let start = unsafe { self.start.add(range.start) };
        // SAFETY: the elements are initialized, and the caller promises that nothing else uses them.
        unsafe { std::slice::from_raw_parts_mut(start, range.len()) }
    }
}
