//! Pages as bytes, so that what was computed can be kept in a file.

use std::sync::Arc;

use super::page::{Line, PAGE_TOKENS, Page};
use super::sequence::KvSequence;

impl KvSequence {
    /// Appends the bytes of a page to `out`, as they lie in memory: [`KvLayout::page_bytes`](super::KvLayout::page_bytes) of
    /// them.
    ///
    /// # Panics
    ///
    /// When there is no such page.
    pub fn write_page(&self, index: usize, out: &mut Vec<u8>) {
        let bytes = Line::bytes(self.page(index).lines()).as_flattened();
        out.extend(bytes.iter().map(|&byte| byte.cast_unsigned()));
    }

    /// Appends a whole page, of a sequence of the same layout that held the same tokens before it. Any bytes are numbers;
    /// whether they are the right ones is the caller's to know.
    ///
    /// # Panics
    ///
    /// When the bytes are not those of a page, or the last page is not whole.
    pub fn read_page(&mut self, bytes: &[u8]) {
        assert_eq!(bytes.len(), self.layout().page_bytes(), "the bytes are those of a page");
        assert!(self.len().is_multiple_of(PAGE_TOKENS), "a page follows whole pages");
        let mut page = Page::new(self.layout().lines(), self.layout().live());
        let to = Line::bytes_mut(page.lines_mut()).as_flattened_mut();
        to.iter_mut().zip(bytes).for_each(|(to, &byte)| *to = byte.cast_signed());
        self.push(Arc::new(page));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::{KvLayout, KvType, LayerKv};

    #[test]
    fn a_page_comes_back_as_it_was() {
        let layer = LayerKv { kv_heads: 2, key_length: 3, value_length: 17 };
        for kind in [KvType::F16, KvType::Q8] {
            let layout = Arc::new(KvLayout::new(&[layer], kind));
            let mut first = KvSequence::new(&layout);
            let mut byte = 0_i8;
            for page in first.pages_mut(0, 2 * PAGE_TOKENS) {
                Line::bytes_mut(page.lines_mut()).as_flattened_mut().fill_with(|| {
                    byte = byte.wrapping_mul(31).wrapping_add(7);
                    byte
                });
            }
            let mut copy = KvSequence::new(&layout);
            for page in 0..2 {
                let mut bytes = Vec::new();
                first.write_page(page, &mut bytes);
                copy.read_page(&bytes);
            }
            assert_eq!((copy.len(), layout.live_pages()), (2 * PAGE_TOKENS, 4));
            for page in 0..2 {
                let lines =
                    |sequence: &KvSequence| Line::bytes(sequence.page(page).lines()).as_flattened().to_vec();
                assert_eq!(lines(&copy), lines(&first));
            }
        }
    }
}
