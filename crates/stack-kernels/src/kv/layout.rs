//! The layout of keys and values in a page.

use std::ops::Range;

use super::element::{BLOCK, Element, Half, Scaled};
use super::page::{Line, LivePages, PAGE_TOKENS};
use crate::lanes::LANES;

/// The type that keys and values are held as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvType {
    /// Half precision.
    F16,
    /// Whole numbers of 8 bits with a scale for every 32 dimensions of a token.
    Q8,
}

/// The keys and values of a token in one layer. A layer without attention has no heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerKv {
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Length of a key.
    pub key_length: usize,
    /// Length of a value.
    pub value_length: usize,
}

/// The layout of each layer's keys and values in a page, and how many such pages there are.
#[derive(Debug)]
pub struct KvLayout {
    kind: KvType,
    layers: Vec<Slices>,
    /// Lines of a page.
    lines: usize,
    live: LivePages,
}

/// The lines of one layer's keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slices {
    pub(crate) shape: LayerKv,
    /// Line of the first head's keys.
    keys: usize,
    /// Lines of a head's keys, of which the last one holds their scales.
    key_lines: usize,
    /// Line of the first head's values.
    values: usize,
    /// Lines of a head's values, of which the last one holds their scales.
    value_lines: usize,
}

impl KvLayout {
    /// Lays out a page for these layers.
    ///
    /// # Panics
    ///
    /// When a page would not fit the address space.
    pub fn new(layers: &[LayerKv], kind: KvType) -> Self {
        let lines_of = match kind {
            KvType::F16 => Half::lines,
            KvType::Q8 => Scaled::lines,
        };
        let mut lines = 0usize;
        let layers = layers
            .iter()
            .map(|&shape| {
                let groups = shape.value_length.div_ceil(LANES);
                let value_groups = groups.checked_mul(PAGE_TOKENS).expect("a page fits the address space");
                let key_lines = lines_of(shape.key_length, shape.key_length.div_ceil(BLOCK)) + 1;
                let value_lines = lines_of(value_groups, shape.value_length.div_ceil(BLOCK)) + 1;
                let mut take = |per_head: usize| {
                    let start = lines;
                    lines = shape
                        .kv_heads
                        .checked_mul(per_head)
                        .and_then(|all| lines.checked_add(all))
                        .expect("a page fits the address space");
                    start
                };
                let (keys, values) = (take(key_lines), take(value_lines));
                Slices { shape, keys, key_lines, values, value_lines }
            })
            .collect();
        assert!(lines <= isize::MAX as usize / size_of::<Line>(), "a page fits the address space");
        Self { kind, layers, lines, live: LivePages::default() }
    }

    /// The type that keys and values are held as.
    pub fn kind(&self) -> KvType {
        self.kind
    }

    /// Bytes of a page, which holds [`PAGE_TOKENS`] tokens.
    pub fn page_bytes(&self) -> usize {
        self.lines * size_of::<Line>()
    }

    /// Bytes that a sequence of this many tokens takes.
    pub fn bytes(&self, tokens: usize) -> u64 {
        tokens.div_ceil(PAGE_TOKENS) as u64 * self.page_bytes() as u64
    }

    /// Pages that sequences of this layout hold, a shared one counted once.
    pub fn live_pages(&self) -> usize {
        self.live.count()
    }

    pub(super) fn live(&self) -> &LivePages {
        &self.live
    }

    /// Number of layers.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    pub(crate) fn layer(&self, layer: usize) -> &Slices {
        &self.layers[layer]
    }
}

impl Slices {
    /// Sixteen dimensions at a time: how many times for a value.
    #[inline(always)]
    pub(crate) fn value_groups(&self) -> usize {
        self.shape.value_length.div_ceil(LANES)
    }

    /// The lines of a head's keys.
    #[inline(always)]
    pub(crate) fn keys(&self, head: usize) -> Range<usize> {
        let start = self.keys + head * self.key_lines;
        start..start + self.key_lines
    }

    /// The lines of a head's values.
    #[inline(always)]
    pub(crate) fn values(&self, head: usize) -> Range<usize> {
        let start = self.values + head * self.value_lines;
        start..start + self.value_lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_takes_its_numbers_and_little_more() {
        let layer = LayerKv { kv_heads: 8, key_length: 128, value_length: 128 };
        let layout = KvLayout::new(&[layer; 28], KvType::F16);
        // Two lines of scales beside 128 of keys and of values together.
        assert_eq!(layout.page_bytes(), 28 * 8 * (256 * 2 + 8) * PAGE_TOKENS);
        assert_eq!(layout.bytes(17), 2 * layout.page_bytes() as u64);
    }

    #[test]
    fn slices_do_not_overlap() {
        let shapes = [(2, 3, 17), (0, 0, 0), (1, 576, 512)];
        let shapes =
            shapes.map(|(kv_heads, key_length, value_length)| LayerKv { kv_heads, key_length, value_length });
        for kind in [KvType::F16, KvType::Q8] {
            let layout = KvLayout::new(&shapes, kind);
            let mut used = vec![false; layout.lines()];
            for (layer, shape) in shapes.iter().enumerate() {
                for head in 0..shape.kv_heads {
                    for line in layout.layer(layer).keys(head).chain(layout.layer(layer).values(head)) {
                        assert!(!std::mem::replace(&mut used[line], true));
                    }
                }
            }
            assert!(used.into_iter().all(|used| used));
        }
    }
}
