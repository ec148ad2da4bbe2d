//! From the trained model to the bytes of its file.

use anyhow::Result;
use candle_core::Tensor;

use crate::gguf::{self, NamedTensor, Value};
use crate::model::{Model, ROTARY_BASE};
use crate::ops::EPSILON;
use crate::tokenizer::{BEGIN, CHAT_TEMPLATE, END, Tokenizer};

/// Returns the GGUF file of a model with its tokenizer and chat template.
pub(crate) fn to_gguf(model: &Model, tokenizer: &Tokenizer) -> Result<Vec<u8>> {
    Ok(gguf::encode(&metadata(model, tokenizer), &tensors(model)?)?)
}

fn metadata(model: &Model, tokenizer: &Tokenizer) -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::Text(text.to_owned());
    let count = |count: usize| Value::U32(count as u32);
    let sizes = model.dimensions;
    let pieces = tokenizer.pieces();
    vec![
        ("general.architecture", text("llama")),
        ("general.type", text("model")),
        ("general.name", text("Sovereign Stack Stories")),
        ("general.author", text("The Sovereign Stack authors")),
        ("general.license", text("mit")),
        ("general.languages", Value::Texts(vec!["en".to_owned()])),
        ("general.description", text("Tells short stories. For trying and testing only.")),
        ("general.file_type", Value::U32(1)),
        ("general.quantization_version", Value::U32(2)),
        ("general.sampling.temp", Value::F32(0.6)),
        ("general.sampling.top_k", Value::U32(40)),
        ("general.sampling.top_p", Value::F32(0.9)),
        ("llama.vocab_size", count(sizes.vocabulary)),
        ("llama.context_length", count(sizes.context)),
        ("llama.embedding_length", count(sizes.width)),
        ("llama.block_count", count(sizes.layers)),
        ("llama.feed_forward_length", count(sizes.feed_forward)),
        ("llama.attention.head_count", count(sizes.heads)),
        ("llama.attention.head_count_kv", count(sizes.heads)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(EPSILON)),
        ("llama.rope.dimension_count", count(sizes.width / sizes.heads)),
        ("llama.rope.freq_base", Value::F32(ROTARY_BASE)),
        ("tokenizer.ggml.model", text("llama")),
        ("tokenizer.ggml.pre", text("default")),
        ("tokenizer.ggml.tokens", Value::Texts(pieces.iter().map(|piece| piece.text.clone()).collect())),
        ("tokenizer.ggml.scores", Value::F32s(pieces.iter().map(|piece| piece.score).collect())),
        ("tokenizer.ggml.token_type", Value::I32s(pieces.iter().map(|piece| piece.kind as i32).collect())),
        ("tokenizer.ggml.unknown_token_id", Value::U32(0)),
        ("tokenizer.ggml.bos_token_id", Value::U32(BEGIN)),
        ("tokenizer.ggml.eos_token_id", Value::U32(END)),
        ("tokenizer.ggml.eot_token_id", Value::U32(END)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(true)),
        ("tokenizer.ggml.add_eos_token", Value::Bool(false)),
        ("tokenizer.ggml.add_space_prefix", Value::Bool(false)),
        ("tokenizer.chat_template", text(CHAT_TEMPLATE)),
    ]
}

fn tensors(model: &Model) -> Result<Vec<NamedTensor>> {
    let sizes = model.dimensions;
    let mut all = vec![named("token_embd.weight", model.embedding.as_tensor())?];
    all.push(named("output_norm.weight", model.norm.as_tensor())?);
    for (index, layer) in model.layers.iter().enumerate() {
        let name = |part: &str| format!("blk.{index}.{part}.weight");
        // The model keeps matrices as (input, output), the file as rows of outputs; joint ones are taken apart.
        let part = |matrix: &Tensor, part: usize, width: usize| matrix.narrow(1, part * width, width)?.t();
        all.push(named(&name("attn_norm"), layer.attention_norm.as_tensor())?);
        for (index, role) in ["attn_q", "attn_k", "attn_v"].iter().enumerate() {
            all.push(named(&name(role), &part(&layer.joint, index, sizes.width)?)?);
        }
        all.push(named(&name("attn_output"), &layer.output.t()?)?);
        all.push(named(&name("ffn_norm"), layer.feed_forward_norm.as_tensor())?);
        for (index, role) in ["ffn_gate", "ffn_up"].iter().enumerate() {
            all.push(named(&name(role), &part(&layer.gate_up, index, sizes.feed_forward)?)?);
        }
        all.push(named(&name("ffn_down"), &layer.down.t()?)?);
    }
    Ok(all)
}

fn named(name: &str, tensor: &Tensor) -> Result<NamedTensor> {
    Ok(NamedTensor {
        name: name.to_owned(),
        dimensions: tensor.dims().iter().rev().copied().collect(),
        values: tensor.flatten_all()?.to_vec1()?,
    })
}
