//! A `SafeTensors` directory as a source of weights.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use super::super::{Files, LoadError, LoadErrorKind, Metadata, TensorData, TensorInfo, WeightSource};
use super::SafeTensorsDir;
use super::config::Config;
use super::family::Family;
use super::recipe::Recipe;
use super::rope::Rope;
use super::{keys, names, recipes, settings};

/// A model in a `SafeTensors` directory, under GGUF's names.
#[derive(Debug)]
pub struct SafeTensorsModel {
    dir: SafeTensorsDir,
    family: &'static Family,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    recipes: Vec<Recipe>,
    by_name: HashMap<String, usize>,
}

impl SafeTensorsModel {
    /// Opens a directory with a model of a family that is known.
    ///
    /// # Errors
    ///
    /// Names the file, setting or tensor that is missing or wrong; for an unknown family, lists the known ones.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        Self::read_from(Files::at(path)?)
    }

    /// Reads the model of a folder.
    pub(in super::super) fn read_from(files: Files) -> Result<Self, LoadError> {
        Self::new(SafeTensorsDir::read_from(files)?).map_err(LoadError::of_model)
    }

    fn new(dir: SafeTensorsDir) -> Result<Self, LoadError> {
        let config = Config::new(dir.config())?;
        // MLX repeats these settings under the name that the next check looks at.
        if config.object(&["quantization"])?.is_some_and(|settings| settings.contains_key("group_size")) {
            let problem = "says that the weights are quantized for MLX; F32, F16 and BF16 are read";
            let error = LoadError::new("config.json, quantization", problem);
            return Err(error.of_kind(LoadErrorKind::UnknownQuantization));
        }
        if let Some(method) = quantization(&config)? {
            let problem =
                format!("says that the weights are quantized with {method}; F32, F16 and BF16 are read");
            let error = LoadError::new("config.json, quantization_config", problem);
            return Err(error.of_kind(LoadErrorKind::UnknownQuantization));
        }
        let family = Family::of(&config)?;
        let rope = Rope::new(&config)?;
        let metadata = keys::metadata(dir.files().path(), family, &config, &rope)?;
        settings::check(&dir, family, &config)?;
        let recipes = recipes::for_model(&dir, family, &config, &rope)?;
        config.excuse(&["architectures"]);
        rope.refuse_unasked()?;
        config.refuse_unasked()?;
        let tensors: Vec<TensorInfo> = recipes.iter().map(|recipe| recipe.info.clone()).collect();
        let by_name = tensors.iter().enumerate().map(|(index, info)| (info.name.clone(), index)).collect();
        Ok(Self { dir, family, metadata, tensors, recipes, by_name })
    }
}

impl WeightSource for SafeTensorsModel {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.by_name.get(name).map(|&index| &self.tensors[index])
    }

    fn data(&self, name: &str) -> Result<TensorData<'_>, LoadError> {
        let Some(&index) = self.by_name.get(name) else {
            return Err(LoadError::new(format!("tensor {name}"), "is not in the model"));
        };
        self.recipes[index].data(&self.dir)
    }

    fn files(&self) -> &Files {
        self.dir.files()
    }

    fn into_files(self: Box<Self>) -> Files {
        self.dir.into_files()
    }

    fn size_bytes(&self) -> u64 {
        self.dir.size_bytes()
    }

    fn name_in_files<'a>(&self, name: &'a str) -> Cow<'a, str> {
        names::in_directory(self.family, &self.dir.names(), name).map_or(Cow::Borrowed(name), Cow::Owned)
    }
}

fn quantization<'a>(config: &Config<'a>) -> Result<Option<&'a str>, LoadError> {
    let Some(settings) = config.object(&["quantization_config"])? else { return Ok(None) };
    Ok(Some(
        config
            .part("quantization_config.", Some(settings))
            .text(&["quant_method"])?
            .unwrap_or("an unnamed method"),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "elements are moved, not computed")]

    use std::fs;

    use half::bf16;
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;
    use serde_json::{Value as Json, json};
    use tempfile::TempDir;

    use super::super::super::{Foreign, TensorType, dequantize};
    use super::*;
    use crate::executor::Placement;
    use crate::spec::DecoderSpec;

    /// Tensors whose elements all differ: counted up through all of them, in steps that bf16 can tell apart.
    #[derive(Default)]
    struct Tensors {
        list: Vec<(String, Vec<usize>, Vec<f32>)>,
    }

    impl Tensors {
        fn with(mut self, name: &str, shape: &[usize]) -> Self {
            let count: usize = shape.iter().product();
            let first = self.list.len() as f32;
            let values = (0..count).map(|n| first + n as f32).collect();
            self.list.push((name.to_owned(), shape.to_vec(), values));
            self
        }

        fn values(&self, name: &str) -> &[f32] {
            &self.list.iter().find(|(known, _, _)| known == name).unwrap().2
        }

        fn file(&self, dtype: Dtype) -> Vec<u8> {
            let bytes: Vec<Vec<u8>> = self.list.iter().map(|(_, _, values)| encoded(values, dtype)).collect();
            let views = self.list.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
                (name.as_str(), TensorView::new(dtype, shape.clone(), bytes).unwrap())
            });
            safetensors::serialize(views, None).unwrap()
        }

        fn open(&self, config: &Json, dtype: Dtype) -> Result<(TempDir, SafeTensorsModel), LoadError> {
            let dir = directory(config);
            fs::write(dir.path().join("model.safetensors"), self.file(dtype)).unwrap();
            let model = SafeTensorsModel::open(dir.path())?;
            Ok((dir, model))
        }
    }

    fn encoded(values: &[f32], dtype: Dtype) -> Vec<u8> {
        match dtype {
            Dtype::BF16 => values.iter().flat_map(|&value| bf16::from_f32(value).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    fn directory(config: &Json) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        dir
    }

    fn read(model: &SafeTensorsModel, name: &str) -> Vec<f32> {
        let info = model.tensor(name).unwrap();
        let bytes = model.read(name).unwrap();
        assert_eq!(bytes.len() as u64, info.bytes);
        let mut values = vec![0.0; info.elements()];
        dequantize(info.ty.unwrap(), &bytes, &mut values).unwrap();
        values
    }

    fn config(class: &str, more: &Json) -> Json {
        let mut config = json!({
            "architectures": [class],
            "hidden_size": 16, "intermediate_size": 4, "num_hidden_layers": 1, "vocab_size": 3,
            "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 64,
            "rms_norm_eps": 1e-5, "rope_theta": 500_000.0, "bos_token_id": 1, "eos_token_id": [2, 0],
            "tie_word_embeddings": true,
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    }

    fn attention(tensors: Tensors) -> Tensors {
        tensors
            .with("model.embed_tokens.weight", &[3, 16])
            .with("model.norm.weight", &[16])
            .with("model.layers.0.input_layernorm.weight", &[16])
            .with("model.layers.0.self_attn.q_proj.weight", &[16, 16])
            .with("model.layers.0.self_attn.k_proj.weight", &[8, 16])
            .with("model.layers.0.self_attn.v_proj.weight", &[8, 16])
            .with("model.layers.0.self_attn.o_proj.weight", &[16, 16])
            .with("model.layers.0.post_attention_layernorm.weight", &[16])
    }

    fn dense(tensors: Tensors) -> Tensors {
        attention(tensors)
            .with("model.layers.0.mlp.gate_proj.weight", &[4, 16])
            .with("model.layers.0.mlp.up_proj.weight", &[4, 16])
            .with("model.layers.0.mlp.down_proj.weight", &[16, 4])
    }

    /// `weights.reshape(heads, 2, head / 2, columns).swapaxes(1, 2)`, as the conversion has it.
    fn permuted(values: &[f32], heads: usize, columns: usize) -> Vec<f32> {
        let half = values.len() / columns / heads / 2;
        let mut out = Vec::new();
        for head in 0..heads {
            for within in 0..half {
                for which in 0..2 {
                    let row = (head * 2 + which) * half + within;
                    out.extend_from_slice(&values[row * columns..(row + 1) * columns]);
                }
            }
        }
        out
    }

    #[test]
    fn llama_has_its_rows_interleaved_and_its_frequencies_as_a_tensor() {
        let scaling = json!({"rope_scaling": {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        }});
        let tensors = dense(Tensors::default());
        let (_dir, model) = tensors.open(&config("LlamaForCausalLM", &scaling), Dtype::F32).unwrap();
        let metadata = model.metadata();
        assert_eq!(metadata.text("general.architecture").unwrap(), Some("llama"));
        for (key, value) in [
            ("llama.block_count", 1),
            ("llama.vocab_size", 3),
            ("llama.context_length", 64),
            ("llama.embedding_length", 16),
            ("llama.feed_forward_length", 4),
            ("llama.attention.head_count", 2),
            ("llama.attention.head_count_kv", 1),
            ("llama.rope.dimension_count", 8),
            ("tokenizer.ggml.bos_token_id", 1),
            ("tokenizer.ggml.eos_token_id", 2),
        ] {
            assert_eq!(metadata.integer(key).unwrap(), Some(value), "{key}");
        }
        assert_eq!(metadata.float("llama.rope.freq_base").unwrap(), Some(500_000.0));
        assert_eq!(metadata.float("llama.attention.layer_norm_rms_epsilon").unwrap(), Some(1e-5));
        assert!(
            metadata.value("llama.rope.scaling.type").is_none() && model.tensor("output.weight").is_none()
        );

        let q = tensors.values("model.layers.0.self_attn.q_proj.weight");
        assert_eq!(read(&model, "blk.0.attn_q.weight"), permuted(q, 2, 16));
        let k = tensors.values("model.layers.0.self_attn.k_proj.weight");
        assert_eq!(read(&model, "blk.0.attn_k.weight"), permuted(k, 1, 16));
        let v = tensors.values("model.layers.0.self_attn.v_proj.weight");
        assert_eq!(read(&model, "blk.0.attn_v.weight"), v);
        assert_eq!(model.tensor("blk.0.ffn_down.weight").unwrap().shape, [16, 4]);
        let post = tensors.values("model.layers.0.post_attention_layernorm.weight");
        assert_eq!(read(&model, "blk.0.ffn_norm.weight"), post);
        assert_eq!(model.tensors().len(), 12);

        // The conversion's formula for these settings, evaluated apart from this program.
        let factors = read(&model, "rope_freqs.weight");
        assert_eq!((factors.len(), factors[0], factors[1], factors[3]), (4, 1.0, 1.0, 8.0));
        assert!((factors[2] - 2.694_529_7).abs() < 1e-5, "{}", factors[2]);
    }

    #[test]
    fn qwen2_keeps_its_rows_its_types_and_its_biases() {
        let tensors = dense(Tensors::default())
            .with("model.layers.0.self_attn.q_proj.bias", &[16])
            .with("model.layers.0.self_attn.k_proj.bias", &[8])
            .with("model.layers.0.self_attn.v_proj.bias", &[8])
            .with("lm_head.weight", &[3, 16]);
        let config = config("Qwen2ForCausalLM", &json!({"tie_word_embeddings": false}));
        let (_dir, model) = tensors.open(&config, Dtype::BF16).unwrap();
        assert_eq!(model.metadata().text("general.architecture").unwrap(), Some("qwen2"));
        assert_eq!(model.tensor("blk.0.attn_q.weight").unwrap().ty, Ok(TensorType::BF16));
        let expected = tensors.values("model.layers.0.self_attn.q_proj.weight");
        assert_eq!(read(&model, "blk.0.attn_q.weight")[..100], expected[..100]);
        assert_eq!(model.tensor("blk.0.attn_q.bias").unwrap().ty, Ok(TensorType::F32));
        assert_eq!(read(&model, "blk.0.attn_q.bias"), tensors.values("model.layers.0.self_attn.q_proj.bias"));
        assert_eq!(model.tensor("blk.0.attn_norm.weight").unwrap().ty, Ok(TensorType::F32));
        assert_eq!(model.tensor("output.weight").unwrap().shape, [3, 16]);
    }

    #[test]
    fn experts_are_stacked_in_their_order() {
        let layer = "model.layers.0.block_sparse_moe";
        let mut tensors = attention(Tensors::default()).with(&format!("{layer}.gate.weight"), &[11, 16]);
        for expert in 0..11 {
            tensors = tensors
                .with(&format!("{layer}.experts.{expert}.w1.weight"), &[4, 16])
                .with(&format!("{layer}.experts.{expert}.w2.weight"), &[16, 4])
                .with(&format!("{layer}.experts.{expert}.w3.weight"), &[4, 16]);
        }
        let config =
            config("MixtralForCausalLM", &json!({"num_local_experts": 11, "num_experts_per_tok": 2}));
        let (_dir, model) = tensors.open(&config, Dtype::F32).unwrap();
        assert_eq!(model.metadata().integer("llama.expert_count").unwrap(), Some(11));
        assert_eq!(model.metadata().integer("llama.expert_used_count").unwrap(), Some(2));
        assert_eq!(model.tensor("blk.0.ffn_up_exps.weight").unwrap().shape, [11, 4, 16]);
        let expected: Vec<f32> = (0..11)
            .flat_map(|expert| tensors.values(&format!("{layer}.experts.{expert}.w2.weight")).to_vec())
            .collect();
        assert_eq!(read(&model, "blk.0.ffn_down_exps.weight"), expected);
        tensors
            .list
            .retain(|(name, _, _)| !name.ends_with("experts.10.w3.weight") && !name.contains("experts.4.w3"));
        let error = tensors.open(&config, Dtype::F32).err().unwrap().to_string();
        assert!(error.contains("experts.4.w3.weight: is missing"), "{error}");
    }

    #[test]
    fn gemma_norms_get_their_one_and_its_output_is_the_embedding() {
        let tensors =
            dense(Tensors::default()).with("model.layers.0.pre_feedforward_layernorm.weight", &[16]);
        let more = json!({"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
            "sliding_window": 4096, "head_dim": 8, "query_pre_attn_scalar": 8});
        let (_dir, model) = tensors.open(&config("Gemma2ForCausalLM", &more), Dtype::BF16).unwrap();
        let norm = tensors.values("model.norm.weight");
        let expected: Vec<f32> = norm.iter().map(|value| value + 1.0).collect();
        assert_eq!(read(&model, "output_norm.weight"), expected);
        assert!(model.tensor("blk.0.post_attention_norm.weight").is_some());
        assert!(model.tensor("blk.0.ffn_norm.weight").is_some() && model.tensor("output.weight").is_none());
        assert_eq!(model.metadata().float("gemma2.attn_logit_softcapping").unwrap(), Some(50.0));
        assert_eq!(model.metadata().integer("gemma2.attention.sliding_window").unwrap(), Some(4096));
    }

    #[test]
    fn gemma3_is_found_inside_a_configuration_with_vision() {
        let prefixed = Tensors::default()
            .with("language_model.model.embed_tokens.weight", &[3, 16])
            .with("language_model.model.layers.0.self_attn.q_norm.weight", &[8])
            .with("vision_tower.encoder.weight", &[2, 2]);
        let config = json!({
            "architectures": ["Gemma3ForConditionalGeneration"],
            "text_config": {"hidden_size": 16, "intermediate_size": 4, "num_hidden_layers": 1,
                "num_attention_heads": 2, "sliding_window": 512, "rope_local_base_freq": 10000.0,
                "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
        });
        let (_dir, model) = prefixed.open(&config, Dtype::F32).unwrap();
        assert_eq!(model.tensors().len(), 2);
        let metadata = model.metadata();
        assert_eq!(metadata.float("gemma3.rope.freq_base").unwrap(), Some(1e6));
        assert_eq!(metadata.float("gemma3.rope.freq_base_swa").unwrap(), Some(1e4));
        assert_eq!(metadata.text("gemma3.rope.scaling.type").unwrap(), Some("linear"));
        assert_eq!(metadata.float("gemma3.rope.scaling.factor").unwrap(), Some(8.0));
        assert_eq!(metadata.integer("gemma3.attention.key_length").unwrap(), Some(256));
    }

    #[test]
    fn neox_is_sorted_by_kind_and_gpt2_is_turned() {
        let tensors = Tensors::default().with("gpt_neox.layers.0.attention.query_key_value.weight", &[48, 2]);
        let more = json!({"rotary_pct": 0.25, "layer_norm_eps": 1e-5, "num_key_value_heads": null,
            "attention_bias": false});
        let (_dir, model) = tensors.open(&config("GPTNeoXForCausalLM", &more), Dtype::F32).unwrap();
        let source = tensors.values("gpt_neox.layers.0.attention.query_key_value.weight");
        let mut expected = Vec::new();
        for kind in 0..3 {
            for head in 0..2 {
                let at = (head * 3 + kind) * 8 * 2;
                expected.extend_from_slice(&source[at..at + 16]);
            }
        }
        assert_eq!(read(&model, "blk.0.attn_qkv.weight"), expected);
        assert_eq!(model.metadata().integer("gptneox.rope.dimension_count").unwrap(), Some(2));

        let tensors = Tensors::default().with("h.0.mlp.c_fc.weight", &[2, 3]).with("h.0.mlp.c_fc.bias", &[3]);
        let config =
            json!({"architectures": ["GPT2LMHeadModel"], "n_embd": 2, "n_head": 1, "n_layer": 1, "n_ctx": 8});
        let (_dir, model) = tensors.open(&config, Dtype::F32).unwrap();
        assert_eq!(model.tensor("blk.0.ffn_up.weight").unwrap().shape, [3, 2]);
        assert_eq!(read(&model, "blk.0.ffn_up.weight"), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(model.metadata().integer("gpt2.feed_forward_length").unwrap(), Some(8));
    }

    #[test]
    fn shards_are_found_by_the_index_and_only_beside_it() {
        let tensors = dense(Tensors::default());
        let (first, second) = tensors.list.split_at(4);
        let dir = directory(&config("Qwen3ForCausalLM", &json!({})));
        let mut map = serde_json::Map::new();
        for (file, list) in [("a.safetensors", first), ("b.safetensors", second)] {
            fs::write(dir.path().join(file), Tensors { list: list.to_vec() }.file(Dtype::F32)).unwrap();
            map.extend(list.iter().map(|(name, _, _)| (name.clone(), Json::from(file))));
        }
        let index = dir.path().join("model.safetensors.index.json");
        fs::write(&index, json!({ "weight_map": map }).to_string()).unwrap();
        let model = SafeTensorsModel::open(dir.path()).unwrap();
        assert_eq!(model.tensors().len(), 11);
        let expected = tensors.values("model.layers.0.mlp.up_proj.weight");
        assert_eq!(read(&model, "blk.0.ffn_up.weight"), expected);
        fs::remove_file(dir.path().join("b.safetensors")).unwrap();
        let error = SafeTensorsModel::open(dir.path()).unwrap_err();
        assert!(error.subject.ends_with("b.safetensors"));
        for outside in ["../a.safetensors", "/etc/passwd", "", ".."] {
            fs::write(&index, json!({"weight_map": {"x.weight": outside}}).to_string()).unwrap();
            assert!(SafeTensorsModel::open(dir.path()).unwrap_err().problem.contains("not beside it"));
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        let tensors = dense(Tensors::default());
        let error =
            |tensors: &Tensors, config: &Json| tensors.open(config, Dtype::F32).err().unwrap().to_string();
        let unknown = error(&tensors, &config("MambaForCausalLM", &json!({})));
        assert!(unknown.contains("MambaForCausalLM") && unknown.contains("LlamaForCausalLM"));
        let more = json!({"quantization_config": {"quant_method": "gptq"}});
        assert!(error(&tensors, &config("LlamaForCausalLM", &more)).contains("quantized with gptq"));
        assert!(
            error(&tensors, &config("LlamaForCausalLM", &json!({"hidden_size": "x"})))
                .contains("hidden_size")
        );
        assert!(
            error(&tensors, &config("LlamaForCausalLM", &json!({"num_attention_heads": 0})))
                .contains("heads")
        );
        assert!(
            error(&tensors, &config("LlamaForCausalLM", &json!({"num_attention_heads": 3})))
                .contains("3 heads")
        );
        assert!(error(&tensors, &json!([])).contains("not an object"));
        let odd = dense(Tensors::default()).with("model.layers.0.mlp.mystery.weight", &[1]);
        assert!(error(&odd, &config("LlamaForCausalLM", &json!({}))).contains("mlp.mystery.weight"));
    }

    /// What is said of a model with these settings; nothing if it opens.
    fn refusal(tensors: &Tensors, class: &str, more: &Json) -> Option<String> {
        tensors.open(&config(class, more), Dtype::F32).err().map(|error| error.to_string())
    }

    #[test]
    fn a_stored_output_matrix_agrees_with_tied_embeddings_or_is_refused() {
        let mut tensors = dense(Tensors::default());
        let same = ("lm_head.weight".to_owned(), vec![3, 16], tensors.list[0].2.clone());
        tensors.list.push(same);
        let (_dir, model) = tensors.open(&config("LlamaForCausalLM", &json!({})), Dtype::F32).unwrap();
        assert!(model.tensor("output.weight").is_none(), "the same content is not held twice");
        tensors.list.last_mut().unwrap().2[40] += 1.0;
        let error = refusal(&tensors, "LlamaForCausalLM", &json!({})).unwrap();
        assert!(error.contains("lm_head.weight") && error.contains("tie_word_embeddings"), "{error}");
        let untied = json!({"tie_word_embeddings": false});
        assert_eq!(refusal(&tensors, "LlamaForCausalLM", &untied), None);
        tensors.list.pop();
        for more in [untied, json!({"tie_word_embeddings": null})] {
            let error = refusal(&tensors, "LlamaForCausalLM", &more).unwrap();
            assert!(error.contains("lm_head.weight") && error.contains("missing"), "{error}");
        }
    }

    #[test]
    fn settings_that_change_the_model_are_refused_by_name() {
        let tensors = dense(Tensors::default());
        for (class, name, value) in [
            ("LlamaForCausalLM", "a_new_scale", json!(0.5)),
            ("LlamaForCausalLM", "a_new_flag", json!(true)),
            ("LlamaForCausalLM", "hidden_act", json!("gelu")),
            ("LlamaForCausalLM", "attention_bias", json!(true)),
            ("LlamaForCausalLM", "mlp_bias", json!(true)),
            ("LlamaForCausalLM", "partial_rotary_factor", json!(0.5)),
            ("LlamaForCausalLM", "sliding_window", json!(4096)),
            ("LlamaForCausalLM", "clip_qkv", json!(8.0)),
            ("LlamaForCausalLM", "alibi", json!(true)),
            ("LlamaForCausalLM", "parallel_attn", json!(true)),
            ("LlamaForCausalLM", "attn_logit_softcapping", json!(30.0)),
            ("LlamaForCausalLM", "n_group", json!(8)),
            ("LlamaForCausalLM", "routed_scaling_factor", json!(2.5)),
            ("LlamaForCausalLM", "scoring_func", json!("sigmoid")),
            ("LlamaForCausalLM", "layer_types", json!(["sliding_attention"])),
            ("LlamaForCausalLM", "layer_types", json!(["linear_attention"])),
            ("LlamaForCausalLM", "num_key_value_heads", json!("x")),
            ("LlamaForCausalLM", "n_kv_heads", json!(2)),
            ("LlamaForCausalLM", "residual_multiplier", json!(0.2)),
            ("LlamaForCausalLM", "use_bidirectional_attention", json!(true)),
            ("SmolLM3ForCausalLM", "no_rope_layers", json!([0])),
            ("SmolLM3ForCausalLM", "no_rope_layer_interval", json!(2)),
            ("MistralForCausalLM", "sliding_window", json!(0)),
            ("Qwen3MoeForCausalLM", "norm_topk_prob", json!(false)),
            ("Qwen3MoeForCausalLM", "decoder_sparse_step", json!(2)),
            ("Qwen3MoeForCausalLM", "mlp_only_layers", json!([0])),
            ("Qwen2MoeForCausalLM", "norm_topk_prob", json!(true)),
            ("OlmoeForCausalLM", "clip_qkv", json!(8.0)),
            ("GemmaForCausalLM", "hidden_activation", json!("silu")),
            ("Gemma2ForCausalLM", "query_pre_attn_scalar", json!(7)),
            ("CohereForCausalLM", "use_qk_norm", json!(true)),
            ("Olmo2ForCausalLM", "sliding_window", json!(16)),
            ("Exaone4ForCausalLM", "sliding_window", json!(16)),
            ("StableLmForCausalLM", "use_parallel_residual", json!(true)),
            ("StableLmForCausalLM", "qk_layernorm", json!(true)),
            ("StableLmForCausalLM", "use_qkv_bias", json!(true)),
            ("Qwen2ForCausalLM", "hidden_act", json!("gelu")),
        ] {
            let mut more = json!({ name: value });
            if class == "Qwen3MoeForCausalLM" && name != "norm_topk_prob" {
                more["norm_topk_prob"] = json!(true);
            }
            let error = refusal(&tensors, class, &more);
            let error = error.unwrap_or_else(|| panic!("{class} {name}: {value} was taken"));
            let named = error.contains(name) || error.contains("proj.bias");
            assert!(named, "{class} {name}: {error}");
        }
    }

    #[test]
    fn settings_of_the_rotation_are_used_or_refused_by_name() {
        let tensors = dense(Tensors::default());
        let yarn = |more: Json| {
            let mut scaling =
                json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16});
            scaling.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "rope_scaling": scaling })
        };
        let attenuation = |more: Json| {
            let config = config("LlamaForCausalLM", &yarn(more));
            let (_dir, model) = tensors.open(&config, Dtype::F32).unwrap();
            model.metadata().float("llama.rope.scaling.attn_factor").unwrap()
        };
        let usual = 0.1 * 4f32.ln() + 1.0;
        assert_eq!(attenuation(json!({})), None);
        let close =
            |found: Option<f32>, expected: f32| assert!((found.unwrap() * usual - expected).abs() < 1e-6);
        close(attenuation(json!({"attention_factor": 0.7})), 0.7);
        // As transformers computes it: (0.1 · 0.5 · ln 4 + 1) / (0.1 · 2 · ln 4 + 1).
        close(attenuation(json!({"mscale": 0.5, "mscale_all_dim": 2.0})), 0.837_195);
        close(attenuation(json!({"attention_factor": 0.7, "mscale": 0.5, "mscale_all_dim": 2.0})), 0.7);
        for (name, value) in [
            ("truncate", json!(false)),
            ("attention_factor", json!(-1.0)),
            ("extrapolation_factor", json!(0.5)),
            ("a_new_factor", json!(2.0)),
            ("partial_rotary_factor", json!(0.5)),
        ] {
            let error = refusal(&tensors, "LlamaForCausalLM", &yarn(json!({ name: value }))).unwrap();
            assert!(error.contains(name), "{error}");
        }
        let kinds = json!({"rope_parameters": {
            "full_attention": {"rope_type": "default"},
            "sliding_attention": {"rope_type": "linear", "factor": 2.0},
        }});
        assert!(refusal(&tensors, "LlamaForCausalLM", &kinds).unwrap().contains("sliding_attention"));
    }

    #[test]
    fn windows_are_those_that_the_settings_mean() {
        let pattern = |class: &str, more: &Json| {
            let (_dir, model) = attention(Tensors::default()).open(&config(class, more), Dtype::F32).unwrap();
            let arch = model.metadata().text("general.architecture").unwrap().unwrap().to_owned();
            let size = model.metadata().integer(&format!("{arch}.attention.sliding_window")).unwrap();
            let flags =
                model.metadata().integers(&format!("{arch}.attention.sliding_window_pattern")).unwrap();
            (size.filter(|&size| size > 0), flags)
        };
        let four = |more: Json| {
            let mut settings = json!({"num_hidden_layers": 4});
            settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            settings
        };
        let is = |size: usize, flags: [i64; 4]| (Some(size), Some(flags.to_vec()));
        let mistral = "MistralForCausalLM";
        assert_eq!(pattern(mistral, &four(json!({"sliding_window": 9}))), is(9, [1; 4]));
        assert_eq!(pattern(mistral, &four(json!({}))), is(4096, [1; 4]));
        assert_eq!(pattern(mistral, &four(json!({"sliding_window": null}))), (None, None));
        let qwen =
            |on: bool| four(json!({"use_sliding_window": on, "sliding_window": 9, "max_window_layers": 3}));
        assert_eq!(pattern("Qwen3ForCausalLM", &qwen(true)), is(9, [0, 0, 0, 1]));
        assert_eq!(pattern("Qwen3ForCausalLM", &qwen(false)), (None, None));
        assert_eq!(pattern("Olmo3ForCausalLM", &four(json!({}))), is(4096, [1, 1, 1, 0]));
        let kinds = json!(["full_attention", "sliding_attention", "full_attention", "full_attention"]);
        let listed = four(json!({"sliding_window": 9, "layer_types": kinds}));
        assert_eq!(pattern("Olmo3ForCausalLM", &listed), is(9, [0, 1, 0, 0]));
    }

    /// Configurations as they are published, less what is long: none of their settings may be refused.
    #[test]
    fn settings_of_published_models_are_known() {
        let tensors = dense(Tensors::default());
        let common = json!({
            "_name_or_path": "x", "torch_dtype": "bfloat16", "transformers_version": "4.46.0", "use_cache": true,
            "initializer_range": 0.02, "attention_dropout": 0.0, "pretraining_tp": 1, "model_type": "x",
            "hidden_act": "silu", "rope_scaling": null, "pad_token_id": 0, "unsloth_fixed": true,
            "auto_map": {"AutoModel": "x"}, "id2label": {"0": "a"}, "quantization_config": null,
        });
        let more = |own: Json| {
            let mut all = common.clone();
            all.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
            all
        };
        for (class, own) in [
            (
                "LlamaForCausalLM",
                json!({"attention_bias": false, "mlp_bias": false, "head_dim": 8, "is_llama_config": false}),
            ),
            ("MistralForCausalLM", json!({"sliding_window": null, "head_dim": 8})),
            (
                "Qwen3ForCausalLM",
                json!({"attention_bias": false, "use_sliding_window": false, "sliding_window": null, "max_window_layers": 36, "head_dim": 8}),
            ),
            (
                "SmolLM3ForCausalLM",
                json!({"no_rope_layers": [1], "no_rope_layer_interval": 4, "layer_types": ["full_attention"], "use_sliding_window": false, "max_window_layers": 28, "mlp_bias": false}),
            ),
            (
                "GraniteForCausalLM",
                json!({"attention_multiplier": 0.015, "embedding_multiplier": 12.0, "logits_scaling": 8.0, "residual_multiplier": 0.22, "mlp_bias": false}),
            ),
            ("OlmoForCausalLM", json!({"clip_qkv": null, "attention_bias": false})),
            (
                "Olmo3ForCausalLM",
                json!({"sliding_window": 4096, "layer_types": ["sliding_attention"], "attention_bias": false}),
            ),
            (
                "SeedOssForCausalLM",
                json!({"attention_bias": false, "attention_out_bias": false, "residual_dropout": 0.1, "mlp_bias": false}),
            ),
        ] {
            assert_eq!(refusal(&tensors, class, &more(own)), None, "{class}");
        }
    }

    #[test]
    fn errors_name_tensors_and_settings_as_the_folder_does() {
        let whole = dense(Tensors::default());
        let refusal = |tensors: &Tensors, more: &Json| {
            let (_dir, model) = tensors.open(&config("LlamaForCausalLM", more), Dtype::F32).unwrap();
            let spec = DecoderSpec::read(&model);
            let loaded = spec.and_then(|spec| Placement::default().load(&model, spec, 8, &|_, _| ()));
            let error = loaded.err().unwrap();
            assert_eq!(error.kind, LoadErrorKind::Unfit);
            error.to_string()
        };
        let name = "model.layers.0.mlp.up_proj.weight";
        let mut tensors = Tensors { list: whole.list.clone() };
        tensors.list.retain(|(known, _, _)| known != name);
        assert_eq!(refusal(&tensors, &json!({})), format!("{name}: the tensor is missing"));
        let error = refusal(&tensors.with(name, &[5, 16]), &json!({}));
        assert_eq!(error, format!("{name}: the tensor has shape [5, 16]; expected [4, 16]"));
        let mut tensors = Tensors { list: whole.list };
        tensors.list.retain(|(known, _, _)| known != "model.embed_tokens.weight");
        let error = refusal(&tensors, &json!({}));
        assert_eq!(error, "model.embed_tokens.weight: the tensor is missing");
    }

    #[test]
    fn weights_quantized_for_mlx_are_refused_as_such() {
        let settings = json!({"group_size": 64, "bits": 4});
        let more = json!({"quantization": settings, "quantization_config": settings});
        let tensors = dense(Tensors::default());
        let error = tensors.open(&config("LlamaForCausalLM", &more), Dtype::F32).err().unwrap();
        assert_eq!(error.kind, LoadErrorKind::UnknownQuantization);
        assert!(error.to_string().contains("MLX"), "{error}");
    }

    #[test]
    fn a_pointer_or_a_page_in_place_of_a_file_is_recognised() {
        let (tensors, config) = (dense(Tensors::default()), config("LlamaForCausalLM", &json!({})));
        let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
        for (bytes, foreign) in [(&lfs[..], Foreign::LfsPointer), (b"<!DOCTYPE html>", Foreign::WebPage)] {
            for name in ["config.json", "model.safetensors", "model.safetensors.index.json"] {
                let dir = directory(&config);
                fs::write(dir.path().join("model.safetensors"), tensors.file(Dtype::F32)).unwrap();
                fs::write(dir.path().join(name), bytes).unwrap();
                let error = SafeTensorsModel::open(dir.path()).unwrap_err();
                assert_eq!(error.kind, LoadErrorKind::Foreign(foreign), "{name}");
                assert!(error.subject.ends_with(name), "{error}");
            }
        }
    }

    #[test]
    fn cut_and_damaged_files_are_errors() {
        let (tensors, config) = (dense(Tensors::default()), config("LlamaForCausalLM", &json!({})));
        let file = tensors.file(Dtype::F32);
        let dir = directory(&config);
        let path = dir.path().join("model.safetensors");
        for len in [0, 7, 8, 100, file.len() - 1] {
            fs::write(&path, &file[..len]).unwrap();
            assert!(SafeTensorsModel::open(dir.path()).is_err(), "{len} bytes");
        }
        for position in 0..200 {
            let mut damaged = file.clone();
            damaged[position] ^= 0x15;
            fs::write(&path, &damaged).unwrap();
            _ = SafeTensorsModel::open(dir.path());
        }
    }
}
