//! A model of a few hundred weights. It says nothing sensible, but whatever it does, it does in full.

use std::path::{Path, PathBuf};

use stack_testkit::GgufBuilder;
use stack_testkit::gguf::value_type;

/// Writes the model to a directory.
pub(crate) fn write(directory: &Path) -> PathBuf {
    write_as(directory, "tiny.gguf", &tiny().text("tokenizer.chat_template", TEMPLATE))
}

/// Writes the model without its chat template.
pub(crate) fn write_without_template(directory: &Path) -> PathBuf {
    write_as(directory, "tiny.gguf", &tiny())
}

/// Writes the model with texts under these keys, and no other chat template.
pub(crate) fn write_with_texts(directory: &Path, texts: &[(&str, &str)]) -> PathBuf {
    let model = texts.iter().fold(tiny(), |model, (key, text)| model.text(key, text));
    write_as(directory, "tiny.gguf", &model)
}

/// Writes the model with more control tokens and without its chat template.
pub(crate) fn write_with_tokens(directory: &Path, control: &[&str]) -> PathBuf {
    write_as(directory, "tiny.gguf", &tiny_with(control))
}

fn write_as(directory: &Path, name: &str, model: &GgufBuilder) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, model.build()).unwrap();
    path
}

fn tiny() -> GgufBuilder {
    tiny_with(&[])
}

fn tiny_with(control: &[&str]) -> GgufBuilder {
    let texts = ["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁ab", "c", "<|end|>"].map(str::as_bytes);
    let control = control.iter().map(|text| text.as_bytes());
    let more = control.len();
    let tokens: Vec<&[u8]> = texts.into_iter().chain([&b"\xE4\xBD"[..]]).chain(control).collect();
    let kinds = [vec![2, 3, 3, 1, 1, 1, 1, 1, 1, 3, 1], vec![3; more]].concat();
    let scores = [0.0, 0.0, 0.0, -5.0, -4.0, -4.0, -2.0, -1.0, -4.0, 0.0, -9.0];
    let scores = [scores.to_vec(), vec![0.0; more]].concat();
    let builder = GgufBuilder::new("llama")
        .text("general.name", "tiny \u{1b}[2J")
        .u32("llama.context_length", 64)
        .u32("llama.embedding_length", WIDTH as u32)
        .u32("llama.block_count", 1)
        .u32("llama.feed_forward_length", WIDTH as u32)
        .u32("llama.attention.head_count", 2)
        .u32("llama.attention.head_count_kv", 1)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .text("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", &tokens)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .f32s("tokenizer.ggml.scores", &scores)
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .raw("tokenizer.ggml.add_bos_token", value_type::BOOL, &[1]);
    let vocabulary = tokens.len();
    [
        ("token_embd", [vocabulary, WIDTH]),
        ("output", [vocabulary, WIDTH]),
        ("output_norm", [1, WIDTH]),
        ("blk.0.attn_norm", [1, WIDTH]),
        ("blk.0.attn_q", [WIDTH, WIDTH]),
        ("blk.0.attn_k", [WIDTH / 2, WIDTH]),
        ("blk.0.attn_v", [WIDTH / 2, WIDTH]),
        ("blk.0.attn_output", [WIDTH, WIDTH]),
        ("blk.0.ffn_norm", [1, WIDTH]),
        ("blk.0.ffn_gate", [WIDTH, WIDTH]),
        ("blk.0.ffn_up", [WIDTH, WIDTH]),
        ("blk.0.ffn_down", [WIDTH, WIDTH]),
    ]
    .into_iter()
    .enumerate()
    .fold(builder, |builder, (seed, (name, shape))| {
        let values: Vec<f32> = (0..shape[0] * shape[1]).map(|n| wave(seed * 7919 + n)).collect();
        let shape = if shape[0] == 1 { &shape[1..] } else { &shape[..] };
        builder.f32_tensor(&format!("{name}.weight"), shape, &values)
    })
}

/// Numbers between −1 and 1 that follow no simple pattern.
fn wave(n: usize) -> f32 {
    (n as f32 * 12.9898).sin()
}

const WIDTH: usize = 32;

const TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}<assistant>";
