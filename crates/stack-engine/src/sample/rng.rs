//! Random numbers that depend on what they are for and on nothing else.
//!
//! A counter-based generator (the idea of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) on the
//! finalizer of `SplitMix64` (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).

/// The randomness of one token of one choice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    state: u64,
}

/// What a number is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Which token is drawn.
    Token,
    /// Whether XTC acts.
    Xtc,
}

impl Draw {
    pub(super) fn new(seed: u64, choice: u32, position: u64) -> Self {
        let choice = mix(seed).wrapping_add(u64::from(choice));
        Self { state: mix(choice).wrapping_add(position) }
    }

    /// A number from 0 (included) to 1 (excluded).
    pub(super) fn uniform(self, purpose: Purpose) -> f64 {
        let bits = mix(mix(self.state).wrapping_add(purpose as u64));
        (bits >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_evenly() {
        let numbers: Vec<f64> = (0..10_000).map(|n| Draw::new(1, 0, n).uniform(Purpose::Token)).collect();
        assert!(numbers.iter().all(|x| (0.0..1.0).contains(x)));
        let mean = numbers.iter().sum::<f64>() / 10_000.0;
        // Four standard deviations of the mean of uniform numbers.
        assert!((mean - 0.5).abs() < 4.0 / (12.0f64 * 10_000.0).sqrt(), "{mean}");
    }

    #[test]
    fn every_argument_matters() {
        let reference = Draw::new(1, 2, 3).uniform(Purpose::Token);
        assert_ne!(reference, Draw::new(2, 2, 3).uniform(Purpose::Token));
        assert_ne!(reference, Draw::new(1, 3, 3).uniform(Purpose::Token));
        assert_ne!(reference, Draw::new(1, 2, 4).uniform(Purpose::Token));
        assert_ne!(reference, Draw::new(1, 2, 3).uniform(Purpose::Xtc));
    }
}
