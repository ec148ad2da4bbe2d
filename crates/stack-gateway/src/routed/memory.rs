//! What earlier requests showed of each route.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stack_chat::{Failure, FailureKind};

use crate::load::Latency;
use crate::queue::{InFlight, Occupancy};

/// What earlier requests showed of each route.
#[derive(Debug, Default)]
pub(crate) struct RouteMemory(Mutex<HashMap<String, Row>>);

#[derive(Debug, Default)]
struct Row {
    cooldown: Option<Instant>,
    first_output: Latency,
    in_flight: Occupancy,
    last: Option<LastEnd>,
}

/// How the last attempt on a route ended.
#[derive(Clone, Debug)]
pub(super) struct LastEnd {
    pub(super) at: Instant,
    /// Why it failed, if it did, and in which words.
    pub(super) failure: Option<(FailureKind, String)>,
}

/// What is known of a route.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RouteFacts {
    pub(super) cooldown: Option<Instant>,
    pub(super) first_output: Latency,
    pub(super) depth: u32,
}

impl RouteMemory {
    /// Counts an attempt on a route, as long as what is returned lives.
    pub(super) fn enter(&self, route: &str, now: Instant) -> InFlight {
        let mut rows = self.rows();
        if rows.len() >= ROUTES_MAX && !rows.contains_key(route) {
            // Callers choose the names of models, so those of which there is nothing to tell make room.
            rows.retain(|_, row| row.in_flight.get() > 0 || row.cooldown.is_some_and(|until| until > now));
        }
        rows.entry(route.to_owned()).or_default().in_flight.enter()
    }

    /// Takes in how an attempt ended.
    pub(super) fn ended(&self, route: &str, failure: Option<&Failure>, now: Instant) {
        // What is a caller's matter tells nothing of the route.
        let failure = match failure {
            Some(failure) if !is_of_route(failure.kind) => return,
            other => other.map(|failure| (failure.kind, failure.message.clone())),
        };
        if let Some(row) = self.rows().get_mut(route) {
            row.last = Some(LastEnd { at: now, failure });
        }
    }

    /// Takes in how long a first output took.
    pub(super) fn answered(&self, route: &str, took: Duration) {
        if let Some(row) = self.rows().get_mut(route) {
            row.first_output.observe(took);
        }
    }

    /// Leaves a route alone until then.
    pub(super) fn cool(&self, route: &str, until: Instant) {
        if let Some(row) = self.rows().get_mut(route) {
            row.cooldown = row.cooldown.max(Some(until));
        }
    }

    /// Forgets that a route, or each route of a provider, is to be left alone.
    pub(super) fn warm(&self, name: &str) {
        for (route, row) in self.rows().iter_mut() {
            if is_of(route, name) {
                row.cooldown = None;
                row.last = None;
            }
        }
    }

    /// Returns what is known of a route.
    pub(super) fn facts(&self, route: &str) -> RouteFacts {
        self.rows().get(route).map_or_else(RouteFacts::default, |row| RouteFacts {
            cooldown: row.cooldown,
            first_output: row.first_output,
            depth: row.in_flight.get(),
        })
    }

    /// Returns how the last attempt on any route of a provider ended, and how long its first outputs took.
    pub(super) fn last(&self, provider: &str) -> (Option<LastEnd>, Option<Duration>) {
        let rows = self.rows();
        let of_provider = || rows.iter().filter(|(route, _)| is_of(route, provider)).map(|(_, row)| row);
        let last = of_provider().filter_map(|row| row.last.clone()).max_by_key(|last| last.at);
        let fastest = of_provider().filter_map(|row| row.first_output.get()).min();
        (last, fastest)
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<String, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a route is this one, or one of this provider.
fn is_of(route: &str, name: &str) -> bool {
    route == name || route.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
}

fn is_of_route(kind: FailureKind) -> bool {
    use stack_chat::Domain;
    matches!(kind.domain(), Domain::Provider) && kind != FailureKind::ContentRejected
}

const ROUTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_remembered_and_few_are() {
        let (memory, now) = (RouteMemory::default(), Instant::now());
        let guard = memory.enter("acme/m", now);
        memory.answered("acme/m", Duration::from_secs(1));
        memory.cool("acme/m", now + Duration::from_secs(9));
        memory.cool("acme/m", now + Duration::from_secs(3));
        let facts = memory.facts("acme/m");
        assert_eq!((facts.depth, facts.cooldown), (1, Some(now + Duration::from_secs(9))));
        for number in 0..5000 {
            drop(memory.enter(&format!("acme/{number}"), now));
        }
        assert!(memory.rows().len() <= ROUTES_MAX + 1);
        assert_eq!(memory.facts("acme/m").depth, 1, "what is in use is kept");
        drop(guard);
        memory.warm("acme");
        assert_eq!((memory.facts("acme/m").depth, memory.facts("acme/m").cooldown), (0, None));
        assert_eq!(memory.facts("other").depth, 0);
    }

    #[test]
    fn the_last_end_of_a_provider_is_told_and_a_callers_fault_is_none() {
        let (memory, now) = (RouteMemory::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        for (route, kind, at) in [
            ("acme/m", FailureKind::AuthFailed, now),
            ("acme/n", FailureKind::InvalidRequest, later),
            ("acme2/n", FailureKind::Billing, later),
        ] {
            drop(memory.enter(route, now));
            memory.ended(route, Some(&Failure::new(kind, "no")), at);
        }
        let (last, _) = memory.last("acme");
        assert_eq!(last.unwrap().failure, Some((FailureKind::AuthFailed, "no".to_owned())));
        memory.ended("acme/n", None, later);
        assert_eq!(memory.last("acme").0.unwrap().failure, None);
    }
}
