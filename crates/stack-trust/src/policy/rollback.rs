//! Rollback marks: what was accepted last, so that nothing older comes back.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};
use stack_seal::key::PublicKey;
use stack_seal::statement::Claim;
use stack_seal::time::UnixTime;

/// The highest serial for each key and name, the newest time that an accepted statement was issued, and the latest time
/// at which something was judged.
///
/// The times are a floor under the clock: set back, it revives no statement that this machine saw expire.
///
/// A mark belongs to a key: whoever rotates a key starts anew, which is how a wrong serial is mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollbackMarks {
    serials: BTreeMap<(PublicKey, String), u64>,
    newest_issued: Option<UnixTime>,
    latest_seen: Option<UnixTime>,
}

/// The error for bytes that are not a file of marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadMarks(String);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_issued: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    latest_seen: Option<String>,
    serials: Vec<WireMark>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireMark {
    key: String,
    name: String,
    serial: u64,
}

impl RollbackMarks {
    /// Reads the bytes of a file of marks.
    ///
    /// # Errors
    ///
    /// Says what is wrong. A damaged file must stop whoever asks: without marks, old statements would count again.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadMarks> {
        if bytes.len() > BYTES_MAX {
            return Err(BadMarks("it is longer than 16 MiB".to_owned()));
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(|error| BadMarks(error.to_string()))?;
        if wire.version != VERSION {
            return Err(BadMarks(format!(
                "it has version {}, and this program knows {VERSION}",
                wire.version
            )));
        }
        let mut marks = Self::default();
        for mark in wire.serials {
            let key = mark.key.parse().map_err(|error| BadMarks(format!("{error}")))?;
            if marks.serials.insert((key, mark.name), mark.serial).is_some() {
                return Err(BadMarks("a key and name stand twice".to_owned()));
            }
        }
        let time = |text: Option<String>| {
            text.map(|text| text.parse().map_err(|error| BadMarks(format!("{error}")))).transpose()
        };
        marks.newest_issued = time(wire.newest_issued)?;
        marks.latest_seen = time(wire.latest_seen)?;
        Ok(marks)
    }

    /// Writes the bytes of a file of marks.
    pub fn to_json(&self) -> Vec<u8> {
        write(self)
    }

    /// The highest serial that was accepted from a key for a name.
    pub fn serial(&self, key: &PublicKey, name: &str) -> Option<u64> {
        self.serials.get(&(key.clone(), name.to_owned())).copied()
    }

    /// A time that has certainly come: the latest of the clock, what it said before, and the newest accepted statement.
    pub fn not_before(&self, clock: UnixTime) -> UnixTime {
        [self.newest_issued, self.latest_seen].into_iter().flatten().fold(clock, UnixTime::max)
    }

    /// Remembers that a claim was judged at a time, to the hour, and where it was found `expired`, to the second.
    ///
    /// A clock that is ahead of all statements by many years is broken, and not believed: once remembered, it would let
    /// every statement expire for good.
    pub fn see(&mut self, claim: &Claim, now: UnixTime, expired: bool) {
        let known = self.not_before(UnixTime::from_seconds(0));
        let due = if expired { known } else { known.plus(PRECISION_SECONDS) };
        if now > due && now <= known.max(claim.issued).plus(LEAP_SECONDS_MAX) {
            self.latest_seen = Some(now);
        }
    }

    /// Remembers a claim that was accepted with a signature of this key. Marks only rise.
    pub fn accept(&mut self, key: &PublicKey, claim: &Claim) {
        let serial = self.serials.entry((key.clone(), claim.name.clone())).or_default();
        *serial = claim.serial.max(*serial);
        self.newest_issued = self.newest_issued.max(Some(claim.issued));
    }

    /// Takes over the marks of another machine, wherever they are higher. What its clock said says nothing about ours.
    pub fn merge(&mut self, other: &Self) {
        for (place, &serial) in &other.serials {
            let mark = self.serials.entry(place.clone()).or_default();
            *mark = serial.max(*mark);
        }
        self.newest_issued = self.newest_issued.max(other.newest_issued);
    }
}

fn write(marks: &RollbackMarks) -> Vec<u8> {
    let mark = |((key, name), &serial): (&(PublicKey, String), &u64)| WireMark {
        key: key.to_string(),
        name: name.clone(),
        serial,
    };
    let wire = Wire {
        version: VERSION,
        newest_issued: marks.newest_issued.map(|time| time.to_string()),
        latest_seen: marks.latest_seen.map(|time| time.to_string()),
        serials: marks.serials.iter().map(mark).collect(),
    };
    serde_json::to_vec_pretty(&wire).expect("structs of strings and integers have a JSON form")
}

impl fmt::Display for BadMarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rollback marks cannot be read: {}", self.0)
    }
}

impl Error for BadMarks {}

const VERSION: u32 = 1;
/// Statements count for days; the file need not be written for every load.
const PRECISION_SECONDS: u64 = 60 * 60;
/// Ten years: no statement is in use for longer without a newer one.
const LEAP_SECONDS_MAX: u64 = 10 * 365 * 24 * 60 * 60;
const BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, key};

    #[test]
    fn marks_only_rise_and_survive_a_file() {
        let (alice, bob) = (key(1), key(2));
        let mut marks = RollbackMarks::default();
        marks.accept(&alice, &claim(7, 100));
        marks.accept(&alice, &claim(5, 90));
        assert_eq!(marks.serial(&alice, "m"), Some(7));
        assert_eq!(marks.serial(&bob, "m"), None);
        assert_eq!(marks.not_before(UnixTime::from_seconds(10)).seconds(), 100);
        assert_eq!(marks.not_before(UnixTime::from_seconds(200)).seconds(), 200);
        let mut read = RollbackMarks::parse(&marks.to_json()).unwrap();
        assert_eq!(read, marks);
        let mut other = RollbackMarks::default();
        other.accept(&alice, &claim(6, 300));
        other.accept(&bob, &claim(1, 1));
        read.merge(&other);
        assert_eq!((read.serial(&alice, "m"), read.serial(&bob, "m")), (Some(7), Some(1)));
        assert_eq!(read.not_before(UnixTime::from_seconds(0)).seconds(), 300);
    }

    #[test]
    fn times_that_were_seen_stay_seen() {
        let (hour, claim) = (PRECISION_SECONDS, claim(1, 1000));
        let at = UnixTime::from_seconds;
        let mut marks = RollbackMarks::default();
        marks.see(&claim, at(5000), false);
        assert_eq!(marks.not_before(at(0)), at(5000));
        marks.see(&claim, at(5001), false);
        assert_eq!(marks.not_before(at(0)), at(5000), "a second later is not worth a write");
        marks.see(&claim, at(5001), true);
        assert_eq!(marks.not_before(at(0)), at(5001), "unless it expired just now");
        marks.see(&claim, at(5002 + hour), false);
        marks.see(&claim, at(7), true);
        assert_eq!(marks.not_before(at(0)), at(5002 + hour));
        marks.see(&claim, at(6000 + hour + LEAP_SECONDS_MAX), true);
        assert_eq!(marks.not_before(at(0)), at(5002 + hour), "no clock is right that far ahead");
        assert_eq!(RollbackMarks::parse(&marks.to_json()).unwrap(), marks);
        let before = br#"{"version": 1, "newest_issued": "1970-01-01T00:01:40Z", "serials": []}"#;
        assert_eq!(RollbackMarks::parse(before).unwrap().not_before(at(0)), at(100), "as it was before");
        let mut other = RollbackMarks::default();
        other.merge(&marks);
        assert_eq!(other, RollbackMarks::default(), "clocks of others are not ours");
    }

    #[test]
    fn damaged_marks_are_an_error() {
        let mut marks = RollbackMarks::default();
        marks.accept(&key(1), &claim(7, 100));
        let text = String::from_utf8(marks.to_json()).unwrap();
        for wrong in [
            "",
            "{}",
            &text[..text.len() - 1],
            &text.replace("\"version\": 1", "\"version\": 2"),
            &text.replace("ed25519:", "ed25519:0"),
            &text.replace("1970", "970"),
            &text.replace("\"serial\": 7", "\"serial\": -7"),
        ] {
            assert!(RollbackMarks::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    fn claim(serial: u64, issued: u64) -> Claim {
        Claim { serial, issued: UnixTime::from_seconds(issued), ..fixtures::claim() }
    }
}
