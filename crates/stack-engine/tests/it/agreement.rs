//! The two executors against each other, and what a loaded model takes against what was foretold.

use std::path::Path;

use stack_engine::engine::weight_bytes;
use stack_engine::executor::{Chunk, Level, Output, Placement, Wanted};
use stack_engine::spec::DecoderSpec;
use stack_engine::weights::GgufFile;
use stack_testkit::reference_data;

use crate::placements;

/// Set `STACK_AGREEMENT_MODEL` to a quantized model of real size: both executors must prefer the same tokens.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no other way to be told of a model")]
fn both_executors_prefer_the_same_tokens() {
    let Some(model) = std::env::var_os("STACK_AGREEMENT_MODEL") else { return };
    let model = Path::new(&model);
    let [ours, theirs] = [placements::cpu(Level::detect()), placements::candle()]
        .map(|placement| preferred(model, &placement));
    let same = ours.iter().zip(&theirs).filter(|(a, b)| a == b).count();
    println!("{same} of {} tokens agree", ours.len());
    assert!(same * 100 >= ours.len() * 99);
}

/// The most probable token after each of many.
fn preferred(model: &Path, placement: &Placement) -> Vec<usize> {
    let file = GgufFile::open(model).unwrap();
    let spec = DecoderSpec::read(&file).unwrap();
    let tokens: Vec<u32> =
        (0..512u64).map(|n| (n * n * 31 + n * 7) as u32 % spec.vocabulary as u32).collect();
    let mut executor = placement.load(&file, spec, tokens.len(), &|_, _| {}).unwrap();
    let sequence = executor.open();
    let best = |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    tokens
        .chunks(64)
        .flat_map(|tokens| {
            let batch = [Chunk { sequence, tokens, wanted: Wanted::All }];
            executor.forward(&batch, Output::Logits).unwrap().iter().map(best).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_model_takes_the_memory_that_was_foretold() {
    let Some(path) = reference_data("stories260K/stories260K.gguf") else { return };
    let file = GgufFile::open(&path).unwrap();
    let placement = placements::cpu(Level::detect());
    let executor = placement.load(&file, DecoderSpec::read(&file).unwrap(), 64, &|_, _| {}).unwrap();
    assert_eq!(executor.weight_bytes(), weight_bytes(&file, placement.device));
}
