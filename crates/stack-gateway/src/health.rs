//! Notices that a provider speaks otherwise than it used to, and says when that is worth a repair.
//!
//! A provider that is slow, full or angry is the breaker's matter, and no reading of its replies would make it better.
//! What counts here is where a reply cannot be understood: the same place, several times within minutes.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// When a repair is worth it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthOptions {
    /// How many signs of one kind it takes.
    pub threshold: u32,
    /// How old the first of them may be.
    pub window: Duration,
    /// How long nothing is tried after a repair, whatever came of it.
    pub cooldown: Duration,
}

impl Default for HealthOptions {
    fn default() -> Self {
        Self { threshold: 3, window: Duration::from_mins(5), cooldown: Duration::from_mins(10) }
    }
}

/// What kind of trouble a sign is of. Each is told where it arises, never by the words of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthClass {
    /// Something that must be in a reply is missing, or of another type.
    SchemaMismatch,
    /// A reply does not say what it cost.
    UsageMissing,
    /// The provider refuses a field that we sent with a value inside its domain.
    UnknownField,
    /// The provider announces the end of a field.
    DeprecatedField,
    /// A stream holds or lacks what no stream did before.
    StreamingFormat,
    /// The provider refuses a tool's schema, or calls one with arguments that cannot be read.
    ToolSchema,
    /// The path is gone, though the provider is there.
    EndpointGone,
    /// A field that nearly every reply had has not come for many, and a new one beside it has.
    SilentLoss,
    /// Trouble that passes: no connection, no time, no room, no key, no money, a cut, a defect.
    Transient,
    /// A field that is new and does no harm.
    NewField,
}

impl HealthClass {
    /// Tells how much a sign counts towards a repair. A loss is a finding about many replies and counts at once.
    fn weight(self, threshold: u32) -> u32 {
        match self {
            Self::Transient | Self::NewField => 0,
            Self::SilentLoss => threshold,
            Self::SchemaMismatch
            | Self::UsageMissing
            | Self::UnknownField
            | Self::DeprecatedField
            | Self::StreamingFormat
            | Self::ToolSchema
            | Self::EndpointGone => 1,
        }
    }
}

/// Where the same trouble shows again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Symptom {
    /// What was asked, such as `chat.stream`.
    pub surface: String,
    /// The place in the reply or the request.
    pub pointer: String,
    /// The kind of trouble.
    pub class: HealthClass,
}

/// A repair that is worth trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heal {
    /// What is wrong.
    pub symptom: Symptom,
    /// The last samples of it, their content already taken out.
    pub samples: Vec<String>,
}

/// The signs of all providers.
#[derive(Debug, Default)]
pub struct Health {
    options: HealthOptions,
    providers: HashMap<String, Provider>,
}

#[derive(Debug, Default)]
struct Provider {
    signs: HashMap<Symptom, VecDeque<Sign>>,
    is_paused: bool,
    is_running: bool,
    cooldown_until: Option<Instant>,
    history: VecDeque<Symptom>,
}

#[derive(Debug)]
struct Sign {
    seen: Instant,
    sample: String,
}

impl Health {
    /// Waits for the first sign.
    pub fn new(options: HealthOptions) -> Self {
        Self { options, providers: HashMap::new() }
    }

    /// Takes in a sign of trouble, and returns the repair that it makes worth trying. The repair is under way from then
    /// on, until [`finished`](Self::finished).
    pub fn trouble(&mut self, provider: &str, symptom: Symptom, sample: &str, now: Instant) -> Option<Heal> {
        let Self { options, providers } = self;
        let provider = providers.entry(provider.to_owned()).or_default();
        provider.remember(&symptom);
        let weight = symptom.class.weight(options.threshold);
        if weight == 0 {
            return None;
        }
        let signs = provider.signs_of(&symptom);
        signs.push_back(Sign { seen: now, sample: sample.chars().take(SAMPLE_CHARS_MAX).collect() });
        let samples_kept = SAMPLES.max(options.threshold as usize);
        while signs.len() > samples_kept
            || signs.front().is_some_and(|sign| now.duration_since(sign.seen) > options.window)
        {
            signs.pop_front();
        }
        let is_enough = signs.len() as u32 * weight >= options.threshold;
        if !is_enough || !provider.may_heal(now) {
            return None;
        }
        provider.is_running = true;
        let signs = provider.signs.remove(&symptom).unwrap_or_default();
        let skipped = signs.len().saturating_sub(SAMPLES);
        let samples = signs.into_iter().skip(skipped).map(|sign| sign.sample).collect();
        Some(Heal { symptom, samples })
    }

    /// Takes in that a surface works: what was wrong with it is no more.
    pub fn success(&mut self, provider: &str, surface: &str) {
        if let Some(provider) = self.providers.get_mut(provider) {
            provider.signs.retain(|symptom, _| symptom.surface != surface);
        }
    }

    /// Takes in that a repair has ended, however it did.
    pub fn finished(&mut self, provider: &str, now: Instant) {
        if let Some(found) = self.providers.get_mut(provider) {
            found.is_running = false;
            found.cooldown_until = Some(now + self.options.cooldown);
        }
    }

    /// Starts no repair of a provider until [`resume`](Self::resume).
    pub fn pause(&mut self, provider: &str) {
        self.providers.entry(provider.to_owned()).or_default().is_paused = true;
    }

    /// Starts repairs of a provider again.
    pub fn resume(&mut self, provider: &str) {
        self.providers.entry(provider.to_owned()).or_default().is_paused = false;
    }

    /// Returns the last signs of a provider, the newest last, of those that count and those that do not.
    pub fn history(&self, provider: &str) -> impl Iterator<Item = &Symptom> {
        self.providers.get(provider).into_iter().flat_map(|found| &found.history)
    }
}

impl Provider {
    fn may_heal(&self, now: Instant) -> bool {
        !self.is_paused && !self.is_running && self.cooldown_until.is_none_or(|until| now >= until)
    }

    fn remember(&mut self, symptom: &Symptom) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(symptom.clone());
    }

    /// Returns the signs of one symptom. A provider that finds ever new ways to be wrong loses the oldest.
    fn signs_of(&mut self, symptom: &Symptom) -> &mut VecDeque<Sign> {
        if self.signs.len() >= SYMPTOMS && !self.signs.contains_key(symptom) {
            let last_seen = |signs: &VecDeque<Sign>| signs.back().map(|sign| sign.seen);
            let oldest = self.signs.iter().min_by_key(|(_, signs)| last_seen(signs));
            if let Some(oldest) = oldest.map(|(symptom, _)| symptom.clone()) {
                self.signs.remove(&oldest);
            }
        }
        self.signs.entry(symptom.clone()).or_default()
    }
}

/// How many samples a repair is given.
const SAMPLES: usize = 5;
const SAMPLE_CHARS_MAX: usize = 4096;
/// How many signs of a provider are remembered.
const HISTORY: usize = 100;
/// How many kinds of trouble of one provider are counted at a time.
const SYMPTOMS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        health: Health,
        now: Instant,
    }

    impl Bench {
        fn new(threshold: u32) -> Self {
            let options = HealthOptions { threshold, ..HealthOptions::default() };
            Self { health: Health::new(options), now: Instant::now() }
        }

        fn wait(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }

        fn trouble(&mut self, class: HealthClass) -> Option<Heal> {
            self.health.trouble("p", symptom("/a", class), "sample", self.now)
        }

        /// Tells how many of so many signs make a repair worth it.
        fn heals(&mut self, class: HealthClass, times: usize) -> usize {
            (0..times).filter(|_| self.trouble(class).is_some()).count()
        }
    }

    fn symptom(pointer: &str, class: HealthClass) -> Symptom {
        Symptom { surface: "chat.stream".into(), pointer: pointer.into(), class }
    }

    #[test]
    fn the_same_trouble_several_times_is_one_repair() {
        assert_eq!(Bench::new(2).heals(HealthClass::SchemaMismatch, 2), 1);
        assert_eq!(Bench::new(3).heals(HealthClass::SchemaMismatch, 2), 0);
        assert_eq!(Bench::new(3).heals(HealthClass::ToolSchema, 50), 1, "one at a time");
        assert_eq!(Bench::new(3).heals(HealthClass::SilentLoss, 1), 1, "it is about many replies");
    }

    #[test]
    fn what_passes_by_itself_never_leads_to_a_repair() {
        let mut bench = Bench::new(2);
        assert_eq!(bench.heals(HealthClass::Transient, 500), 0);
        assert_eq!(bench.heals(HealthClass::NewField, 500), 0);
        assert_eq!(bench.heals(HealthClass::SchemaMismatch, 1), 0);
        assert_eq!(bench.health.history("p").count(), 100);
    }

    #[test]
    fn trouble_at_other_places_or_long_ago_does_not_add_up() {
        let mut bench = Bench::new(2);
        for pointer in ["/a", "/b", "/c"] {
            let symptom = symptom(pointer, HealthClass::SchemaMismatch);
            assert_eq!(bench.health.trouble("p", symptom.clone(), "s", bench.now), None);
            assert_eq!(bench.health.trouble("q", symptom, "s", bench.now), None);
        }
        bench.wait(301);
        assert_eq!(bench.heals(HealthClass::SchemaMismatch, 1), 0);
        bench.health.success("p", "chat.stream");
        assert_eq!(bench.heals(HealthClass::SchemaMismatch, 1), 0, "a success clears");
        bench.health.success("p", "embed");
        assert_eq!(bench.heals(HealthClass::SchemaMismatch, 1), 1, "but only of the same surface");
    }

    #[test]
    fn a_repair_is_followed_by_rest_and_may_be_paused() {
        let mut bench = Bench::new(2);
        assert_eq!(bench.heals(HealthClass::SchemaMismatch, 2), 1);
        bench.health.finished("p", bench.now);
        bench.wait(599);
        assert_eq!(bench.heals(HealthClass::SchemaMismatch, 9), 0);
        bench.wait(1);
        assert_eq!(bench.heals(HealthClass::SchemaMismatch, 1), 1, "the trouble of the meantime counts");
        bench.health.finished("p", bench.now);
        bench.wait(600);
        bench.health.pause("p");
        assert_eq!(bench.heals(HealthClass::SchemaMismatch, 9), 0);
        bench.health.resume("p");
        assert_eq!(bench.heals(HealthClass::SchemaMismatch, 1), 1);
    }

    #[test]
    fn a_repair_gets_the_last_samples() {
        let mut bench = Bench::new(7);
        let mut heal = None;
        for number in 0..7 {
            let symptom = symptom("/a", HealthClass::SchemaMismatch);
            heal = bench.health.trouble("p", symptom, &number.to_string(), bench.now);
        }
        assert_eq!(heal.unwrap().samples, ["2", "3", "4", "5", "6"]);
    }

    #[test]
    fn whatever_a_provider_sends_little_is_kept() {
        let mut bench = Bench::new(3);
        for number in 0..10_000 {
            let symptom = symptom(&number.to_string(), HealthClass::SchemaMismatch);
            bench.health.trouble("p", symptom, &"x".repeat(10_000), bench.now);
        }
        let provider = &bench.health.providers["p"];
        assert_eq!((provider.signs.len(), provider.history.len()), (64, 100));
        assert!(provider.signs.values().flatten().all(|sign| sign.sample.len() <= 4096));
    }
}
