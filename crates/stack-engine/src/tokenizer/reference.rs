//! The vocabularies of the reference data: every case must yield exactly the recorded ids.

use std::fs;

use serde_json::{Value, json};

use crate::tokenizer::{Control, Specials, TokenKind, Tokenizer};
use crate::weights::{GgufFile, WeightSource};

/// A text and its ids.
type Case = (String, Vec<u32>);

fn load(name: &str) -> Option<(Tokenizer, Vec<Case>)> {
    let path = stack_testkit::reference_data(&format!("tokenizers/ggml-vocab-{name}.gguf"))?;
    let file = GgufFile::open(&path).unwrap();
    let tokenizer = Tokenizer::from_metadata(file.metadata()).unwrap();
    let beside = |suffix| fs::read_to_string(path.with_extension(suffix)).unwrap();
    let ids = |line: &str| line.split_whitespace().map(|id| id.parse().unwrap()).collect();
    let inputs = beside("gguf.inp");
    let outputs = beside("gguf.out");
    // Every case, the last too, ends in a separator.
    let inputs = inputs.split("\n__ggml_vocab_test__\n").map(str::to_owned);
    let cases: Vec<_> = inputs.zip(outputs.lines().map(ids)).collect();
    assert_eq!(cases.len(), outputs.lines().count());
    assert!(cases.len() > 40, "{} cases", cases.len());
    Some((tokenizer, cases))
}

fn check(name: &str) {
    let Some((tokenizer, cases)) = load(name) else { return };
    let word_pieces = tokenizer.model_name() == "bert";
    for (text, ids) in cases {
        assert_eq!(tokenizer.encode(&text, Control::Literal, Specials::Omit), ids, "{name}: {text:?}");
        if !word_pieces {
            assert_eq!(String::from_utf8(tokenizer.decode(&ids)).unwrap(), text, "{name}: {ids:?}");
        }
        let mut detokenizer = tokenizer.detokenizer();
        let mut streamed: String = ids.iter().map(|&id| detokenizer.push(id)).collect();
        streamed += &detokenizer.flush();
        assert_eq!(streamed.as_bytes(), tokenizer.decode(&ids), "{name}: {ids:?}");
    }
}

#[test]
fn bert_bge() {
    check("bert-bge");
}

#[test]
fn deepseek_coder() {
    check("deepseek-coder");
}

#[test]
fn deepseek_llm() {
    check("deepseek-llm");
}

#[test]
fn gpt_2() {
    check("gpt-2");
}

#[test]
fn llama_bpe() {
    check("llama-bpe");
}

#[test]
fn llama_spm() {
    check("llama-spm");
}

#[test]
fn phi_3() {
    check("phi-3");
}

#[test]
fn qwen2() {
    check("qwen2");
}

/// Rewrites a vocabulary as `tokenizer.json`, with a model and stages to go with it.
fn as_json(tokenizer: &Tokenizer, model: &Value, stages: &Value, spell: impl Fn(&str) -> String) -> Vec<u8> {
    let ids = 0..tokenizer.vocabulary_size() as u32;
    let text = |id: u32| str::from_utf8(tokenizer.inner.vocabulary.text(id)).unwrap();
    let control = |&id: &u32| matches!(tokenizer.kind(id), TokenKind::Control | TokenKind::Unknown);
    let added = ids.clone().filter(control).map(|id| {
        json!({"id": id, "content": text(id), "special": true, "single_word": false, "lstrip": false,
               "rstrip": false, "normalized": false})
    });
    let vocabulary: serde_json::Map<String, Value> = ids
        .clone()
        .map(|id| (if control(&id) { text(id).to_owned() } else { spell(text(id)) }, id.into()))
        .collect();
    let mut file = json!({"version": "1.0", "added_tokens": added.collect::<Vec<_>>(), "model": model});
    file["model"]["vocab"] = vocabulary.into();
    file.as_object_mut().unwrap().extend(stages.as_object().unwrap().clone());
    serde_json::to_vec(&file).unwrap()
}

fn check_json(name: &str, model: &Value, stages: &Value, spell: impl Fn(&str) -> String) {
    let Some((tokenizer, cases)) = load(name) else { return };
    let path = stack_testkit::reference_data(&format!("tokenizers/ggml-vocab-{name}.gguf")).unwrap();
    let file = GgufFile::open(&path).unwrap();
    let mut model = model.clone();
    if let Some(merges) = file.metadata().strings("tokenizer.ggml.merges").unwrap() {
        model["merges"] = merges.iter().map(|merge| str::from_utf8(merge).unwrap()).collect();
    }
    let from_json = Tokenizer::from_json(&as_json(&tokenizer, &model, stages, spell), None).unwrap();
    for (text, ids) in cases {
        assert_eq!(from_json.encode(&text, Control::Literal, Specials::Omit), ids, "{name}: {text:?}");
        assert_eq!(from_json.decode(&ids), tokenizer.decode(&ids), "{name}: {ids:?}");
    }
}

#[test]
fn json_files_of_the_same_vocabularies_yield_the_same_ids() {
    let word_piece = json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                            "max_input_chars_per_word": 100});
    let stages = json!({
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    });
    check_json("bert-bge", &word_piece, &stages, |text| {
        text.strip_prefix('▁').map_or_else(|| format!("##{text}"), str::to_owned)
    });

    let bpe = json!({"type": "BPE"});
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true});
    let stages = json!({"pre_tokenizer": byte_level, "decoder": byte_level});
    check_json("gpt-2", &bpe, &stages, str::to_owned);

    let bpe = json!({"type": "BPE", "ignore_merges": true});
    let regex = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    let split =
        json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
    let mut bytes_only = byte_level.clone();
    bytes_only["use_regex"] = false.into();
    let stages = json!({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytes_only]},
                        "decoder": byte_level});
    check_json("llama-bpe", &bpe, &stages, str::to_owned);
}

/// Every text here took minutes or gigabytes in some tokenizer.
#[test]
fn a_megabyte_of_anything_takes_a_moment() {
    let text = |unit: &str| unit.repeat((1 << 20) / unit.len());
    for name in ["llama-spm", "llama-bpe", "bert-bge"] {
        let Some((tokenizer, _)) = load(name) else { return };
        for unit in ["a", " ", "the quick brown fox, 12 times.\n"] {
            let started = std::time::Instant::now();
            let text = text(unit);
            let ids = tokenizer.encode(&text, Control::Parsed, Specials::Add);
            assert!(!ids.is_empty());
            assert!(started.elapsed().as_secs() < 20, "{name} {unit:?} took {:?}", started.elapsed());
        }
    }
}
