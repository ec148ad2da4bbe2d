//! How much may be tried again, over all requests to a provider.
//!
//! Retries that follow failures one to one double the load of a provider that fails because of its load. As in
//! linkerd2-proxy and Finagle, requests therefore pay for retries, and what they have paid is bounded.

/// What the requests to a provider have paid for retries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    percent: u32,
    balance: u32,
    balance_max: u32,
}

impl RetryBudget {
    /// Lets `percent` of all requests be tried again, and `burst` at once however few there were.
    pub fn new(percent: u32, burst: u32) -> Self {
        let balance_max = burst.saturating_mul(RETRY);
        Self { percent, balance: balance_max, balance_max }
    }

    /// Takes in a request, whatever comes of it.
    pub fn deposit(&mut self) {
        self.balance = self.balance.saturating_add(self.percent).min(self.balance_max);
    }

    /// Pays for a retry, or says that there is nothing left.
    pub fn withdraw(&mut self) -> bool {
        let Some(rest) = self.balance.checked_sub(RETRY) else { return false };
        self.balance = rest;
        true
    }
}

/// One in five, and ten at once.
impl Default for RetryBudget {
    fn default() -> Self {
        Self::new(20, 10)
    }
}

/// What a retry costs, in hundredths of one.
const RETRY: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_five_may_be_tried_again_and_ten_at_once() {
        let mut budget = RetryBudget::default();
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10);
        let tried = (0..1000).filter(|_| {
            budget.deposit();
            budget.withdraw()
        });
        assert_eq!(tried.count(), 200);
        (0..1000).for_each(|_| budget.deposit());
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10, "what is saved is bounded");
    }
}
