//! The cases of the design, and a model of the decision that is slow and obvious.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use stack_chat::{Class, FailureKind, Fallback, Retry, Tier};

use super::*;
use crate::load::Latency;
use crate::queue::{Queue, QueueLimits};

fn facts() -> Facts {
    Facts::any()
}

fn candidate(name: &str, priority: u8, place: usize) -> Candidate {
    let target = match name.split_once('/') {
        Some((provider, model)) => Target::Provider { name: provider.into(), model: model.into() },
        None => Target::Engine(name.into()),
    };
    Candidate { target, priority, place, tier: None }
}

fn alias(candidates: &[&str]) -> Alias {
    let candidates = candidates.iter().map(|text| CandidateText::parse(text).unwrap()).collect();
    Alias::new(Glob::parse("a").unwrap(), candidates)
}

fn queue(depth: u32, threshold: u32, queue_max: u32) -> Queue {
    Queue { depth, limits: QueueLimits { threshold, queue_max } }
}

/// A model here, and one at a provider.
fn two() -> Vec<(Candidate, Standing)> {
    vec![
        (candidate("m", 0, 0), Standing::new(Class::InProcess)),
        (candidate("acme/m", 1, 1), Standing::new(Class::Public)),
    ]
}

fn names(decision: &Decision) -> Vec<String> {
    decision.asked().map(|candidate| candidate.target.name()).collect()
}

fn decide(facts: &Facts, candidates: Vec<(Candidate, Standing)>) -> Decision {
    route(facts, Some(&alias(&["engine", "acme/m"])), candidates, Instant::now())
}

#[test]
fn spillover_follows_the_cases_of_the_design() {
    let first = |local: Queue, other: Option<Queue>, tier| {
        let mut candidates = two();
        candidates[0].1.queue = local;
        match other {
            Some(other) => candidates[1].1.queue = other,
            None => candidates.truncate(1),
        }
        let decision = decide(&Facts { tier, ..facts() }, candidates);
        let refused = decision.refusal("a").map(|failure| failure.kind);
        (names(&decision).first().cloned().unwrap_or_default(), refused)
    };
    let (standard, sovereign) = (Tier::Standard, Tier::Sovereign);
    let idle = Some(queue(0, 10, 50));
    for (local, other, tier, want) in [
        (queue(0, 10, 50), idle, standard, "engine/m"),
        (queue(3, 2, 50), idle, standard, "acme/m"),
        (queue(10, 10, 50), idle, standard, "acme/m"),
        (queue(9, 10, 50), idle, standard, "engine/m"),
        (queue(10, 10, 50), Some(queue(50, 10, 50)), standard, "engine/m"),
        (queue(15, 10, 50), idle, sovereign, "engine/m"),
        (queue(50, 10, 50), idle, standard, "acme/m"),
    ] {
        assert_eq!(first(local, other, tier), (want.to_owned(), None), "{local:?} {other:?} {tier:?}");
    }
    assert_eq!(first(queue(3, 2, 3), None, standard), (String::new(), Some(FailureKind::QueueFull)));
    assert_eq!(first(queue(50, 10, 50), idle, sovereign).1, Some(FailureKind::QueueFull));
}

#[test]
fn what_rules_a_candidate_out_is_said() {
    let now = Instant::now();
    let with = |change: fn(&mut Standing, Instant)| {
        let mut candidates = two();
        change(&mut candidates[0].1, now);
        route(&facts(), Some(&alias(&["engine", "acme/m"])), candidates, now)
    };
    for (name, decision) in [
        ("disabled", with(|one, _| one.disabled = Some("off".into()))),
        ("circuit_open", with(|one, _| one.circuit = Some(CircuitRefusal { wait: None }))),
        ("cooldown", with(|one, now| one.cooldown = Some(now + Duration::from_secs(5)))),
        ("queue_full", with(|one, _| one.queue = queue(50, 10, 50))),
    ] {
        assert_eq!(names(&decision), ["acme/m"], "{name}");
        let Verdict::Excluded(why) = &decision.considered.last().unwrap().verdict else { panic!("{name}") };
        assert_eq!(why.name(), name);
    }
    let later = with(|one, now| one.cooldown = Some(now));
    assert_eq!(names(&later), ["engine/m", "acme/m"], "it has cooled down");
}

#[test]
fn what_a_model_lacks_counts_where_another_has_it() {
    let mut candidates = two();
    candidates[0].1.lacks = vec![Need::Media];
    candidates[0].1.context = Some(100);
    let sees = Facts { needs: vec![Need::Media], ..facts() };
    assert_eq!(names(&decide(&sees, candidates.clone())), ["acme/m"]);
    let long = Facts { tokens: 101, ..facts() };
    assert_eq!(names(&decide(&long, candidates.clone())), ["acme/m"]);
    assert_eq!(names(&decide(&facts(), candidates.clone())), ["engine/m", "acme/m"]);
    candidates.truncate(1);
    assert_eq!(names(&decide(&sees, candidates)), ["engine/m"], "it says itself what it cannot do");
}

#[test]
fn a_tier_is_a_ceiling_whoever_sets_it() {
    let mut lowered = alias(&["engine", "acme/m"]);
    lowered.tier = Some(Tier::Private);
    let decision = route(&facts(), Some(&lowered), two(), Instant::now());
    assert_eq!((names(&decision), decision.tier), (vec!["engine/m".to_owned()], Tier::Private));
    let mut candidates = two();
    candidates[1].0.tier = Some(Tier::Sovereign);
    assert_eq!(names(&decide(&facts(), candidates.clone())), ["engine/m"]);
    candidates.remove(0);
    assert_eq!(decide(&facts(), candidates).refusal("a").unwrap().kind, FailureKind::PrivacyBlocked);
}

#[test]
fn nobody_at_all_is_a_failure_that_says_when_to_come_back() {
    let now = Instant::now();
    let refusal = |change: fn(&mut Standing, Instant)| {
        let mut candidates = two();
        candidates.iter_mut().for_each(|(_, standing)| change(standing, now));
        let decision = route(&facts(), Some(&alias(&["engine", "acme/m"])), candidates, now);
        let failure = decision.refusal("a").unwrap();
        (failure.kind, failure.retry)
    };
    let seconds = |seconds| Retry::After(Duration::from_secs(seconds));
    let cooling = refusal(|one, now| one.cooldown = Some(now + Duration::from_secs(7)));
    assert_eq!(cooling, (FailureKind::ProviderRateLimited, seconds(7)));
    let open = refusal(|one, _| one.circuit = Some(CircuitRefusal { wait: Some(Duration::from_secs(9)) }));
    assert_eq!(open, (FailureKind::CircuitOpen, seconds(9)));
    let off = refusal(|one, _| one.disabled = Some("no provider".into()));
    assert_eq!(off, (FailureKind::NoRoute, Retry::Never));
    assert!(decide(&facts(), two()).refusal("a").is_none());
}

#[test]
fn without_fallback_one_is_asked_and_with_it_four() {
    let many = || -> Vec<_> {
        let public = || Standing::new(Class::Public);
        (0..6_u8).map(|n| (candidate(&format!("p{n}/m"), n, n.into()), public())).collect()
    };
    assert_eq!(names(&decide(&facts(), many())), ["p0/m", "p1/m", "p2/m", "p3/m"]);
    let off = Facts { fallback: Fallback::Off, ..facts() };
    assert_eq!(names(&decide(&off, many())), ["p0/m"]);
    let mut alias = alias(&["engine"]);
    alias.fallback = Fallback::Off;
    assert_eq!(names(&route(&facts(), Some(&alias), many(), Instant::now())), ["p0/m"]);
}

#[test]
fn equals_share_the_load_and_sessions_stay() {
    let equal = |depths: [u32; 3]| -> Vec<_> {
        let one = |(n, depth): (usize, u32)| {
            let standing = Standing { queue: queue(depth, 10, 50), ..Standing::new(Class::Public) };
            (candidate(&format!("p{n}/m"), 1, n), standing)
        };
        depths.into_iter().enumerate().map(one).collect()
    };
    assert_eq!(names(&decide(&facts(), equal([2, 0, 1]))), ["p1/m", "p2/m", "p0/m"]);
    let session = Facts { session: Some("s-1".into()), ..facts() };
    let home = names(&decide(&session, equal([3, 3, 3])))[0].clone();
    let again = names(&decide(&session, equal([3, 3, 3])));
    assert_eq!(again[0], home);
    let place: usize = home[1..2].parse().unwrap();
    let mut depths = [3; 3];
    depths[place] = 9;
    assert_ne!(names(&decide(&session, equal(depths)))[0], home, "it is far busier than the others");
    let mut quick = equal([0, 0, 0]);
    for (place, ms) in [(0, 90), (1, 50), (2, 70)] {
        let mut latency = Latency::default();
        latency.observe(Duration::from_millis(ms));
        quick[place].1.first_output = latency;
    }
    assert_eq!(names(&decide(&facts(), quick)), ["p1/m", "p2/m", "p0/m"]);
}

#[test]
fn a_caller_sees_the_same_variant_each_time_and_all_see_them_by_weight() {
    let mut alias = alias(&["engine", "acme/m"]);
    alias.experiment = Some(Experiment::new(vec![0.8, 0.2]).unwrap());
    let variant = |user: &str, candidates| {
        let facts = Facts { subject: Some(user.to_owned()), ..facts() };
        let decision = route(&facts, Some(&alias), candidates, Instant::now());
        (decision.variant.clone(), names(&decision)[0].clone())
    };
    let mut there = 0;
    for user in 0..2000 {
        let user = format!("user-{user}");
        let (told, first) = variant(&user, two());
        assert_eq!(variant(&user, two()), (told.clone(), first.clone()));
        assert_eq!(told.as_deref() == Some("acme/m"), first == "acme/m");
        there += usize::from(first == "acme/m");
    }
    assert!((340..460).contains(&there), "{there} of 2000");
    // The values are part of what operators rely on over restarts.
    let first: Vec<_> = (0..16).map(|user| variant(&format!("user-{user}"), two()).1 == "acme/m").collect();
    let there: Vec<_> = (0..16).filter(|user| first[*user]).collect();
    assert_eq!(there, [10]);
    let mut broken = two();
    broken[1].1.disabled = Some("off".into());
    for user in 0..40 {
        let (told, first) = variant(&format!("user-{user}"), broken.clone());
        assert_eq!(first, "engine/m", "whoever would see the other one is still answered");
        assert!(told.is_none() || told.as_deref() == Some("engine"));
    }
}

/// The same decision without experiments, sessions and levelling, by looking for the best one again and again.
fn naively(facts: &Facts, mut left: Vec<(Candidate, Standing)>, now: Instant) -> Vec<String> {
    left.retain(|(candidate, standing)| {
        let reach = candidate.tier.unwrap_or(Tier::Standard).min(facts.tier);
        standing.disabled.is_none()
            && standing.class.tier() <= reach
            && standing.circuit.is_none()
            && standing.cooldown.is_none_or(|until| until <= now)
    });
    let fits = |standing: &Standing| {
        !facts.needs.iter().any(|need| standing.lacks.contains(need))
            && standing.context.is_none_or(|context| facts.tokens <= context)
    };
    if left.iter().any(|(_, standing)| fits(standing)) {
        left.retain(|(_, standing)| fits(standing));
    }
    let mut order = Vec::new();
    while !left.is_empty() {
        let best =
            (0..left.len()).min_by_key(|&at| (left[at].0.priority, left[at].1.queue.depth, at)).unwrap();
        order.push(left.remove(best));
    }
    if let Some((_, first)) = order.first()
        && matches!(first.class, Class::InProcess | Class::Loopback)
        && first.queue.depth >= first.queue.limits.threshold.min(first.queue.limits.queue_max)
        && let Some(other) =
            order.iter().skip(1).position(|(_, other)| other.queue.depth < other.queue.limits.queue_max)
    {
        let other = order.remove(other + 1);
        order.insert(0, other);
    }
    order.retain(|(_, standing)| standing.queue.depth < standing.queue.limits.queue_max);
    order.truncate(if facts.fallback == Fallback::Off { 1 } else { 4 });
    order.into_iter().map(|(candidate, _)| candidate.target.name()).collect()
}

prop_compose! {
    fn any_standing()(
        class in prop::sample::select(vec![Class::InProcess, Class::Loopback, Class::Listed, Class::Public]),
        is_off in prop::bool::weighted(0.1),
        is_open in prop::bool::weighted(0.2),
        cools_s in prop::option::weighted(0.2, -3_i64..3),
        lacks_media in any::<bool>(),
        context in prop::option::of(0_u32..200),
        depth in 0_u32..8,
        threshold in 0_u32..6,
        queue_max in 0_u32..8,
    ) -> (Standing, i64) {
        let standing = Standing {
            disabled: is_off.then(|| "off".to_owned()),
            circuit: is_open.then_some(CircuitRefusal { wait: None }),
            lacks: if lacks_media { vec![Need::Media] } else { Vec::new() },
            context,
            queue: queue(depth, threshold, queue_max),
            ..Standing::new(class)
        };
        (standing, cools_s.unwrap_or(-9))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_decision_is_that_of_the_obvious_model(
        standings in prop::collection::vec((any_standing(), 0_u8..3, prop::option::of(0_usize..3)), 0..7),
        tier in prop::sample::select(Tier::ALL.to_vec()),
        needs_media in any::<bool>(),
        tokens in 0_u32..200,
        is_off in prop::bool::weighted(0.2),
    ) {
        let now = Instant::now() + Duration::from_mins(1);
        let facts = Facts {
            tier,
            needs: if needs_media { vec![Need::Media] } else { Vec::new() },
            tokens,
            fallback: if is_off { Fallback::Off } else { Fallback::Allowed },
            ..facts()
        };
        let candidates: Vec<_> = standings
            .into_iter()
            .enumerate()
            .map(|(place, ((standing, cools_s), priority, own))| {
                let seconds = Duration::from_secs(cools_s.unsigned_abs());
                let cooldown = if cools_s < 0 { now.checked_sub(seconds).unwrap() } else { now + seconds };
                let standing = Standing { cooldown: Some(cooldown), ..standing };
                let tier = own.map(|tier| Tier::ALL[tier]);
                (Candidate { tier, ..candidate(&format!("p{place}/m"), priority, place) }, standing)
            })
            .collect();
        let count = candidates.len();
        let decision = route(&facts, Some(&alias(&["engine"])), candidates.clone(), now);
        prop_assert_eq!(names(&decision), naively(&facts, candidates, now));
        prop_assert_eq!(decision.considered.len(), count, "nobody is forgotten");
        prop_assert_eq!(decision.refusal("a").is_some(), decision.asked().next().is_none());
        prop_assert_eq!(decision.tier, tier);
    }
}
