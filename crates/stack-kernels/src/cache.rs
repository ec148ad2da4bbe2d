//! The instructions of x86-64 that steer its caches.

use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_clflush, _mm_mfence, _mm_prefetch, _mm_sfence};

use crate::buffer::Line;

/// Prefetches a line into the nearest cache, or into the next one. The address may be anything.
#[expect(clippy::inline_always, reason = "one instruction, in the inner loops of kernels")]
#[inline(always)]
pub(crate) fn prefetch<const NEAREST: bool, T>(address: *const T) {
    let address = address.cast();
    // SAFETY: the instruction is part of x86-64, never faults, and reads nothing that the program could see.
    unsafe {
        if NEAREST {
            _mm_prefetch::<_MM_HINT_T0>(address);
        } else {
            _mm_prefetch::<_MM_HINT_T1>(address);
        }
    }
}

/// Orders what this thread stored past the caches before all that it stores later.
pub(crate) fn sfence() {
    // SAFETY: the instruction is part of x86-64 and touches no memory by itself.
    unsafe { _mm_sfence() }
}

/// Puts lines out of all caches of all cores.
pub(crate) fn evict(lines: &[Line]) {
    for line in lines {
        // SAFETY: the instruction is part of x86-64; the line can be read, and its bytes stay what they are.
        unsafe { _mm_clflush(std::ptr::from_ref(line).cast()) };
    }
    // SAFETY: the instruction is part of x86-64 and touches no memory by itself.
    unsafe { _mm_mfence() }
}
