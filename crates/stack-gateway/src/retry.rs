//! What to do after a failure: try again, try elsewhere, or give up.

use std::time::Duration;

use stack_chat::{Failure, FailureKind, Retry};

use crate::retry_budget::RetryBudget;

/// How often and how fast a request is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryOptions {
    /// How often one route is tried.
    pub attempts_per_route: u32,
    /// How often anything is tried.
    pub attempts_max: u32,
    /// How many routes are tried.
    pub routes_max: u32,
    /// How long the first wait is; each is twice as long as the one before.
    pub wait_first: Duration,
    /// How long no wait is.
    pub wait_max: Duration,
    /// How long a provider may ask to be waited for; beyond that, others are asked.
    pub patience: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            attempts_per_route: 3,
            attempts_max: 6,
            routes_max: 4,
            wait_first: Duration::from_millis(500),
            wait_max: Duration::from_secs(8),
            patience: Duration::from_secs(5),
        }
    }
}

/// The attempts of one request.
#[derive(Clone, Debug)]
pub struct Attempts {
    options: RetryOptions,
    on_route: u32,
    total: u32,
    routes: u32,
}

/// Where a request stands when an attempt has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// Whether the caller has seen any of the answer.
    pub is_committed: bool,
    /// Whether there is another route that the request may take.
    pub has_other_route: bool,
    /// What is left until the request as a whole has failed.
    pub time_left: Duration,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try the same route after a wait.
    Again(Duration),
    /// Try the next route at once.
    Elsewhere {
        /// How long the route that failed is left alone by all requests, if it asked for that.
        cooldown: Option<Duration>,
    },
    /// Tell the caller.
    GiveUp {
        /// How long the route that failed is left alone by all requests, if it asked for that.
        cooldown: Option<Duration>,
    },
}

impl Attempts {
    /// Waits for the first attempt.
    pub fn new(options: RetryOptions) -> Self {
        Self { options, on_route: 0, total: 0, routes: 0 }
    }

    /// Notes that an attempt on a route that has not been tried begins.
    pub fn begin_route(&mut self) {
        self.routes += 1;
        self.on_route = 1;
        self.total += 1;
    }

    /// Decides what to do after a failure. `draw` is a random number from 0 to 1, by which waits are spread, so that
    /// those who failed together do not come back together.
    pub fn after(
        &mut self,
        failure: &Failure,
        situation: Situation,
        budget: &mut RetryBudget,
        draw: f64,
    ) -> Next {
        // What the caller has seen belongs to one answer, and no other goes on where it stands.
        if situation.is_committed {
            return Next::GiveUp { cooldown: None };
        }
        match failure.retry {
            Retry::Never => Next::GiveUp { cooldown: None },
            Retry::OtherRoute => self.elsewhere(situation, None),
            // A model that is being loaded will answer, and nobody is overloaded by who waits for it.
            Retry::After(wait) if failure.kind == FailureKind::Loading => {
                if wait < situation.time_left {
                    Next::Again(wait)
                } else {
                    self.elsewhere(situation, Some(wait))
                }
            }
            Retry::After(wait) if wait > self.options.patience => self.elsewhere(situation, Some(wait)),
            Retry::After(wait) => self.again(wait, Some(wait), situation, budget),
            Retry::SameRoute => self.again(self.backoff(draw), None, situation, budget),
        }
    }

    fn again(
        &mut self,
        wait: Duration,
        cooldown: Option<Duration>,
        situation: Situation,
        budget: &mut RetryBudget,
    ) -> Next {
        let is_open = self.on_route < self.options.attempts_per_route
            && self.total < self.options.attempts_max
            && wait < situation.time_left;
        if !is_open || !budget.withdraw() {
            return self.elsewhere(situation, cooldown);
        }
        self.on_route += 1;
        self.total += 1;
        Next::Again(wait)
    }

    fn elsewhere(&self, situation: Situation, cooldown: Option<Duration>) -> Next {
        let is_open = situation.has_other_route
            && self.routes < self.options.routes_max
            && self.total < self.options.attempts_max
            && !situation.time_left.is_zero();
        if is_open { Next::Elsewhere { cooldown } } else { Next::GiveUp { cooldown } }
    }

    /// Twice as long each time, a fifth more or less.
    fn backoff(&self, draw: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(self.on_route.saturating_sub(1));
        let wait = self.options.wait_first.saturating_mul(doubled).min(self.options.wait_max);
        wait.mul_f64(0.8 + 0.4 * draw.clamp(0.0, 1.0)).min(self.options.wait_max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FREE: Situation =
        Situation { is_committed: false, has_other_route: true, time_left: Duration::from_mins(10) };
    const ELSEWHERE: Next = Next::Elsewhere { cooldown: None };
    const GIVE_UP: Next = Next::GiveUp { cooldown: None };

    fn attempts() -> Attempts {
        let mut attempts = Attempts::new(RetryOptions::default());
        attempts.begin_route();
        attempts
    }

    fn next(kind: FailureKind, situation: Situation) -> Next {
        attempts().after(&Failure::new(kind, "x"), situation, &mut RetryBudget::default(), 0.5)
    }

    fn again(ms: u64) -> Next {
        Next::Again(Duration::from_millis(ms))
    }

    #[test]
    fn each_failure_is_tried_where_that_makes_sense() {
        for (kind, want) in [
            (FailureKind::InvalidRequest, GIVE_UP),
            (FailureKind::ContentRejected, GIVE_UP),
            (FailureKind::BudgetExceeded, GIVE_UP),
            (FailureKind::Internal, GIVE_UP),
            (FailureKind::ServerError, again(500)),
            (FailureKind::Overloaded, again(500)),
            (FailureKind::ConnectionFailed, again(500)),
            (FailureKind::StreamTruncated, again(500)),
            (FailureKind::ProviderRateLimited, again(5000)),
            (FailureKind::Loading, again(2000)),
            (FailureKind::Timeout, ELSEWHERE),
            (FailureKind::AuthFailed, ELSEWHERE),
            (FailureKind::ContextExceeded, ELSEWHERE),
            (FailureKind::SchemaDrift, ELSEWHERE),
        ] {
            assert_eq!(next(kind, FREE), want, "{}", kind.as_str());
        }
    }

    #[test]
    fn a_route_is_tried_three_times_and_ever_later() {
        let (mut attempts, mut budget) = (attempts(), RetryBudget::default());
        let failure = Failure::new(FailureKind::ServerError, "x");
        let mut after = |draw| attempts.after(&failure, FREE, &mut budget, draw);
        assert_eq!([after(0.0), after(1.0), after(0.5)], [again(400), again(1200), ELSEWHERE]);
    }

    #[test]
    fn no_wait_is_longer_than_the_longest() {
        let options = RetryOptions { attempts_per_route: 99, attempts_max: 99, ..RetryOptions::default() };
        let mut attempts = Attempts::new(options);
        attempts.begin_route();
        let mut budget = RetryBudget::new(0, 99);
        let failure = Failure::new(FailureKind::ServerError, "x");
        let last = (0..60).map(|_| attempts.after(&failure, FREE, &mut budget, 1.0)).last();
        assert_eq!(last, Some(again(8000)));
    }

    #[test]
    fn who_asks_for_patience_gets_a_little_and_then_rest() {
        let (mut budget, wait) = (RetryBudget::default(), Duration::from_secs);
        let failure = |seconds| Failure::new(FailureKind::ProviderRateLimited, "x").after(wait(seconds));
        assert_eq!(attempts().after(&failure(2), FREE, &mut budget, 0.5), again(2000));
        let rest = Next::Elsewhere { cooldown: Some(wait(6)) };
        assert_eq!(attempts().after(&failure(6), FREE, &mut budget, 0.5), rest);
        let alone = Situation { has_other_route: false, ..FREE };
        let rest = Next::GiveUp { cooldown: Some(wait(6)) };
        assert_eq!(attempts().after(&failure(6), alone, &mut budget, 0.5), rest);
    }

    #[test]
    fn loading_is_waited_for_until_time_is_up_and_costs_nothing() {
        let (mut attempts, mut budget) = (attempts(), RetryBudget::new(20, 0));
        let failure = Failure::new(FailureKind::Loading, "x");
        for _ in 0..50 {
            assert_eq!(attempts.after(&failure, FREE, &mut budget, 0.5), again(2000));
        }
        let late = Situation { time_left: Duration::from_secs(2), ..FREE };
        let cooldown = Some(Duration::from_secs(2));
        assert_eq!(attempts.after(&failure, late, &mut budget, 0.5), Next::Elsewhere { cooldown });
    }

    #[test]
    fn nothing_is_tried_again_once_the_caller_has_seen_something() {
        for kind in FailureKind::ALL {
            assert_eq!(next(kind, Situation { is_committed: true, ..FREE }), GIVE_UP, "{}", kind.as_str());
        }
    }

    #[test]
    fn without_budget_or_time_others_are_asked() {
        let failure = Failure::new(FailureKind::ServerError, "x");
        assert_eq!(attempts().after(&failure, FREE, &mut RetryBudget::new(20, 0), 0.5), ELSEWHERE);
        let late = Situation { time_left: Duration::from_millis(500), ..FREE };
        assert_eq!(next(FailureKind::ServerError, late), ELSEWHERE);
        let over = Situation { time_left: Duration::ZERO, ..FREE };
        assert_eq!(next(FailureKind::ServerError, over), GIVE_UP);
    }

    proptest! {
        #[test]
        fn whatever_fails_it_ends(
            kinds in prop::collection::vec(0..FailureKind::ALL.len(), 200),
            draw in 0.0..1.0_f64,
        ) {
            let (mut attempts, mut budget) = (Attempts::new(RetryOptions::default()), RetryBudget::default());
            attempts.begin_route();
            let (mut tries, mut routes) = (1, 1);
            for kind in kinds.into_iter().map(|kind| FailureKind::ALL[kind]) {
                // It is waited for until time is up, which no count of attempts bounds.
                if kind == FailureKind::Loading {
                    continue;
                }
                match attempts.after(&Failure::new(kind, "x"), FREE, &mut budget, draw) {
                    Next::Again(_) => tries += 1,
                    Next::Elsewhere { .. } => {
                        attempts.begin_route();
                        tries += 1;
                        routes += 1;
                    }
                    Next::GiveUp { .. } => break,
                }
                prop_assert!(tries <= 6 && routes <= 4, "{tries} tries on {routes} routes");
            }
        }
    }
}
