//! The packed order of float weights.

use half::{bf16, f16};

use crate::buffer::Line;
use crate::format::Format;
use crate::tile::LANES;

/// Packs up to sixteen whole rows into the lines of their group, which must be zero.
pub(crate) fn pack(format: Format, rows: &[u8], row_bytes: usize, lines: &mut [Line]) {
    let bytes = Line::bytes_mut(lines);
    match format {
        Format::F16 => interleave::<2>(rows, row_bytes, bytes),
        _ => interleave::<4>(rows, row_bytes, bytes),
    }
}

/// Returns the weight of one row of a packed group in one column.
#[inline]
pub(crate) fn weight(format: Format, group: &[Line], lane: usize, column: usize) -> f32 {
    match format {
        Format::F16 => {
            let lines = group[column / 2].0.as_chunks::<2>().0;
            f16::from_le_bytes(lines[LANES * (column % 2) + lane]).to_f32()
        }
        Format::Bf16 => {
            let pair = group[column / 2].lane(lane);
            bf16::from_bits((pair >> (16 * (column % 2))) as u16).to_f32()
        }
        _ => f32::from_bits(group[column].lane(lane)),
    }
}

/// Writes one row of a packed group.
pub(crate) fn row(format: Format, group: &[Line], lane: usize, out: &mut [f32]) {
    for (column, out) in out.iter_mut().enumerate() {
        *out = weight(format, group, lane, column);
    }
}

/// Interleaves elements of `SIZE` bytes of up to sixteen rows, a cache line of each row at a time.
fn interleave<const SIZE: usize>(rows: &[u8], row_bytes: usize, group: &mut [u8]) {
    const LINE: usize = 64;
    for start in (0..row_bytes).step_by(LINE) {
        let end = row_bytes.min(start + LINE);
        for (lane, row) in rows.chunks_exact(row_bytes).enumerate() {
            for (step, element) in row[start..end].chunks(SIZE).enumerate() {
                let at = ((start / SIZE + step) * LANES + lane) * SIZE;
                group[at..at + element.len()].copy_from_slice(element);
            }
        }
    }
}
