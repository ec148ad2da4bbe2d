//! The packed order of float weights.

use super::{FloatFormat, GROUP};

/// Packs some whole rows of native little-endian weights; the missing rows of the last group become zeros.
///
/// # Panics
///
/// When the lengths do not fit together.
pub(crate) fn pack(format: FloatFormat, cols: usize, native: &[u8], packed: &mut [u8]) {
    let row_bytes = cols * format.bytes();
    let group_bytes = format.group_bytes(cols);
    assert!(row_bytes > 0 && native.len().is_multiple_of(row_bytes), "weights are whole rows");
    assert_eq!(packed.len(), native.len().div_ceil(row_bytes * GROUP) * group_bytes, "packed groups fit the rows");
    for (rows, group) in native.chunks(row_bytes * GROUP).zip(packed.chunks_exact_mut(group_bytes)) {
        if rows.len() < row_bytes * GROUP || !cols.is_multiple_of(2) {
            group.fill(0);
        }
        match format {
            FloatFormat::F32 => interleave::<4>(rows, row_bytes, group),
            FloatFormat::F16 => interleave::<2>(rows, row_bytes, group),
            FloatFormat::Bf16 => interleave::<4>(rows, row_bytes, group),
        }
    }
}

/// Returns one weight of a packed group.
pub(crate) fn weight(format: FloatFormat, group: &[u8], row: usize, k: usize) -> f32 {
    let half = |at: usize| u16::from_le_bytes([group[2 * at], group[2 * at + 1]]);
    match format {
        FloatFormat::F32 => {
            let at = 4 * (k * GROUP + row);
            f32::from_le_bytes([group[at], group[at + 1], group[at + 2], group[at + 3]])
        }
        FloatFormat::F16 => half::f16::from_bits(half(k * GROUP + row)).to_f32(),
        FloatFormat::Bf16 => half::bf16::from_bits(half((k / 2 * GROUP + row) * 2 + k % 2)).to_f32(),
    }
}

/// Interleaves elements of `SIZE` bytes of up to 16 rows, a cache line of each row at a time.
fn interleave<const SIZE: usize>(rows: &[u8], row_bytes: usize, group: &mut [u8]) {
    const LINE: usize = 64;
    for start in (0..row_bytes).step_by(LINE) {
        let end = row_bytes.min(start + LINE);
        for (row, bytes) in rows.chunks_exact(row_bytes).enumerate() {
            for (step, element) in bytes[start..end].chunks(SIZE).enumerate() {
                let at = ((start / SIZE + step) * GROUP + row) * SIZE;
                group[at..at + element.len()].copy_from_slice(element);
            }
        }
    }
}
