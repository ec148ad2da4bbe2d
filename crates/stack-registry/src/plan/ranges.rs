//! Which bytes are there.

use std::ops::Range;

/// A set of byte ranges, in order, none of them empty or touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Takes ranges as they come: empty ones are dropped, others merged.
    pub fn new(ranges: impl IntoIterator<Item = Range<u64>>) -> Self {
        let mut set = Self::default();
        ranges.into_iter().for_each(|range| set.insert(range));
        set
    }

    /// Adds a range.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|have| have.end < range.start);
        let after = self.0.partition_point(|have| have.start <= range.end);
        let start = self.0.get(first).map_or(range.start, |have| have.start.min(range.start));
        let end = match after.checked_sub(1).filter(|&last| last >= first) {
            Some(last) => self.0[last].end.max(range.end),
            None => range.end,
        };
        let start = if after > first { start } else { range.start };
        self.0.splice(first..after, [start..end]);
    }

    /// Removes every range.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Iterates over the ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Range<u64>> {
        self.0.iter()
    }

    /// Counts the bytes.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Returns where the bytes that lie without a gap from the beginning end.
    pub fn front(&self) -> u64 {
        self.0.first().filter(|range| range.start == 0).map_or(0, |range| range.end)
    }

    /// Lists what lacks below `total`.
    pub fn gaps(&self, total: u64) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = 0;
        for have in self.0.iter().chain([&(total..total)]) {
            let until = have.start.min(total);
            if at < until {
                gaps.push(at..until);
            }
            at = at.max(have.end);
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_where_they_touch() {
        let mut set = Ranges::new([10..20, 30..40, 5..5]);
        assert_eq!(set.iter().cloned().collect::<Vec<_>>(), [10..20, 30..40]);
        set.insert(20..25);
        set.insert(0..3);
        assert_eq!(set.iter().cloned().collect::<Vec<_>>(), [0..3, 10..25, 30..40]);
        set.insert(2..35);
        assert_eq!(set.iter().cloned().collect::<Vec<_>>(), [0..40]);
        set.insert(7..9);
        assert_eq!((set.bytes(), set.front()), (40, 40));
    }

    #[test]
    fn gaps_are_what_lacks() {
        let set = Ranges::new([10..20, 30..40]);
        assert_eq!(set.gaps(50), [0..10, 20..30, 40..50]);
        assert_eq!(set.gaps(35), [0..10, 20..30]);
        assert_eq!(set.gaps(5), std::slice::from_ref(&(0..5)));
        assert_eq!(Ranges::new([0..9]).gaps(9), []);
        assert_eq!(set.front(), 0);
    }

    #[test]
    fn any_order_gives_the_same_set() {
        // Every 16-byte piece of a file, inserted in a scattered order, in pieces that overlap.
        let mut set = Ranges::default();
        for step in 0..64_u64 {
            let at = (step * 37) % 64 * 16;
            set.insert(at..at + 20);
        }
        assert_eq!(set.iter().cloned().collect::<Vec<_>>(), std::slice::from_ref(&(0..63 * 16 + 20)));
    }
}
