//! The float kernels for any instruction set.
//!
//! A tile is a few rows of activations times one or two groups of weights, over one block of k, with all sums in
//! registers. Few rows of activations walk the weights as they lie in memory. Many rows finish a block of k for all
//! groups before the next block, so that the activations stay in the second-level cache, and widen weights to floats
//! once for all of them.

use super::lanes::{Lanes, Terms};
use super::rows::TILE;
use super::{BLOCK, FloatTask, GROUP};

/// Some steps of one or two groups of weights.
struct Weights<F> {
    groups: [*const u8; 2],
    count: usize,
    steps: usize,
    terms: std::marker::PhantomData<F>,
}

/// Adds the products of a task to its sums.
///
/// # Safety
///
/// The processor must have the instructions of `V` and `F`.
#[inline(always)]
pub(crate) unsafe fn multiply<V: Lanes, F: Terms<V>>(task: &mut FloatTask<'_>) {
    let groups = task.checked_groups();
    if task.input.rows() <= TILE {
        // SAFETY: the lengths were checked just now; the caller vouches for the instructions.
        unsafe { stream::<V, F>(task, groups) };
    } else {
        // SAFETY: as above.
        unsafe { panels::<V, F>(task, groups) };
    }
}

/// Multiplies one tile of activations.
///
/// # Safety
///
/// The processor must have the instructions of `V` and `F`, and the task must have been checked to have that many
/// groups and at most one tile of activations.
#[inline(always)]
unsafe fn stream<V: Lanes, F: Terms<V>>(task: &mut FloatTask<'_>, groups: usize) {
    if task.input.rows() == 0 {
        return;
    }
    let group_bytes = task.format.group_bytes(task.input.cols());
    let (x, width) = task.input.tile(0);
    let block = BLOCK / F::WEIGHTS;
    let together = groups_of_tile::<V>(width);
    for group in (0..groups).step_by(together) {
        let count = together.min(groups - group);
        for step in (0..task.input.steps()).step_by(block) {
            let steps = block.min(task.input.steps() - step);
            let first = task.weights[group * group_bytes + step * F::BYTES..].as_ptr();
            let second = first.wrapping_add(group_bytes);
            let weights = Weights::<F> { groups: [first, second], count, steps, terms: std::marker::PhantomData };
            let sums = &mut task.sums[group * GROUP..];
            // SAFETY: the groups hold these steps, `x` holds `width` elements for each of them, and each row of sums
            // has room for the groups; the caller vouches for the instructions.
            unsafe {
                tiles::<V, F, true>(&weights, &x[step * width..], width, sums, groups * GROUP);
            }
        }
    }
}

/// Multiplies any number of rows of activations.
///
/// # Safety
///
/// The processor must have the instructions of `V` and `F`, and the task must have been checked to have that many
/// groups.
#[inline(always)]
unsafe fn panels<V: Lanes, F: Terms<V>>(task: &mut FloatTask<'_>, groups: usize) {
    let group_bytes = task.format.group_bytes(task.input.cols());
    let (rows, all_steps) = (task.input.rows(), task.input.steps());
    let block = BLOCK / F::WEIGHTS;
    let stride = groups * GROUP;
    let together = groups_of_tile::<V>(TILE);
    let mut weights_buffer = [Line([0.0; GROUP]); 2 * BLOCK];
    let mut x_buffer = [0_u32; PANEL_ROWS * BLOCK];
    for row in (0..rows).step_by(PANEL_ROWS) {
        let panel_rows = PANEL_ROWS.min(rows - row);
        for step in (0..all_steps).step_by(block) {
            let steps = block.min(all_steps - step);
            let mut tiles_of_panel: [&[u32]; PANEL_ROWS / TILE] = Default::default();
            for ((first, tile), buffer) in (row..row + panel_rows)
                .step_by(TILE)
                .zip(&mut tiles_of_panel)
                .zip(x_buffer.chunks_exact_mut(TILE * BLOCK))
            {
                let (x, width) = task.input.tile(first);
                *tile = F::panel_activations(&x[step * width..(step + steps) * width], width, buffer);
            }
            for group in (0..groups).step_by(together) {
                let count = together.min(groups - group);
                let mut lying = [std::ptr::null(); 2];
                for (i, lying) in lying.iter_mut().enumerate().take(count) {
                    let from = task.weights[(group + i) * group_bytes + step * F::BYTES..].as_ptr();
                    let buffer = weights_buffer[i * BLOCK..].as_mut_ptr().cast();
                    // SAFETY: the group holds these steps, and the buffer has a block of floats for each group.
                    *lying = unsafe { F::panel_weights(from, steps, buffer) };
                }
                let weights = Weights::<F::Panel> {
                    groups: lying,
                    count,
                    steps: steps * F::WEIGHTS / F::Panel::WEIGHTS,
                    terms: std::marker::PhantomData,
                };
                for (first, x) in (row..row + panel_rows).step_by(TILE).zip(tiles_of_panel) {
                    let sums = &mut task.sums[first * stride + group * GROUP..];
                    let width = TILE.min(rows - first);
                    // SAFETY: the weights hold these steps, `x` holds `width` elements for each of them, and each row
                    // of sums has room for the groups; the caller vouches for the instructions.
                    unsafe { tiles::<V, F::Panel, false>(&weights, x, width, sums, stride) };
                }
            }
        }
    }
}

/// Splits one tile of activations into tiles of registers.
///
/// # Safety
///
/// The processor must have the instructions of `V` and `F`; the groups of `weights` must hold its steps, `x` as many
/// elements of `width` rows, and each of `width` rows of `sums`, `stride` floats apart, 16 floats for each group.
#[inline(always)]
unsafe fn tiles<V: Lanes, F: Terms<V>, const AHEAD: bool>(
    weights: &Weights<F>,
    x: &[u32],
    width: usize,
    sums: &mut [f32],
    stride: usize,
) {
    debug_assert!(x.len() >= weights.steps * width && sums.len() >= (width - 1) * stride + weights.count * GROUP);
    let mut row = 0;
    while row < width {
        let (x, sums) = (x[row..].as_ptr(), sums[row * stride..].as_mut_ptr());
        let at = Place { x, width, sums, stride };
        let left = V::ROWS.min(width - row);
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
const fn groups_of_tile<V: Lanes>(rows: usize) -> usize {
    let rows = if rows < V::ROWS { rows } else { V::ROWS };
    if 2 * rows <= V::SUMS { 2 } else { 1 }
}

/// Where a tile finds its activations and sums.
struct Place {
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
unsafe fn tile<V: Lanes, F: Terms<V>, const AHEAD: bool, const GROUPS: usize, const ROWS: usize>(
    weights: &Weights<F>,
    at: Place,
) -> usize {
    // SAFETY: the caller vouches for the instructions.
    let mut sums = [[unsafe { V::zero() }; GROUPS]; ROWS];
    let mut x = at.x;
    for step in 0..weights.steps {
        // SAFETY: the first group holds this step.
        let mut w = [unsafe { F::weights(weights.groups[0].add(step * F::BYTES)) }; GROUPS];
        for group in 1..GROUPS {
            // SAFETY: so does each other group.
            w[group] = unsafe { F::weights(weights.groups[group].add(step * F::BYTES)) };
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
                let total = at.sums.add(row * at.stride + group * GROUP);
                V::load(total).plus(sum).store(total);
            }
        }
    }
    ROWS
}

/// One step of widened weights, on a cache line of its own.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; GROUP]);

/// Rows of activations of one panel: with 256 steps they take 96 KiB of the second-level cache.
const PANEL_ROWS: usize = 8 * TILE;

/// How far ahead of their use weights are asked for.
const PREFETCH_BYTES: usize = 2048;
