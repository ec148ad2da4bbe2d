//! Memory for sixteen tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::lanes::LANES;

/// A line of the cache: what pages and scratch memory are made of, so that no vector straddles two.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line([u32; LANES]);

impl Line {
    pub(crate) const ZERO: Self = Self([0; LANES]);

    #[inline(always)]
    pub(crate) fn floats(lines: &[Self]) -> &[[f32; LANES]] {
        // SAFETY: a line is 64 bytes without padding, aligned for f32, and any bits are a float.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len()) }
    }

    #[inline(always)]
    pub(crate) fn floats_mut(lines: &mut [Self]) -> &mut [[f32; LANES]] {
        // SAFETY: as in `floats`; the lines are borrowed mutably for as long as the result, and any float is fit for
        // a line.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len()) }
    }

    #[inline(always)]
    pub(crate) fn integers_mut(lines: &mut [Self]) -> &mut [[i32; LANES]] {
        // SAFETY: a line is 64 bytes without padding, aligned for i32, borrowed mutably for as long as the result, and any
        // integer is fit for a line.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len()) }
    }

    /// The lines of one head in a page: numbers, and the scale of each token.
    #[inline(always)]
    pub(crate) fn split_token_scales(lines: &[Self]) -> (&[Self], &[f32; LANES]) {
        let (scales, numbers) = lines.split_last().expect("a head has a line of scales");
        (numbers, &Self::floats(std::slice::from_ref(scales))[0])
    }

    /// The same, to be written.
    #[inline(always)]
    pub(crate) fn split_token_scales_mut(lines: &mut [Self]) -> (&mut [Self], &mut [f32; LANES]) {
        let (scales, numbers) = lines.split_last_mut().expect("a head has a line of scales");
        (numbers, &mut Self::floats_mut(std::slice::from_mut(scales))[0])
    }

    #[inline(always)]
    pub(crate) fn halves(lines: &[Self]) -> &[[u16; LANES]] {
        // SAFETY: a line is two groups of 32 bytes without padding, aligned for u16, and any bits are a u16.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 2) }
    }

    #[inline(always)]
    pub(crate) fn halves_mut(lines: &mut [Self]) -> &mut [[u16; LANES]] {
        // SAFETY: as in `halves`; the lines are borrowed mutably for as long as the result, and any u16 is fit for a
        // line.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 2) }
    }

    #[inline(always)]
    pub(crate) fn bytes(lines: &[Self]) -> &[[i8; LANES]] {
        // SAFETY: a line is four groups of 16 bytes without padding, and any bits are an i8.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 4) }
    }

    #[inline(always)]
    pub(crate) fn bytes_mut(lines: &mut [Self]) -> &mut [[i8; LANES]] {
        // SAFETY: as in `bytes`; the lines are borrowed mutably for as long as the result, and any i8 is fit for a
        // line.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 4) }
    }
}

/// The keys and values of sixteen consecutive tokens in all layers.
pub(crate) struct Page {
    lines: Box<[Line]>,
    live: LivePages,
}

/// How many pages of one layout are in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct LivePages(Arc<AtomicUsize>);

impl LivePages {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Page {
    pub(super) fn new(lines: usize, live: &LivePages) -> Self {
        let zeroed = Box::<[Line]>::new_zeroed_slice(lines);
        // SAFETY: a line is plain integers, for which all bits zero is a value.
        Self::counted(unsafe { zeroed.assume_init() }, live)
    }

    fn counted(lines: Box<[Line]>, live: &LivePages) -> Self {
        live.0.fetch_add(1, Ordering::Relaxed);
        Self { lines, live: live.clone() }
    }

    #[inline(always)]
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(crate) fn lines_mut(&mut self) -> &mut [Line] {
        &mut self.lines
    }
}

impl Clone for Page {
    fn clone(&self) -> Self {
        Self::counted(self.lines.clone(), &self.live)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.live.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tokens in a page.
pub const PAGE_TOKENS: usize = LANES;
