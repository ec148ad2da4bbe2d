//! Which models stay in memory. A pure machine: what is loaded and the time in, what goes out.

use std::time::{Duration, Instant};

use stack_wire::KeepAlive;

/// What may be in memory.
#[derive(Clone, Copy, Debug)]
pub struct Residency {
    /// Bytes that all loaded models may take together.
    pub bytes_max: u64,
    /// How long a model stays that nobody has said more of.
    pub keep_alive: KeepAlive,
    /// How long a request waits for others to end, so that its model has room.
    pub patience: Duration,
}

impl Default for Residency {
    fn default() -> Self {
        Self {
            bytes_max: u64::MAX,
            keep_alive: KeepAlive::For(Duration::from_mins(5)),
            patience: Duration::from_mins(1),
        }
    }
}

/// What is known of a model in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resident {
    pub(super) id: String,
    pub(super) bytes: u64,
    /// Whether it answers somebody.
    pub(super) is_busy: bool,
    pub(super) keep_alive: KeepAlive,
    pub(super) used: Instant,
}

/// How a model gets the room that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// When these are gone; there may be none.
    Without(Vec<String>),
    /// When one that answers has ended.
    Later,
    /// Not while those stay that are to stay; so many bytes are left beside them.
    Never { left: u64 },
}

impl Residency {
    /// Finds room for `bytes`. Of those that may go and answer nobody, the least recently used goes first.
    pub(super) fn room(&self, residents: &[Resident], bytes: u64) -> Room {
        let total = |residents: &mut dyn Iterator<Item = &Resident>| {
            residents.fold(0_u64, |sum, resident| sum.saturating_add(resident.bytes))
        };
        let stays = |resident: &&Resident| resident.keep_alive == KeepAlive::Forever;
        let left = self.bytes_max.saturating_sub(total(&mut residents.iter().filter(stays)));
        if bytes > left {
            return Room::Never { left };
        }
        let mut taken = total(&mut residents.iter()).saturating_add(bytes);
        let mut idle: Vec<&Resident> =
            residents.iter().filter(|resident| !stays(resident) && !resident.is_busy).collect();
        idle.sort_by_key(|resident| resident.used);
        let mut gone = Vec::new();
        for resident in idle {
            if taken <= self.bytes_max {
                break;
            }
            taken -= resident.bytes;
            gone.push(resident.id.clone());
        }
        if taken <= self.bytes_max { Room::Without(gone) } else { Room::Later }
    }

    /// Lists those that have stayed for as long as they were to.
    pub(super) fn expired(residents: &[Resident], now: Instant) -> Vec<String> {
        let is_over = |resident: &&Resident| match resident.keep_alive {
            KeepAlive::Forever => false,
            KeepAlive::For(keep) => !resident.is_busy && now.duration_since(resident.used) >= keep,
        };
        residents.iter().filter(is_over).map(|resident| resident.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resident(id: &str, bytes: u64, is_busy: bool, used: Instant) -> Resident {
        let keep_alive = KeepAlive::For(Duration::from_mins(5));
        Resident { id: id.to_owned(), bytes, is_busy, keep_alive, used }
    }

    fn within(bytes_max: u64) -> Residency {
        Residency { bytes_max, ..Residency::default() }
    }

    #[test]
    fn the_least_recently_used_goes_first_and_no_more_than_it_takes() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let residents =
            [resident("a", 3, false, at(3)), resident("b", 3, false, at(1)), resident("c", 3, false, at(2))];
        assert_eq!(within(9).room(&residents, 2), Room::Without(vec!["b".to_owned()]));
        assert_eq!(within(9).room(&residents, 5), Room::Without(vec!["b".to_owned(), "c".to_owned()]));
        assert_eq!(within(11).room(&residents, 2), Room::Without(Vec::new()));
    }

    #[test]
    fn who_answers_stays_and_who_is_pinned_stays() {
        let now = Instant::now();
        let busy = [resident("a", 6, true, now)];
        assert_eq!(within(9).room(&busy, 5), Room::Later);
        let pinned = [Resident { keep_alive: KeepAlive::Forever, ..resident("a", 6, false, now) }];
        assert_eq!(within(9).room(&pinned, 5), Room::Never { left: 3 });
        assert_eq!(within(9).room(&[], 10), Room::Never { left: 9 });
    }

    #[test]
    fn a_model_goes_when_its_time_is_over_and_nobody_waits() {
        let now = Instant::now();
        let later = now + Duration::from_mins(5);
        let residents = [
            resident("old", 1, false, now),
            resident("busy", 1, true, now),
            resident("new", 1, false, later),
            Resident { keep_alive: KeepAlive::Forever, ..resident("pinned", 1, false, now) },
            Resident { keep_alive: KeepAlive::For(Duration::ZERO), ..resident("once", 1, false, later) },
        ];
        assert_eq!(Residency::expired(&residents, later), ["old", "once"]);
    }

    proptest! {
        #[test]
        fn room_is_made_of_idle_models_alone_and_is_enough(
            models in prop::collection::vec((1..50_u64, any::<bool>(), any::<bool>(), 0..100_u64), 0..12),
            bytes in 1..100_u64,
            bytes_max in 1..300_u64,
        ) {
            let now = Instant::now();
            let residents: Vec<Resident> = models
                .into_iter()
                .enumerate()
                .map(|(number, (bytes, is_busy, is_pinned, used))| Resident {
                    keep_alive: if is_pinned { KeepAlive::Forever } else { KeepAlive::For(Duration::ZERO) },
                    ..resident(&number.to_string(), bytes, is_busy, now + Duration::from_secs(used))
                })
                .collect();
            let sum = |keep: &dyn Fn(&&Resident) -> bool| -> u64 {
                residents.iter().filter(keep).map(|resident| resident.bytes).sum()
            };
            let stays = |resident: &&Resident| resident.is_busy || resident.keep_alive == KeepAlive::Forever;
            match within(bytes_max).room(&residents, bytes) {
                Room::Without(gone) => {
                    let is_gone = |resident: &&Resident| gone.contains(&resident.id);
                    prop_assert!(!residents.iter().any(|resident| is_gone(&resident) && stays(&resident)));
                    prop_assert!(sum(&|resident| !is_gone(resident)) + bytes <= bytes_max);
                }
                Room::Later => prop_assert!(sum(&stays) + bytes > bytes_max),
                Room::Never { left } => prop_assert!(bytes > left),
            }
        }
    }
}
