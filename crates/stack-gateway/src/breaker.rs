//! Leaves a party alone that has failed often, and finds out when it works again.
//!
//! ```text
//! closed     failures in a row       → open, for a while
//! open       the while is over       → half open, and whoever comes is the probe
//! half open  enough probes succeed   → closed
//!            a probe fails, or never says how it ended → open
//! ```
//!
//! As in linkerd2-proxy, one probe is under way at a time: a party that is coming back is not met by everybody who waits.
//! Unlike there, a human may hold the breaker open or closed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How a breaker reacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerOptions {
    /// How many failures in a row open it.
    pub failures: u32,
    /// How old the first of them may be. Longer than five timeouts, or silence would never open it.
    pub window: Duration,
    /// How long it stays open.
    pub open: Duration,
    /// How long it stays open after what time alone does not repair: a refused key, an unpaid bill.
    pub open_severe: Duration,
    /// By what `open` is multiplied each time that a probe fails; 1 keeps it.
    pub growth: u32,
    /// How many probes must succeed in a row to close it.
    pub successes: u32,
    /// After which time a probe that has not said how it ended has failed.
    pub lease: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            failures: 5,
            window: Duration::from_mins(5),
            open: Duration::from_mins(1),
            open_severe: Duration::from_mins(5),
            growth: 1,
            successes: 3,
            lease: Duration::from_mins(2),
        }
    }
}

/// The record of one party, and what follows from it.
#[derive(Clone, Debug)]
pub struct Breaker {
    options: BreakerOptions,
    state: State,
    /// Counts changes of state and probes, so that an attempt of an earlier time decides nothing.
    epoch: u64,
    /// How many probes have failed in a row.
    reopened: u32,
}

#[derive(Clone, Debug)]
enum State {
    /// The last failures, none of which is older than the window.
    Closed(VecDeque<Instant>),
    Open {
        until: Instant,
    },
    HalfOpen {
        successes: u32,
        /// When the probe that is under way has taken too long.
        probe: Option<Instant>,
    },
    /// Held open by somebody, until then or until further notice.
    Pinned {
        until: Option<Instant>,
        reason: String,
    },
}

/// What an attempt says about the party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It works.
    Works,
    /// It does not.
    Fails,
    /// It does not, and will not soon.
    FailsForLong,
    /// Nothing.
    Nothing,
}

/// The right to one attempt. It is given back with what the attempt showed; one that is lost counts as a failed probe, if it was one.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an attempt shows something"]
pub struct Ticket {
    epoch: u64,
    is_probe: bool,
}

/// Why there is no attempt now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// After which time it makes sense to ask again, if that is known.
    pub wait: Option<Duration>,
}

/// What a breaker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It admits every attempt.
    Closed,
    /// It admits none.
    Open,
    /// It admits one at a time.
    HalfOpen,
}

/// What there is to know about a breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerReport {
    /// What it does.
    pub state: BreakerState,
    /// How many failures in a row it has seen.
    pub failures: u32,
    /// When it may admit a probe, if it admits none now and that is known.
    pub probe_in: Option<Duration>,
    /// Why somebody holds it open, if somebody does.
    pub pinned: Option<String>,
}

impl BreakerReport {
    /// Whether it would admit an attempt.
    pub fn admits(&self) -> bool {
        match self.state {
            BreakerState::Closed => true,
            BreakerState::Open => false,
            BreakerState::HalfOpen => self.probe_in.is_none(),
        }
    }
}

impl BreakerState {
    /// Returns its name in the API and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl Breaker {
    /// Makes one that is closed.
    pub fn new(options: BreakerOptions) -> Self {
        Self { options, state: State::Closed(VecDeque::new()), epoch: 0, reopened: 0 }
    }

    /// Admits an attempt, or says when to ask again.
    ///
    /// # Errors
    ///
    /// While it is open, and while another attempt is the probe.
    pub fn admit(&mut self, now: Instant) -> Result<Ticket, Refused> {
        self.advance(now);
        match &mut self.state {
            State::Closed(_) => Ok(Ticket { epoch: self.epoch, is_probe: false }),
            State::Open { until } => Err(Refused { wait: Some(until.duration_since(now)) }),
            State::Pinned { until, .. } => {
                Err(Refused { wait: until.map(|until| until.duration_since(now)) })
            }
            State::HalfOpen { probe: Some(lease), .. } => {
                Err(Refused { wait: Some(lease.duration_since(now)) })
            }
            State::HalfOpen { probe, .. } => {
                *probe = Some(now + self.options.lease);
                self.epoch += 1;
                Ok(Ticket { epoch: self.epoch, is_probe: true })
            }
        }
    }

    /// Takes in how an attempt ended. An attempt that began before the state changed says nothing about the present.
    #[expect(clippy::needless_pass_by_value, reason = "an attempt is settled once")]
    pub fn settle(&mut self, ticket: Ticket, evidence: Evidence, now: Instant) {
        self.advance(now);
        let Ticket { epoch, is_probe } = ticket;
        if epoch != self.epoch {
            return;
        }
        match (&mut self.state, evidence) {
            (State::Closed(failures), Evidence::Works) => failures.clear(),
            (State::Closed(failures), Evidence::Fails) => {
                failures.push_back(now);
                let is_full = failures.len() >= self.options.failures as usize;
                if is_full {
                    self.open_for(self.options.open, now);
                }
            }
            (State::Closed(_), Evidence::FailsForLong) => self.open_for(self.options.open_severe, now),
            (State::HalfOpen { successes, probe }, Evidence::Works) if is_probe => {
                *probe = None;
                *successes += 1;
                if *successes >= self.options.successes {
                    self.close();
                }
            }
            (State::HalfOpen { .. }, Evidence::Fails) if is_probe => self.reopen(now),
            (State::HalfOpen { .. }, Evidence::FailsForLong) if is_probe => {
                self.open_for(self.options.open_severe, now);
            }
            (State::HalfOpen { probe, .. }, Evidence::Nothing) if is_probe => *probe = None,
            _ => {}
        }
    }

    /// Holds it open, until then or until further notice, whatever attempts say.
    pub fn pin(&mut self, reason: &str, until: Option<Instant>) {
        self.epoch += 1;
        self.state = State::Pinned { until, reason: reason.to_owned() };
    }

    /// Closes it, and forgets what has happened.
    pub fn close(&mut self) {
        self.epoch += 1;
        self.reopened = 0;
        self.state = State::Closed(VecDeque::new());
    }

    /// Whether it is as good as new.
    pub(crate) fn is_untroubled(&self) -> bool {
        matches!(&self.state, State::Closed(failures) if failures.is_empty())
    }

    /// Whether somebody holds it open.
    pub(crate) fn is_pinned(&self) -> bool {
        matches!(self.state, State::Pinned { .. })
    }

    /// Tells what it does.
    pub fn report(&mut self, now: Instant) -> BreakerReport {
        self.advance(now);
        let report = |state| BreakerReport { state, failures: 0, probe_in: None, pinned: None };
        match &self.state {
            State::Closed(failures) => {
                BreakerReport { failures: failures.len() as u32, ..report(BreakerState::Closed) }
            }
            State::Open { until } => {
                let probe_in = Some(until.duration_since(now));
                BreakerReport { failures: self.options.failures, probe_in, ..report(BreakerState::Open) }
            }
            State::HalfOpen { probe, .. } => BreakerReport {
                probe_in: probe.map(|lease| lease.duration_since(now)),
                ..report(BreakerState::HalfOpen)
            },
            State::Pinned { until, reason } => BreakerReport {
                probe_in: until.map(|until| until.duration_since(now)),
                pinned: Some(reason.clone()),
                ..report(BreakerState::Open)
            },
        }
    }

    /// Does what time alone does.
    fn advance(&mut self, now: Instant) {
        if let State::HalfOpen { probe: Some(lease), .. } = self.state
            && now >= lease
        {
            // Nobody said how it ended, which is counted from when it should have.
            self.reopen(lease);
        }
        match &mut self.state {
            State::Closed(failures) => {
                while failures.front().is_some_and(|first| now.duration_since(*first) > self.options.window) {
                    failures.pop_front();
                }
            }
            State::Open { until } | State::Pinned { until: Some(until), .. } if now >= *until => {
                self.epoch += 1;
                self.state = State::HalfOpen { successes: 0, probe: None };
            }
            State::Open { .. } | State::Pinned { .. } | State::HalfOpen { .. } => {}
        }
    }

    fn reopen(&mut self, now: Instant) {
        self.reopened = self.reopened.saturating_add(1);
        let factor = self.options.growth.saturating_pow(self.reopened);
        let open = self.options.open.saturating_mul(factor);
        self.open_for(open.min(OPEN_MAX.max(self.options.open)), now);
    }

    fn open_for(&mut self, open: Duration, now: Instant) {
        self.epoch += 1;
        self.state = State::Open { until: now + open };
    }
}

/// However often a probe fails, another one comes within the hour.
const OPEN_MAX: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn options(failures: u32, open_s: u64, successes: u32) -> BreakerOptions {
        BreakerOptions { failures, open: Duration::from_secs(open_s), successes, ..BreakerOptions::default() }
    }

    /// A breaker and a clock that the test moves.
    struct Bench {
        breaker: Breaker,
        now: Instant,
    }

    impl Bench {
        fn new(options: BreakerOptions) -> Self {
            Self { breaker: Breaker::new(options), now: Instant::now() }
        }

        fn wait(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }

        fn admits(&mut self) -> bool {
            let ticket = self.breaker.admit(self.now);
            let is_admitted = ticket.is_ok();
            if let Ok(ticket) = ticket {
                self.breaker.settle(ticket, Evidence::Nothing, self.now);
            }
            is_admitted
        }

        fn attempt(&mut self, evidence: Evidence) {
            let ticket = self.breaker.admit(self.now).unwrap();
            self.breaker.settle(ticket, evidence, self.now);
        }

        fn state(&mut self) -> BreakerState {
            self.breaker.report(self.now).state
        }

        /// Seconds until the next probe.
        fn probe_in(&mut self) -> Option<u64> {
            self.breaker.report(self.now).probe_in.map(|wait| wait.as_secs())
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_forgives_them() {
        let mut bench = Bench::new(options(3, 60, 3));
        for evidence in [Evidence::Fails, Evidence::Fails, Evidence::Works, Evidence::Fails, Evidence::Fails]
        {
            bench.attempt(evidence);
            assert!(bench.admits());
        }
        bench.attempt(Evidence::Fails);
        assert!(!bench.admits());
        assert_eq!((bench.state(), bench.probe_in()), (BreakerState::Open, Some(60)));
    }

    #[test]
    fn failures_that_are_long_ago_do_not_count() {
        let mut bench = Bench::new(options(3, 60, 3));
        bench.attempt(Evidence::Fails);
        bench.attempt(Evidence::Fails);
        bench.wait(301);
        bench.attempt(Evidence::Fails);
        assert_eq!((bench.state(), bench.breaker.report(bench.now).failures), (BreakerState::Closed, 1));
    }

    #[test]
    fn probes_decide_when_it_closes() {
        let mut bench = Bench::new(options(1, 0, 2));
        bench.attempt(Evidence::Fails);
        assert_eq!(bench.state(), BreakerState::HalfOpen);
        bench.attempt(Evidence::Works);
        assert_eq!(bench.state(), BreakerState::HalfOpen);
        bench.attempt(Evidence::Works);
        assert_eq!(bench.state(), BreakerState::Closed);

        let mut bench = Bench::new(options(1, 60, 2));
        bench.attempt(Evidence::Fails);
        bench.wait(60);
        bench.attempt(Evidence::Works);
        bench.attempt(Evidence::Fails);
        assert_eq!((bench.state(), bench.probe_in()), (BreakerState::Open, Some(60)));
    }

    #[test]
    fn a_hundred_who_wait_are_one_probe() {
        let mut bench = Bench::new(options(1, 60, 1));
        bench.attempt(Evidence::Fails);
        bench.wait(60);
        let tickets: Vec<_> = (0..100).map(|_| bench.breaker.admit(bench.now)).collect();
        assert_eq!(tickets.iter().filter(|ticket| ticket.is_ok()).count(), 1);
        assert_eq!(tickets[1], Err(Refused { wait: Some(Duration::from_mins(2)) }));
    }

    #[test]
    fn a_probe_that_was_cancelled_frees_its_slot_and_one_that_is_lost_has_failed() {
        let mut bench = Bench::new(options(1, 60, 1));
        bench.attempt(Evidence::Fails);
        bench.wait(60);
        bench.attempt(Evidence::Nothing);
        let lost = bench.breaker.admit(bench.now).unwrap();
        assert!(!bench.admits());
        bench.wait(130);
        assert_eq!((bench.state(), bench.probe_in()), (BreakerState::Open, Some(50)));
        bench.breaker.settle(lost, Evidence::Works, bench.now);
        assert_eq!(bench.state(), BreakerState::Open, "it is too late");
        bench.wait(50);
        assert_eq!(bench.state(), BreakerState::HalfOpen);
    }

    #[test]
    fn an_attempt_of_an_earlier_time_decides_nothing() {
        let mut bench = Bench::new(options(1, 60, 1));
        let late = bench.breaker.admit(bench.now).unwrap();
        let later = bench.breaker.admit(bench.now).unwrap();
        bench.attempt(Evidence::Fails);
        bench.breaker.settle(late, Evidence::Works, bench.now);
        assert_eq!(bench.state(), BreakerState::Open);
        bench.wait(60);
        bench.attempt(Evidence::Works);
        bench.breaker.settle(later, Evidence::FailsForLong, bench.now);
        assert_eq!(bench.state(), BreakerState::Closed);
    }

    #[test]
    fn what_time_alone_does_not_repair_opens_it_at_once_and_for_longer() {
        let mut bench = Bench::new(BreakerOptions::default());
        bench.attempt(Evidence::FailsForLong);
        assert_eq!(bench.probe_in(), Some(300));
        bench.wait(300);
        bench.attempt(Evidence::FailsForLong);
        assert_eq!(bench.probe_in(), Some(300));
    }

    #[test]
    fn it_stays_open_longer_each_time_where_that_is_wanted() {
        let mut bench = Bench::new(BreakerOptions { growth: 2, ..options(1, 60, 1) });
        bench.attempt(Evidence::Fails);
        for seconds in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
            assert_eq!(bench.probe_in(), Some(seconds));
            bench.wait(seconds);
            bench.attempt(Evidence::Fails);
        }
    }

    #[test]
    fn whoever_holds_it_open_is_stronger_than_any_attempt() {
        let mut bench = Bench::new(options(1, 60, 1));
        let ticket = bench.breaker.admit(bench.now).unwrap();
        bench.breaker.pin("maintenance", None);
        bench.breaker.settle(ticket, Evidence::Works, bench.now);
        bench.wait(1 << 20);
        assert!(!bench.admits());
        let report = bench.breaker.report(bench.now);
        assert_eq!((report.pinned.as_deref(), report.probe_in), (Some("maintenance"), None));
        bench.breaker.close();
        assert!(bench.admits());
        bench.breaker.pin("for a while", Some(bench.now + Duration::from_secs(9)));
        assert_eq!(bench.probe_in(), Some(9));
        bench.wait(9);
        assert_eq!(bench.state(), BreakerState::HalfOpen);
    }

    proptest! {
        /// Whatever happens: an open breaker admits nobody before its time, and a half-open one a single attempt.
        #[test]
        fn no_order_of_events_breaks_the_rules(events in prop::collection::vec((0_u8..6, 0_u64..90), 1..200)) {
            let mut bench = Bench::new(options(2, 60, 2));
            let mut held: Vec<Ticket> = Vec::new();
            for (event, number) in events {
                let before = bench.breaker.report(bench.now);
                match event {
                    0 => bench.wait(number),
                    1 => {
                        let probes = held.iter().filter(|ticket| ticket.is_probe && ticket.epoch == bench.breaker.epoch);
                        let has_probe = probes.count() > 0;
                        match bench.breaker.admit(bench.now) {
                            Ok(ticket) => {
                                prop_assert_ne!(before.state, BreakerState::Open);
                                prop_assert!(before.state == BreakerState::Closed || !has_probe);
                                prop_assert_eq!(ticket.is_probe, before.state == BreakerState::HalfOpen);
                                held.push(ticket);
                            }
                            Err(refused) => {
                                prop_assert_ne!(before.state, BreakerState::Closed);
                                prop_assert!(refused.wait.is_some_and(|wait| wait <= Duration::from_mins(5)));
                            }
                        }
                    }
                    _ if held.is_empty() => {}
                    _ => {
                        let ticket = held.swap_remove(number as usize % held.len());
                        let is_current = ticket.epoch == bench.breaker.epoch;
                        let evidence = [Evidence::Works, Evidence::Fails, Evidence::FailsForLong, Evidence::Nothing];
                        bench.breaker.settle(ticket, evidence[event as usize - 2], bench.now);
                        if !is_current {
                            prop_assert_eq!(bench.breaker.report(bench.now), before);
                        }
                    }
                }
            }
        }
    }
}
