//! Attention against its definition, and against itself cut in other ways.

use std::sync::Arc;

use half::f16;
use proptest::prelude::*;

use super::params::CHUNK;
use super::{AttendSpan, AttentionParams};
use crate::cpu::Cpu;
use crate::kv::{KvLayout, KvSequence, KvSpan, KvType, LayerKv};
use crate::level::Level;

/// One sequence's queries, keys and values, and how to attend.
#[derive(Clone, Debug)]
struct Case {
    shape: LayerKv,
    group: usize,
    kind: KvType,
    tokens: usize,
    softcap: Option<f32>,
    slopes: Option<Vec<f32>>,
    sinks: Option<Vec<f32>>,
    window: Window,
    /// Later tokens that a token sees; then a sequence is computed in one step.
    ahead: usize,
    seed: u32,
}

#[derive(Clone, Copy, Debug)]
enum Window {
    None,
    Sliding(usize),
    Chunked(usize),
}

impl Window {
    fn first_seen(self, position: usize) -> usize {
        match self {
            Self::None => 0,
            Self::Sliding(size) => (position + 1).saturating_sub(size),
            Self::Chunked(size) => position - position % size,
        }
    }
}

impl Case {
    fn plain(shape: LayerKv, group: usize, tokens: usize) -> Self {
        Self {
            shape,
            group,
            kind: KvType::F16,
            tokens,
            softcap: None,
            slopes: None,
            sinks: None,
            window: Window::None,
            ahead: 0,
            seed: 1,
        }
    }

    fn heads(&self) -> usize {
        self.shape.kv_heads * self.group
    }

    fn numbers(&self, which: u32, row: usize) -> Vec<f32> {
        random(self.seed ^ which.wrapping_mul(0x9E37_79B9), self.tokens * row)
    }

    fn queries(&self) -> Vec<f32> {
        self.numbers(1, self.heads() * self.shape.key_length)
    }

    fn keys(&self) -> Vec<f32> {
        self.numbers(2, self.shape.kv_heads * self.shape.key_length)
    }

    fn values(&self) -> Vec<f32> {
        self.numbers(3, self.shape.kv_heads * self.shape.value_length)
    }

    fn scale(&self) -> f32 {
        2.0 / (self.shape.key_length as f32).sqrt()
    }

    /// Vectors as the cache holds them.
    fn held(&self, vectors: &[f32], length: usize) -> Vec<f64> {
        let round = |block: &[f32]| {
            let largest = block.iter().fold(0f32, |largest, x| largest.max(x.abs()));
            let whole = |x: &f32| f64::from((x * (127.0 / largest)).round_ties_even());
            block.iter().map(|x| whole(x) * f64::from(largest / 127.0)).collect::<Vec<_>>()
        };
        match self.kind {
            KvType::F16 => vectors.iter().map(|&x| f16::from_f32(x).to_f64()).collect(),
            KvType::Q8 => {
                vectors.chunks(length).flat_map(|vector| vector.chunks(32)).flat_map(round).collect()
            }
        }
    }

    /// The definition, in double precision, for every token.
    fn expected(&self) -> Vec<f64> {
        let LayerKv { kv_heads, key_length, value_length } = self.shape;
        let (q, k, v) =
            (self.queries(), self.held(&self.keys(), key_length), self.held(&self.values(), value_length));
        let mut out = Vec::new();
        for token in 0..self.tokens {
            for head in 0..self.heads() {
                let kv_head = head / self.group;
                let query = &q[(token * self.heads() + head) * key_length..][..key_length];
                let end = (token + 1).saturating_add(self.ahead).min(self.tokens);
                let seen = self.window.first_seen(token)..end;
                let scores: Vec<f64> = seen
                    .clone()
                    .map(|position| {
                        let key = &k[(position * kv_heads + kv_head) * key_length..][..key_length];
                        let dot: f64 = query.iter().zip(key).map(|(&q, &k)| f64::from(q) * k).sum();
                        let score = dot * f64::from(self.scale());
                        let score = self
                            .softcap
                            .map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh());
                        let slope = self.slopes.as_ref().map_or(0.0, |slopes| f64::from(slopes[head]));
                        score - slope * token.abs_diff(position) as f64
                    })
                    .collect();
                let sink = self.sinks.as_ref().map(|sinks| f64::from(sinks[head]));
                let largest = scores.iter().copied().chain(sink).fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
                let total = weights.iter().sum::<f64>() + sink.map_or(0.0, |sink| (sink - largest).exp());
                let mut mixed = vec![0.0; value_length];
                for (position, weight) in seen.zip(weights) {
                    let value = &v[(position * kv_heads + kv_head) * value_length..][..value_length];
                    for (mixed, &value) in mixed.iter_mut().zip(value) {
                        *mixed += weight / total * value;
                    }
                }
                out.extend(mixed);
            }
        }
        out
    }

    /// Computes all tokens in steps that end at these positions, next to another sequence if `crowd`.
    fn compute(&self, cpu: &Cpu, ends: &[usize], crowd: bool) -> Vec<f32> {
        let LayerKv { kv_heads, key_length, value_length } = self.shape;
        let layout = Arc::new(KvLayout::new(&[LayerKv::default(), self.shape], self.kind));
        let (q, k, v) = (self.queries(), self.keys(), self.values());
        let first_seen = |position| self.window.first_seen(position);
        let params = AttentionParams {
            heads: self.heads(),
            kv_heads,
            key_length,
            value_length,
            scale: self.scale(),
            softcap: self.softcap,
            slopes: self.slopes.as_deref(),
            sinks: self.sinks.as_deref(),
            first_seen: Some(&first_seen),
            ahead: self.ahead,
        };
        let mut sequence = KvSequence::new(&layout);
        let mut neighbour = KvSequence::new(&layout);
        let mut out = Vec::new();
        let (query_row, key_row, value_row) =
            (self.heads() * key_length, kv_heads * key_length, kv_heads * value_length);
        let mut start = 0;
        for &end in ends {
            let crowd_rows = if crowd { (end % 3).min(end - start) } else { 0 };
            // The neighbour repeats the first rows of this step, before them in the batch.
            let batch = |x: &[f32], row: usize| {
                let step = &x[start * row..end * row];
                [&step[..crowd_rows * row], step].concat()
            };
            let (q, k, v) = (batch(&q, query_row), batch(&k, key_row), batch(&v, value_row));
            let rows = crowd_rows..crowd_rows + end - start;
            let others = neighbour.len();
            let (here, there) = (&mut sequence, &mut neighbour);
            cpu.store_kv(
                1,
                &mut [
                    KvSpan { sequence: there, position: others, rows: 0..crowd_rows, k: &k, v: &v },
                    KvSpan { sequence: here, position: start, rows: rows.clone(), k: &k, v: &v },
                ],
            );
            let mut step = vec![f32::NAN; rows.end * self.heads() * value_length];
            let spans = [
                AttendSpan { sequence: &neighbour, position: others, rows: 0..crowd_rows },
                AttendSpan { sequence: &sequence, position: start, rows },
            ];
            cpu.attend(&params, 1, &spans, &q, &mut step);
            out.extend_from_slice(&step[crowd_rows * self.heads() * value_length..]);
            start = end;
        }
        out
    }
}

fn random(seed: u32, count: usize) -> Vec<f32> {
    let mut state = u64::from(seed) << 1 | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * 1.7
        })
        .collect()
}

fn cases() -> impl Strategy<Value = Case> {
    let lengths = prop::sample::select(vec![1usize, 5, 16, 40, 64, 72, 80, 96, 128, 192]);
    let window = prop_oneof![
        Just(Window::None),
        (1usize..200).prop_map(Window::Sliding),
        (1usize..100).prop_map(Window::Chunked),
    ];
    let kinds = prop_oneof![Just(KvType::F16), Just(KvType::Q8)];
    let softcap = prop::option::of(1f32..30.0);
    (
        1usize..4,
        1usize..10,
        lengths.clone(),
        lengths,
        1usize..300,
        kinds,
        softcap,
        window,
        any::<[bool; 2]>(),
        any::<u32>(),
    )
        .prop_map(
            |(
                kv_heads,
                group,
                key_length,
                value_length,
                tokens,
                kind,
                softcap,
                window,
                [biased, sunk],
                seed,
            )| {
                let heads = kv_heads * group;
                Case {
                    shape: LayerKv { kv_heads, key_length, value_length },
                    group,
                    kind,
                    tokens,
                    softcap,
                    slopes: biased.then(|| (1..=heads).map(|head| 0.5f32.powi(head as i32)).collect()),
                    sinks: sunk.then(|| (0..heads).map(|head| head as f32 - 2.0).collect()),
                    window,
                    ahead: 0,
                    seed,
                }
            },
        )
}

fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len());
    let error: f64 =
        found.iter().zip(expected).map(|(&found, expected)| (f64::from(found) - expected).powi(2)).sum();
    let power: f64 = expected.iter().map(|x| x * x).sum();
    assert!(error <= 1e-6 * power, "{what}: normalized error {}", error / power);
}

fn assert_same(found: &[f32], expected: &[f32], what: &str) {
    let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert!(bits(found) == bits(expected), "{what}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 24 }))]

    #[test]
    fn attention_equals_its_definition_at_every_level(case in cases()) {
        let expected = case.expected();
        let mut reference: Option<Vec<f32>> = None;
        for level in Level::available() {
            // Plain Rust without fused instructions takes minutes where the others take milliseconds.
            if level.name() == "scalar" && case.tokens > 90 {
                continue;
            }
            let found = case.compute(&Cpu::new(level, 2), &[case.tokens], false);
            assert_close(&found, &expected, level.name());
            assert_same(&found, reference.get_or_insert_with(|| found.clone()), level.name());
        }
    }

    #[test]
    fn results_depend_on_neither_cutting_nor_threads_nor_neighbours(
        case in cases(),
        cuts in prop::collection::vec(0usize..300, 0..4),
        threads in 1usize..5,
    ) {
        let mut ends: Vec<usize> = cuts.into_iter().filter(|&cut| cut < case.tokens && cut > 0).collect();
        ends.push(case.tokens);
        ends.sort_unstable();
        ends.dedup();
        let level = Level::detect();
        let whole = case.compute(&Cpu::new(level, 1), &[case.tokens], false);
        let cut = case.compute(&Cpu::new(level, threads), &ends, true);
        assert_same(&cut, &whole, "cut and crowded");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 16 }))]

    /// Encoders: all of a sequence, or a window around each token.
    #[test]
    fn tokens_that_see_ahead_equal_the_definition(
        case in cases(),
        ahead in prop_oneof![Just(usize::MAX), 1usize..150],
        threads in 1usize..4,
    ) {
        let case = Case { ahead, ..case };
        let alone = case.compute(&Cpu::new(Level::detect(), 1), &[case.tokens], false);
        assert_close(&alone, &case.expected(), "ahead");
        let crowded = case.compute(&Cpu::new(Level::detect(), threads), &[case.tokens], true);
        assert_same(&crowded, &alone, "crowded");
    }
}

#[test]
fn a_token_at_a_time_equals_all_at_once_across_chunks() {
    for (kv_heads, group) in [(1, 1), (2, 3), (1, 16)] {
        let case = Case::plain(LayerKv { kv_heads, key_length: 40, value_length: 24 }, group, CHUNK * 2 + 70);
        let ends: Vec<usize> = (1..=case.tokens).collect();
        for level in Level::available().into_iter().filter(|level| level.name() != "scalar") {
            let whole = case.compute(&Cpu::new(level, 2), &[case.tokens], false);
            assert_close(&whole, &case.expected(), level.name());
            for threads in [1, 3, 8] {
                let single = case.compute(&Cpu::new(level, threads), &ends, false);
                assert_same(&single, &whole, &format!("{level}, {threads} threads"));
            }
        }
    }
}

#[test]
fn latent_heads_of_576_work_with_many_query_heads() {
    let case = Case::plain(LayerKv { kv_heads: 1, key_length: 576, value_length: 512 }, 60, 70);
    let found = case.compute(&Cpu::new(Level::detect(), 2), &[case.tokens], false);
    assert_close(&found, &case.expected(), "latent");
}

#[test]
fn large_scores_do_not_overflow() {
    let case = Case::plain(LayerKv { kv_heads: 1, key_length: 8, value_length: 8 }, 1, 90);
    let layout = Arc::new(KvLayout::new(&[case.shape], case.kind));
    let mut sequence = KvSequence::new(&layout);
    let cpu = Cpu::new(Level::detect(), 1);
    let (k, v) = (case.keys(), case.values());
    cpu.store_kv(0, &mut [KvSpan { sequence: &mut sequence, position: 0, rows: 0..90, k: &k, v: &v }]);
    let params = AttentionParams {
        heads: 1,
        kv_heads: 1,
        key_length: 8,
        value_length: 8,
        scale: 1e30,
        softcap: None,
        slopes: None,
        sinks: None,
        first_seen: None,
        ahead: 0,
    };
    let q = case.queries();
    let mut out = vec![0.0; 90 * 8];
    cpu.attend(&params, 0, &[AttendSpan { sequence: &sequence, position: 0, rows: 0..90 }], &q, &mut out);
    assert!(out.iter().all(|x| x.is_finite()));
}

#[test]
#[should_panic(expected = "the sequence holds 0 tokens")]
fn attending_to_what_is_not_stored_is_refused() {
    let case = Case::plain(LayerKv { kv_heads: 1, key_length: 8, value_length: 8 }, 1, 1);
    let layout = Arc::new(KvLayout::new(&[case.shape], case.kind));
    let sequence = KvSequence::new(&layout);
    let params = AttentionParams {
        heads: 1,
        kv_heads: 1,
        key_length: 8,
        value_length: 8,
        scale: 1.0,
        softcap: None,
        slopes: None,
        sinks: None,
        first_seen: None,
        ahead: 0,
    };
    let spans = [AttendSpan { sequence: &sequence, position: 0, rows: 0..1 }];
    Cpu::new(Level::detect(), 1).attend(&params, 0, &spans, &[0.0; 8], &mut [0.0; 8]);
}
