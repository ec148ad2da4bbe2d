//! A hash that stays the same: over restarts, machines and releases.
//!
//! Which backend a session sticks to and which variant a user sees depend on it, so it is ours, and its values are
//! written down in a test. It is FNV-1a, whose last bytes move too few bits, followed by the finalizer of `SplitMix64`.
//! It is no protection against whoever chooses the input.

/// Hashes texts, in order. A text that ends earlier is another one, even where all bytes together are the same.
pub(crate) fn stable_hash(texts: &[&str]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for text in texts {
        for byte in text.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_as_they_are() {
        let values = [&[][..], &[""], &["a"], &["a", "b"], &["ab"], &["session-1", "acme"]].map(stable_hash);
        assert_eq!(values, VALUES);
    }

    #[test]
    fn neighbours_are_spread_evenly() {
        let mut counts = [0_u32; 10];
        for number in 0..10_000 {
            counts[(stable_hash(&["user", &number.to_string()]) % 10) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    const VALUES: [u64; 6] = [
        17_665_956_581_633_026_203,
        5_705_415_379_283_624_141,
        1_819_190_507_042_467_253,
        13_335_797_911_308_226_821,
        398_937_318_071_894_322,
        9_479_726_272_905_889_949,
    ];
}
