//! Tiny decoders for tests: real executors of models whose weights a formula makes.

use stack_testkit::GgufBuilder;

use super::{Executor, Placement};
use crate::spec::DecoderSpec;
use crate::weights::{self, Files};

/// As Llama: its sequences can be cut anywhere. Models of different seeds have different weights.
pub(crate) fn llama(seed: usize, context: usize) -> Box<dyn Executor> {
    load(model("llama", context), [&ATTENTION, &ATTENTION], seed, context)
}

/// As LFM2: the state of its convolution is that of its last token, so that sequences cannot be cut.
pub(crate) fn convolution(seed: usize, context: usize) -> Box<dyn Executor> {
    let builder = model("lfm2", context).u32("lfm2.shortconv.l_cache", 3);
    load(builder, [&CONVOLUTION, &[&ATTENTION[..], &HEAD_NORMS].concat()], seed, context)
}

fn model(architecture: &str, context: usize) -> GgufBuilder {
    let key = |name: &str| format!("{architecture}.{name}");
    GgufBuilder::new(architecture)
        .text("tokenizer.ggml.model", "none")
        .u32(&key("embedding_length"), WIDTH as u32)
        .u32(&key("block_count"), 2)
        .u32(&key("context_length"), context as u32)
        .u32(&key("attention.head_count"), 2)
        .u32(&key("attention.head_count_kv"), 1)
        .f32(&key("attention.layer_norm_rms_epsilon"), 1e-5)
}

/// The tensors of a layer: the name of each, and its shape.
type LayerTensor = (&'static str, &'static [usize]);

fn load(
    mut builder: GgufBuilder,
    mixers: [&[LayerTensor]; 2],
    seed: usize,
    context: usize,
) -> Box<dyn Executor> {
    let mut add = |name: &str, shape: &[usize]| {
        let own: usize = name.bytes().map(usize::from).sum::<usize>() + seed;
        let value = |element: usize| ((element * 7 + own * 3) % 11) as f32 / 11.0 - 0.4;
        let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
        builder = builder.clone().f32_tensor(name, shape, &values);
    };
    add("token_embd.weight", &[VOCABULARY, WIDTH]);
    add("output_norm.weight", &[WIDTH]);
    add("output.weight", &[VOCABULARY, WIDTH]);
    for (number, mixer) in mixers.into_iter().enumerate() {
        let tensors = mixer.iter().chain(&FEED_FORWARD);
        tensors.for_each(|(part, shape)| add(&format!("blk.{number}.{part}.weight"), shape));
    }
    let file = tempfile::NamedTempFile::with_suffix(".gguf").unwrap();
    std::fs::write(file.path(), builder.build()).unwrap();
    let source = weights::open(Files::at(file.path()).unwrap()).unwrap();
    let spec = DecoderSpec::read(&*source).unwrap();
    let placement = Placement { threads: 1, ..Placement::default() };
    placement.load(&*source, spec, context, &|_, _| {}).unwrap()
}

pub(crate) const VOCABULARY: usize = 16;
const WIDTH: usize = 8;
const INNER: usize = 12;
const ATTENTION: [LayerTensor; 5] = [
    ("attn_norm", &[WIDTH]),
    ("attn_q", &[WIDTH, WIDTH]),
    ("attn_k", &[WIDTH / 2, WIDTH]),
    ("attn_v", &[WIDTH / 2, WIDTH]),
    ("attn_output", &[WIDTH, WIDTH]),
];
const HEAD_NORMS: [LayerTensor; 2] = [("attn_q_norm", &[WIDTH / 2]), ("attn_k_norm", &[WIDTH / 2])];
const CONVOLUTION: [LayerTensor; 4] = [
    ("attn_norm", &[WIDTH]),
    ("shortconv.in_proj", &[3 * WIDTH, WIDTH]),
    ("shortconv.conv", &[WIDTH, 3]),
    ("shortconv.out_proj", &[WIDTH, WIDTH]),
];
const FEED_FORWARD: [LayerTensor; 4] = [
    ("ffn_norm", &[WIDTH]),
    ("ffn_gate", &[INNER, WIDTH]),
    ("ffn_up", &[INNER, WIDTH]),
    ("ffn_down", &[WIDTH, INNER]),
];
