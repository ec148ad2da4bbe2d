//! Which responses are kept: bounded in number, bytes and age. Nothing here waits, and the time is an argument.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// At most so many.
    pub(crate) count: usize,
    /// At most so many bytes of all together.
    pub(crate) bytes: usize,
    /// None for longer.
    pub(crate) age: Duration,
}

/// Values by name, which make room for new ones: the oldest of whoever holds most. One that is still being made has a job,
/// which is dropped with it, and does not make room. The first line of a name says whose it is.
#[derive(Debug)]
pub(crate) struct Shelf<V, J> {
    bounds: Bounds,
    /// By the order in which they came.
    entries: BTreeMap<u64, Entry<V, J>>,
    numbers: HashMap<String, u64>,
    next: u64,
    bytes: usize,
    gone: Vec<Entry<V, J>>,
}

/// A value and what belongs to it.
#[derive(Debug)]
pub(crate) struct Entry<V, J> {
    name: String,
    value: V,
    bytes: usize,
    since: Instant,
    job: Option<J>,
}

/// A value, the name and the size that it is kept under.
#[derive(Clone, Debug)]
pub(crate) struct Kept<V> {
    pub(crate) name: String,
    pub(crate) value: V,
    pub(crate) bytes: usize,
}

/// There is no room that could be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<V: Clone, J> Shelf<V, J> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            entries: BTreeMap::new(),
            numbers: HashMap::new(),
            next: 0,
            bytes: 0,
            gone: Vec::new(),
        }
    }

    /// Keeps a value. Where `job` starts one, the value is not complete yet.
    pub(crate) fn keep(
        &mut self,
        kept: Kept<V>,
        now: Instant,
        job: impl FnOnce() -> Option<J>,
    ) -> Result<(), Full> {
        self.forget_old(now);
        self.make_room(kept.bytes)?;
        let Kept { name, value, bytes } = kept;
        let number = self.next;
        self.next += 1;
        self.bytes += bytes;
        if let Some(before) = self.numbers.insert(name.clone(), number) {
            self.take(before);
        }
        self.entries.insert(number, Entry { name, value, bytes, since: now, job: job() });
        Ok(())
    }

    /// Completes a value whose job has not ended otherwise. If it no longer fits, it is gone.
    pub(crate) fn complete(&mut self, kept: Kept<V>, now: Instant) {
        self.forget_old(now);
        let Some(&number) = self.numbers.get(&kept.name) else { return };
        let Some(Entry { since, job: Some(_), .. }) = self.entries.get(&number) else { return };
        let since = *since;
        self.remove_number(number);
        if self.make_room(kept.bytes).is_ok() {
            let Kept { name, value, bytes } = kept;
            self.bytes += bytes;
            self.numbers.insert(name.clone(), number);
            self.entries.insert(number, Entry { name, value, bytes, since, job: None });
        }
    }

    /// Finds a value, and says whether it is complete.
    pub(crate) fn find(&mut self, name: &str, now: Instant) -> Option<(V, bool)> {
        self.forget_old(now);
        let entry = self.entries.get(self.numbers.get(name)?)?;
        Some((entry.value.clone(), entry.job.is_none()))
    }

    /// Forgets a value, and drops its job; false if there is none.
    pub(crate) fn remove(&mut self, name: &str, now: Instant) -> bool {
        self.forget_old(now);
        match self.numbers.get(name) {
            Some(&number) => {
                self.remove_number(number);
                true
            }
            None => false,
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((&number, oldest)) = self.entries.first_key_value() {
            if now.saturating_duration_since(oldest.since) <= self.bounds.age {
                break;
            }
            self.remove_number(number);
        }
    }

    /// Hands out what was forgotten. It may be large, and is dropped where nobody waits for it.
    pub(crate) fn take_gone(&mut self) -> Vec<Entry<V, J>> {
        std::mem::take(&mut self.gone)
    }

    /// Forgets complete values until one more of so many bytes fits.
    fn make_room(&mut self, bytes: usize) -> Result<(), Full> {
        let busy = || self.entries.values().filter(|entry| entry.job.is_some());
        let busy_bytes: usize = busy().map(|entry| entry.bytes).sum();
        // Looked at first, so that nothing is forgotten in vain.
        if busy().count() >= self.bounds.count || busy_bytes + bytes > self.bounds.bytes {
            return Err(Full);
        }
        while self.entries.len() >= self.bounds.count || self.bytes + bytes > self.bounds.bytes {
            let Some(number) = self.dispensable(self.bytes + bytes > self.bounds.bytes) else {
                return Err(Full);
            };
            self.remove_number(number);
        }
        Ok(())
    }

    /// Finds the oldest complete value of whoever holds most of what is short: bytes or places.
    fn dispensable(&self, bytes_are_short: bool) -> Option<u64> {
        let mut held: HashMap<&str, usize> = HashMap::new();
        for entry in self.entries.values() {
            *held.entry(entry.owner()).or_default() += if bytes_are_short { entry.bytes } else { 1 };
        }
        let complete = self.entries.iter().filter(|(_, entry)| entry.job.is_none());
        complete
            .min_by_key(|&(&number, entry)| (Reverse(held[entry.owner()]), number))
            .map(|(&number, _)| number)
    }

    fn remove_number(&mut self, number: u64) {
        if let Some(name) = self.take(number) {
            self.numbers.remove(&name);
        }
    }

    /// Takes out an entry, and returns its name.
    fn take(&mut self, number: u64) -> Option<String> {
        let entry = self.entries.remove(&number)?;
        self.bytes -= entry.bytes;
        let name = entry.name.clone();
        self.gone.push(entry);
        Some(name)
    }
}

impl<V, J> Entry<V, J> {
    fn owner(&self) -> &str {
        self.name.split_once('\n').map_or(&self.name, |(owner, _)| owner)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    const BOUNDS: Bounds = Bounds { count: 3, bytes: 100, age: Duration::from_secs(10) };

    struct Bench {
        shelf: Shelf<u32, Rc<()>>,
        start: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self { shelf: Shelf::new(BOUNDS), start: Instant::now() }
        }

        fn at(&self, second: u64) -> Instant {
            self.start + Duration::from_secs(second)
        }

        fn keep(&mut self, name: &str, bytes: usize, second: u64) -> Result<(), Full> {
            let now = self.at(second);
            self.shelf.keep(kept(name, 0, bytes), now, || None)
        }

        /// Keeps a value that is not complete, and returns what tells whether its job lives.
        fn begin(&mut self, name: &str, bytes: usize) -> Result<Rc<()>, Full> {
            let (job, now) = (Rc::new(()), self.start);
            self.shelf.keep(kept(name, 0, bytes), now, || Some(Rc::clone(&job)))?;
            Ok(job)
        }

        fn names(&mut self, second: u64) -> Vec<&'static str> {
            let now = self.at(second);
            let all = ["a", "b", "c", "d", "e"];
            all.into_iter().filter(|name| self.shelf.find(name, now).is_some()).collect()
        }
    }

    fn kept(name: &str, value: u32, bytes: usize) -> Kept<u32> {
        Kept { name: name.to_owned(), value, bytes }
    }

    fn is_alive(job: &Rc<()>) -> bool {
        Rc::strong_count(job) > 1
    }

    #[test]
    fn the_oldest_makes_room_for_one_too_many() {
        let mut bench = Bench::new();
        for name in ["a", "b", "c", "d"] {
            bench.keep(name, 1, 0).unwrap();
        }
        assert_eq!(bench.names(0), ["b", "c", "d"]);
    }

    #[test]
    fn who_holds_most_makes_room() {
        let mut bench = Bench::new();
        for name in ["x\na", "y\nb", "y\nc", "y\nd"] {
            bench.keep(name, 1, 0).unwrap();
        }
        let now = bench.at(0);
        let mut is_there = |name| bench.shelf.find(name, now).is_some();
        assert_eq!(["x\na", "y\nb", "y\nc", "y\nd"].map(&mut is_there), [true, false, true, true]);
    }

    #[test]
    fn as_many_make_room_as_a_large_one_takes() {
        let mut bench = Bench::new();
        for (name, bytes) in [("a", 40), ("b", 40), ("c", 20), ("d", 70)] {
            bench.keep(name, bytes, 0).unwrap();
        }
        assert_eq!(bench.names(0), ["c", "d"]);
        assert_eq!(bench.keep("e", 101, 0), Err(Full), "it would never fit");
        assert_eq!(bench.names(0), ["c", "d"], "nothing was forgotten in vain");
    }

    #[test]
    fn what_is_too_old_is_gone() {
        let mut bench = Bench::new();
        bench.keep("a", 60, 0).unwrap();
        bench.keep("b", 40, 5).unwrap();
        assert_eq!(bench.names(10), ["a", "b"]);
        assert_eq!(bench.names(11), ["b"]);
        bench.keep("c", 60, 11).unwrap();
        assert_eq!(bench.names(15), ["b", "c"], "the bytes of the old one are free again");
    }

    #[test]
    fn what_is_removed_is_gone_and_its_job_ends() {
        let mut bench = Bench::new();
        let job = bench.begin("a", 1).unwrap();
        let now = bench.at(0);
        assert_eq!(bench.shelf.find("a", now), Some((0, false)));
        assert!(is_alive(&job) && bench.shelf.remove("a", now));
        drop(bench.shelf.take_gone());
        assert!(!is_alive(&job) && !bench.shelf.remove("a", now));
        bench.shelf.complete(kept("a", 1, 1), now);
        assert_eq!(bench.names(0), [""; 0], "what was removed does not come back");
    }

    #[test]
    fn a_value_becomes_complete_once() {
        let mut bench = Bench::new();
        let _job = bench.begin("a", 1).unwrap();
        let now = bench.at(0);
        bench.shelf.complete(kept("a", 1, 50), now);
        bench.shelf.complete(kept("a", 2, 1), now);
        assert_eq!(bench.shelf.find("a", now), Some((1, true)));
        assert_eq!(bench.keep("b", 60, 0), Ok(()));
        assert_eq!(bench.names(0), ["b"], "it counts with the bytes that it has now");
    }

    #[test]
    fn what_is_being_made_does_not_make_room() {
        let mut bench = Bench::new();
        let jobs: Vec<_> = ["a", "b", "c"].map(|name| bench.begin(name, 10).unwrap()).into();
        assert_eq!(bench.keep("d", 1, 0), Err(Full));
        assert!(bench.begin("d", 1).is_err());
        assert!(jobs.iter().all(is_alive));
        let now = bench.at(0);
        bench.shelf.complete(kept("b", 1, 10), now);
        assert_eq!(bench.keep("d", 1, 0), Ok(()));
        assert_eq!(bench.names(0), ["a", "c", "d"], "the one that is complete does");
        bench.shelf.complete(kept("a", 1, 95), now);
        assert_eq!(bench.names(0), ["c", "d"], "what turned out too large is gone");
    }

    #[test]
    fn a_name_is_kept_once() {
        let mut bench = Bench::new();
        bench.keep("a", 60, 0).unwrap();
        bench.keep("a", 30, 0).unwrap();
        bench.keep("b", 70, 0).unwrap();
        assert_eq!(bench.names(0), ["a", "b"]);
    }
}
