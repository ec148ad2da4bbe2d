//! The numbers that keys and values are held as.

use super::Line;
use crate::lanes::{LANES, Lanes};

/// A number of a page.
pub(crate) trait Element: Copy + Send + Sync + 'static {
    /// Groups of sixteen in a line.
    const PER_LINE: usize;
    /// Sixteen zeros.
    const ZEROS: [Self; LANES];

    fn load<L: Lanes>(lanes: L, from: &[Self; LANES]) -> L::F32;
    fn store<L: Lanes>(lanes: L, x: L::F32, to: &mut [Self; LANES]);
    fn view(lines: &[Line]) -> &[[Self; LANES]];
    fn view_mut(lines: &mut [Line]) -> &mut [[Self; LANES]];
}

impl Element for f32 {
    const PER_LINE: usize = 1;
    const ZEROS: [Self; LANES] = [0.0; LANES];

    #[inline(always)]
    fn load<L: Lanes>(lanes: L, from: &[Self; LANES]) -> L::F32 {
        lanes.load(from)
    }

    #[inline(always)]
    fn store<L: Lanes>(lanes: L, x: L::F32, to: &mut [Self; LANES]) {
        lanes.store(x, to);
    }

    #[inline(always)]
    fn view(lines: &[Line]) -> &[[Self; LANES]] {
        Line::floats(lines)
    }

    #[inline(always)]
    fn view_mut(lines: &mut [Line]) -> &mut [[Self; LANES]] {
        Line::floats_mut(lines)
    }
}

/// Half precision, as its bits. What is beyond its range is held as its largest number, never as infinity: a masked
/// position takes no weight, but 0 · ∞ would still spoil the rows that may not see it.
impl Element for u16 {
    const PER_LINE: usize = 2;
    const ZEROS: [Self; LANES] = [0; LANES];

    #[inline(always)]
    fn load<L: Lanes>(lanes: L, from: &[Self; LANES]) -> L::F32 {
        lanes.load_f16(from)
    }

    #[inline(always)]
    fn store<L: Lanes>(lanes: L, x: L::F32, to: &mut [Self; LANES]) {
        let bounded = lanes.min(lanes.splat(F16_MAX), lanes.max(lanes.splat(-F16_MAX), x));
        lanes.store_f16(bounded, to);
    }

    #[inline(always)]
    fn view(lines: &[Line]) -> &[[Self; LANES]] {
        Line::halves(lines)
    }

    #[inline(always)]
    fn view_mut(lines: &mut [Line]) -> &mut [[Self; LANES]] {
        Line::halves_mut(lines)
    }
}

const F16_MAX: f32 = 65504.0;
