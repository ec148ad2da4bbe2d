//! The pages of one sequence.

use std::sync::Arc;

use super::layout::KvLayout;
use super::page::{PAGE_TOKENS, Page};

/// The keys and values of one sequence. A clone shares its pages.
#[derive(Clone)]
pub struct KvSequence {
    layout: Arc<KvLayout>,
    pages: Vec<Arc<Page>>,
    len: usize,
}

impl KvSequence {
    /// Opens an empty sequence.
    pub fn new(layout: &Arc<KvLayout>) -> Self {
        Self { layout: Arc::clone(layout), pages: Vec::new(), len: 0 }
    }

    /// Tokens that it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The layout of its pages.
    pub fn layout(&self) -> &Arc<KvLayout> {
        &self.layout
    }

    /// Returns a sequence that shares every page until one of both writes to it.
    #[must_use]
    pub fn fork(&self) -> Self {
        self.clone()
    }

    /// Shares the whole pages among its first `len` tokens with another sequence, which holds the same there, and frees
    /// its own.
    pub fn share(&mut self, other: &Self, len: usize) {
        let whole = len.min(self.len).min(other.len) / PAGE_TOKENS;
        self.pages[..whole].clone_from_slice(&other.pages[..whole]);
    }

    /// Forgets the tokens from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.pages.truncate(self.len.div_ceil(PAGE_TOKENS));
    }

    /// Appends a whole page behind whole pages.
    pub(super) fn push(&mut self, page: Arc<Page>) {
        self.pages.push(page);
        self.len += PAGE_TOKENS;
    }

    pub(crate) fn page(&self, index: usize) -> &Page {
        &self.pages[index]
    }

    /// Makes room for tokens up to `end` and returns the pages from the one that holds `start` on, none of them shared.
    ///
    /// # Panics
    ///
    /// When tokens between the last one and `start` would be missing.
    pub(crate) fn pages_mut(&mut self, start: usize, end: usize) -> impl Iterator<Item = &mut Page> {
        assert!(start <= self.len, "tokens {start}.. do not follow {} tokens", self.len);
        self.len = self.len.max(end);
        let layout = &self.layout;
        let new_page = || Arc::new(Page::new(layout.lines(), layout.live()));
        self.pages.resize_with(self.len.div_ceil(PAGE_TOKENS), new_page);
        self.pages[start / PAGE_TOKENS..end.div_ceil(PAGE_TOKENS)].iter_mut().map(Arc::make_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::{KvType, LayerKv};

    #[test]
    fn forks_share_pages_until_one_writes() {
        let layer = LayerKv { kv_heads: 1, key_length: 4, value_length: 4 };
        let mut first = KvSequence::new(&Arc::new(KvLayout::new(&[layer], KvType::F16)));
        assert_eq!(first.pages_mut(0, 20).count(), 2);
        let mut second = first.fork();
        assert_eq!((second.len(), Arc::strong_count(&first.pages[0])), (20, 2));
        assert_eq!(second.pages_mut(20, 21).count(), 1);
        assert!(Arc::ptr_eq(&first.pages[0], &second.pages[0]));
        assert!(!Arc::ptr_eq(&first.pages[1], &second.pages[1]));
        first.truncate(3);
        assert_eq!((first.len(), first.pages.len(), second.len()), (3, 1, 21));
        assert_eq!(first.layout().live_pages(), 2);
        drop(second);
        assert_eq!(first.layout().live_pages(), 1);
    }

    #[test]
    fn what_two_computed_alike_is_held_once() {
        let layer = LayerKv { kv_heads: 1, key_length: 4, value_length: 4 };
        let layout = Arc::new(KvLayout::new(&[layer], KvType::F16));
        let (mut first, mut second) = (KvSequence::new(&layout), KvSequence::new(&layout));
        first.pages_mut(0, 40).for_each(drop);
        second.pages_mut(0, 33).for_each(drop);
        assert_eq!(layout.live_pages(), 6);
        second.share(&first, 40);
        assert_eq!((layout.live_pages(), second.len()), (4, 33), "the last page is not whole");
    }
}
