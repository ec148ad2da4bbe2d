//! The float kernels for any instruction set.
//!
//! A tile is a few rows of activations times one or two groups of weights, over one block of k, with all sums in
//! registers. Few tiles walk the weights as they lie in memory. Many finish a block of k for all groups before the next
//! block, so that the activations stay in the second-level cache, and widen weights to floats once for all of them.

use std::marker::PhantomData;

use super::floats::Floats;
use super::rows::TILE;
use super::terms::{Half, Pairs, Single, Terms};
use super::{BLOCK, FloatTask, ROWS};
use crate::buffer::Line;
use crate::format::Format;
use crate::tile::LANES;

/// The activations of a tile: as many elements of `width` rows as there are steps, the first `rows` of them used.
struct X<'a> {
    elements: &'a [u32],
    width: usize,
    rows: usize,
}

/// Some steps of one or two groups of weights.
struct Weights<F> {
    groups: [*const u8; 2],
    count: usize,
    steps: usize,
    terms: PhantomData<F>,
}

/// Adds the products of a task in any format to its sums.
///
/// # Safety
///
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn multiply_any<V: Floats>(task: &mut FloatTask<'_>) {
    // SAFETY: the caller vouches for the instructions, and these terms need no others.
    unsafe {
        match task.format {
            Format::F16 => multiply::<V, Half>(task),
            Format::Bf16 => multiply::<V, Pairs>(task),
            _ => multiply::<V, Single>(task),
        }
    }
}

/// Adds the products of a task to its sums.
///
/// # Safety
///
/// The processor must have the instructions of `V` and `F`.
#[inline(always)]
pub(crate) unsafe fn multiply<V: Floats, F: Terms<V>>(task: &mut FloatTask<'_>) {
    let groups = task.checked_groups();
    if task.rows.len() > F::STREAM_ROWS_MAX {
        // SAFETY: the lengths were checked just now; the caller vouches for the instructions.
        unsafe { blocked::<V, F>(task, groups) };
    } else if !task.rows.is_empty() {
        // SAFETY: as above.
        unsafe { stream::<V, F>(task, groups) };
    }
}

/// Multiplies few tiles of activations: weights stream from memory once.
///
/// # Safety
///
/// The processor must have the instructions of `V` and `F`, and the task must have been checked to have that many
/// groups.
#[inline(always)]
unsafe fn stream<V: Floats, F: Terms<V>>(task: &mut FloatTask<'_>, groups: usize) {
    let weights = Line::bytes(task.weights);
    let group_bytes = weights.len() / groups;
    let block = BLOCK / F::WEIGHTS;
    let together = groups_of_tile::<V>(task.rows.len());
    for group in (0..groups).step_by(together) {
        let count = together.min(groups - group);
        for step in (0..task.input.steps()).step_by(block) {
            let steps = block.min(task.input.steps() - step);
            let first = weights[group * group_bytes + step * F::BYTES..].as_ptr();
            let second = first.wrapping_add(group_bytes);
            let weights = Weights::<F> { groups: [first, second], count, steps, terms: PhantomData };
            for (tile, first) in task.rows.clone().step_by(TILE).enumerate() {
                let (x, width) = task.input.tile(first);
                let x = X { elements: &x[step * width..], width, rows: TILE.min(task.rows.end - first) };
                let sums = &mut task.sums[tile * TILE * groups + group..];
                // SAFETY: the groups hold these steps, and each row of sums has room for the groups; the caller vouches
                // for the instructions.
                unsafe {
                    if tile == 0 {
                        tiles::<V, F, true>(&weights, &x, sums, groups);
                    } else {
                        tiles::<V, F, false>(&weights, &x, sums, groups);
                    }
                }
            }
        }
    }
}

/// Multiplies several tiles of activations, a block of k at a time.
///
/// # Safety
///
/// The processor must have the instructions of `V` and `F`, and the task must have been checked to have that many
/// groups.
#[expect(clippy::large_stack_arrays, reason = "128 KiB of the 2 MiB that a thread has")]
#[inline(always)]
unsafe fn blocked<V: Floats, F: Terms<V>>(task: &mut FloatTask<'_>, groups: usize) {
    let weights = Line::bytes(task.weights);
    let group_bytes = weights.len() / groups;
    let block = BLOCK / F::WEIGHTS;
    let together = groups_of_tile::<V>(TILE);
    let mut weights_buffer = [Line::ZERO; 2 * BLOCK];
    let mut x_buffer = [0_u32; ROWS * BLOCK];
    for step in (0..task.input.steps()).step_by(block) {
        let steps = block.min(task.input.steps() - step);
        let mut widened = [const { X { elements: &[], width: 0, rows: 0 } }; ROWS / TILE];
        let buffers = x_buffer.chunks_exact_mut(TILE * BLOCK);
        for ((first, tile), buffer) in task.rows.clone().step_by(TILE).zip(&mut widened).zip(buffers) {
            let (x, width) = task.input.tile(first);
            let elements = &x[step * width..(step + steps) * width];
            let rows = TILE.min(task.rows.end - first);
            *tile = X { elements: F::widened_activations(elements, width, buffer), width, rows };
        }
        for group in (0..groups).step_by(together) {
            let count = together.min(groups - group);
            let mut pointers = [std::ptr::null(); 2];
            for (i, pointer) in pointers.iter_mut().enumerate().take(count) {
                let from = weights[(group + i) * group_bytes + step * F::BYTES..].as_ptr();
                let buffer = weights_buffer[i * BLOCK..].as_mut_ptr().cast();
                // SAFETY: the group holds these steps, and the buffer has room for a block of floats of each group.
                *pointer = unsafe { F::widened_weights(from, steps, buffer) };
            }
            let steps = steps * F::WEIGHTS / F::Widened::WEIGHTS;
            let weights = Weights::<F::Widened> { groups: pointers, count, steps, terms: PhantomData };
            for (tile, x) in widened.iter().enumerate().filter(|(_, x)| x.rows > 0) {
                let sums = &mut task.sums[tile * TILE * groups + group..];
                // SAFETY: the weights hold these steps, and each row of sums has room for the groups; the caller
                // vouches for the instructions.
                unsafe { tiles::<V, F::Widened, false>(&weights, x, sums, groups) };
            }
        }
    }
}

/// Splits one tile of activations into tiles of registers. The sums of a row are `stride` vectors after those of the
/// one before it.
///
/// # Safety
///
/// The processor must have the instructions of `V` and `F`, and the groups of `weights` must hold its steps.
///
/// # Panics
///
/// When `x` has fewer elements than the weights have steps, or its rows have no sums.
#[inline(always)]
unsafe fn tiles<V: Floats, F: Terms<V>, const AHEAD: bool>(
    weights: &Weights<F>,
    x: &X<'_>,
    sums: &mut [[f32; LANES]],
    stride: usize,
) {
    assert!(x.rows <= x.width && x.elements.len() >= weights.steps * x.width, "each step has its elements");
    assert!(sums.len() >= (x.rows - 1) * stride + weights.count, "each row has its sums");
    let mut row = 0;
    while row < x.rows {
        let sums = sums[row * stride..].as_mut_ptr().cast();
        let at = TilePointers { x: x.elements[row..].as_ptr(), width: x.width, sums, stride: stride * LANES };
        let left = V::ROWS.min(x.rows - row);
        // SAFETY: the caller vouches for the instructions and for all rows, of which these are `rows` from `row` on.
        row += unsafe {
            match (weights.count, left) {
                (1, 1) => tile::<V, F, AHEAD, 1, 1>(weights, at),
                (1, 2) => tile::<V, F, AHEAD, 1, 2>(weights, at),
                (1, 3) => tile::<V, F, AHEAD, 1, 3>(weights, at),
                (1, 4 | 5) => tile::<V, F, AHEAD, 1, 4>(weights, at),
                (1, 6 | 7) => tile::<V, F, AHEAD, 1, 6>(weights, at),
                (1, 8..12) => tile::<V, F, AHEAD, 1, 8>(weights, at),
                (1, _) => tile::<V, F, AHEAD, 1, 12>(weights, at),
                (_, 1) => tile::<V, F, AHEAD, 2, 1>(weights, at),
                (_, 2) => tile::<V, F, AHEAD, 2, 2>(weights, at),
                (_, 3) => tile::<V, F, AHEAD, 2, 3>(weights, at),
                (_, 4 | 5) => tile::<V, F, AHEAD, 2, 4>(weights, at),
                (_, 6 | 7) => tile::<V, F, AHEAD, 2, 6>(weights, at),
                (_, 8..12) => tile::<V, F, AHEAD, 2, 8>(weights, at),
                (_, _) => tile::<V, F, AHEAD, 2, 12>(weights, at),
            }
        };
    }
}

/// Returns how many groups a tile of some rows of activations takes: two where the registers suffice, for they hide
/// each other's latency and are two streams from memory.
const fn groups_of_tile<V: Floats>(rows: usize) -> usize {
    let rows = if rows < V::ROWS { rows } else { V::ROWS };
    if 2 * rows <= V::SUMS { 2 } else { 1 }
}

/// The activations and sums of a tile of registers.
#[derive(Clone, Copy)]
struct TilePointers {
    x: *const u32,
    width: usize,
    sums: *mut f32,
    stride: usize,
}

/// Adds the sums of `ROWS` rows of activations and `GROUPS` groups over the steps of `weights`; returns `ROWS`.
///
/// # Safety
///
/// As for [`tiles`], with at least `ROWS` rows and `GROUPS` groups.
#[inline(always)]
unsafe fn tile<V: Floats, F: Terms<V>, const AHEAD: bool, const GROUPS: usize, const ROWS: usize>(
    weights: &Weights<F>,
    at: TilePointers,
) -> usize {
    // SAFETY: the caller vouches for the instructions.
    let mut sums = [[unsafe { V::zero() }; GROUPS]; ROWS];
    let mut x = at.x;
    for step in 0..weights.steps {
        // SAFETY: the first group holds this step.
        let mut w = [unsafe { F::weights(weights.groups[0].add(step * F::BYTES)) }; GROUPS];
        // Not by an iterator that skips the first: it is not unrolled, and the weights go through memory.
        if GROUPS == 2 {
            // SAFETY: so does the second.
            w[GROUPS - 1] = unsafe { F::weights(weights.groups[1].add(step * F::BYTES)) };
        }
        if AHEAD {
            for group in 0..GROUPS {
                V::prefetch(weights.groups[group].wrapping_add(step * F::BYTES + PREFETCH_BYTES));
            }
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: a step of the activations has `width` elements, of which at least `ROWS` begin at `x`.
            let element = unsafe { F::activation(x.add(row)) };
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = F::add(*sum, w, element);
            }
        }
        x = x.wrapping_add(at.width);
    }
    for (row, sums) in sums.into_iter().enumerate() {
        for (group, sum) in sums.into_iter().enumerate() {
            // SAFETY: each row of sums has 16 floats for each group.
            unsafe {
                let total = at.sums.add(row * at.stride + group * LANES);
                V::load(total).add(sum).store(total);
            }
        }
    }
    ROWS
}

/// The distance from weights in use to those that are prefetched.
const PREFETCH_BYTES: usize = 4096;
