//! Kernels for x86-64.

use std::arch::x86_64::{__cpuid, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm_sfence};
use std::sync::OnceLock;

pub(crate) mod avx2;
pub(crate) mod avx512;

/// Whether kernels that read weights once, for so many rows of activations, should ask for memory ahead of time.
///
/// Intel's own prefetchers stay behind (14.8 against 15.7 GB/s per core were measured on Emerald Rapids). AMD's do not
/// while memory is all that a core waits for, and asking disturbs them: Zen 4 reads 30 GB/s on one core without, 22 with.
/// With more than one row there is so much to compute between two lines that they do: two threads decode eight sequences
/// at 280 tokens per second with asking, at 157 without.
pub(crate) fn asks_ahead(rows: usize) -> bool {
    static IS_AMD: OnceLock<bool> = OnceLock::new();
    let is_amd = IS_AMD.get_or_init(|| {
        // The vendor's name, in the order in which the registers hold it.
        let leaf = __cpuid(0);
        [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).concat() == b"AuthenticAMD"
    });
    rows > 1 || !is_amd
}

/// Asks for a line to be brought into the nearest cache, or into the next one. The address may be anything.
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
pub(crate) fn fence() {
    // SAFETY: the instruction is part of x86-64 and touches no memory by itself.
    unsafe { _mm_sfence() }
}
