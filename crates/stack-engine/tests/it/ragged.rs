//! However the tokens of a sequence come in, and whoever else is in the batch, its logits are the same.

use std::path::PathBuf;

use stack_engine::executor::{Chunk, DeviceKind, Output, Placement, SequenceId, Wanted};
use stack_engine::load::LoadedExecutor;
use stack_testkit::{nmse, reference_data};

use crate::placements;
use crate::tiny::{Tiny, VOCABULARY};

/// A model, and how exactly its logits repeat.
struct Subject {
    name: String,
    executor: LoadedExecutor,
    vocabulary: usize,
    /// The largest error allowed. This program's kernels repeat themselves exactly. candle rounds activations to F16
    /// before an F16 matrix, so that a sum taken in another order may come out half a thousandth apart; with F32 weights
    /// only the last bits differ.
    error_max: f64,
}

/// More than the windows of the models, which are 32 tokens at most.
const TOKENS: usize = 100;

#[test]
fn chunks_and_single_tokens_answer_as_one_batch_does() {
    for_each_model(|subject| {
        let tokens = subject.tokens(11);
        let whole = subject.fresh(&tokens);
        for size in [1, 7, 31, 64] {
            let sequence = subject.executor.open();
            let rows: Vec<_> = tokens.chunks(size).flat_map(|chunk| subject.run(sequence, chunk)).collect();
            subject.executor.close(sequence);
            subject.assert_same(&rows, &whole, &format!("in chunks of {size}"));
        }
    });
}

#[test]
fn a_sequence_does_not_notice_who_shares_its_batch() {
    for_each_model(|subject| {
        let (first, second) = (subject.tokens(11), subject.tokens(5));
        let (first_alone, second_alone) = (subject.fresh(&first), subject.fresh(&second));
        let (one, other) = (subject.executor.open(), subject.executor.open());
        let (mut first_rows, mut second_rows) = (Vec::new(), Vec::new());
        // While one is read in chunks of 13, the other is first decoded token by token and then read at once.
        for (step, chunk) in first.chunks(13).enumerate() {
            let others = if step < 7 { &second[step..=step] } else { &second[7..] };
            let batch = [
                Chunk { sequence: one, tokens: chunk, wanted: Wanted::All },
                Chunk { sequence: other, tokens: others, wanted: Wanted::All },
            ];
            let rows = subject.executor.forward(&batch, Output::Logits).unwrap();
            assert_eq!(rows.len(), chunk.len() + others.len());
            first_rows.extend(rows.iter().take(chunk.len()).map(<[f32]>::to_vec));
            second_rows.extend(rows.iter().skip(chunk.len()).map(<[f32]>::to_vec));
        }
        subject.executor.close(one);
        subject.executor.close(other);
        subject.assert_same(&first_rows, &first_alone, "read in chunks");
        subject.assert_same(&second_rows, &second_alone, "decoded, then read");
    });
}

#[test]
fn a_fork_and_its_origin_go_their_own_ways() {
    for_each_model(|subject| {
        let (first, mut second) = (subject.tokens(11), subject.tokens(5));
        second[..40].copy_from_slice(&first[..40]);
        let (first_alone, second_alone) = (subject.fresh(&first), subject.fresh(&second));
        let origin = subject.executor.open();
        subject.run(origin, &first[..40]);
        let fork = subject.executor.fork(origin).unwrap();
        let forked = subject.run(fork, &second[40..]);
        let original = subject.run(origin, &first[40..]);
        subject.executor.close(origin);
        subject.executor.close(fork);
        subject.assert_same(&forked, &second_alone[40..], "forked");
        subject.assert_same(&original, &first_alone[40..], "forked from");
    });
}

#[test]
fn a_truncated_sequence_continues_as_if_the_rest_had_never_been() {
    for_each_model(|subject| {
        let (first, mut second) = (subject.tokens(11), subject.tokens(5));
        second[..60].copy_from_slice(&first[..60]);
        let alone = subject.fresh(&second);
        let sequence = subject.executor.open();
        subject.run(sequence, &first);
        let kept = subject.executor.truncate(sequence, 60);
        assert!(kept == 60 || kept == 0, "{} keeps {kept}", subject.name);
        assert_eq!(subject.executor.length(sequence), kept);
        let rows = subject.run(sequence, &second[kept..]);
        subject.executor.close(sequence);
        subject.assert_same(&rows, &alone[kept..], "truncated");
    });
}

#[test]
fn the_number_of_threads_changes_nothing() {
    for level in placements::levels() {
        let mut alone: Vec<Vec<Vec<f32>>> = Vec::new();
        for threads in 1..=3 {
            let mut index = 0;
            for_each_model_on(&Placement { threads, ..placements::cpu(level) }, &mut |subject| {
                let tokens = subject.tokens(11);
                let mut rows = subject.fresh(&tokens);
                let sequence = subject.executor.open();
                rows.extend(tokens[..8].iter().flat_map(|token| subject.run(sequence, &[*token])));
                subject.executor.close(sequence);
                match alone.get(index) {
                    None => alone.push(rows),
                    Some(expected) => subject.assert_same(&rows, expected, "with more threads"),
                }
                index += 1;
            });
        }
    }
}

fn for_each_model(mut check: impl FnMut(&mut Subject)) {
    for placement in placements::all().into_iter().chain([placements::short_cache()]) {
        for_each_model_on(&placement, &mut check);
    }
}

fn for_each_model_on(placement: &Placement, check: &mut impl FnMut(&mut Subject)) {
    let on = placements::name(placement);
    let error_max = |candle| if placement.device == DeviceKind::Candle { candle } else { 0.0 };
    let tiny = [Tiny::llama(), Tiny::windowed(), Tiny::experts(), Tiny::latent(), Tiny::convolution()];
    for model in tiny {
        check(&mut Subject {
            name: format!("a tiny {}, {on}", model.architecture),
            executor: model.load(TOKENS, placement).unwrap(),
            vocabulary: VOCABULARY,
            error_max: error_max(1e-8),
        });
    }
    for path in references() {
        let executor = placements::load(&path, placement, TOKENS).unwrap();
        check(&mut Subject {
            name: format!("{}, {on}", path.display()),
            vocabulary: executor.spec().vocabulary,
            executor,
            error_max: error_max(1e-5),
        });
    }
}

/// Models of the reference data that have one peculiarity each, and one of each kind of kernel.
fn references() -> Vec<PathBuf> {
    let folder = |folder: &str, names: &[&str]| {
        let found = reference_data(folder);
        let paths = found.iter().flat_map(|path| names.iter().map(|name| path.join(format!("{name}.gguf"))));
        paths.collect::<Vec<_>>()
    };
    let archs = ["llama-dense", "gemma3-dense", "lfm2-dense", "deepseek2-moe", "gpt-oss-moe"];
    let types = ["Q4_0", "Q8_0", "Q4_K", "Q6_K", "IQ4_XS", "BF16"].map(|ty| format!("llama-dense-{ty}"));
    [folder("archs", &archs), folder("types", &types.each_ref().map(String::as_str))].concat()
}

impl Subject {
    fn tokens(&self, seed: usize) -> Vec<u32> {
        (0..TOKENS).map(|index| ((index * 37 + seed * (index / 3 + 1)) % self.vocabulary) as u32).collect()
    }

    /// The logits after each token, computed at once in a sequence of its own.
    fn fresh(&mut self, tokens: &[u32]) -> Vec<Vec<f32>> {
        let sequence = self.executor.open();
        let rows = self.run(sequence, tokens);
        self.executor.close(sequence);
        rows
    }

    fn run(&mut self, sequence: SequenceId, tokens: &[u32]) -> Vec<Vec<f32>> {
        let chunk = Chunk { sequence, tokens, wanted: Wanted::All };
        self.executor.forward(&[chunk], Output::Logits).unwrap().iter().map(<[f32]>::to_vec).collect()
    }

    fn assert_same(&self, found: &[Vec<f32>], expected: &[Vec<f32>], what: &str) {
        assert_eq!(found.len(), expected.len(), "{} {what}", self.name);
        for (position, (found, expected)) in found.iter().zip(expected).enumerate() {
            if self.error_max == 0.0 {
                let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(found), bits(expected), "{} {what}, at {position}", self.name);
                continue;
            }
            let error = nmse(found, expected);
            assert!(error < self.error_max, "{} {what}: NMSE {error:.1e} at {position}", self.name);
        }
    }
}
