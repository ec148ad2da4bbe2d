//! The vocabulary of a model, as its file describes both.

use stack_testkit::GgufBuilder;
use stack_testkit::gguf::value_type;

use super::tokenizer;
use crate::weights::{GgufFile, LoadErrorKind};

fn model(embeddings: usize) -> GgufBuilder {
    GgufBuilder::new("llama")
        .text("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", &["<unk>", "<s>", "</s>", "a"])
        .i32s("tokenizer.ggml.token_type", &[2, 3, 3, 1])
        .f32_tensor("token_embd.weight", &[embeddings, 2], &vec![0.0; 2 * embeddings])
}

fn open(model: &GgufBuilder) -> GgufFile {
    GgufFile::from_bytes("model", model.build().leak()).unwrap()
}

#[test]
fn a_vocabulary_larger_than_the_embeddings_is_refused_with_both_numbers() {
    for embeddings in [4, 5] {
        assert_eq!(tokenizer(&open(&model(embeddings))).unwrap().unwrap().vocabulary_size(), 4);
    }
    let error = tokenizer(&open(&model(3))).err().unwrap();
    assert_eq!(error.kind, LoadErrorKind::Vocabulary);
    let cause = error.source.unwrap().to_string();
    assert!(cause.contains("4 tokens") && cause.contains("embeddings for 3"), "{cause}");
}

#[test]
fn a_name_that_is_not_utf8_does_not_matter() {
    let name = [&3u64.to_le_bytes()[..], b"m\xFF!"].concat();
    let named = ["general.name", "general.description", "general.license", "general.author"]
        .into_iter()
        .fold(model(4), |model, key| model.raw(key, value_type::STRING, &name));
    assert!(tokenizer(&open(&named)).unwrap().is_some());
}
