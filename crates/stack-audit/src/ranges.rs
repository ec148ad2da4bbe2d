//! Sets of indices, kept as ranges: what is erased, and what is missing.

use serde_json::{Value, json};

/// Ranges of indices, ends included, in ascending order, that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds an index that is not below the last one.
    pub(crate) fn insert(&mut self, index: u64) {
        match self.0.last_mut() {
            Some((_, last)) if index <= last.saturating_add(1) => *last = index.max(*last),
            _ => self.0.push((index, index)),
        }
    }

    /// Adds all indices of another set.
    pub(crate) fn extend(&mut self, other: &Self) {
        let mut all = [&self.0[..], &other.0].concat();
        all.sort_unstable();
        self.0.clear();
        for (first, end) in all {
            match self.0.last_mut() {
                Some((_, last)) if first <= last.saturating_add(1) => *last = end.max(*last),
                _ => self.0.push((first, end)),
            }
        }
    }

    /// Returns the first index that another set lacks.
    pub(crate) fn first_outside(&self, other: &Self) -> Option<u64> {
        self.0.iter().find_map(|&(first, end)| {
            // Ranges of `other` do not touch, so one that ends within this one leaves a hole behind it.
            let at = other.0.partition_point(|&(_, last)| last < first);
            match other.0.get(at) {
                Some(&(from, last)) if from <= first => (last < end).then_some(last + 1),
                _ => Some(first),
            }
        })
    }

    /// Returns the number of indices.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Returns the ranges.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Cuts the set into such that one entry may name.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Self> {
        self.0.chunks(RANGES_MAX).map(|ranges| Self(ranges.to_vec()))
    }

    pub(crate) fn to_json(&self) -> Value {
        self.0.iter().map(|(first, last)| json!([first, last])).collect()
    }

    /// Reads what [`to_json`](Self::to_json) writes; `None` where ranges are out of order, touch, or are too many.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let mut ranges = Self::default();
        for range in value.as_array().filter(|ranges| ranges.len() <= RANGES_MAX)? {
            let [first, last] = range.as_array()?.as_slice() else { return None };
            let (first, last) = (first.as_u64()?, last.as_u64()?);
            let free = ranges.0.last().map_or(0, |(_, last)| last + 2);
            // The bound of canonical JSON, so that sums above cannot overflow.
            if first < free || last < first || last >= 1 << 53 {
                return None;
            }
            ranges.0.push((first, last));
        }
        Some(ranges)
    }
}

/// Ranges that one entry may name.
const RANGES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(indices: impl IntoIterator<Item = u64>) -> Ranges {
        let mut ranges = Ranges::default();
        indices.into_iter().for_each(|index| ranges.insert(index));
        ranges
    }

    #[test]
    fn neighbours_join() {
        let some = ranges([1, 2, 3, 7, 9, 10]);
        assert_eq!(some.iter().collect::<Vec<_>>(), [(1, 3), (7, 7), (9, 10)]);
        assert_eq!(some.count(), 6);
        let mut all = some.clone();
        all.extend(&ranges([4, 5, 6, 8, 20]));
        assert_eq!(all.iter().collect::<Vec<_>>(), [(1, 10), (20, 20)]);
        assert_eq!(Ranges::from_json(&all.to_json()), Some(all));
    }

    #[test]
    fn what_is_not_covered_is_found() {
        let missing = ranges([1, 2, 3, 7]);
        for (erased, first) in [
            (ranges([]), Some(1)),
            (ranges([0, 1, 2]), Some(3)),
            (ranges([0, 1, 2, 3]), Some(7)),
            (ranges([2, 3, 7]), Some(1)),
            (ranges(0..9), None),
            (missing.clone(), None),
        ] {
            assert_eq!(missing.first_outside(&erased), first, "{erased:?}");
        }
    }

    #[test]
    fn strange_ranges_are_refused() {
        for text in
            ["[[1]]", "[[2,1]]", "[[1,2],[3,4]]", "[[1,2],[2,4]]", "[[-1,2]]", "[[0,9007199254740992]]", "7"]
        {
            assert_eq!(Ranges::from_json(&serde_json::from_str(text).unwrap()), None, "{text}");
        }
    }
}
