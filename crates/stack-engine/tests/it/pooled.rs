//! Decoders that embed and rank: hidden states pooled over pieces of long texts and over several texts at once.

use std::fs;

use stack_chat::{Ability, EmbedInput, EmbedRequest, FailureKind, RankRequest};
use stack_engine::EngineOptions;
use stack_engine::executor::{Chunk, Output, Placement, Rows, Wanted};
use stack_engine::load::{self, Loaded};
use stack_engine::weights::{Files, LoadError};
use stack_testkit::GgufBuilder;

use crate::answers::block_on;
use crate::tiny::{Key, Tiny, VOCABULARY, WIDTH};

/// More than two steps.
const LONG: usize = 1200;

fn load(file: &GgufBuilder) -> Result<Loaded, LoadError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tiny.gguf");
    fs::write(&path, file.build()).unwrap();
    let options = EngineOptions { context: Some(LONG), ..EngineOptions::default() };
    load::load(Files::at(&path)?, &options, &|_, _| ())
}

/// What the executor returns for these tokens in one batch.
fn rows(tiny: &Tiny, tokens: &[u32], output: Output) -> Rows {
    let mut executor = tiny.load(LONG, &Placement::default()).unwrap();
    let sequence = executor.open();
    executor.forward(&[Chunk { sequence, tokens, wanted: Wanted::All }], output).unwrap()
}

fn tokens(length: usize) -> Vec<u32> {
    (0..length).map(|place| (place * 7 % VOCABULARY) as u32).collect()
}

#[test]
fn a_long_text_in_pieces_has_the_vector_of_the_whole() {
    let lengths = [3, LONG, 1, 500, 600, 20];
    let request = |lengths: &[usize]| EmbedRequest {
        inputs: lengths.iter().map(|&length| EmbedInput::Tokens(tokens(length))).collect(),
        dimensions: None,
    };
    for (kind, pooled) in [(1, "mean"), (2, "first"), (3, "last")] {
        let mut tiny = Tiny::llama();
        tiny.keys.push(("pooling_type", Key::U32(kind)));
        let embedder = load(&tiny.builder("none")).unwrap().embedder();
        let found = block_on(embedder.embed(request(&lengths))).unwrap();
        assert_eq!(found.tokens as usize, lengths.iter().sum::<usize>());
        for (&length, vector) in lengths.iter().zip(&found.vectors) {
            let rows = rows(&tiny, &tokens(length), Output::Hidden);
            let mut expected = match pooled {
                "first" => rows.row(0).to_vec(),
                "last" => rows.row(length - 1).to_vec(),
                _ => {
                    let sum = |at: usize| rows.iter().map(|row| row[at]).sum::<f32>() / length as f32;
                    (0..WIDTH).map(sum).collect()
                }
            };
            let norm = expected.iter().map(|x| x * x).sum::<f32>().sqrt();
            expected.iter_mut().for_each(|x| *x /= norm);
            assert_eq!(*vector, expected, "{pooled} of {length}");
        }
        assert_eq!(block_on(embedder.embed(request(&[1]))).unwrap().vectors[0], found.vectors[2]);
    }
}

const WORDS: [&str; VOCABULARY] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁the", "▁cat", "s", "▁sit", "▁a", "▁q", "▁d", "▁x", "▁y", "▁z",
    "▁yes", "▁no",
];

/// Its head has the first two rows of the output matrix.
fn ranker() -> Tiny {
    let mut tiny = Tiny::llama();
    tiny.keys.push(("pooling_type", Key::U32(4)));
    tiny.tensors.push(("cls.output.weight".to_owned(), vec![2, WIDTH]));
    tiny.copied = Some(("cls.output.weight".to_owned(), "output.weight".to_owned()));
    tiny
}

fn with_vocabulary(tiny: &Tiny) -> GgufBuilder {
    let kinds: Vec<i32> = (0..VOCABULARY as i32).map(|id| if id < 4 { 3 } else { 1 }).collect();
    tiny.builder("bert")
        .strings("tokenizer.ggml.tokens", &WORDS)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .u32("tokenizer.ggml.padding_token_id", 0)
        .u32("tokenizer.ggml.unknown_token_id", 1)
        .u32("tokenizer.ggml.bos_token_id", 2)
        .u32("tokenizer.ggml.seperator_token_id", 3)
}

#[test]
fn a_decoder_with_a_head_says_how_probable_yes_is() {
    let tiny = ranker();
    let file =
        with_vocabulary(&tiny).text("tokenizer.chat_template.rerank", "[CLS] q {query} d {document} [SEP]");
    let loaded = load(&file).unwrap();
    assert!(loaded.card().abilities.contains(&Ability::Ranks));
    let request = |documents: &[&str]| RankRequest {
        query: "the cat".to_owned(),
        documents: documents.iter().map(|&document| document.to_owned()).collect(),
    };
    let reranker = loaded.reranker().unwrap();
    let found = block_on(reranker.rank(request(&["cats sit", "the [SEP]"]))).unwrap();
    let prompt = [2, 9, 4, 5, 10, 5, 6, 7, 3];
    let logits = rows(&tiny, &prompt, Output::Logits);
    let last = logits.row(prompt.len() - 1);
    let expected = last[0].exp() / (last[0].exp() + last[1].exp());
    assert!((found.scores[0] - expected).abs() < 1e-5, "{} is not {expected}", found.scores[0]);
    assert_eq!(block_on(reranker.rank(request(&["cats sit"]))).unwrap().scores[0], found.scores[0]);
    let tokens = loaded.tokenizer().unwrap();
    assert!(found.tokens as usize > prompt.len() + 7, "a control token in a document is text");
    assert_eq!(tokens.vocabulary_size(), VOCABULARY);
    let input = vec![EmbedInput::Tokens(vec![4])];
    let error =
        block_on(loaded.embedder().embed(EmbedRequest { inputs: input, dimensions: None })).unwrap_err();
    assert_eq!((error.kind, error.field.as_deref()), (FailureKind::Unsupported, Some("model")));
    let long = "cat ".repeat(LONG + 1);
    let error = block_on(reranker.rank(request(&[&long]))).unwrap_err();
    assert_eq!((error.kind, error.field.as_deref()), (FailureKind::ContextExceeded, Some("documents")));
}

#[test]
fn a_file_that_ranks_without_what_it_takes_is_refused_by_name() {
    let error = |file: &GgufBuilder| load(file).err().unwrap().subject;
    let template = "metadata key tokenizer.chat_template.rerank";
    assert_eq!(error(&with_vocabulary(&ranker())), template);
    let key = "tokenizer.chat_template.rerank";
    assert_eq!(error(&with_vocabulary(&ranker()).text(key, "{query} alone")), template);
    let mut headless = ranker();
    headless.tensors.retain(|(name, _)| name != "cls.output.weight");
    assert_eq!(error(&with_vocabulary(&headless)), "cls.output.weight");
}
