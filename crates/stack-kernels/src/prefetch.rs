//! The prefetch policy: whether products ask memory for weights ahead of their use.
//!
//! To decode one sequence is to read every weight once: memory is all that a core waits for. Whether it helps to ask for
//! lines some time before they are used depends on the processor's own prefetchers, and not even a vendor's behave alike:
//! Intel's stay behind (Emerald Rapids reads 15.7 GB/s per core with asking, 14.8 without), Zen 4's are disturbed (22 with,
//! 30 without), Zen 5's stay far behind (36 with, 20 without). So no rule by name: the policy is a value of the
//! [`Cpu`](crate::Cpu), and a [`PrefetchProbe`](crate::PrefetchProbe) measures which one is better.
//!
//! With more than one row of activations there is so much to compute between two lines that asking always pays: two
//! threads of Zen 4 decode eight sequences at 280 tokens per second with it, at 157 without.

/// The way in which the weights of a product with one row of activations get into the caches in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PrefetchPolicy {
    /// Instructions prefetch them ahead of their use.
    #[default]
    Software,
    /// The processor's own prefetchers bring them.
    Hardware,
}

impl PrefetchPolicy {
    /// Every policy, the default first.
    pub const ALL: [Self; 2] = [Self::Software, Self::Hardware];

    /// Returns the policy with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }

    /// The name that [`Self::named`] takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Hardware => "hardware",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_found_by_their_names() {
        for policy in PrefetchPolicy::ALL {
            assert_eq!(PrefetchPolicy::named(policy.name()), Some(policy));
        }
        assert_eq!(PrefetchPolicy::named("both"), None);
    }
}
