//! Tiny encoders of fixed pseudo-random weights, as directories and as GGUF files, for tests.

mod families;

use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value as Json, json};
use stack_testkit::GgufBuilder;

pub(super) const WIDTH: usize = 12;
pub(super) const POSITIONS: usize = 16;
pub(super) const WORDS: [&str; 9] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "##s", "sit", "a"];

/// A model that tests can spoil before they write it.
pub(super) struct Tiny {
    /// The architecture, as GGUF names it.
    family: &'static str,
    pub(super) config: Json,
    /// What GGUF says beside that, and does not call as `config.json` does.
    keys: Vec<(&'static str, Key)>,
    pub(super) tensors: Vec<Tensor>,
}

/// A value of GGUF.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Count(u32),
    Real(f32),
    Name(&'static str),
}

pub(super) struct Tensor {
    /// Its names in a directory and in a GGUF file.
    pub(super) names: [String; 2],
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

impl Tiny {
    pub(super) fn new() -> Self {
        let config = json!({
            "model_type": "bert",
            "architectures": ["BertModel"],
            "vocab_size": WORDS.len(),
            "hidden_size": WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "intermediate_size": INNER,
            "max_position_embeddings": POSITIONS,
            "layer_norm_eps": 1e-12,
            "hidden_act": "gelu",
        });
        let mut tiny = Self { family: "bert", config, keys: Vec::new(), tensors: Vec::new() };
        tiny.add("embeddings.word_embeddings.weight", "token_embd.weight", &[WORDS.len(), WIDTH]);
        tiny.add("embeddings.position_embeddings.weight", "position_embd.weight", &[POSITIONS, WIDTH]);
        tiny.add("embeddings.token_type_embeddings.weight", "token_types.weight", &[2, WIDTH]);
        tiny.add_pair("embeddings.LayerNorm", "token_embd_norm", &[WIDTH]);
        for layer in 0..LAYERS {
            for (from, to, shape) in [
                ("attention.self.query", "attn_q", &[WIDTH, WIDTH][..]),
                ("attention.self.key", "attn_k", &[WIDTH, WIDTH]),
                ("attention.self.value", "attn_v", &[WIDTH, WIDTH]),
                ("attention.output.dense", "attn_output", &[WIDTH, WIDTH]),
                ("attention.output.LayerNorm", "attn_output_norm", &[WIDTH]),
                ("intermediate.dense", "ffn_up", &[INNER, WIDTH]),
                ("output.dense", "ffn_down", &[WIDTH, INNER]),
                ("output.LayerNorm", "layer_output_norm", &[WIDTH]),
            ] {
                tiny.add_pair(&format!("encoder.layer.{layer}.{from}"), &format!("blk.{layer}.{to}"), shape);
            }
        }
        tiny
    }

    /// The same with a head that ranks.
    pub(super) fn ranking() -> Self {
        let mut tiny = Self::new();
        tiny.config["architectures"] = json!(["BertForSequenceClassification"]);
        tiny.add_pair("pooler.dense", "cls", &[WIDTH, WIDTH]);
        tiny.add_pair("classifier", "cls.output", &[1, WIDTH]);
        tiny
    }

    /// One model of each other family.
    pub(super) fn families() -> Vec<Self> {
        vec![Self::nomic(), Self::jina_v2(), Self::jina_v3(), Self::modern(), Self::gemma()]
    }

    fn of(family: &'static str, config: Json, keys: &[(&'static str, Key)]) -> Self {
        let mut tiny = Self { family, config, keys: keys.to_vec(), tensors: Vec::new() };
        // What GGUF files are written from, whatever the directory calls it.
        for (name, value) in [
            ("vocab_size", WORDS.len()),
            ("hidden_size", WIDTH),
            ("num_attention_heads", HEADS),
            ("intermediate_size", INNER),
            ("max_position_embeddings", POSITIONS),
        ] {
            if tiny.config[name].is_null() && family != "nomic-bert" {
                tiny.config[name] = json!(value);
            }
        }
        tiny
    }

    /// Its name.
    pub(super) fn family(&self) -> &'static str {
        self.family
    }

    fn add_pair(&mut self, from: &str, to: &str, shape: &[usize]) {
        self.add(&format!("{from}.weight"), &format!("{to}.weight"), shape);
        self.add(&format!("{from}.bias"), &format!("{to}.bias"), &shape[..1]);
    }

    fn add(&mut self, from: &str, to: &str, shape: &[usize]) {
        let mut state = self.tensors.len() as u32 + 1;
        let values = (0..shape.iter().product())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect();
        self.tensors.push(Tensor { names: [from.to_owned(), to.to_owned()], shape: shape.to_vec(), values });
    }

    /// Finds a tensor by its name in a GGUF file.
    pub(super) fn tensor(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|tensor| tensor.names[1] == name).unwrap()
    }

    /// Writes a directory without the files of sentence-transformers.
    pub(super) fn write_directory(&self, dir: &Path) {
        fs::write(dir.join("config.json"), self.config.to_string()).unwrap();
        fs::write(dir.join("tokenizer.json"), tokenizer().to_string()).unwrap();
        let bytes: Vec<Vec<u8>> = self
            .tensors
            .iter()
            .map(|tensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect())
            .collect();
        let views = self.tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
            (&tensor.names[0], TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).unwrap())
        });
        fs::write(dir.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    }

    pub(super) fn gguf(&self) -> GgufBuilder {
        let number = |name: &str| match (self.family, name) {
            ("nomic-bert", "num_hidden_layers") => LAYERS as u32,
            ("nomic-bert", "hidden_size") => WIDTH as u32,
            ("nomic-bert", "intermediate_size") => INNER as u32,
            ("nomic-bert", "num_attention_heads") => HEADS as u32,
            ("nomic-bert" | "jina-bert-v3", "max_position_embeddings") => POSITIONS as u32,
            _ => self.config[name].as_u64().unwrap() as u32,
        };
        let texts = WORDS.map(|word| match word.strip_prefix("##") {
            Some(rest) => rest.to_owned(),
            None if word.starts_with('[') => word.to_owned(),
            None => format!("▁{word}"),
        });
        let mut file = GgufBuilder::new(self.family);
        let shape = [
            ("embedding_length", number("hidden_size")),
            ("block_count", number("num_hidden_layers")),
            ("feed_forward_length", number("intermediate_size")),
            ("attention.head_count", number("num_attention_heads")),
            ("context_length", number("max_position_embeddings")),
        ];
        let shape = shape.map(|(name, value)| (name, Key::Count(value)));
        let epsilon = ("attention.layer_norm_epsilon", Key::Real(1e-12));
        for (name, value) in shape.into_iter().chain([epsilon]).chain(self.keys.iter().copied()) {
            let key = format!("{}.{name}", self.family);
            file = match value {
                Key::Count(number) => file.u32(&key, number),
                Key::Real(number) => file.f32(&key, number),
                Key::Name(name) => file.text(&key, name),
            };
        }
        let file = file
            .text("tokenizer.ggml.model", "bert")
            .strings("tokenizer.ggml.tokens", &texts)
            .i32s("tokenizer.ggml.token_type", &[3, 2, 3, 3, 1, 1, 1, 1, 1])
            .u32("tokenizer.ggml.token_type_count", if self.family == "jina-bert-v3" { 1 } else { 2 })
            .u32("tokenizer.ggml.padding_token_id", 0)
            .u32("tokenizer.ggml.unknown_token_id", 1)
            .u32("tokenizer.ggml.bos_token_id", 2)
            .u32("tokenizer.ggml.seperator_token_id", 3);
        // Gemma's norms are stored less one, and not so in GGUF.
        let more = |tensor: &Tensor| {
            let is_norm = tensor.names[1].ends_with("norm.weight");
            if self.family == "gemma-embedding" && is_norm { 1.0 } else { 0.0 }
        };
        self.tensors.iter().fold(file, |file, tensor| {
            let values: Vec<f32> = tensor.values.iter().map(|value| value + more(tensor)).collect();
            file.f32_tensor(&tensor.names[1], &tensor.shape, &values)
        })
    }
}

fn tokenizer() -> Json {
    let ids = |word: &str| WORDS.iter().position(|other| *other == word);
    let special = |word: &str| json!({"id": word, "ids": [ids(word)], "tokens": [word]});
    let added = WORDS[..4].iter().map(|word| {
        json!({"id": ids(word), "content": word, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true})
    });
    json!({
        "version": "1.0",
        "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [],
            "special_tokens": {"[CLS]": special("[CLS]"), "[SEP]": special("[SEP]")}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": WORDS.iter().map(|word| ((*word).to_owned(), json!(ids(word)))).collect::<serde_json::Map<_, _>>()},
    })
}

/// Waits for a future on this thread.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

const LAYERS: usize = 2;
const HEADS: usize = 3;
const INNER: usize = 20;
