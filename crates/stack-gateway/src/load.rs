//! Which of several equal backends takes a request.

use std::time::Duration;

use crate::stable_hash::stable_hash;

/// One of several backends that may all take a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend<'a> {
    /// Its name.
    pub name: &'a str,
    /// How much of the load it takes, relative to others; at least 1.
    pub weight: u32,
    /// How many requests it has.
    pub depth: u32,
    /// How long its first output has taken lately.
    pub first_output: Latency,
}

/// How long something has taken lately: an average in which each new value counts for a fifth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency(Option<f64>);

impl Latency {
    /// Takes in a new value.
    pub fn observe(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        self.0 = Some(self.0.map_or(took, |average| average + (took - average) / 5.0));
    }

    /// Returns the average; `None` before the first value.
    pub fn get(self) -> Option<Duration> {
        self.0.map(Duration::from_secs_f64)
    }
}

/// Chooses the backend with the least load, and of several with the same the one that is fastest. A session stays where
/// it was, because the beginning of its prompt is in that backend's cache, unless that costs a quarter more load.
///
/// Returns its number, or `None` if there are no backends.
pub fn least_loaded(backends: &[Backend<'_>], session: Option<&str>) -> Option<usize> {
    let least = (0..backends.len()).min_by(|one, other| {
        let (one, other) = (&backends[*one], &backends[*other]);
        load(one, other).cmp(&load(other, one)).then_with(|| {
            // One that nobody has tried is tried.
            let wait = |backend: &Backend<'_>| backend.first_output.0.unwrap_or_default();
            wait(one).total_cmp(&wait(other))
        })
    })?;
    let Some(session) = session else { return Some(least) };
    let home = (0..backends.len()).max_by_key(|place| stable_hash(&[session, backends[*place].name]))?;
    let (at_home, at_least) = (&backends[home], &backends[least]);
    let is_near = load(at_home, at_least) * 4 <= load(at_least, at_home) * 5;
    Some(if is_near { home } else { least })
}

/// How loaded a backend would be with one request more, on a scale that it shares with `other` and that has no fractions.
fn load(backend: &Backend<'_>, other: &Backend<'_>) -> u128 {
    (u128::from(backend.depth) + 1) * u128::from(other.weight.max(1))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn backend(name: &str, weight: u32, depth: u32, ms: Option<u64>) -> Backend<'_> {
        let mut first_output = Latency::default();
        if let Some(ms) = ms {
            first_output.observe(Duration::from_millis(ms));
        }
        Backend { name, weight, depth, first_output }
    }

    #[test]
    fn the_least_loaded_takes_it_and_then_the_fastest() {
        assert_eq!(least_loaded(&[], Some("s")), None);
        for (backends, want) in [
            ([backend("a", 1, 3, None), backend("b", 1, 2, None)], 1),
            ([backend("a", 4, 7, None), backend("b", 1, 2, None)], 0),
            ([backend("a", 1, 1, Some(90)), backend("b", 1, 1, Some(80))], 1),
            ([backend("a", 1, 1, Some(90)), backend("b", 1, 1, None)], 1),
            ([backend("a", 0, u32::MAX, None), backend("b", u32::MAX, 0, None)], 1),
        ] {
            assert_eq!(least_loaded(&backends, None), Some(want), "{backends:?}");
        }
    }

    #[test]
    fn a_session_stays_where_it_was_unless_that_costs_a_quarter_more() {
        let at = |depths: [u32; 3], session: &str| {
            let names = ["a", "b", "c"];
            let backends = [0, 1, 2].map(|place| backend(names[place], 1, depths[place], None));
            least_loaded(&backends, Some(session)).unwrap()
        };
        let homes: HashSet<_> = (0..50).map(|number| at([0; 3], &number.to_string())).collect();
        assert_eq!(homes.len(), 3, "sessions are spread");
        let home = at([3; 3], "s");
        let with = |depth| {
            let mut depths = [3; 3];
            depths[home] = depth;
            at(depths, "s")
        };
        assert_eq!(with(4), home, "five against four is a quarter more");
        assert_ne!(with(5), home);
    }

    #[test]
    fn a_session_of_a_backend_that_is_gone_moves_and_the_others_stay() {
        let all = ["a", "b", "c"].map(|name| backend(name, 1, 0, None));
        for number in 0..50 {
            let session = number.to_string();
            let before = least_loaded(&all, Some(&session)).unwrap();
            let after = least_loaded(&all[..2], Some(&session)).unwrap();
            assert!(before == 2 || before == after, "{session}");
        }
    }

    #[test]
    fn an_average_follows_what_is_new() {
        let mut latency = Latency::default();
        assert_eq!(latency.get(), None);
        latency.observe(Duration::from_secs(1));
        latency.observe(Duration::from_secs(2));
        assert_eq!(latency.get(), Some(Duration::from_millis(1200)));
    }
}
