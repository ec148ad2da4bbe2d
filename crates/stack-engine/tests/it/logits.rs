//! Logits against those of llama.cpp, in one batch and token by token.

use std::path::Path;

use serde_json::Value;
use stack_engine::executor::{Chunk, Output, Placement, Wanted};
use stack_engine::spec::{DecoderSpec, known_architectures};
use stack_engine::weights::{GgufFile, LoadError, WeightSource};
use stack_testkit::{nmse, reference_data};

use crate::placements;

#[test]
fn every_architecture_answers_as_the_reference_does() {
    let Some(folder) = reference_data("archs") else { return };
    compare_all(&folder, |_| 1e-4);
}

/// Set `STACK_ARCHS_EXTRA` to a folder like the reference data's `archs` to compare more models; those of unknown
/// architectures must be refused.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no other way to be told of a folder")]
fn further_architectures_answer_as_the_reference_does() {
    let Some(folder) = std::env::var_os("STACK_ARCHS_EXTRA") else { return };
    compare_all(Path::new(&folder), |_| 1e-4);
}

#[test]
fn every_tensor_type_answers_as_the_reference_does() {
    let Some(folder) = reference_data("types") else { return };
    let exact = ["F16", "BF16"];
    compare_all(&folder, |model| {
        let name = model.file_stem().unwrap().to_str().unwrap();
        if exact.iter().any(|ty| name.ends_with(ty)) { 1e-4 } else { 6e-4 }
    });
}

#[test]
fn a_real_model_answers_as_the_reference_does() {
    let Some(folder) = reference_data("stories260K") else { return };
    for placement in placements::all() {
        let model = folder.join("stories260K.gguf");
        let rows = worst(&model, &folder.join("stories260K.json"), &placement).unwrap();
        assert!(rows < 1e-4, "{}: NMSE {rows:e}", placements::name(&placement));
    }
}

fn compare_all(folder: &Path, limit: impl Fn(&Path) -> f64) {
    let mut failures = Vec::new();
    let mut models: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gguf"))
        .collect();
    models.sort();
    assert!(!models.is_empty());
    for model in models {
        let name = model.file_stem().unwrap().to_str().unwrap().to_owned();
        if !is_known(&model) {
            println!("{name}: refused");
            continue;
        }
        for placement in placements::all() {
            let name = format!("{name}, {}", placements::name(&placement));
            match worst(&model, &model.with_extension("json"), &placement) {
                Ok(worst) => {
                    println!("{name}: {worst:.2e}");
                    if worst.is_nan() || worst > limit(&model) {
                        failures.push(format!("{name}: NMSE {worst:.2e}"));
                    }
                }
                Err(error) => failures.push(format!("{name}: {error}")),
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Whether a model's architecture is known; one that is not must be refused.
fn is_known(model: &Path) -> bool {
    let file = GgufFile::open(model).unwrap();
    let architecture = file.metadata().text("general.architecture").unwrap().unwrap();
    let known = known_architectures().contains(&architecture);
    assert!(known || DecoderSpec::read(&file).is_err());
    known
}

/// The largest error of any row, over one batch and over 24 tokens followed by single ones.
fn worst(model: &Path, reference: &Path, placement: &Placement) -> Result<f64, LoadError> {
    let reference: Value = serde_json::from_slice(&std::fs::read(reference).unwrap()).unwrap();
    let tokens: Vec<u32> = serde_json::from_value(reference["tokens"].clone()).unwrap();
    let expected: Vec<Vec<f32>> = serde_json::from_value(reference["logits"].clone()).unwrap();
    let mut executor = placements::load(model, placement, 64)?;
    let mut worst: f64 = 0.0;
    for split in [32, 24, 1] {
        let sequence = executor.open();
        let (first, rest) = tokens.split_at(split);
        let mut run = |tokens: &[u32]| {
            let chunk = Chunk { sequence, tokens, wanted: Wanted::All };
            executor.forward(&[chunk], Output::Logits).unwrap()
        };
        let mut rows: Vec<Vec<f32>> = run(first).iter().map(<[f32]>::to_vec).collect();
        rows.extend(rest.iter().map(|token| run(&[*token]).row(0).to_vec()));
        executor.close(sequence);
        assert_eq!(rows.len(), expected.len());
        for (row, expected) in rows.iter().zip(&expected) {
            worst = worst.max(nmse(row, expected));
        }
    }
    Ok(worst)
}
