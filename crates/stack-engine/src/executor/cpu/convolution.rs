//! The gated short convolution of LFM2.

use super::Pass;
use super::arena::Scratch;
use super::grain::grain;
use super::linear::Linear;

/// A short convolution over each channel, gated before and after.
pub(super) struct ShortConvolution {
    /// Its place among the layers with a convolution.
    pub(super) state: usize,
    /// Makes both gates and the input.
    pub(super) input: Linear,
    /// The weight of each tap for each channel, oldest first, `[taps, width]`.
    pub(super) taps: Vec<f32>,
    /// Applied to what [`ShortConvolution::mix`] returns.
    pub(super) output: Linear,
}

impl ShortConvolution {
    /// Mixes tokens and leaves the gated sums in `scratch.heads`; returns its length.
    pub(super) fn mix(&self, pass: &mut Pass<'_>, scratch: &mut Scratch, x: &[f32]) -> usize {
        let Scratch { inputs, heads, gate, up, .. } = scratch;
        let width = self.input.rows() / 3;
        let before = self.taps.len() / width - 1;
        let all = gate.take(pass.rows * 3 * width);
        self.input.apply(pass.cpu, inputs, x, all);
        let all = &*all;
        let out = heads.take(pass.rows * width);
        for span in pass.spans {
            // What earlier batches left, then the gated inputs of this one.
            let seen = up.take((before + span.len) * width);
            let (past, new) = seen.split_at_mut(before * width);
            let state = &mut pass.sequences.get_mut(span.sequence).convolutions[self.state];
            if state.is_empty() {
                past.fill(0.0);
            } else {
                past.copy_from_slice(state);
            }
            let rows = &all[span.start * 3 * width..][..span.len * 3 * width];
            for (new, row) in new.chunks_exact_mut(width).zip(rows.chunks_exact(3 * width)) {
                for (channel, new) in new.iter_mut().enumerate() {
                    *new = row[channel] * row[2 * width + channel];
                }
            }
            state.clear();
            state.extend_from_slice(&seen[span.len * width..]);
            let seen = &*seen;
            let out = &mut out[span.start * width..][..span.len * width];
            pass.cpu.for_rows(out, width, grain(width * before), |first, part| {
                for (row, out) in part.chunks_exact_mut(width).enumerate() {
                    let row = first + row;
                    self.convolve(&seen[row * width..], out);
                    let gates = &rows[row * 3 * width + width..];
                    out.iter_mut().zip(gates).for_each(|(y, gate)| *y *= gate);
                }
            });
        }
        out.len()
    }

    /// Sums the taps over the rows from the beginning of `seen` on.
    fn convolve(&self, seen: &[f32], out: &mut [f32]) {
        let width = out.len();
        out.fill(0.0);
        for (taps, row) in self.taps.chunks_exact(width).zip(seen.chunks_exact(width)) {
            for ((y, tap), x) in out.iter_mut().zip(taps).zip(row) {
                *y += tap * x;
            }
        }
    }
}
