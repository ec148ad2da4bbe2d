//! Which bytes of a file are there.

use std::ops::Range;

/// Ranges of bytes: sorted, disjoint, not touching each other, none of them empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Takes ranges that claim to be sorted and disjoint, or nothing if they are not.
    pub(super) fn parse(pairs: &[(u64, u64)]) -> Option<Self> {
        let mut ranges = Self::default();
        for &(start, end) in pairs {
            if start >= end || ranges.0.last().is_some_and(|last| last.end >= start) {
                return None;
            }
            ranges.0.push(start..end);
        }
        Some(ranges)
    }

    /// The ranges as pairs of start and end.
    pub(super) fn pairs(&self) -> Vec<(u64, u64)> {
        self.0.iter().map(|range| (range.start, range.end)).collect()
    }

    /// Adds a range.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|known| known.end < range.start);
        let last = self.0.partition_point(|known| known.start <= range.end);
        let start = self.0[first..last].first().map_or(range.start, |known| known.start.min(range.start));
        let end = self.0[first..last].last().map_or(range.end, |known| known.end.max(range.end));
        self.0.splice(first..last, std::iter::once(start..end));
    }

    /// Whether all bytes of a range are there.
    pub fn covers(&self, range: Range<u64>) -> bool {
        range.is_empty() || self.0.iter().any(|known| known.start <= range.start && range.end <= known.end)
    }

    /// Where the bytes that are there from the beginning end.
    pub fn front(&self) -> u64 {
        self.0.first().filter(|first| first.start == 0).map_or(0, |first| first.end)
    }

    /// What is missing of the first `length` bytes.
    pub fn gaps(&self, length: u64) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = 0;
        for known in &self.0 {
            gaps.push(at..known.start.min(length));
            at = known.end;
        }
        gaps.push(at..length);
        gaps.retain(|gap| gap.start < gap.end);
        gaps
    }

    /// How many bytes are there.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Where the last range ends.
    pub fn end(&self) -> u64 {
        self.0.last().map_or(0, |last| last.end)
    }

    /// Iterates over the ranges.
    pub fn iter(&self) -> impl Iterator<Item = &Range<u64>> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_meet_become_one() {
        let mut ranges = Ranges::default();
        for range in [10..20, 30..40, 0..5, 20..25, 24..31, 7..7] {
            ranges.insert(range);
        }
        assert_eq!(ranges.pairs(), [(0, 5), (10, 40)]);
        assert_eq!((ranges.front(), ranges.bytes(), ranges.end()), (5, 35, 40));
        assert_eq!(ranges.gaps(50), [5..10, 40..50]);
        assert_eq!(ranges.gaps(8).first(), Some(&(5..8)));
        assert!(ranges.covers(11..40) && !ranges.covers(4..11));
        ranges.insert(0..100);
        assert_eq!(ranges.gaps(100), []);
    }

    #[test]
    fn any_order_gives_the_same_set() {
        // A small model: one flag per byte.
        let mut state = 1u64;
        let mut next = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % bound
        };
        for _ in 0..500 {
            let (mut ranges, mut flags) = (Ranges::default(), [false; 64]);
            for _ in 0..8 {
                let start = next(64);
                let end = start + next(65 - start);
                ranges.insert(start..end);
                flags[start as usize..end as usize].fill(true);
            }
            assert_eq!(ranges.bytes(), flags.iter().filter(|flag| **flag).count() as u64);
            assert!(
                ranges.iter().all(|range| flags[range.start as usize..range.end as usize].iter().all(|f| *f))
            );
            assert_eq!(Ranges::parse(&ranges.pairs()), Some(ranges));
        }
    }

    #[test]
    fn foreign_ranges_are_checked() {
        for pairs in [&[(5, 5)][..], &[(6, 5)], &[(0, 5), (5, 6)], &[(4, 5), (0, 1)]] {
            assert_eq!(Ranges::parse(pairs), None);
        }
    }
}
