//! Tiny models of several shapes, made in memory, whose keys and tensors a test may change one by one.

use stack_engine::executor::Placement;
use stack_engine::load::LoadedExecutor;
use stack_engine::weights::LoadError;
use stack_testkit::GgufBuilder;
use stack_testkit::gguf::value_type;

use crate::placements;

/// What a model's file says.
#[derive(Clone)]
pub(crate) struct Tiny {
    pub(crate) architecture: &'static str,
    pub(crate) keys: Vec<(&'static str, Key)>,
    pub(crate) tensors: Vec<(String, Vec<usize>)>,
    /// Numbers under keys that have no architecture's name before them, one for each layer.
    pub(crate) foreign: Vec<(&'static str, f32)>,
    /// A tensor of which one element has this value instead of its own.
    pub(crate) spoiled: Option<(String, f32)>,
    /// A tensor that has the content of another.
    pub(crate) copied: Option<(String, String)>,
}

/// A metadata value.
#[derive(Clone)]
pub(crate) enum Key {
    U32(u32),
    U64(u64),
    I32(i32),
    F32(f32),
    Bool(bool),
    Text(&'static str),
    I32s(Vec<i32>),
}

pub(crate) const WIDTH: usize = 8;
pub(crate) const VOCABULARY: usize = 16;
pub(crate) const INNER: usize = 12;
pub(crate) const LAYERS: usize = 2;

impl Tiny {
    /// As Llama: attention and a gated feed-forward in each layer.
    pub(crate) fn llama() -> Self {
        let keys = vec![
            ("attention.layer_norm_rms_epsilon", Key::F32(1e-5)),
            ("attention.scale", Key::F32(0.5)),
            ("rope.dimension_count", Key::U32(4)),
            ("rope.freq_base", Key::F32(10_000.0)),
            ("rope.scaling.type", Key::Text("yarn")),
            ("rope.scaling.factor", Key::F32(2.0)),
            ("rope.scaling.original_context_length", Key::U32(16)),
            ("rope.scaling.attn_factor", Key::F32(1.0)),
            ("rope.scaling.alpha", Key::F32(0.0)),
            ("nextn_predict_layers", Key::U32(0)),
        ];
        Self::new("llama", keys, |layer| [attention(layer), dense(layer)].concat())
    }

    /// As Gemma 3: windows of two kinds of layers, soft cap.
    pub(crate) fn windowed() -> Self {
        let keys = vec![
            ("attention.layer_norm_rms_epsilon", Key::F32(1e-5)),
            ("attention.key_length", Key::U32(4)),
            ("attention.value_length", Key::U32(4)),
            ("attention.sliding_window", Key::U32(2)),
            ("attention.sliding_window_pattern", Key::I32s(vec![1, 0])),
            ("rope.freq_base_swa", Key::F32(10_000.0)),
            ("rope.dimension_count_swa", Key::U32(4)),
            ("final_logit_softcapping", Key::F32(30.0)),
        ];
        Self::new("gemma3", keys, |layer| {
            let norm = |part: &str| (format!("blk.{layer}.{part}.weight"), vec![WIDTH / 2]);
            let after = |part: &str| (format!("blk.{layer}.{part}.weight"), vec![WIDTH]);
            let norms = vec![
                norm("attn_q_norm"),
                norm("attn_k_norm"),
                after("post_attention_norm"),
                after("post_ffw_norm"),
            ];
            [attention(layer), norms, dense(layer)].concat()
        })
    }

    /// As Llama 4: chunked windows and experts.
    pub(crate) fn experts() -> Self {
        let keys = vec![
            ("attention.layer_norm_rms_epsilon", Key::F32(1e-5)),
            ("attention.sliding_window", Key::U32(8192)),
            ("expert_count", Key::U32(4)),
            ("expert_used_count", Key::U32(2)),
            ("expert_gating_func", Key::U32(2)),
            ("expert_group_count", Key::U32(2)),
            ("expert_group_used_count", Key::U32(1)),
        ];
        Self::new("llama4", keys, |layer| {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            let experts = vec![
                (name("ffn_norm"), vec![WIDTH]),
                (name("ffn_gate_inp"), vec![4, WIDTH]),
                (name("ffn_gate_exps"), vec![4, INNER, WIDTH]),
                (name("ffn_up_exps"), vec![4, INNER, WIDTH]),
                (name("ffn_down_exps"), vec![4, WIDTH, INNER]),
                (name("ffn_gate_shexp"), vec![INNER, WIDTH]),
                (name("ffn_up_shexp"), vec![INNER, WIDTH]),
                (name("ffn_down_shexp"), vec![WIDTH, INNER]),
            ];
            [attention(layer), experts].concat()
        })
    }

    /// As DeepSeek-V2: latent attention.
    pub(crate) fn latent() -> Self {
        let keys = vec![
            ("attention.layer_norm_rms_epsilon", Key::F32(1e-5)),
            ("attention.key_length_mla", Key::U32(6)),
            ("attention.value_length_mla", Key::U32(4)),
            ("attention.q_lora_rank", Key::U32(3)),
            ("attention.kv_lora_rank", Key::U32(5)),
            ("rope.dimension_count", Key::U32(2)),
            ("rope.scaling.yarn_log_multiplier", Key::F32(0.1)),
            ("attention.temperature_scale", Key::F32(0.1)),
            ("attention.temperature_length", Key::U32(4)),
        ];
        Self::new("deepseek2", keys, |layer| {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            let latent = vec![
                (name("attn_norm"), vec![WIDTH]),
                (name("attn_q_a"), vec![3, WIDTH]),
                (name("attn_q_a_norm"), vec![3]),
                (name("attn_q_b"), vec![2 * 6, 3]),
                (name("attn_kv_a_mqa"), vec![5 + 2, WIDTH]),
                (name("attn_kv_a_norm"), vec![5]),
                (name("attn_k_b"), vec![2, 5, 4]),
                (name("attn_v_b"), vec![2, 4, 5]),
                (name("attn_output"), vec![WIDTH, 2 * 4]),
            ];
            [latent, dense(layer)].concat()
        })
    }

    /// As LFM2: a short convolution in the first layer.
    pub(crate) fn convolution() -> Self {
        let keys = vec![
            ("attention.layer_norm_rms_epsilon", Key::F32(1e-5)),
            ("shortconv.l_cache", Key::U32(3)),
            ("attention.sliding_window", Key::U32(4)),
        ];
        Self::new("lfm2", keys, |layer| {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            let convolution = vec![
                (name("attn_norm"), vec![WIDTH]),
                (name("shortconv.in_proj"), vec![3 * WIDTH, WIDTH]),
                (name("shortconv.conv"), vec![WIDTH, 3]),
                (name("shortconv.out_proj"), vec![WIDTH, WIDTH]),
            ];
            let norm = |part: &str| (name(part), vec![WIDTH / 2]);
            let attention = [attention(layer), vec![norm("attn_q_norm"), norm("attn_k_norm")]].concat();
            [if layer == 0 { convolution } else { attention }, dense(layer)].concat()
        })
    }

    pub(crate) fn new(
        architecture: &'static str,
        own_keys: Vec<(&'static str, Key)>,
        layer: impl Fn(usize) -> Vec<(String, Vec<usize>)>,
    ) -> Self {
        let mut keys = vec![
            ("embedding_length", Key::U32(WIDTH as u32)),
            ("block_count", Key::U32(LAYERS as u32)),
            ("context_length", Key::U32(32)),
            ("attention.head_count", Key::U32(2)),
            ("attention.head_count_kv", Key::U32(1)),
        ];
        keys.extend(own_keys);
        let mut tensors = vec![
            ("token_embd.weight".to_owned(), vec![VOCABULARY, WIDTH]),
            ("output_norm.weight".to_owned(), vec![WIDTH]),
            ("output.weight".to_owned(), vec![VOCABULARY, WIDTH]),
        ];
        tensors.extend((0..LAYERS).flat_map(layer));
        Self { architecture, keys, tensors, foreign: Vec::new(), spoiled: None, copied: None }
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.builder("none").build()
    }

    /// The file with this kind of vocabulary, of which it holds nothing else.
    pub(crate) fn builder(&self, vocabulary: &str) -> GgufBuilder {
        let mut builder = GgufBuilder::new(self.architecture).text("tokenizer.ggml.model", vocabulary);
        for (key, value) in &self.keys {
            let key = format!("{}.{key}", self.architecture);
            builder = match value {
                Key::U32(value) => builder.u32(&key, *value),
                Key::U64(value) => builder.raw(&key, value_type::U64, &value.to_le_bytes()),
                Key::I32(value) => builder.raw(&key, value_type::I32, &value.to_le_bytes()),
                Key::F32(value) => builder.f32(&key, *value),
                Key::Bool(value) => builder.boolean(&key, *value),
                Key::Text(value) => builder.text(&key, value),
                Key::I32s(values) => builder.i32s(&key, values),
            };
        }
        for (key, value) in &self.foreign {
            builder = builder.f32s(key, &[*value; LAYERS]);
        }
        for (name, shape) in &self.tensors {
            let source =
                self.copied.as_ref().filter(|(copy, _)| copy == name).map_or(name, |(_, source)| source);
            let seed: usize = source.bytes().map(usize::from).sum();
            let mut values: Vec<f32> = (0..shape.iter().product())
                .map(|element: usize| ((element * 7 + seed * 3) % 11) as f32 / 11.0 - 0.4)
                .collect();
            if let Some((_, value)) = self.spoiled.as_ref().filter(|(spoiled, _)| spoiled == name) {
                let middle = values.len() / 2;
                values[middle] = *value;
            }
            builder = builder.f32_tensor(name, shape, &values);
        }
        builder
    }

    /// Writes the file and loads the model from it.
    pub(crate) fn load(&self, context: usize, placement: &Placement) -> Result<LoadedExecutor, LoadError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), self.bytes()).unwrap();
        placements::load(file.path(), placement, context)
    }
}

fn attention(layer: usize) -> Vec<(String, Vec<usize>)> {
    let name = |part: &str| format!("blk.{layer}.{part}.weight");
    vec![
        (name("attn_norm"), vec![WIDTH]),
        (name("attn_q"), vec![WIDTH, WIDTH]),
        (name("attn_k"), vec![WIDTH / 2, WIDTH]),
        (name("attn_v"), vec![WIDTH / 2, WIDTH]),
        (name("attn_output"), vec![WIDTH, WIDTH]),
    ]
}

fn dense(layer: usize) -> Vec<(String, Vec<usize>)> {
    let name = |part: &str| format!("blk.{layer}.{part}.weight");
    vec![
        (name("ffn_norm"), vec![WIDTH]),
        (name("ffn_gate"), vec![INNER, WIDTH]),
        (name("ffn_up"), vec![INNER, WIDTH]),
        (name("ffn_down"), vec![WIDTH, INNER]),
    ]
}
