//! What must hold for any text and any vocabulary.

use std::borrow::Cow;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::tokenizer::spelling::tests::spelled;
use crate::tokenizer::{Control, Segment, Specials, TokenKind, Tokenizer, TokenizerError};
use crate::weights::{Metadata, Value};

/// A small vocabulary, as metadata.
struct Sample {
    model: &'static str,
    tokens: Vec<(Vec<u8>, f32, TokenKind)>,
    more: Vec<(&'static str, Value)>,
}

impl Sample {
    fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::default();
        let texts = self.tokens.iter().map(|token| token.0.clone()).collect();
        let scores = self.tokens.iter().map(|token| token.1).collect();
        let kinds = self.tokens.iter().map(|token| token.2 as i64).collect();
        metadata.insert("tokenizer.ggml.model", Value::String(self.model.into()));
        metadata.insert("tokenizer.ggml.tokens", Value::Strings(texts));
        metadata.insert("tokenizer.ggml.scores", Value::Floats(scores));
        metadata.insert("tokenizer.ggml.token_type", Value::Integers(kinds));
        for (key, value) in &self.more {
            metadata.insert(format!("tokenizer.ggml.{key}"), value.clone());
        }
        metadata
    }

    fn tokenizer(&self) -> Tokenizer {
        Tokenizer::from_metadata(&self.metadata()).unwrap()
    }
}

fn token(text: impl AsRef<[u8]>, score: f32, kind: TokenKind) -> (Vec<u8>, f32, TokenKind) {
    (text.as_ref().to_vec(), score, kind)
}

/// Control tokens 1 and 2, the latter composed of mergeable text; bytes from 3 on; a few words.
fn spm() -> Sample {
    let mut tokens = vec![
        token("<unk>", 0.0, TokenKind::Unknown),
        token("<s>", 0.0, TokenKind::Control),
        token("</s>", 0.0, TokenKind::Control),
    ];
    tokens.extend((0..=255).map(|byte| token(format!("<0x{byte:02X}>"), 0.0, TokenKind::Byte)));
    let words = ["▁", "a", "b", "▁a", "ab", "▁ab", "▁▁", "<", "/", "s", ">", "</", "</s", "s>", "<s", "é"];
    tokens.extend(words.iter().zip(1..).map(|(word, rank)| token(word, -(rank as f32), TokenKind::Normal)));
    tokens.push(token("<tool>", 0.0, TokenKind::UserDefined));
    Sample { model: "llama", tokens, more: vec![] }
}

/// Bytes from 0 on, a few words, control tokens that merges make up.
fn bpe(pre: &str) -> Sample {
    let mut tokens: Vec<_> = (0..=255).map(|byte| token(spelled(&[byte]), 0.0, TokenKind::Normal)).collect();
    for word in ["Ġa", "ab", "<s", "Ã©"] {
        tokens.push(token(word, 0.0, TokenKind::Normal));
    }
    tokens.push(token("<s>", 0.0, TokenKind::Control));
    tokens.push(token("stop", 0.0, TokenKind::Control));
    let merges = ["< s", "<s >", "s t", "o p", "st op", "Ġ a", "a b", "Ã ©"];
    let merges = merges.iter().map(|merge| merge.as_bytes().to_vec()).collect();
    let more = vec![
        ("pre", Value::String(pre.into())),
        ("merges", Value::Strings(merges)),
        ("bos_token_id", Value::Unsigned(260)),
        ("eos_token_id", Value::Unsigned(261)),
    ];
    Sample { model: "gpt2", tokens, more }
}

fn unigram() -> Sample {
    let mut tokens = vec![
        token("<pad>", 0.0, TokenKind::Control),
        token("</s>", 0.0, TokenKind::Control),
        token("<unk>", 0.0, TokenKind::Unknown),
    ];
    for (text, score) in [("▁", -2.0), ("a", -3.0), ("b", -3.0), ("▁ab", -4.0), ("</", -5.0), ("s>", -5.0)]
    {
        tokens.push(token(text, score, TokenKind::Normal));
    }
    Sample { model: "t5", tokens, more: vec![("add_space_prefix", Value::Bool(true))] }
}

fn wordpiece() -> Sample {
    let mut tokens = vec![
        token("[UNK]", 0.0, TokenKind::Unknown),
        token("[CLS]", 0.0, TokenKind::Control),
        token("[SEP]", 0.0, TokenKind::Control),
    ];
    tokens.extend(["▁a", "b", "▁[", "▁]", "▁cls"].map(|text| token(text, 0.0, TokenKind::Normal)));
    let more = vec![
        ("bos_token_id", Value::Unsigned(1)),
        ("seperator_token_id", Value::Unsigned(2)),
        ("unknown_token_id", Value::Unsigned(0)),
    ];
    Sample { model: "bert", tokens, more }
}

static SAMPLES: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    [spm(), bpe("gpt-2"), bpe("llama-bpe"), bpe("deepseek-llm"), unigram(), wordpiece()]
        .iter()
        .map(Sample::tokenizer)
        .collect()
});

static BYTE_LEVEL: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    ["gpt-2", "llama-bpe", "qwen2", "deepseek-llm", "gpt-4o", "jais-2", "default", "afmoe"]
        .map(|pre| bpe(pre).tokenizer())
        .to_vec()
});

/// Texts in which the samples' tokens are likely.
fn texts() -> impl Strategy<Value = String> {
    let likely = prop_oneof![
        Just("<s>"),
        Just("</s>"),
        Just("<tool>"),
        Just("stop"),
        Just("[CLS]"),
        Just("<0x41>"),
        Just(" "),
        Just("  "),
        Just("a"),
        Just("ab"),
        Just("▁"),
        Just("é"),
        Just("<"),
        Just("s>"),
        Just("\n"),
        Just("你"),
        Just("12345"),
    ]
    .prop_map(str::to_owned);
    vec(prop_oneof![4 => likely, 1 => any::<String>()], 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn byte_level_text_comes_back(text in texts()) {
        for tokenizer in &*BYTE_LEVEL {
            let ids = tokenizer.encode(&text, Control::Literal, Specials::Omit);
            prop_assert_eq!(tokenizer.decode(&ids), text.as_bytes(), "{:?}", tokenizer.pre_tokenizer());
        }
    }

    #[test]
    fn sentencepiece_text_comes_back(text in texts()) {
        // The space that follows a user-defined token is not told apart from the one put there; a mark in the text not
        // from a space.
        let text = text.replace("<tool>", "").replace('▁', "_");
        let tokenizer = &SAMPLES[0];
        let ids = tokenizer.encode(&text, Control::Literal, Specials::Add);
        prop_assert_eq!(tokenizer.decode(&ids), text.as_bytes());
    }

    #[test]
    fn callers_never_write_control_tokens(text in texts()) {
        for tokenizer in &*SAMPLES {
            for id in tokenizer.encode(&text, Control::Literal, Specials::Omit) {
                prop_assert_ne!(tokenizer.kind(id), TokenKind::Control, "{} in {}", id, tokenizer.model_name());
            }
        }
    }

    #[test]
    fn callers_never_complete_control_tokens(parts in vec((texts(), any::<bool>()), 0..6)) {
        for tokenizer in &*SAMPLES {
            let segments: Vec<Segment> = parts
                .iter()
                .map(|(text, parsed)| Segment {
                    text: Cow::Borrowed(text),
                    control: if *parsed { Control::Parsed } else { Control::Literal },
                })
                .collect();
            let control = |ids: Vec<u32>| {
                ids.into_iter().filter(|&id| tokenizer.kind(id) == TokenKind::Control).collect::<Vec<_>>()
            };
            let written = segments.iter().filter(|segment| segment.control == Control::Parsed);
            let expected = written.flat_map(|segment| {
                control(tokenizer.encode(&segment.text, Control::Parsed, Specials::Omit))
            });
            // A user-defined token may take a `<` that a control token would have needed, never the other way round.
            let found = control(tokenizer.encode_segments(&segments, Specials::Omit));
            prop_assert_eq!(found, expected.collect::<Vec<_>>(), "{}", tokenizer.model_name());
        }
    }

    #[test]
    fn streamed_text_is_the_whole_text(ids in vec(0_u32..300, 0..40)) {
        for tokenizer in &*SAMPLES {
            let mut detokenizer = tokenizer.detokenizer();
            let mut streamed: String = ids.iter().map(|&id| detokenizer.push(id)).collect();
            streamed += &detokenizer.flush();
            let whole = tokenizer.decode(&ids);
            prop_assert_eq!(streamed, String::from_utf8_lossy(&whole), "{}", tokenizer.model_name());
        }
    }
}

proptest! {
    // Each case builds five tokenizers.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_vocabulary_is_used_or_refused(
        tokens in vec((vec(any::<u8>(), 0..5), any::<f32>(), 0_i64..8), 0..40),
        merges in vec(vec(any::<u8>(), 0..7), 0..20),
        roles in vec(any::<i64>(), 4),
        text in texts(),
    ) {
        for model in ["llama", "gpt2", "gemma4", "bert", "t5"] {
            let mut metadata = Metadata::default();
            let mut set = |key: &str, value| metadata.insert(format!("tokenizer.ggml.{key}"), value);
            set("model", Value::String(model.into()));
            set("tokens", Value::Strings(tokens.iter().map(|token| token.0.clone()).collect()));
            set("scores", Value::Floats(tokens.iter().map(|token| token.1).collect()));
            set("token_type", Value::Integers(tokens.iter().map(|token| token.2).collect()));
            set("merges", Value::Strings(merges.clone()));
            for (name, id) in ["bos", "eos", "unknown", "seperator"].into_iter().zip(&roles) {
                set(&format!("{name}_token_id"), Value::Signed(id % 50));
            }
            let tokenizer = Tokenizer::from_metadata(&metadata).unwrap();
            for control in [Control::Parsed, Control::Literal] {
                let ids = tokenizer.encode(&text, control, Specials::Add);
                prop_assert!(ids.iter().all(|&id| (id as usize) < tokens.len()));
                tokenizer.decode(&ids);
            }
        }
    }
}

#[test]
fn models_without_a_vocabulary_are_told_apart() {
    let mut metadata = Metadata::default();
    assert!(matches!(Tokenizer::from_metadata(&metadata), Err(TokenizerError::NoVocabulary)));
    metadata.insert("tokenizer.ggml.model", Value::String("none".into()));
    assert!(matches!(Tokenizer::from_metadata(&metadata), Err(TokenizerError::NoVocabulary)));
}

#[test]
fn what_cannot_be_used_is_named() {
    let refused = |sample: &Sample, key: &str, value: Value| {
        let mut changed = Metadata::default();
        changed.insert(format!("tokenizer.ggml.{key}"), value);
        for (key, value) in sample.metadata().iter() {
            changed.insert(key, value.clone());
        }
        let error = Tokenizer::from_metadata(&changed).err().unwrap();
        std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string)
    };
    assert!(refused(&spm(), "model", Value::String("rwkv".into())).contains("\"rwkv\""));
    assert!(refused(&bpe("gpt-2"), "pre", Value::String("odd".into())).contains("\"odd\""));
    assert!(refused(&spm(), "scores", Value::Floats(vec![0.0; 3])).contains("scores has 3 entries for"));
    assert!(refused(&spm(), "token_type", Value::Integers(vec![1])).contains("token_type has 1 entries"));
    assert!(refused(&bpe("gpt-2"), "merges", Value::Bool(true)).contains("tokenizer.ggml.merges"));
    assert!(
        refused(&unigram(), "precompiled_charsmap", Value::Integers(vec![1]))
            .contains("precompiled_charsmap")
    );
}

#[test]
fn special_tokens_go_around_a_prompt_once() {
    let tokenizer = spm().tokenizer();
    let ids = |text, specials| tokenizer.encode(text, Control::Parsed, specials);
    assert_eq!(ids("<s>", Specials::Omit), [1]);
    assert_eq!(ids("<s>", Specials::Add), [1]);
    assert_eq!(ids("", Specials::Add), [1]);
    assert_eq!(ids("a", Specials::Add)[0], 1);
    let literal = tokenizer.encode("<s>", Control::Literal, Specials::Add);
    assert_eq!(literal.iter().filter(|&&id| id == 1).count(), 1);

    // EOS is not added behind one that is there, nor where the text goes on.
    let unigram_ids = |text: &str, specials| unigram().tokenizer().encode(text, Control::Parsed, specials);
    assert_eq!(unigram_ids("ab", Specials::Add), unigram_ids("ab</s>", Specials::Add));
    assert_eq!(unigram_ids("ab", Specials::Begin), [6]);
    assert_eq!(wordpiece().tokenizer().encode("ab", Control::Literal, Specials::Begin), [1, 3, 4]);
    assert_eq!(wordpiece().tokenizer().encode("ab", Control::Literal, Specials::Add), [1, 3, 4, 2]);
    assert_eq!(unigram().tokenizer().encode("ab", Control::Literal, Specials::Add), [6, 1]);
    assert_eq!(bpe("llama-bpe").tokenizer().encode("ab", Control::Literal, Specials::Add), [260, 257]);
    assert_eq!(bpe("gpt-2").tokenizer().encode("ab", Control::Literal, Specials::Add), [257]);
}

#[test]
fn borders_of_segments_leave_no_trace() {
    let tokenizer = bpe("gpt-2").tokenizer();
    let segment = |text: &'static str, control| Segment { text: text.into(), control };
    let segments = [segment("<s>x ", Control::Parsed), segment("ab", Control::Literal)];
    let whole = tokenizer.encode("<s>x ab", Control::Parsed, Specials::Omit);
    assert_eq!(tokenizer.encode_segments(&segments, Specials::Omit), whole);
    assert!(whole.contains(&256), "the space merges with the caller's first letter");
}

#[test]
fn a_million_tokens_are_no_trouble() {
    let mut sample = bpe("gpt-2");
    sample.tokens.extend((0..1_000_000).map(|n| token(format!("x{n}"), 0.0, TokenKind::Normal)));
    sample.tokens.extend((0..1_000).map(|n| token(format!("y{n}"), 0.0, TokenKind::UserDefined)));
    let tokenizer = sample.tokenizer();
    assert_eq!(tokenizer.token_id("x999999"), Some(1_000_261));
    assert_eq!(tokenizer.encode("y999", Control::Literal, Specials::Omit), [1_001_261]);
}

#[test]
fn a_missing_rule_is_replaced_with_a_warning() {
    let mut sample = bpe("gpt-2");
    sample.more.remove(0);
    let tokenizer = sample.tokenizer();
    assert_eq!(tokenizer.pre_tokenizer(), Some("default"));
    assert!(tokenizer.warnings()[0].contains("tokenizer.ggml.pre"));
    assert!(bpe("gpt-2").tokenizer().warnings().is_empty());
}

#[test]
fn tokens_can_be_looked_at() {
    let tokenizer = spm().tokenizer();
    assert_eq!(tokenizer.vocabulary_size(), 276);
    assert_eq!(tokenizer.token_bytes(1), b"");
    assert_eq!(tokenizer.piece(1), b"<s>");
    assert_eq!(tokenizer.piece(3 + 0xe9), [0xe9]);
    assert_eq!(tokenizer.token_id("▁ab"), Some(264));
    assert_eq!(tokenizer.token_bytes(264), b" ab");
    assert_eq!(tokenizer.kind(9999), TokenKind::Unused);
    assert_eq!(tokenizer.end_of_generation().collect::<Vec<_>>(), [2]);
    assert!(tokenizer.is_end_of_generation(2) && !tokenizer.is_end_of_generation(1));
    assert_eq!(tokenizer.control_texts().collect::<Vec<_>>(), ["<s>", "</s>"]);
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)));
    let mut continuation = tokenizer.continuation();
    assert_eq!(continuation.push(264), " ab");
    assert_eq!(tokenizer.decode(&[264]), b"ab");
}
