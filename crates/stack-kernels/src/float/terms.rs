//! The terms of sums, for each format of floats.

use super::floats::Floats;
use super::rows::TILE;
use crate::tile::LANES;

/// The way in which weights and activations of one format enter the sums.
pub(crate) trait Terms<V> {
    /// A step of weights of one group, in registers.
    type Weights: Copy;
    /// An element of activations, in all lanes.
    type Activation: Copy;
    /// Packed bytes of a step of one group.
    const BYTES: usize;
    /// Weights of one row in a step.
    const WEIGHTS: usize = 1;
    /// Rows of activations up to which weights are read once, as they come from memory, and prepared for each tile.
    const STREAM_ROWS_MAX: usize = 4 * TILE;

    /// Reads a step of weights.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of `V`, and [`BYTES`](Self::BYTES) must be readable at `from`.
    unsafe fn weights(from: *const u8) -> Self::Weights;

    /// Reads an element of activations.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of `V`, and an element must be readable at `from`.
    unsafe fn activation(from: *const u32) -> Self::Activation;

    /// Adds one step to a sum.
    fn add(sum: V, weights: Self::Weights, activation: Self::Activation) -> V;

    /// The terms by which many rows of activations are multiplied: the same, or wider ones.
    type Widened: Terms<V>;

    /// Returns some steps of weights of one group as the widened terms read them, which may lie in `buffer`; as they lie
    /// where those terms read the same.
    ///
    /// # Safety
    ///
    /// As for [`weights`](Self::weights), for all steps; `buffer` must have room for their weights as floats.
    #[inline(always)]
    unsafe fn widened_weights(from: *const u8, _steps: usize, _buffer: *mut f32) -> *const u8 {
        from
    }

    /// Returns some elements of `width` rows of activations as the widened terms read them, which may lie in
    /// `buffer`; as they lie where those terms read the same. The buffer has room for two elements for each one.
    #[inline(always)]
    fn widened_activations<'a>(elements: &'a [u32], _width: usize, _buffer: &'a mut [u32]) -> &'a [u32] {
        elements
    }
}

/// F32 as it is.
pub(crate) struct Single;

/// F16, converted in registers.
pub(crate) struct Half;

/// BF16 pairs, widened in registers.
pub(crate) struct Pairs;

impl<V: Floats> Terms<V> for Single {
    type Weights = V;
    type Activation = V;
    const BYTES: usize = 4 * LANES;

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> V {
        // SAFETY: the caller vouches for 64 readable bytes, which are 16 floats of any alignment.
        unsafe { V::load(from.cast()) }
    }

    #[inline(always)]
    unsafe fn activation(from: *const u32) -> V {
        // SAFETY: an element of these activations is one float.
        unsafe { V::splat(from.cast()) }
    }

    #[inline(always)]
    fn add(sum: V, weights: V, activation: V) -> V {
        sum.fma(weights, activation)
    }

    type Widened = Self;
}

impl<V: Floats> Terms<V> for Half {
    type Weights = V;
    type Activation = V;
    const BYTES: usize = 2 * LANES;

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> V {
        // SAFETY: the caller vouches for 32 readable bytes, which are 16 halves.
        unsafe { V::load_half(from.cast()) }
    }

    #[inline(always)]
    unsafe fn activation(from: *const u32) -> V {
        // SAFETY: the caller vouches for the same.
        unsafe { <Single as Terms<V>>::activation(from) }
    }

    #[inline(always)]
    fn add(sum: V, weights: V, activation: V) -> V {
        <Single as Terms<V>>::add(sum, weights, activation)
    }

    type Widened = Single;

    #[inline(always)]
    unsafe fn widened_weights(from: *const u8, steps: usize, buffer: *mut f32) -> *const u8 {
        let halves: *const u16 = from.cast();
        for step in 0..steps {
            // SAFETY: the caller vouches for all steps of weights and for the buffer.
            unsafe { V::load_half(halves.add(step * LANES)).store(buffer.add(step * LANES)) };
        }
        buffer.cast()
    }
}

impl<V: Floats> Terms<V> for Pairs {
    type Weights = (V, V);
    type Activation = (V, V);
    const BYTES: usize = 4 * LANES;
    const WEIGHTS: usize = 2;
    /// Both sides are widened, which is worth doing once from the second tile on.
    const STREAM_ROWS_MAX: usize = TILE;

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> (V, V) {
        // SAFETY: the caller vouches for 64 readable bytes, which are 16 pairs.
        unsafe { V::load_pairs(from.cast()) }
    }

    #[inline(always)]
    unsafe fn activation(from: *const u32) -> (V, V) {
        // SAFETY: an element of these activations is one pair.
        unsafe { V::splat_pair(from) }
    }

    #[inline(always)]
    fn add(sum: V, weights: (V, V), activation: (V, V)) -> V {
        sum.fma(weights.1, activation.1).fma(weights.0, activation.0)
    }

    type Widened = Single;

    #[inline(always)]
    unsafe fn widened_weights(from: *const u8, steps: usize, buffer: *mut f32) -> *const u8 {
        let pairs: *const u32 = from.cast();
        for step in 0..steps {
            // SAFETY: the caller vouches for all steps of weights and for the buffer.
            unsafe {
                let (first, second) = V::load_pairs(pairs.add(step * LANES));
                second.store(buffer.add(2 * step * LANES));
                first.store(buffer.add((2 * step + 1) * LANES));
            }
        }
        buffer.cast()
    }

    #[inline(always)]
    fn widened_activations<'a>(elements: &'a [u32], width: usize, buffer: &'a mut [u32]) -> &'a [u32] {
        for (pairs, floats) in elements.chunks_exact(width).zip(buffer.chunks_exact_mut(2 * width)) {
            let (second, first) = floats.split_at_mut(width);
            for ((pair, second), first) in pairs.iter().zip(second).zip(first) {
                (*second, *first) = (pair & 0xFFFF_0000, pair << 16);
            }
        }
        &buffer[..2 * elements.len()]
    }
}
