//! What `config.json` and the tensors of each kind of directory are called, and what they become in GGUF.

use serde_json::Value as Json;

/// A kind of model directory.
pub(super) struct Kind {
    /// The architecture, as GGUF names it.
    pub(super) architecture: &'static str,
    /// What may stand in front of every tensor's name.
    pub(super) prefixes: &'static [&'static str],
    /// What stands in front of a layer's number.
    pub(super) layers: &'static str,
    /// Tensors outside of layers.
    pub(super) outside: Names,
    /// Tensors of a layer.
    pub(super) inside: Names,
    /// The head of a model that classifies or ranks; of other models it is left.
    pub(super) head: Names,
    /// Beginnings of names that are no part of the encoder.
    pub(super) ignored: &'static [&'static str],
    pub(super) settings: &'static [(&'static str, Setting)],
    /// Settings that change nothing, beside those that never do.
    pub(super) irrelevant: &'static [&'static str],
    /// Whether rows of the table of positions up to the padding token's belong to no position (`RoBERTa`).
    pub(super) padded_positions: bool,
    /// Whether weights of norms are stored less one (Gemma).
    pub(super) norms_less_one: bool,
}

/// Names in a directory, without `.weight` or `.bias`, and in GGUF.
type Names = &'static [(&'static str, &'static str)];

/// What a setting becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// A whole number that must be there, under this key.
    Count(&'static str),
    /// A whole number, if it is there.
    OptionalCount(&'static str),
    /// A number, if it is there.
    Number(&'static str),
    /// A name, if it is there.
    Text(&'static str),
    /// The pooling of hidden states by name, if it is there.
    Pooling(&'static str),
    /// A list of whole numbers, if it is there.
    Counts(&'static str),
    /// Which layers have a window, by name, if it is there.
    LayerTypes(&'static str),
    /// It must be one of these, if it is there; other values mean something that is not known.
    Is(&'static [&'static str]),
}

impl Kind {
    /// The kind that `config.json` describes, if it is one of an encoder.
    pub(super) fn of(config: &Json) -> Option<&'static Self> {
        let says = |name: &str, value: &str| config[name] == value;
        match config["model_type"].as_str()? {
            "bert" if says("position_embedding_type", "alibi") => Some(&JINA_V2),
            "bert" => Some(&BERT),
            "xlm-roberta" if says("position_embedding_type", "rotary") => Some(&JINA_V3),
            "roberta" | "xlm-roberta" | "camembert" => Some(&ROBERTA),
            "nomic_bert" => Some(&NOMIC),
            "modernbert" => Some(&MODERN),
            "gemma3_text" if config["use_bidirectional_attention"] == true => Some(&GEMMA),
            _ => None,
        }
    }
}

use Setting::{Count, Counts, Is, LayerTypes, Number, OptionalCount, Pooling, Text};

const BERT: Kind = Kind {
    architecture: "bert",
    prefixes: &["bert."],
    layers: "encoder.layer.",
    outside: &[
        ("embeddings.word_embeddings", "token_embd"),
        ("embeddings.position_embeddings", "position_embd"),
        ("embeddings.token_type_embeddings", "token_types"),
        ("embeddings.LayerNorm", "token_embd_norm"),
    ],
    inside: &[
        ("attention.self.query", "attn_q"),
        ("attention.self.key", "attn_k"),
        ("attention.self.value", "attn_v"),
        ("attention.output.dense", "attn_output"),
        ("attention.output.LayerNorm", "attn_output_norm"),
        ("intermediate.dense", "ffn_up"),
        ("output.dense", "ffn_down"),
        ("output.LayerNorm", "layer_output_norm"),
    ],
    head: &[("pooler.dense", "cls"), ("classifier", "cls.output")],
    ignored: &["embeddings.position_ids", "embeddings.token_type_ids", "pooler.", "cls."],
    settings: &[
        ("vocab_size", Count("vocab_size")),
        ("hidden_size", Count("embedding_length")),
        ("num_hidden_layers", Count("block_count")),
        ("num_attention_heads", Count("attention.head_count")),
        ("intermediate_size", Count("feed_forward_length")),
        ("max_position_embeddings", Count("context_length")),
        ("layer_norm_eps", Number("attention.layer_norm_epsilon")),
        ("hidden_act", Text("hidden_activation")),
        ("position_embedding_type", Is(&["absolute"])),
        ("matryoshka_dimensions", Counts("matryoshka_dimensions")),
    ],
    irrelevant: &["type_vocab_size", "directionality"],
    padded_positions: false,
    norms_less_one: false,
};

/// `RoBERTa`, XLM-RoBERTa and `CamemBERT` are BERT with other names and positions that begin behind the padding token's.
const ROBERTA: Kind = Kind {
    prefixes: &["roberta."],
    head: &[("classifier.dense", "cls"), ("classifier.out_proj", "cls.output")],
    ignored: &["embeddings.position_ids", "embeddings.token_type_ids", "pooler.", "lm_head."],
    padded_positions: true,
    ..BERT
};

const JINA_V2: Kind = Kind {
    architecture: "jina-bert-v2",
    outside: &[
        ("embeddings.word_embeddings", "token_embd"),
        ("embeddings.token_type_embeddings", "token_types"),
        ("embeddings.LayerNorm", "token_embd_norm"),
    ],
    inside: &[
        ("attention.self.query", "attn_q"),
        ("attention.self.key", "attn_k"),
        ("attention.self.value", "attn_v"),
        ("attention.self.layer_norm_q", "attn_q_norm"),
        ("attention.self.layer_norm_k", "attn_k_norm"),
        ("attention.output.dense", "attn_output"),
        ("attention.output.LayerNorm", "attn_output_norm"),
        ("mlp.gated_layers", "ffn_up"),
        ("mlp.wo", "ffn_down"),
        ("mlp.layernorm", "layer_output_norm"),
    ],
    settings: &[
        ("vocab_size", Count("vocab_size")),
        ("hidden_size", Count("embedding_length")),
        ("num_hidden_layers", Count("block_count")),
        ("num_attention_heads", Count("attention.head_count")),
        ("intermediate_size", Count("feed_forward_length")),
        ("max_position_embeddings", Count("context_length")),
        ("layer_norm_eps", Number("attention.layer_norm_epsilon")),
        ("hidden_act", Text("hidden_activation")),
        ("position_embedding_type", Is(&["alibi"])),
        ("feed_forward_type", Is(&["geglu"])),
        ("emb_pooler", Pooling("pooling_type")),
    ],
    irrelevant: &["type_vocab_size", "directionality", "model_max_length"],
    ..BERT
};

const JINA_V3: Kind = Kind {
    architecture: "jina-bert-v3",
    prefixes: &["roberta."],
    layers: "encoder.layers.",
    outside: &[
        ("embeddings.word_embeddings", "token_embd"),
        ("embeddings.token_type_embeddings", "token_types"),
        ("emb_ln", "token_embd_norm"),
    ],
    inside: &[
        ("mixer.Wqkv", "attn_qkv"),
        ("mixer.out_proj", "attn_output"),
        ("norm1", "attn_output_norm"),
        ("mlp.fc1", "ffn_up"),
        ("mlp.fc2", "ffn_down"),
        ("norm2", "layer_output_norm"),
    ],
    head: &[],
    ignored: &["pooler.", "lm_head."],
    settings: &[
        ("vocab_size", Count("vocab_size")),
        ("hidden_size", Count("embedding_length")),
        ("num_hidden_layers", Count("block_count")),
        ("num_attention_heads", Count("attention.head_count")),
        ("intermediate_size", Count("feed_forward_length")),
        ("max_position_embeddings", Count("context_length")),
        ("layer_norm_eps", Number("attention.layer_norm_epsilon")),
        ("hidden_act", Text("hidden_activation")),
        ("rotary_emb_base", Number("rope.freq_base")),
        ("position_embedding_type", Is(&["rotary"])),
        ("emb_pooler", Pooling("pooling_type")),
        ("matryoshka_dimensions", Counts("matryoshka_dimensions")),
    ],
    // Adapters are used only where a task asks for one.
    irrelevant: &[
        "type_vocab_size",
        "load_trained_adapters",
        "lora_adaptations",
        "lora_alpha",
        "lora_dropout_p",
        "lora_main_params_trainable",
        "lora_rank",
        "task_instructions",
    ],
    ..ROBERTA
};

const NOMIC: Kind = Kind {
    architecture: "nomic-bert",
    layers: "encoder.layers.",
    outside: &[
        ("embeddings.word_embeddings", "token_embd"),
        ("embeddings.token_type_embeddings", "token_types"),
        ("emb_ln", "token_embd_norm"),
    ],
    inside: &[
        ("attn.Wqkv", "attn_qkv"),
        ("attn.out_proj", "attn_output"),
        ("norm1", "attn_output_norm"),
        ("mlp.fc11", "ffn_up"),
        ("mlp.fc12", "ffn_gate"),
        ("mlp.fc2", "ffn_down"),
        ("norm2", "layer_output_norm"),
    ],
    head: &[],
    settings: &[
        ("vocab_size", Count("vocab_size")),
        ("n_embd", Count("embedding_length")),
        ("n_layer", Count("block_count")),
        ("n_head", Count("attention.head_count")),
        ("n_inner", Count("feed_forward_length")),
        // The first one counts: positions behind those that were trained are made of nothing.
        ("max_trained_positions", OptionalCount("context_length")),
        ("n_positions", Count("context_length")),
        ("layer_norm_epsilon", Number("attention.layer_norm_epsilon")),
        ("rotary_emb_base", Number("rope.freq_base")),
        ("rotary_emb_fraction", Is(&["1.0", "1"])),
        ("activation_function", Is(&["swiglu"])),
        ("matryoshka_dimensions", Counts("matryoshka_dimensions")),
    ],
    // Beyond the trained positions, which the context is cut to, the base would be stretched.
    irrelevant: &[
        "type_vocab_size",
        "dense_seq_output",
        "fused_bias_fc",
        "mlp_checkpoint_lvl",
        "pad_vocab_size_multiple",
        "rotary_scaling_factor",
        "scale_attn_weights",
        "use_xentropy",
    ],
    ..BERT
};

const MODERN: Kind = Kind {
    architecture: "modern-bert",
    prefixes: &["model."],
    layers: "layers.",
    outside: &[
        ("embeddings.tok_embeddings", "token_embd"),
        ("embeddings.norm", "token_embd_norm"),
        ("final_norm", "output_norm"),
    ],
    inside: &[
        ("attn_norm", "attn_norm"),
        ("attn.Wqkv", "attn_qkv"),
        ("attn.Wo", "attn_output"),
        ("mlp_norm", "ffn_norm"),
        ("mlp.Wi", "ffn_up"),
        ("mlp.Wo", "ffn_down"),
    ],
    head: &[("head.dense", "cls"), ("head.norm", "cls.norm"), ("classifier", "cls.output")],
    ignored: &["head.", "decoder."],
    settings: &[
        ("vocab_size", Count("vocab_size")),
        ("hidden_size", Count("embedding_length")),
        ("num_hidden_layers", Count("block_count")),
        ("num_attention_heads", Count("attention.head_count")),
        ("intermediate_size", Count("feed_forward_length")),
        ("max_position_embeddings", Count("context_length")),
        ("norm_eps", Number("attention.layer_norm_epsilon")),
        ("hidden_activation", Text("hidden_activation")),
        ("local_attention", Count("attention.sliding_window")),
        ("global_attn_every_n_layers", OptionalCount("attention.sliding_window_pattern")),
        ("layer_types", LayerTypes("attention.sliding_window_pattern")),
        ("global_rope_theta", Number("rope.freq_base")),
        ("local_rope_theta", Number("rope.freq_base_swa")),
        ("classifier_pooling", Pooling("classifier.pooling_type")),
        ("classifier_activation", Is(&["gelu"])),
        ("position_embedding_type", Is(&["absolute", "rope", "sans_pos"])),
        ("matryoshka_dimensions", Counts("matryoshka_dimensions")),
    ],
    irrelevant: &[
        "classifier_bias",
        "decoder_bias",
        "deterministic_flash_attn",
        "initializer_cutoff_factor",
        "layer_norm_eps",
        "mlp_dropout",
        "reference_compile",
        "repad_logits_with_grad",
        "sparse_pred_ignore_index",
        "sparse_prediction",
    ],
    ..BERT
};

const GEMMA: Kind = Kind {
    architecture: "gemma-embedding",
    prefixes: &["model."],
    layers: "layers.",
    outside: &[("embed_tokens", "token_embd"), ("norm", "output_norm")],
    inside: &[
        ("input_layernorm", "attn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("self_attn.o_proj", "attn_output"),
        ("post_attention_layernorm", "post_attention_norm"),
        ("pre_feedforward_layernorm", "ffn_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("post_feedforward_layernorm", "post_ffw_norm"),
    ],
    head: &[],
    ignored: &["lm_head."],
    settings: &[
        ("vocab_size", Count("vocab_size")),
        ("hidden_size", Count("embedding_length")),
        ("num_hidden_layers", Count("block_count")),
        ("num_attention_heads", Count("attention.head_count")),
        ("num_key_value_heads", Count("attention.head_count_kv")),
        ("head_dim", Count("attention.key_length")),
        ("intermediate_size", Count("feed_forward_length")),
        ("max_position_embeddings", Count("context_length")),
        ("rms_norm_eps", Number("attention.layer_norm_rms_epsilon")),
        ("hidden_activation", Text("hidden_activation")),
        ("sliding_window", Count("attention.sliding_window")),
        ("sliding_window_pattern", OptionalCount("attention.sliding_window_pattern")),
        ("_sliding_window_pattern", OptionalCount("attention.sliding_window_pattern")),
        ("layer_types", LayerTypes("attention.sliding_window_pattern")),
        ("rope_theta", Number("rope.freq_base")),
        ("rope_local_base_freq", Number("rope.freq_base_swa")),
    ],
    irrelevant: &["use_bidirectional_attention", "query_pre_attn_scalar"],
    norms_less_one: true,
    ..BERT
};
