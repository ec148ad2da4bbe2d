//! The quants of packed blocks, one row at a time.

use crate::buffer::Line;
use crate::format::Format;

/// Returns the quants of one row in a block as eight groups of four bytes.
#[inline]
pub(crate) fn of_lane(format: Format, lines: &[Line], lane: usize) -> [u32; 8] {
    match format {
        Format::Q8_0 => std::array::from_fn(|group| lines[group].lane(lane)),
        Format::Q6K => {
            let mut groups = [0; 8];
            for (groups, lines) in groups.as_chunks_mut::<4>().0.iter_mut().zip(lines.as_chunks::<3>().0) {
                let words = [0, 1, 2].map(|line: usize| lines[line].lane(lane));
                for (group, word) in groups.iter_mut().zip(words) {
                    *group = word & LOW_6;
                }
                groups[3] =
                    words[0] >> 6 & LOW_2 | (words[1] >> 6 & LOW_2) << 2 | (words[2] >> 6 & LOW_2) << 4;
            }
            groups
        }
        Format::Q2K | Format::Q3K => {
            let high = if format == Format::Q3K { lines[2].lane(lane) } else { 0 };
            std::array::from_fn(|group| {
                let low = lines[group / 4].lane(lane) >> (2 * (group % 4)) & LOW_2;
                low | (high >> group & LOW_1) << 2
            })
        }
        Format::Q5_0 | Format::Q5_1 | Format::Q5K => {
            let high = lines[4].lane(lane);
            std::array::from_fn(|group| nibble(lines, lane, group) | (high >> group & LOW_1) << 4)
        }
        Format::Iq4Nl | Format::Iq4Xs => {
            std::array::from_fn(|group| look_up(&IQ4_NL_CODEBOOK, nibble(lines, lane, group)))
        }
        Format::Mxfp4 => std::array::from_fn(|group| look_up(&FP4_E2M1, nibble(lines, lane, group))),
        Format::Q4_0 | Format::Q4_1 | Format::Q4K => std::array::from_fn(|group| nibble(lines, lane, group)),
        Format::F32 | Format::F16 | Format::Bf16 => unreachable!("floats have no quants"),
    }
}

#[inline]
fn nibble(lines: &[Line], lane: usize, group: usize) -> u32 {
    lines[group / 2].lane(lane) >> (4 * (group % 2)) & LOW_4
}

#[inline]
fn look_up(table: &[u8; 16], quants: u32) -> u32 {
    u32::from_le_bytes(quants.to_le_bytes().map(|quant| table[usize::from(quant & 15)]))
}

/// The lowest bits of four bytes.
pub(crate) const LOW_1: u32 = 0x0101_0101;
pub(crate) const LOW_2: u32 = 0x0303_0303;
pub(crate) const LOW_4: u32 = 0x0F0F_0F0F;
const LOW_6: u32 = 0x3F3F_3F3F;

/// The values of `IQ4_NL` and `IQ4_XS`, 128 added.
pub(crate) const IQ4_NL_CODEBOOK: [u8; 16] =
    [1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241];

/// Twice the values of four-bit floats, 128 added.
pub(crate) const FP4_E2M1: [u8; 16] =
    [128, 129, 130, 131, 132, 134, 136, 140, 128, 127, 126, 125, 124, 122, 120, 116];
