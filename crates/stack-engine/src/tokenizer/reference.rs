//! The vocabularies of the reference data: every case must yield exactly the recorded ids.

use std::fs;

use crate::tokenizer::{Control, Specials, Tokenizer};
use crate::weights::{GgufFile, WeightSource};

fn load(name: &str) -> Option<(Tokenizer, Vec<(String, Vec<u32>)>)> {
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

/// Every text here took minutes or gigabytes in some tokenizer.
#[test]
fn a_megabyte_of_anything_takes_a_moment() {
    let text = |unit: &str| unit.repeat((1 << 20) / unit.len());
    for name in ["llama-spm", "llama-bpe", "deepseek-llm", "bert-bge"] {
        let Some((tokenizer, _)) = load(name) else { return };
        for unit in ["a", " ", "\n", "7", "!", "é", "<", "the quick brown fox, 12 times.\n"] {
            let started = std::time::Instant::now();
            let text = text(unit);
            let ids = tokenizer.encode(&text, Control::Parsed, Specials::Add);
            assert!(!ids.is_empty());
            println!("{name} {unit:?}: {:?}", started.elapsed());
            assert!(started.elapsed().as_secs() < 20, "{name} {unit:?} took {:?}", started.elapsed());
        }
    }
}
