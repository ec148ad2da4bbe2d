//! Tiny models of every family against numbers that `testdata/golden.py` computed in double precision.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use stack_chat::{Ability, EmbedInput, EmbedRequest, Embedder, RankRequest, Reranker};

use super::tests::Written;
use super::tiny::{POSITIONS, Tiny, wait};

#[derive(Deserialize)]
struct Golden {
    inputs: Vec<Vec<u32>>,
    families: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    vectors: Vec<Vec<f32>>,
    /// Of "the cat" and "cats sit", for a model that ranks.
    score: Option<f32>,
}

#[test]
fn every_family_computes_what_the_papers_say_from_both_kinds_of_files() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/encoder/testdata/golden.json");
    let Golden { inputs, mut families } = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    for tiny in Tiny::families().iter().chain([&Tiny::ranking()]) {
        let expected = families.remove(tiny.family()).unwrap();
        for written in [Written::gguf(&tiny.gguf().build()), Written::directory(tiny)] {
            let encoder = written.load().unwrap();
            let family = tiny.family();
            assert_eq!(encoder.card().architecture, family);
            assert_eq!(encoder.card().context_trained, POSITIONS as u32, "{family}");
            let inputs = inputs.iter().cloned().map(EmbedInput::Tokens).collect();
            let found = wait(encoder.embed(EmbedRequest { inputs, dimensions: None })).unwrap().vectors;
            assert_eq!(found.len(), expected.vectors.len());
            for (found, expected) in found.iter().zip(&expected.vectors) {
                assert_eq!(found.len(), expected.len(), "{family}");
                let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(error < 2e-3, "{family}: {error} between {found:?} and {expected:?}");
            }
            let ranks = encoder.card().abilities.contains(&Ability::Ranks);
            assert_eq!(ranks, expected.score.is_some(), "{family}");
            if let Some(score) = expected.score {
                let (query, documents) = ("the cat".to_owned(), vec!["cats sit".to_owned()]);
                let found = wait(encoder.rank(RankRequest { query, documents })).unwrap().scores[0];
                assert!(
                    (found - score).abs() < 5e-3 * score.abs().max(1.0),
                    "{family}: {found} is not {score}"
                );
            }
        }
    }
    assert!(families.is_empty(), "{:?} has no model", families.keys());
}
