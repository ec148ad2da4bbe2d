//! However the tokens of a sequence come in, and whoever else is in the batch, its logits are the same.

use stack_engine::executor::{CandleExecutor, Chunk, DeviceKind, Executor, Output, SequenceId, Wanted};
use stack_engine::spec::DecoderSpec;
use stack_engine::weights::GgufFile;
use stack_testkit::{nmse, reference_data};

use crate::tiny::{Tiny, VOCABULARY};

/// A model, and how exactly its logits repeat.
struct Subject {
    name: String,
    executor: CandleExecutor,
    vocabulary: usize,
    /// The largest error allowed. Before an F16 matrix activations are rounded to F16, so that a sum taken in another
    /// order may come out half a thousandth apart; with F32 weights only the last bits differ.
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

fn for_each_model(check: impl Fn(&mut Subject)) {
    let tiny = [Tiny::llama(), Tiny::windowed(), Tiny::experts(), Tiny::latent(), Tiny::convolution()];
    for model in tiny {
        check(&mut Subject {
            name: format!("a tiny {}", model.architecture),
            executor: model.load(TOKENS).unwrap(),
            vocabulary: VOCABULARY,
            error_max: 1e-8,
        });
    }
    let Some(folder) = reference_data("archs") else { return };
    for name in ["llama-dense", "gemma3-dense", "lfm2-dense", "deepseek2-moe", "gpt-oss-moe"] {
        let file = GgufFile::open(&folder.join(format!("{name}.gguf"))).unwrap();
        let spec = DecoderSpec::read(&file).unwrap();
        let executor = CandleExecutor::load(&file, spec, DeviceKind::Cpu, TOKENS, &|_, _| {}).unwrap();
        check(&mut Subject { name: name.to_owned(), executor, vocabulary: 128, error_max: 1e-5 });
    }
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
            let error = nmse(found, expected);
            assert!(error < self.error_max, "{} {what}: NMSE {error:.1e} at {position}", self.name);
        }
    }
}
