//! Who is asked, in which order, and why the others are not.

use std::time::{Duration, Instant};

use stack_chat::{Class, Failure, FailureKind, Fallback, Retry, Tier};

use super::alias::Alias;
use super::facts::{Facts, Need};
use super::resolve::Candidate;
use super::standing::Standing;
use crate::load::{Backend, least_loaded};
use crate::queue::{Queue, Spillover};
use crate::stable_hash::stable_hash;

/// What was decided about a request, once.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The alias, if it was one.
    pub alias: Option<String>,
    /// How far the request may reach.
    pub tier: Tier,
    /// The variant that the caller sees, where candidates are compared.
    pub variant: Option<String>,
    /// Everybody who was considered: first those who are asked, in their order, then the others.
    pub considered: Vec<Considered>,
}

/// A candidate, and what was decided about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Considered {
    /// Who it is.
    pub candidate: Candidate,
    /// What was decided.
    pub verdict: Verdict,
}

/// What was decided about a candidate.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is asked, if those before it have failed.
    Asked,
    /// It is not.
    Excluded(Exclusion),
}

/// Why a candidate is not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// It is not there, or the operator excludes it.
    Disabled(String),
    /// The request may not reach it.
    Tier(Class),
    /// It cannot do what others can.
    Lacks(Need),
    /// The prompt and its answer do not fit, as far as that can be told before they are counted.
    Context(u32),
    /// Its breaker is open.
    Circuit(Option<Duration>),
    /// It asked to be left alone.
    Cooldown(Duration),
    /// It takes no more requests.
    Full(u32),
    /// The request wants no other than the first.
    FallbackOff,
    /// There are enough before it.
    Beyond,
}

/// Decides about a request: who is asked first, who after that, and why the others are not asked. It is decided once; what
/// follows only drops entries.
pub fn route(
    facts: &Facts,
    alias: Option<&Alias>,
    candidates: Vec<(Candidate, Standing)>,
    now: Instant,
) -> Decision {
    let tier = alias.and_then(|alias| alias.tier).into_iter().chain([facts.tier]).min().unwrap_or(facts.tier);
    let mut excluded = Vec::new();
    let mut able = Vec::new();
    for (candidate, standing) in candidates {
        // What is asked by name is asked: if it may not leave, that is refused where it would leave, and written down there.
        let reach = alias.map_or(Tier::Standard, |_| candidate.tier.map_or(tier, |own| own.min(tier)));
        match barred(&standing, reach, now) {
            Some(exclusion) => excluded.push((candidate, exclusion)),
            None => able.push((candidate, standing)),
        }
    }
    // What a model lacks only counts where another has it: else it says itself what it cannot do, which is more exact.
    let unfit = |standing: &Standing| unfit(facts, standing);
    if able.iter().any(|(_, standing)| unfit(standing).is_none()) {
        let (fit, others): (Vec<_>, Vec<_>) = able.into_iter().partition(|(_, one)| unfit(one).is_none());
        excluded.extend(others.into_iter().filter_map(|(one, standing)| Some((one, unfit(&standing)?))));
        able = fit;
    }
    let mut order = levelled(able, facts.session.as_deref());
    if alias.is_some() {
        spill(&mut order, &mut excluded);
    }
    let variant = alias.and_then(|alias| compare(alias, facts.subject.as_deref(), &mut order));
    let fallback = alias.map_or(facts.fallback, |alias| match alias.fallback {
        Fallback::Off => Fallback::Off,
        Fallback::Allowed => facts.fallback,
    });
    let (most, beyond) = match fallback {
        Fallback::Off => (1, Exclusion::FallbackOff),
        Fallback::Allowed => (ROUTES_MAX, Exclusion::Beyond),
    };
    let asked = order.into_iter().enumerate().map(|(place, (candidate, _))| Considered {
        candidate,
        verdict: if place < most { Verdict::Asked } else { Verdict::Excluded(beyond.clone()) },
    });
    let excluded = excluded
        .into_iter()
        .map(|(candidate, why)| Considered { candidate, verdict: Verdict::Excluded(why) });
    let considered = asked.chain(excluded).collect();
    Decision { alias: alias.map(|alias| alias.name.to_string()), tier, variant, considered }
}

impl Decision {
    /// Lists who is asked, in their order.
    pub fn asked(&self) -> impl Iterator<Item = &Candidate> {
        self.considered.iter().filter(|one| one.verdict == Verdict::Asked).map(|one| &one.candidate)
    }

    /// Makes the failure of a request that nobody is asked, if that is so.
    pub fn refusal(&self, asked: &str) -> Option<Failure> {
        if self.asked().next().is_some() {
            return None;
        }
        let whys = || {
            self.considered.iter().filter_map(|one| match &one.verdict {
                Verdict::Excluded(exclusion) => Some((one, exclusion)),
                Verdict::Asked => None,
            })
        };
        let list = whys().map(|(one, why)| format!("{}: {}", one.candidate.target.name(), why.text()));
        let list = list.take(LISTED_MAX).collect::<Vec<_>>().join("; ");
        let asked: String = asked.chars().take(NAME_CHARS_MAX).collect();
        let failure = |kind| Failure::new(kind, format!("nobody can answer {asked:?} now ({list})"));
        if whys().any(|(_, why)| matches!(why, Exclusion::Full(_))) {
            return Some(failure(FailureKind::QueueFull));
        }
        let waits = whys().filter_map(|(_, why)| match why {
            Exclusion::Cooldown(wait) => Some((*wait, true)),
            Exclusion::Circuit(wait) => Some((wait.unwrap_or(WAIT_UNKNOWN), false)),
            _ => None,
        });
        if let Some((wait, _)) = waits.clone().min() {
            let is_cooling = waits.clone().all(|(_, is_cooling)| is_cooling);
            let kind = if is_cooling { FailureKind::ProviderRateLimited } else { FailureKind::CircuitOpen };
            return Some(failure(kind).after(wait));
        }
        if let Some((_, Exclusion::Tier(_))) = whys().find(|(_, why)| matches!(why, Exclusion::Tier(_))) {
            return Some(failure(FailureKind::PrivacyBlocked));
        }
        // It takes another configuration, and no time.
        Some(Failure { retry: Retry::Never, ..failure(FailureKind::NoRoute) })
    }
}

impl Exclusion {
    /// Returns its name for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Disabled(_) => "disabled",
            Self::Tier(_) => "tier",
            Self::Lacks(_) => "capability",
            Self::Context(_) => "context",
            Self::Circuit(_) => "circuit_open",
            Self::Cooldown(_) => "cooldown",
            Self::Full(_) => "queue_full",
            Self::FallbackOff => "fallback_off",
            Self::Beyond => "beyond_limit",
        }
    }

    /// Says it to people, without a capital and a full stop.
    pub fn text(&self) -> String {
        let seconds = |wait: &Duration| format!("{} s", wait.as_secs().max(1));
        match self {
            Self::Disabled(why) => why.clone(),
            Self::Tier(class) => format!("the tier does not reach {}", class.name()),
            Self::Lacks(need) => format!("it cannot do {}", need.name()),
            Self::Context(tokens) => format!("{tokens} tokens fit, which are too few"),
            Self::Circuit(Some(wait)) => format!("its circuit is open for {}", seconds(wait)),
            Self::Circuit(None) => "its circuit is held open".to_owned(),
            Self::Cooldown(wait) => format!("it asked to be left alone for {}", seconds(wait)),
            Self::Full(depth) => format!("it has {depth} requests and takes no more"),
            Self::FallbackOff => "the request wants no fallback".to_owned(),
            Self::Beyond => format!("{ROUTES_MAX} candidates are asked at most"),
        }
    }
}

impl Verdict {
    /// Says it to people.
    pub fn text(&self) -> String {
        match self {
            Self::Asked => "asked".to_owned(),
            Self::Excluded(exclusion) => exclusion.text(),
        }
    }
}

/// Says what rules a candidate out, whoever else there is.
fn barred(standing: &Standing, reach: Tier, now: Instant) -> Option<Exclusion> {
    if let Some(why) = &standing.disabled {
        return Some(Exclusion::Disabled(why.clone()));
    }
    if standing.class.tier() > reach {
        return Some(Exclusion::Tier(standing.class));
    }
    if let Some(circuit) = standing.circuit {
        return Some(Exclusion::Circuit(circuit.wait));
    }
    let cooldown = standing.cooldown.filter(|until| *until > now)?;
    Some(Exclusion::Cooldown(cooldown.duration_since(now)))
}

/// Says what makes others better for this request.
fn unfit(facts: &Facts, standing: &Standing) -> Option<Exclusion> {
    if let Some(need) = facts.needs.iter().find(|need| standing.lacks.contains(need)) {
        return Some(Exclusion::Lacks(*need));
    }
    standing.context.filter(|context| facts.tokens > *context).map(Exclusion::Context)
}

type Standings = Vec<(Candidate, Standing)>;

/// Orders candidates by priority; of several with the same, the one with the least load goes first.
fn levelled(able: Standings, session: Option<&str>) -> Standings {
    let mut groups: std::collections::BTreeMap<u8, Standings> = std::collections::BTreeMap::new();
    for one in able {
        groups.entry(one.0.priority).or_default().push(one);
    }
    let mut order = Vec::new();
    for mut group in groups.into_values() {
        // A session sticks to one; who stands in for it is chosen by load.
        let mut session = session;
        while !group.is_empty() {
            let names: Vec<String> = group.iter().map(|(candidate, _)| candidate.target.name()).collect();
            let backends: Vec<_> = group
                .iter()
                .zip(&names)
                .map(|((_, standing), name)| Backend {
                    name,
                    weight: 1,
                    depth: standing.queue.depth,
                    first_output: standing.first_output,
                })
                .collect();
            let first = least_loaded(&backends, session.take()).unwrap_or(0);
            order.push(group.remove(first));
        }
    }
    order
}

/// Lets a request go past a backend of this machine that has many. Those that take none are not asked.
fn spill(order: &mut Standings, excluded: &mut Vec<(Candidate, Exclusion)>) {
    let Some((_, first)) = order.first() else { return };
    if matches!(first.class, Class::InProcess | Class::Loopback) {
        let others: Vec<Queue> = order[1..].iter().map(|(_, standing)| standing.queue).collect();
        if let Spillover::Other(other) = first.queue.place(&others) {
            let spilled = order.remove(other + 1);
            order.insert(0, spilled);
        }
    }
    let is_full =
        |(_, standing): &(Candidate, Standing)| standing.queue.depth >= standing.queue.limits.queue_max;
    let (full, open): (Standings, Standings) = std::mem::take(order).into_iter().partition(is_full);
    *order = open;
    let full = full.into_iter();
    excluded.extend(full.map(|(candidate, standing)| (candidate, Exclusion::Full(standing.queue.depth))));
}

/// Moves the variant of the caller to the front, if it can be asked, and returns its name.
fn compare(alias: &Alias, subject: Option<&str>, order: &mut Standings) -> Option<String> {
    let experiment = alias.experiment.as_ref()?;
    let hash = stable_hash(&[alias.name.as_str(), subject.unwrap_or_default()]);
    let place = experiment.place(hash as f64 / (u64::MAX as f64 + 1.0));
    let (chosen, others): (Standings, Standings) =
        std::mem::take(order).into_iter().partition(|(candidate, _)| candidate.place == place);
    let is_there = !chosen.is_empty();
    *order = chosen.into_iter().chain(others).collect();
    let (text, _) = alias.candidates.get(place)?;
    is_there.then(|| text.to_string())
}

/// How many candidates are asked.
const ROUTES_MAX: usize = 4;
/// How long a breaker that somebody holds open is left alone, where nobody said until when.
const WAIT_UNKNOWN: Duration = Duration::from_mins(1);
const LISTED_MAX: usize = 8;
const NAME_CHARS_MAX: usize = 128;
