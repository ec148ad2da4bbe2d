//! Identifiers of requests.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes identifiers that do not repeat, here or in another process. They are names, not secrets, but whoever does not know
/// one cannot guess it: each is a keyed hash, and a stored response is found by its name alone.
#[derive(Default)]
pub(crate) struct Ids {
    keys: [RandomState; 2],
    count: AtomicU64,
}

impl Ids {
    /// Makes the next one: 32 hexadecimal digits.
    pub(crate) fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let [high, low] = self.keys.each_ref().map(|key| key.hash_one(count));
        format!("{high:016x}{low:016x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_do_not_repeat() {
        let (ours, theirs) = (Ids::default(), Ids::default());
        let all: std::collections::HashSet<_> =
            (0..1000).flat_map(|_| [ours.next(), theirs.next()]).collect();
        assert_eq!(all.len(), 2000);
        assert!(all.iter().all(|id| id.len() == 32));
    }
}
