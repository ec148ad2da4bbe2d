//! Encoders as callers see them.

use std::fs;
use std::path::PathBuf;
use std::task::{Context, Poll, Waker};

use serde_json::json;
use stack_chat::{Basis, EmbedInput, Embeddings, Overflow, Ranking};
use tempfile::TempDir;

use super::tiny::{POSITIONS, Tiny, WIDTH, wait};
use super::*;
use crate::executor::Placement;
use crate::load;
use crate::weights::Files;

/// A model's file or directory, which vanishes with it.
pub(super) struct Written {
    _dir: TempDir,
    path: PathBuf,
}

impl Written {
    pub(super) fn directory(tiny: &Tiny) -> Self {
        let dir = tempfile::tempdir().unwrap();
        tiny.write_directory(dir.path());
        Self { path: dir.path().to_owned(), _dir: dir }
    }

    pub(super) fn gguf(bytes: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tiny.gguf");
        fs::write(&path, bytes).unwrap();
        Self { path, _dir: dir }
    }

    fn load_with(&self, options: &EngineOptions) -> Result<Encoder, LoadError> {
        let idle = Idle::load(&*load::open(Files::at(&self.path)?)?, options, &|_, _| ())?;
        idle.start(Proof { basis: Basis::FirstSeen, digest: "blake3:00".to_owned() })
    }

    pub(super) fn load(&self) -> Result<Encoder, LoadError> {
        self.load_with(&EngineOptions::default())
    }
}

fn embed(encoder: &Encoder, inputs: &[EmbedInput]) -> Result<Embeddings, Failure> {
    wait(encoder.embed(EmbedRequest { inputs: inputs.to_vec(), dimensions: None }))
}

fn text(text: &str) -> EmbedInput {
    EmbedInput::Text(text.to_owned())
}

fn assert_close(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} is not {b:?}");
}

#[test]
fn a_directory_and_a_gguf_file_give_the_same_vectors() {
    let tiny = Tiny::new();
    let directory = Written::directory(&tiny).load().unwrap();
    let gguf = Written::gguf(&tiny.gguf().build()).load().unwrap();
    let inputs = [text("The cats sit"), text(""), EmbedInput::Tokens(vec![5, 7])];
    let (a, b) = (embed(&directory, &inputs).unwrap(), embed(&gguf, &inputs).unwrap());
    assert_eq!((a.tokens, b.tokens), (6 + 2 + 2, 6 + 2 + 2));
    for (a, b) in a.vectors.iter().zip(&b.vectors) {
        assert_close(a, b);
        assert!((a.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    }
    assert_close(
        &a.vectors[0],
        &embed(&directory, &[EmbedInput::Tokens(vec![2, 4, 5, 6, 7, 3])]).unwrap().vectors[0],
    );
    let card = gguf.card();
    assert_eq!((card.id.as_str(), card.architecture.as_str()), ("tiny", "bert"));
    assert_eq!((card.context, card.embedding, card.vocabulary), (16, 12, 9));
    assert_eq!(card.abilities, [Ability::Embeds]);
    assert_eq!(card.parameters, directory.card().parameters);
}

#[test]
fn joined_projections_are_those_that_are_apart() {
    let mut tiny = Tiny::new();
    let apart = embed(&Written::gguf(&tiny.gguf().build()).load().unwrap(), &[text("a cat")]).unwrap();
    for layer in 0..2 {
        for kind in ["weight", "bias"] {
            let name = |part: &str| format!("blk.{layer}.attn_{part}.{kind}");
            let more = [name("k"), name("v")].map(|name| tiny.tensor(&name).values.clone()).concat();
            let joined = tiny.tensor(&name("q"));
            joined.values.extend(more);
            joined.shape[0] *= 3;
            joined.names[1] = name("qkv");
            tiny.tensors.retain(|tensor| ![name("k"), name("v")].contains(&tensor.names[1]));
        }
    }
    let joined = embed(&Written::gguf(&tiny.gguf().build()).load().unwrap(), &[text("a cat")]).unwrap();
    assert_close(&apart.vectors[0], &joined.vectors[0]);
}

#[test]
fn settings_change_the_vectors() {
    let tiny = Tiny::new();
    let plain = embed(&Written::directory(&tiny).load().unwrap(), &[text("the cat")]).unwrap();
    let mut vectors = vec![plain.vectors[0].clone()];
    for kind in [2, 3] {
        let file = tiny.gguf().u32("bert.pooling_type", kind).build();
        let found = embed(&Written::gguf(&file).load().unwrap(), &[text("the cat")]).unwrap();
        vectors.push(found.vectors[0].clone());
    }
    for activation in ["gelu_new", "relu", "silu"] {
        let mut tiny = Tiny::new();
        tiny.config["hidden_act"] = json!(activation);
        let found = embed(&Written::directory(&tiny).load().unwrap(), &[text("the cat")]).unwrap();
        vectors.push(found.vectors[0].clone());
    }
    for (index, a) in vectors.iter().enumerate() {
        assert!(vectors[..index].iter().all(|b| a != b), "vector {index} is as one before it");
    }
}

#[test]
fn sentence_transformers_limits_and_lowercases() {
    let written = Written::directory(&Tiny::new());
    let limits = r#"{"max_seq_length": 4, "do_lower_case": true}"#;
    fs::write(written.path.join("sentence_bert_config.json"), limits).unwrap();
    let tokenizer = written.path.join("tokenizer.json");
    let cased = fs::read_to_string(&tokenizer).unwrap().replace("\"lowercase\":true", "\"lowercase\":false");
    fs::write(&tokenizer, cased).unwrap();
    let encoder = written.load().unwrap();
    assert_eq!(encoder.card().context, 4);
    let ids = EmbedInput::Tokens(vec![2, 4, 5, 3]);
    assert_eq!(embed(&encoder, &[text("THE Cat")]), embed(&encoder, &[ids]));
    let error = embed(&encoder, &[text("the"), text("the cat sit")]).unwrap_err();
    assert_eq!(error.overflow, Some(Overflow { prompt_tokens: 5, context: 4 }));
}

#[test]
fn wrong_inputs_are_refused_and_the_longest_is_taken() {
    let encoder = Written::directory(&Tiny::new()).load().unwrap();
    let kind = |input| embed(&encoder, &[input]).unwrap_err().kind;
    assert_eq!(kind(EmbedInput::Tokens(Vec::new())), FailureKind::InvalidRequest);
    assert_eq!(kind(EmbedInput::Tokens(vec![9])), FailureKind::InvalidRequest);
    let long = |tokens| EmbedInput::Tokens(vec![4; tokens]);
    assert!(matches!(kind(long(POSITIONS + 1)), FailureKind::ContextExceeded));
    assert_eq!(embed(&encoder, &[long(POSITIONS)]).unwrap().vectors[0].len(), WIDTH);
    let shorter = EmbedRequest { inputs: vec![text("a")], dimensions: Some(4) };
    assert_eq!(wait(encoder.embed(shorter)).unwrap_err().kind, FailureKind::Unsupported);
    let few = EngineOptions { context: Some(3), ..EngineOptions::default() };
    let few = Written::directory(&Tiny::new()).load_with(&few).unwrap();
    assert_eq!((few.card().context, few.card().context_trained), (3, 16));
    assert!(embed(&few, &[long(4)]).is_err());
}

#[test]
fn a_full_queue_is_busy_and_who_leaves_is_forgotten() {
    let options = EngineOptions { queue_max: 1, ..EngineOptions::default() };
    let encoder = Written::directory(&Tiny::new()).load_with(&options).unwrap();
    // So many that the test would not end if they were computed.
    let many = || EmbedRequest { inputs: vec![EmbedInput::Tokens(vec![4; 16]); 50_000], dimensions: None };
    let mut futures: Vec<_> = (0..4).map(|_| encoder.embed(many())).collect();
    let mut context = Context::from_waker(Waker::noop());
    let busy = futures.iter_mut().filter_map(|future| match future.as_mut().poll(&mut context) {
        Poll::Ready(answer) => Some(answer.unwrap_err().kind),
        Poll::Pending => None,
    });
    let busy: Vec<_> = busy.collect();
    // One may run and one may wait.
    assert!((2..=3).contains(&busy.len()), "{busy:?}");
    assert!(busy.iter().all(|kind| matches!(kind, FailureKind::QueueFull)), "{busy:?}");
    drop(futures);
    loop {
        match embed(&encoder, &[text("a")]) {
            Err(error) if matches!(error.kind, FailureKind::QueueFull) => std::thread::yield_now(),
            answer => break assert_eq!(answer.unwrap().tokens, 3),
        }
    }
}

#[test]
fn dropping_the_encoder_ends_what_runs() {
    let encoder = Written::directory(&Tiny::new()).load().unwrap();
    let inputs = vec![EmbedInput::Tokens(vec![4; 16]); 50_000];
    let future = encoder.embed(EmbedRequest { inputs, dimensions: None });
    drop(encoder);
    assert_eq!(wait(future).unwrap_err().kind, FailureKind::Draining);
}

#[test]
fn malformed_directories_are_refused_by_name() {
    let config = |name: &str, value: serde_json::Value| {
        let mut tiny = Tiny::new();
        tiny.config[name] = value;
        Written::directory(&tiny).load().unwrap_err().to_string()
    };
    for (name, value, problem) in [
        ("num_attention_heads", json!(0), "attention.head_count: is zero"),
        ("num_attention_heads", json!(5), "12 dimensions are not divisible by 5 heads"),
        ("num_attention_heads", json!(-1), "config.json: does not describe"),
        ("hidden_size", json!(u64::MAX), "config.json: does not describe"),
        ("hidden_size", json!(24), "embeddings.position_embeddings.weight: the tensor has shape [16, 12]"),
        (
            "intermediate_size",
            json!(2_147_483_647u32),
            "encoder.layer.0.intermediate.dense.weight: the tensor has shape",
        ),
        (
            "num_hidden_layers",
            json!(2_147_483_647u32),
            "encoder.layer.2.attention.self.query.weight: the tensor is missing",
        ),
        ("max_position_embeddings", json!(0), "context_length: is zero"),
        ("layer_norm_eps", json!("small"), "config.json: does not describe"),
        ("hidden_act", json!("mish"), "\"mish\" is unknown"),
        ("position_embedding_type", json!("relative_key"), "\"relative_key\""),
        ("is_decoder", json!(true), "is_decoder"),
        ("quantization_config", json!({}), "quantized"),
        ("hidden_size", json!(null), "config.json: does not describe"),
        ("model_type", json!("electra"), "config.json, architectures"),
    ] {
        let found = config(name, value.clone());
        assert!(found.contains(problem), "{name} = {value}: {found}");
    }
}

#[test]
fn missing_and_misshapen_tensors_are_refused_by_name() {
    for index in 0..Tiny::new().tensors.len() {
        let mut tiny = Tiny::new();
        let [in_directory, name] = tiny.tensors[index].names.clone();
        tiny.tensors[index].shape.push(1);
        // A vector may have a further dimension of 1.
        if tiny.tensors[index].shape.len() == 3 {
            let error = Written::gguf(&tiny.gguf().build()).load().unwrap_err();
            assert!(error.subject.contains(&name), "{error}");
        }
        tiny.tensors.remove(index);
        let optional = name == "token_types.weight";
        let bias_of_matrix = name.ends_with("bias") && !name.contains("norm");
        let files = [
            (!optional && !bias_of_matrix).then(|| (Written::gguf(&tiny.gguf().build()), name)),
            (!optional).then(|| (Written::directory(&tiny), in_directory)),
        ];
        for (written, name) in files.into_iter().flatten() {
            let error = written.load().unwrap_err();
            assert_eq!(error.subject, name);
            assert!(error.problem.contains("missing"), "{error}");
        }
    }
}

fn rank(encoder: &Encoder, query: &str, documents: &[&str]) -> Result<Ranking, Failure> {
    let documents = documents.iter().map(|&document| document.to_owned()).collect();
    wait(encoder.rank(RankRequest { query: query.to_owned(), documents }))
}

#[test]
fn a_model_with_a_head_ranks_and_embeds() {
    let tiny = Tiny::ranking();
    let (directory, gguf) = (Written::directory(&tiny), Written::gguf(&tiny.gguf().build()));
    let [a, b] = [directory.load().unwrap(), gguf.load().unwrap()];
    let documents = ["cats sit", "", "the a the a"];
    let found = rank(&a, "the cat", &documents).unwrap();
    assert_eq!(rank(&b, "the cat", &documents).unwrap(), found);
    // [CLS] the cat [SEP] cat ##s sit [SEP], and so on.
    assert_eq!((found.scores.len(), found.tokens), (3, 8 + 5 + 9));
    assert!(found.scores[0] != found.scores[1] && found.scores[1] != found.scores[2], "{found:?}");
    for (document, score) in documents.iter().zip(&found.scores) {
        assert_eq!(rank(&a, "the cat", &[document]).unwrap().scores, [*score], "alone");
    }
    assert_eq!(a.card().abilities, [Ability::Embeds, Ability::Ranks]);
    let plain = Written::directory(&Tiny::new()).load().unwrap();
    assert_eq!(embed(&a, &[text("a cat")]), embed(&plain, &[text("a cat")]));
    let error = rank(&plain, "the cat", &documents).unwrap_err();
    assert_eq!((error.kind, error.field.as_deref()), (FailureKind::Unsupported, Some("model")));
    assert_eq!(rank(&a, "the cat", &[]).unwrap(), Ranking { scores: Vec::new(), tokens: 0 });
}

#[test]
fn a_pair_that_is_too_long_is_refused_by_number() {
    let encoder = Written::directory(&Tiny::ranking()).load().unwrap();
    let (query, long) = ("the cat", "cat ".repeat(12));
    let error = rank(&encoder, query, &["cat", &long]).unwrap_err();
    assert_eq!(error.overflow, Some(Overflow { prompt_tokens: 17, context: 16 }));
    assert!(error.message.contains("document 1 with the query"), "{}", error.message);
    let error = rank(&encoder, &long.repeat(2), &["cat"]).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("query"));
}

#[test]
fn a_file_that_only_ranks_must_have_all_of_its_head() {
    let ranks_only = |tiny: &Tiny| Written::gguf(&tiny.gguf().u32("bert.pooling_type", 4).build());
    let encoder = ranks_only(&Tiny::ranking()).load().unwrap();
    assert_eq!(encoder.card().abilities, [Ability::Ranks]);
    assert_eq!(embed(&encoder, &[text("a")]).unwrap_err().kind, FailureKind::Unsupported);
    for missing in ["cls.weight", "cls.output.weight"] {
        let mut tiny = Tiny::ranking();
        tiny.tensors.retain(|tensor| tensor.names[1] != missing);
        let error = ranks_only(&tiny).load().unwrap_err();
        assert_eq!((error.subject.as_str(), error.problem.as_str()), (missing, "the tensor is missing"));
    }
    let error = ranks_only(&Tiny::new()).load().unwrap_err();
    assert_eq!(error.subject, "cls.output.weight");
}

#[test]
fn a_head_of_several_labels_classifies_and_does_not_rank() {
    let mut tiny = Tiny::ranking();
    for name in ["cls.output.weight", "cls.output.bias"] {
        let tensor = tiny.tensor(name);
        tensor.shape[0] = 3;
        tensor.values = tensor.values.repeat(3);
    }
    let encoder = Written::directory(&tiny).load().unwrap();
    assert_eq!(encoder.card().abilities, [Ability::Embeds]);
}

#[test]
fn vectors_are_cut_where_the_model_declares_it() {
    let tiny = Tiny::families().into_iter().find(|tiny| tiny.family() == "jina-bert-v3").unwrap();
    let encoder = Written::directory(&tiny).load().unwrap();
    let cut = |dimensions| {
        wait(encoder.embed(EmbedRequest { inputs: vec![text("the cat")], dimensions })).map(|it| it.vectors)
    };
    let (whole, four) = (cut(None).unwrap(), cut(Some(4)).unwrap());
    assert_eq!(cut(Some(12)).unwrap(), whole);
    let length = whole[0][..4].iter().map(|x| x * x).sum::<f32>().sqrt();
    let expected: Vec<f32> = whole[0][..4].iter().map(|x| x / length).collect();
    assert_close(&four[0], &expected);
    let error = cut(Some(5)).unwrap_err();
    assert_eq!((error.kind, error.field.as_deref()), (FailureKind::InvalidRequest, Some("dimensions")));
    assert!(error.message.contains("5 is not among 4, 8 and 12"), "{}", error.message);
}

/// The script beside the expected numbers reads these files.
#[test]
#[ignore = "writes files: it makes the models that testdata/golden.py computes"]
fn models_for_the_reference() {
    let folder = std::env::temp_dir().join("stack-encoders");
    fs::create_dir_all(&folder).unwrap();
    for tiny in Tiny::families().iter().chain([&Tiny::ranking()]) {
        fs::write(folder.join(format!("{}.gguf", tiny.family())), tiny.gguf().build()).unwrap();
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused_by_the_tensors_name() {
    for name in ["blk.1.layer_output_norm.bias", "token_embd.weight", "blk.0.ffn_up.weight"] {
        let mut tiny = Tiny::new();
        tiny.tensor(name).values[3] = f32::INFINITY;
        let [in_directory, in_file] = tiny.tensor(name).names.clone();
        let files =
            [(Written::directory(&tiny), in_directory), (Written::gguf(&tiny.gguf().build()), in_file)];
        for (written, name) in files {
            let error = written.load().unwrap_err();
            assert_eq!(error.subject, name);
            assert!(error.problem.contains("element 3"), "{error}");
        }
    }
}

#[test]
fn numbers_that_grow_beyond_all_bounds_are_an_error_of_the_model() {
    let mut tiny = Tiny::new();
    tiny.tensor("blk.1.ffn_down.weight").values.fill(f32::MAX);
    tiny.tensor("blk.1.ffn_up.bias").values.fill(f32::MAX);
    let encoder = Written::directory(&tiny).load().unwrap();
    let error = embed(&encoder, &[text("a")]).unwrap_err();
    assert_eq!(error.kind, FailureKind::Internal);
    assert!(error.cause.is_some_and(|cause| cause.contains("not finite")));
}

#[test]
fn parts_and_settings_that_nothing_uses_are_refused_by_name() {
    let mut tiny = Tiny::new();
    tiny.config["a_new_scale"] = json!(0.5);
    let error = Written::directory(&tiny).load().unwrap_err().to_string();
    assert!(error.contains("a_new_scale"), "{error}");
    tiny.config["a_new_scale"] = json!(null);
    tiny.config["attention_probs_dropout_prob"] = json!(0.1);
    tiny.config["type_vocab_size"] = json!(2);
    Written::directory(&tiny).load().unwrap();
    let error =
        |builder: stack_testkit::GgufBuilder| Written::gguf(&builder.build()).load().unwrap_err().to_string();
    let key = error(tiny.gguf().f32("bert.a_new_scale", 0.5));
    assert!(key.contains("bert.a_new_scale"), "{key}");
    for name in ["blk.2.attn_q.weight", "blk.0.attn_q_norm.weight", "rope_freqs.weight"] {
        let tensor = error(tiny.gguf().f32_tensor(name, &[1], &[1.0]));
        assert!(tensor.contains(name), "{tensor}");
    }
}

#[test]
fn other_architectures_are_not_encoders() {
    let written = Written::gguf(&stack_testkit::GgufBuilder::new("neo-bert").build());
    assert!(!recognises(&*load::open(Files::at(&written.path).unwrap()).unwrap()));
    let error = written.load().unwrap_err().to_string();
    assert!(error.contains("is \"neo-bert\"; the known encoders are bert, nomic-bert,"), "{error}");
    let options = EngineOptions::default();
    let error = load::load(Files::at(&written.path).unwrap(), &options, &|_, _| ()).err().unwrap();
    assert!(error.to_string().contains("neo-bert"), "{error}");
}

/// Inputs of several lengths at once, in an order of their own, and each of them alone.
#[test]
fn a_vector_is_the_same_bits_whatever_else_is_in_its_batch() {
    let encoder = Written::directory(&Tiny::new()).load().unwrap();
    let input = |length: usize| EmbedInput::Tokens((0..length).map(|i| 4 + (i * 7 % 5) as u32).collect());
    let inputs: Vec<EmbedInput> = (0..200).map(|i| input(1 + i * 11 % POSITIONS)).collect();
    let together = embed(&encoder, &inputs).unwrap();
    for (input, vector) in inputs.iter().zip(&together.vectors) {
        assert_eq!(embed(&encoder, std::slice::from_ref(input)).unwrap().vectors[0], *vector);
    }
    let one = EngineOptions {
        placement: Placement { threads: 1, ..Placement::default() },
        ..EngineOptions::default()
    };
    assert_eq!(embed(&Written::directory(&Tiny::new()).load_with(&one).unwrap(), &inputs), Ok(together));
}

#[test]
fn candle_computes_the_same() {
    let tiny = Tiny::new();
    let on_candle = EngineOptions {
        placement: Placement { device: DeviceKind::Candle, ..Placement::default() },
        ..EngineOptions::default()
    };
    let inputs = [text("The cats sit"), text(""), EmbedInput::Tokens(vec![4; 16])];
    let ours = embed(&Written::directory(&tiny).load().unwrap(), &inputs).unwrap();
    let theirs = embed(&Written::directory(&tiny).load_with(&on_candle).unwrap(), &inputs).unwrap();
    for (ours, theirs) in ours.vectors.iter().zip(&theirs.vectors) {
        let error = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(error < 1e-3, "{ours:?} is not {theirs:?}");
    }
}

#[test]
fn requests_at_the_same_time_are_answered_each_with_its_own() {
    let encoder = Written::directory(&Tiny::new()).load().unwrap();
    let request = |first: u32, count: usize| EmbedRequest {
        inputs: (0..count).map(|i| EmbedInput::Tokens(vec![first, 4 + (i % 5) as u32])).collect(),
        dimensions: None,
    };
    // One of them fails, beside others in the same step.
    let wrong = EmbedRequest { inputs: vec![EmbedInput::Tokens(vec![99])], dimensions: None };
    let futures = [encoder.embed(request(5, 300)), encoder.embed(wrong), encoder.embed(request(6, 2))];
    let [many, wrong, few] = futures.map(wait);
    assert_eq!(wrong.unwrap_err().kind, FailureKind::InvalidRequest);
    let alone = |first, count| wait(encoder.embed(request(first, count))).unwrap();
    assert_eq!((many.unwrap(), few.unwrap()), (alone(5, 300), alone(6, 2)));
}
