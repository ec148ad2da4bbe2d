//! Random numbers that are a function of a counter.
//!
//! Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). A draw is
//! keyed by the seed and counted by choice and position, so it depends on nothing else: not on what else is in the
//! batch, not on pauses, not on how many numbers were drawn before.

/// What a number is drawn for. Numbers for different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Choosing the token.
    Token = 0,
    /// Deciding whether XTC acts.
    Xtc = 1,
}

/// Returns a number in [0, 1).
pub(super) fn uniform(seed: u64, choice: u32, position: u64, purpose: Purpose) -> f64 {
    let counter = [position as u32, (position >> 32) as u32, choice, purpose as u32];
    let [a, b, ..] = philox(counter, [seed as u32, (seed >> 32) as u32]);
    // 53 bits are what a double holds.
    let bits = (u64::from(a) << 32 | u64::from(b)) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
        }
        let left = u64::from(counter[0]) * 0xD251_1F53;
        let right = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (right >> 32) as u32 ^ counter[1] ^ key[0],
            right as u32,
            (left >> 32) as u32 ^ counter[3] ^ key[1],
            left as u32,
        ];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answers_of_random123_hold() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        assert_eq!(
            philox(pi, [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn every_coordinate_matters() {
        let base = uniform(1, 2, 3, Purpose::Token);
        assert!((0.0..1.0).contains(&base));
        for other in [
            uniform(2, 2, 3, Purpose::Token),
            uniform(1 << 32 | 1, 2, 3, Purpose::Token),
            uniform(1, 3, 3, Purpose::Token),
            uniform(1, 2, 4, Purpose::Token),
            uniform(1, 2, 1 << 32 | 3, Purpose::Token),
            uniform(1, 2, 3, Purpose::Xtc),
        ] {
            assert!(base.to_bits() != other.to_bits());
        }
    }
}
