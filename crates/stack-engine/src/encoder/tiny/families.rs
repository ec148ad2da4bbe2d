//! The tiny models of the other families.

use serde_json::json;

use super::{HEADS, INNER, Key, LAYERS, POSITIONS, Tiny, WIDTH, WORDS};

impl Tiny {
    pub(super) fn nomic() -> Self {
        let config = json!({
            "model_type": "nomic_bert", "vocab_size": WORDS.len(), "n_embd": WIDTH, "n_layer": LAYERS,
            "n_head": HEADS, "n_inner": INNER, "n_positions": 8192, "max_trained_positions": POSITIONS,
            "layer_norm_epsilon": 1e-12, "activation_function": "swiglu", "rotary_emb_base": 1000,
            "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": false, "qkv_proj_bias": false,
            "prenorm": false, "causal": false,
        });
        let mut tiny = Self::of("nomic-bert", config, &[("rope.freq_base", Key::Real(1000.0))]);
        tiny.add("embeddings.word_embeddings.weight", "token_embd.weight", &[WORDS.len(), WIDTH]);
        tiny.add("embeddings.token_type_embeddings.weight", "token_types.weight", &[2, WIDTH]);
        tiny.add_pair("emb_ln", "token_embd_norm", &[WIDTH]);
        for layer in 0..LAYERS {
            let (from, to) = (format!("encoder.layers.{layer}"), format!("blk.{layer}"));
            for (part, name, shape) in [
                ("attn.Wqkv", "attn_qkv", [3 * WIDTH, WIDTH]),
                ("attn.out_proj", "attn_output", [WIDTH, WIDTH]),
                ("mlp.fc11", "ffn_up", [INNER, WIDTH]),
                ("mlp.fc12", "ffn_gate", [INNER, WIDTH]),
                ("mlp.fc2", "ffn_down", [WIDTH, INNER]),
            ] {
                tiny.add(&format!("{from}.{part}.weight"), &format!("{to}.{name}.weight"), &shape);
            }
            tiny.add_pair(&format!("{from}.norm1"), &format!("{to}.attn_output_norm"), &[WIDTH]);
            tiny.add_pair(&format!("{from}.norm2"), &format!("{to}.layer_output_norm"), &[WIDTH]);
        }
        tiny
    }

    pub(super) fn jina_v2() -> Self {
        let config = json!({
            "model_type": "bert", "architectures": ["JinaBertModel"], "num_hidden_layers": LAYERS,
            "layer_norm_eps": 1e-12, "hidden_act": "gelu", "position_embedding_type": "alibi",
            "feed_forward_type": "geglu", "emb_pooler": "mean", "type_vocab_size": 2,
        });
        let mut tiny = Self::of("jina-bert-v2", config, &[]);
        tiny.add("embeddings.word_embeddings.weight", "token_embd.weight", &[WORDS.len(), WIDTH]);
        tiny.add("embeddings.token_type_embeddings.weight", "token_types.weight", &[2, WIDTH]);
        tiny.add_pair("embeddings.LayerNorm", "token_embd_norm", &[WIDTH]);
        for layer in 0..LAYERS {
            let (from, to) = (format!("encoder.layer.{layer}"), format!("blk.{layer}"));
            for (part, name, shape) in [
                ("attention.self.query", "attn_q", &[WIDTH, WIDTH][..]),
                ("attention.self.key", "attn_k", &[WIDTH, WIDTH]),
                ("attention.self.value", "attn_v", &[WIDTH, WIDTH]),
                ("attention.self.layer_norm_q", "attn_q_norm", &[WIDTH]),
                ("attention.self.layer_norm_k", "attn_k_norm", &[WIDTH]),
                ("attention.output.dense", "attn_output", &[WIDTH, WIDTH]),
                ("attention.output.LayerNorm", "attn_output_norm", &[WIDTH]),
                ("mlp.wo", "ffn_down", &[WIDTH, INNER]),
                ("mlp.layernorm", "layer_output_norm", &[WIDTH]),
            ] {
                tiny.add_pair(&format!("{from}.{part}"), &format!("{to}.{name}"), shape);
            }
            let gated = (format!("{from}.mlp.gated_layers.weight"), format!("{to}.ffn_up.weight"));
            tiny.add(&gated.0, &gated.1, &[2 * INNER, WIDTH]);
        }
        tiny
    }

    pub(super) fn jina_v3() -> Self {
        let config = json!({
            "model_type": "xlm-roberta", "num_hidden_layers": LAYERS, "layer_norm_eps": 1e-12, "hidden_act": "gelu",
            "position_embedding_type": "rotary", "rotary_emb_base": 20000.0, "type_vocab_size": 1, "pad_token_id": 0,
            "max_position_embeddings": POSITIONS + 1, "lora_adaptations": ["retrieval.query"], "lora_rank": 4,
            "matryoshka_dimensions": [4, 8],
        });
        let mut tiny = Self::of("jina-bert-v3", config, &[("rope.freq_base", Key::Real(20000.0))]);
        let name = "roberta.embeddings.word_embeddings.parametrizations.weight.original";
        tiny.add(name, "token_embd.weight", &[WORDS.len(), WIDTH]);
        tiny.add("roberta.embeddings.token_type_embeddings.weight", "token_types.weight", &[1, WIDTH]);
        tiny.add_pair("roberta.emb_ln", "token_embd_norm", &[WIDTH]);
        for layer in 0..LAYERS {
            let (from, to) = (format!("roberta.encoder.layers.{layer}"), format!("blk.{layer}"));
            for (part, name, shape) in [
                ("mixer.Wqkv", "attn_qkv", &[3 * WIDTH, WIDTH][..]),
                ("mixer.out_proj", "attn_output", &[WIDTH, WIDTH]),
                ("norm1", "attn_output_norm", &[WIDTH]),
                ("mlp.fc1", "ffn_up", &[INNER, WIDTH]),
                ("mlp.fc2", "ffn_down", &[WIDTH, INNER]),
                ("norm2", "layer_output_norm", &[WIDTH]),
            ] {
                tiny.add_pair(&format!("{from}.{part}"), &format!("{to}.{name}"), shape);
            }
        }
        tiny
    }

    pub(super) fn modern() -> Self {
        let config = json!({
            "model_type": "modernbert", "num_hidden_layers": 4, "norm_eps": 1e-12, "hidden_activation": "gelu",
            "local_attention": 4, "global_attn_every_n_layers": 3, "global_rope_theta": 160_000.0,
            "local_rope_theta": 10000.0, "classifier_pooling": "mean", "norm_bias": false,
        });
        let keys = [
            ("attention.sliding_window", Key::Count(4)),
            ("attention.sliding_window_pattern", Key::Count(3)),
            ("rope.freq_base", Key::Real(160_000.0)),
            ("rope.freq_base_swa", Key::Real(10_000.0)),
            ("hidden_activation", Key::Name("gelu")),
        ];
        let mut tiny = Self::of("modern-bert", config, &keys);
        let add = |tiny: &mut Self, from: String, to: String, shape: &[usize]| {
            tiny.add(&format!("{from}.weight"), &format!("{to}.weight"), shape);
        };
        for (from, to, shape) in [
            ("model.embeddings.tok_embeddings", "token_embd", &[WORDS.len(), WIDTH][..]),
            ("model.embeddings.norm", "token_embd_norm", &[WIDTH]),
            ("model.final_norm", "output_norm", &[WIDTH]),
            ("head.dense", "cls", &[WIDTH, WIDTH]),
            ("head.norm", "cls.norm", &[WIDTH]),
        ] {
            add(&mut tiny, from.into(), to.into(), shape);
        }
        tiny.add_pair("classifier", "cls.output", &[1, WIDTH]);
        for layer in 0..4 {
            for (part, name, shape) in [
                ("attn_norm", "attn_norm", &[WIDTH][..]),
                ("attn.Wqkv", "attn_qkv", &[3 * WIDTH, WIDTH]),
                ("attn.Wo", "attn_output", &[WIDTH, WIDTH]),
                ("mlp_norm", "ffn_norm", &[WIDTH]),
                ("mlp.Wi", "ffn_up", &[2 * INNER, WIDTH]),
                ("mlp.Wo", "ffn_down", &[WIDTH, INNER]),
            ] {
                if layer > 0 || part != "attn_norm" {
                    add(
                        &mut tiny,
                        format!("model.layers.{layer}.{part}"),
                        format!("blk.{layer}.{name}"),
                        shape,
                    );
                }
            }
        }
        tiny
    }

    pub(super) fn gemma() -> Self {
        const LENGTH: usize = 6;
        let config = json!({
            "model_type": "gemma3_text", "use_bidirectional_attention": true, "num_hidden_layers": 3,
            "num_key_value_heads": 1, "head_dim": LENGTH, "query_pre_attn_scalar": LENGTH, "rms_norm_eps": 1e-6,
            "hidden_activation": "gelu_pytorch_tanh", "sliding_window": 4,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"], "rope_theta": 1_000_000.0,
            "rope_local_base_freq": 10000.0,
        });
        let keys = [
            ("attention.layer_norm_rms_epsilon", Key::Real(1e-6)),
            ("attention.head_count_kv", Key::Count(1)),
            ("attention.key_length", Key::Count(LENGTH as u32)),
            ("attention.value_length", Key::Count(LENGTH as u32)),
            ("attention.sliding_window", Key::Count(4)),
            ("attention.sliding_window_pattern", Key::Count(2)),
            ("rope.freq_base", Key::Real(1_000_000.0)),
            ("rope.freq_base_swa", Key::Real(10_000.0)),
        ];
        let mut tiny = Self::of("gemma-embedding", config, &keys);
        tiny.add("embed_tokens.weight", "token_embd.weight", &[WORDS.len(), WIDTH]);
        tiny.add("norm.weight", "output_norm.weight", &[WIDTH]);
        for layer in 0..3 {
            for (part, name, shape) in [
                ("input_layernorm", "attn_norm", &[WIDTH][..]),
                ("self_attn.q_proj", "attn_q", &[HEADS * LENGTH, WIDTH]),
                ("self_attn.k_proj", "attn_k", &[LENGTH, WIDTH]),
                ("self_attn.v_proj", "attn_v", &[LENGTH, WIDTH]),
                ("self_attn.q_norm", "attn_q_norm", &[LENGTH]),
                ("self_attn.k_norm", "attn_k_norm", &[LENGTH]),
                ("self_attn.o_proj", "attn_output", &[WIDTH, HEADS * LENGTH]),
                ("post_attention_layernorm", "post_attention_norm", &[WIDTH]),
                ("pre_feedforward_layernorm", "ffn_norm", &[WIDTH]),
                ("mlp.gate_proj", "ffn_gate", &[INNER, WIDTH]),
                ("mlp.up_proj", "ffn_up", &[INNER, WIDTH]),
                ("mlp.down_proj", "ffn_down", &[WIDTH, INNER]),
                ("post_feedforward_layernorm", "post_ffw_norm", &[WIDTH]),
            ] {
                let (from, to) =
                    (format!("layers.{layer}.{part}.weight"), format!("blk.{layer}.{name}.weight"));
                tiny.add(&from, &to, shape);
            }
        }
        tiny
    }
}
