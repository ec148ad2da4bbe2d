//! The two executors against each other, and what a loaded model takes against what was foretold.

use std::path::Path;

use stack_engine::engine::weight_bytes;
use stack_engine::executor::{CacheType, Chunk, Output, Placement, Wanted};
use stack_engine::spec::DecoderSpec;
use stack_engine::weights::GgufFile;
use stack_testkit::{nmse, reference_data};

use crate::placements;

/// Set `STACK_AGREEMENT_MODEL` to a quantized model of real size: wherever candle clearly prefers a token, this
/// program's kernels must prefer the same one.
///
/// Both round activations to eight bits, but not alike. Where the best two tokens are closer than that noise (in models
/// of random weights, after every tenth token), either may come out first.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no other way to be told of a model")]
fn both_executors_prefer_the_same_tokens() {
    let Some(model) = std::env::var_os("STACK_AGREEMENT_MODEL") else { return };
    let model = Path::new(&model);
    let spec = DecoderSpec::read(&GgufFile::open(model).unwrap()).unwrap();
    let tokens: Vec<u32> =
        (0..512u64).map(|n| (n * n * 31 + n * 7) as u32 % spec.vocabulary as u32).collect();
    let mut executors = [placements::best(), placements::candle()].map(|placement| {
        let mut executor = placements::load(model, &placement, tokens.len()).unwrap();
        let sequence = executor.open();
        (executor, sequence)
    });
    let (mut clear, mut same) = (0, 0);
    for tokens in tokens.chunks(64) {
        let [ours, theirs] = executors.each_mut().map(|(executor, sequence)| {
            let batch = [Chunk { sequence: *sequence, tokens, wanted: Wanted::All }];
            executor.forward(&batch, Output::Logits).unwrap()
        });
        for (ours, theirs) in ours.iter().zip(theirs.iter()) {
            let error = nmse(ours, theirs);
            assert!(error < 2e-3, "NMSE {error:.1e}");
            let (best, margin) = preference(theirs);
            let power = theirs.iter().map(|x| x * x).sum::<f32>() / theirs.len() as f32;
            if margin > 4.0 * (error as f32 * power).sqrt() {
                clear += 1;
                same += usize::from(preference(ours).0 == best);
            }
        }
    }
    println!("{same} of {clear} clear preferences agree");
    assert!(clear > 0 && same * 100 >= clear * 99);
}

/// The most probable token, and by how much its logit exceeds the next one.
fn preference(row: &[f32]) -> (usize, f32) {
    let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    let next = (0..row.len()).filter(|&token| token != best).map(|token| row[token]).fold(f32::MIN, f32::max);
    (best, row[best] - next)
}

#[test]
fn a_model_takes_the_memory_that_was_foretold() {
    let Some(path) = reference_data("stories260K/stories260K.gguf") else { return };
    let file = GgufFile::open(&path).unwrap();
    let placement = placements::best();
    let executor = placements::load(&path, &placement, 64).unwrap();
    assert_eq!(executor.weight_bytes(), weight_bytes(&file, placement.device));
}

/// Tokens of stories260K, and the logits of each where keys and values are held in this way.
fn logits(path: &Path, cache: CacheType) -> Vec<Vec<f32>> {
    let mut executor = placements::load(path, &Placement { cache, ..placements::best() }, 100).unwrap();
    let vocabulary = executor.spec().vocabulary as u32;
    let tokens: Vec<u32> = (0..100u32).map(|n| (n * n * 31 + n * 7) % vocabulary).collect();
    let sequence = executor.open();
    let batch = [Chunk { sequence, tokens: &tokens, wanted: Wanted::All }];
    executor.forward(&batch, Output::Logits).unwrap().iter().map(<[f32]>::to_vec).collect()
}

#[test]
fn eight_bits_for_keys_and_values_change_little() {
    let Some(path) = reference_data("stories260K/stories260K.gguf") else { return };
    let (exact, short) = (logits(&path, CacheType::F16), logits(&path, CacheType::Q8_0));
    assert_ne!(exact, short, "the cache is held otherwise");
    for (exact, short) in exact.iter().zip(&short) {
        assert!(nmse(short, exact) < 5e-3, "NMSE {:.1e}", nmse(short, exact));
    }
}

#[test]
fn a_device_without_short_caches_says_so() {
    let Some(path) = reference_data("stories260K/stories260K.gguf") else { return };
    let placement = Placement { cache: CacheType::Q8_0, ..placements::candle() };
    let error = placements::load(&path, &placement, 64).err().unwrap();
    assert!(error.to_string().contains("q8_0"), "{error}");
}
