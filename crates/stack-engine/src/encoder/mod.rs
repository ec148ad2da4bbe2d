//! Encoders: models that turn a text into one vector and generate nothing.
//!
//! One family is known, BERT, from GGUF files and from `SafeTensors` directories with what sentence-transformers keeps
//! beside them. An input longer than the model takes is refused, never cut.

mod directory;
mod load;
mod network;
mod sentence;
mod spec;
mod worker;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tiny;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use stack_chat::{
    Ability, ChatRequest, EmbedFuture, EmbedRequest, Embedder, Failure, FailureKind, ModelCard, Prompts,
    RenderedPrompt, TokenizeOptions,
};
use tokio::sync::oneshot;

use self::network::Network;
use self::spec::{ARCHITECTURE, EncoderSpec};
use self::worker::{Job, Worker};
use crate::executor::Progress;
use crate::load::Proof;
use crate::options::EngineOptions;
use crate::tokenizer::Tokenizer;
use crate::vocabulary;
use crate::weights::{self, LoadError, LoadErrorKind, WeightSource};

pub use directory::BertDirectory;

/// An encoder that embeds inputs on a thread of its own.
///
/// Dropping it cancels what is unfinished and waits for the thread.
pub(crate) struct Encoder {
    card: Arc<ModelCard>,
    tokenizer: Option<Tokenizer>,
    jobs: Option<SyncSender<Job>>,
    stopped: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// An encoder without its thread: nothing embeds until its files were verified.
pub(crate) struct Idle {
    spec: EncoderSpec,
    network: Network,
    card: ModelCard,
    tokenizer: Option<Tokenizer>,
    queue_max: usize,
}

/// Whether a model is an encoder that this program can run.
pub fn recognises(source: &dyn WeightSource) -> bool {
    source.metadata().text("general.architecture").is_ok_and(|name| name == Some(ARCHITECTURE))
}

impl Idle {
    /// Loads an encoder. `progress` is called with bytes loaded and bytes in all.
    ///
    /// # Errors
    ///
    /// Names the file, key or tensor that is at fault.
    pub(crate) fn load(
        source: &dyn WeightSource,
        options: &EngineOptions,
        progress: Progress<'_>,
    ) -> Result<Self, LoadError> {
        Self::of(source, options, progress).map_err(|error| error.of_model().in_words_of(source))
    }

    fn of(
        source: &dyn WeightSource,
        options: &EngineOptions,
        progress: Progress<'_>,
    ) -> Result<Self, LoadError> {
        if !recognises(source) {
            let found = source.metadata().text("general.architecture")?.unwrap_or("none");
            let problem = format!("is {found:?}; the known encoder is {ARCHITECTURE:?}");
            return Err(LoadError::new("metadata key general.architecture", problem));
        }
        let mut spec = EncoderSpec::read(source.metadata())?;
        let tokenizer = Tokenizer::read(source)?;
        let device = options.placement.device.open().map_err(|error| {
            LoadError::caused(format!("device {}", options.placement.device), "cannot be used", error)
                .of_kind(LoadErrorKind::Device)
        })?;
        let network = load::network(source, &mut spec, device, progress)?;
        let context_trained = spec.context;
        spec.context = options.context.map_or(spec.context, |most| spec.context.min(most));
        let card = card(source, &spec, context_trained);
        Ok(Self { spec, network, card, tokenizer, queue_max: options.queue_max })
    }

    /// Starts the thread of an encoder that was verified on this basis.
    ///
    /// # Errors
    ///
    /// When the system gives no more threads.
    pub(crate) fn start(self, proof: Proof) -> Result<Encoder, LoadError> {
        let Self { spec, network, mut card, tokenizer, queue_max } = self;
        proof.enter(&mut card);
        let card = Arc::new(card);
        let worker = Worker {
            spec,
            network,
            card: Arc::clone(&card),
            tokenizer: tokenizer.clone(),
            stopped: Arc::default(),
        };
        let stopped = Arc::clone(&worker.stopped);
        let (jobs, receiver) = mpsc::sync_channel(queue_max);
        let thread = std::thread::Builder::new()
            .name("stack-encoder".to_owned())
            .spawn(move || worker.run(&receiver))
            .map_err(|error| LoadError::caused("the encoder's thread", "cannot be started", error))?;
        Ok(Encoder { card, tokenizer, jobs: Some(jobs), stopped, thread: Mutex::new(Some(thread)) })
    }
}

impl Encoder {
    /// Describes the model.
    pub(crate) fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The tokenizer, if the model has a vocabulary.
    pub(crate) fn tokenizer(&self) -> Option<&Tokenizer> {
        self.tokenizer.as_ref()
    }

    fn submit(&self, job: Job) -> Result<(), Failure> {
        let closed = || Failure::new(FailureKind::Draining, "the encoder has stopped");
        match self.jobs.as_ref().ok_or_else(closed)?.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(_)) => Err(closed()),
            Err(TrySendError::Full(_)) => {
                let message = "too many requests for embeddings are waiting";
                Err(Failure::new(FailureKind::QueueFull, message).after(RETRY_AFTER))
            }
        }
    }
}

impl Prompts for Encoder {
    fn tokenize(&self, text: &str, options: TokenizeOptions) -> Result<Vec<u32>, Failure> {
        vocabulary::tokenize(self.tokenizer(), text, options)
    }

    fn piece(&self, token: u32) -> Result<&[u8], Failure> {
        vocabulary::piece(self.tokenizer(), token)
    }

    fn render(&self, _request: &ChatRequest) -> Result<RenderedPrompt, Failure> {
        Err(Failure::unsupported("messages", "this model answers no prompts: it makes embeddings only"))
    }

    fn template(&self, _has_tools: bool) -> Option<&str> {
        None
    }

    fn bounds(&self) -> (Option<u32>, Option<u32>) {
        vocabulary::bounds(self.tokenizer())
    }
}

impl Embedder for Encoder {
    fn embed(&self, request: EmbedRequest) -> EmbedFuture {
        let submitted = if request.dimensions.is_some() {
            Err(Failure::unsupported("dimensions", "this model does not declare shorter vectors"))
        } else {
            let (reply, answer) = oneshot::channel();
            self.submit(Job { request, reply }).map(|()| answer)
        };
        Box::pin(async move {
            submitted?
                .await
                .unwrap_or_else(|_| Err(Failure::new(FailureKind::Draining, "the encoder has stopped")))
        })
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.jobs = None;
        if let Some(thread) = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // A thread that panicked has already told its callers by closing their channels.
            let _panicked = thread.join();
        }
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("model", &self.card.id).finish_non_exhaustive()
    }
}

fn card(source: &dyn WeightSource, spec: &EncoderSpec, context_trained: usize) -> ModelCard {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    // The dots in a directory's name belong to it: bge-small-en-v1.5.
    let files = source.files();
    let name = if files.is_folder() { files.path().file_name() } else { files.path().file_stem() };
    ModelCard {
        id: name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned()),
        created_s: files.modified_s(),
        context: count(spec.context),
        context_trained: count(context_trained),
        parameters: source.tensors().iter().map(|tensor| tensor.elements() as u64).sum(),
        size_bytes: source.size_bytes(),
        vocabulary: count(source.tensor("token_embd.weight").map_or(0, |tensor| tensor.shape[0])),
        embedding: count(spec.width),
        architecture: ARCHITECTURE.to_owned(),
        abilities: vec![Ability::Embeds],
        basis: None,
        digest: None,
        quantization: weights::main_type(source.tensors()).map(|ty| ty.name().to_owned()),
    }
}

/// What a caller who found the queue full is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::task::{Context, Poll, Waker};

    use serde_json::json;
    use stack_chat::{Basis, EmbedInput, Embeddings, Overflow};
    use tempfile::TempDir;

    use super::tiny::{POSITIONS, Tiny, WIDTH, wait};
    use super::*;
    use crate::load;
    use crate::weights::Files;

    /// A model's file or directory, which vanishes with it.
    struct Written {
        _dir: TempDir,
        path: PathBuf,
    }

    impl Written {
        fn directory(tiny: &Tiny) -> Self {
            let dir = tempfile::tempdir().unwrap();
            tiny.write_directory(dir.path());
            Self { path: dir.path().to_owned(), _dir: dir }
        }

        fn gguf(bytes: &[u8]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("tiny.gguf");
            fs::write(&path, bytes).unwrap();
            Self { path, _dir: dir }
        }

        fn load_with(&self, options: &EngineOptions) -> Result<Encoder, LoadError> {
            let idle = Idle::load(&*load::open(Files::at(&self.path)?)?, options, &|_, _| ())?;
            idle.start(Proof { basis: Basis::FirstSeen, digest: "blake3:00".to_owned() })
        }

        fn load(&self) -> Result<Encoder, LoadError> {
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
        let cased =
            fs::read_to_string(&tokenizer).unwrap().replace("\"lowercase\":true", "\"lowercase\":false");
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
        let many =
            || EmbedRequest { inputs: vec![EmbedInput::Tokens(vec![4; 16]); 50_000], dimensions: None };
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
            (
                "hidden_size",
                json!(24),
                "embeddings.position_embeddings.weight: the tensor has shape [16, 12]",
            ),
            (
                "intermediate_size",
                json!(4_294_967_295u32),
                "encoder.layer.0.intermediate.dense.weight: the tensor has shape",
            ),
            (
                "num_hidden_layers",
                json!(4_294_967_295u32),
                "encoder.layer.2.attention.self.query.weight: the tensor is missing",
            ),
            ("max_position_embeddings", json!(0), "context_length: is zero"),
            ("layer_norm_eps", json!("small"), "config.json: does not describe"),
            ("hidden_act", json!("mish"), "\"mish\" is unknown"),
            ("position_embedding_type", json!("relative_key"), "\"relative_key\""),
            ("is_decoder", json!(true), "is_decoder"),
            ("quantization_config", json!({}), "quantized"),
            ("hidden_size", json!(null), "config.json: does not describe"),
            ("model_type", json!("roberta"), "config.json, architectures"),
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

    #[test]
    fn a_classifier_is_no_encoder() {
        let mut tiny = Tiny::new();
        tiny.tensors.push(tiny::Tensor {
            names: ["classifier.weight".to_owned(), "cls".to_owned()],
            shape: vec![1],
            values: vec![0.0],
        });
        let error = Written::directory(&tiny).load().unwrap_err();
        assert_eq!(error.to_string(), "tensor classifier.weight: is not part of a BERT encoder");
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
        let error = |builder: stack_testkit::GgufBuilder| {
            Written::gguf(&builder.build()).load().unwrap_err().to_string()
        };
        let key = error(tiny.gguf().f32("bert.a_new_scale", 0.5));
        assert!(key.contains("bert.a_new_scale"), "{key}");
        for name in ["blk.2.attn_q.weight", "blk.0.attn_q_norm.weight", "rope_freqs.weight"] {
            let tensor = error(tiny.gguf().f32_tensor(name, &[1], &[1.0]));
            assert!(tensor.contains(name), "{tensor}");
        }
    }

    #[test]
    fn other_architectures_are_not_encoders() {
        let written = Written::gguf(&stack_testkit::GgufBuilder::new("nomic-bert").build());
        assert!(!recognises(&*load::open(Files::at(&written.path).unwrap()).unwrap()));
        assert!(
            written.load().unwrap_err().to_string().contains("\"nomic-bert\"; the known encoder is \"bert\"")
        );
        let options = EngineOptions::default();
        let error = load::load(Files::at(&written.path).unwrap(), &options, &|_, _| ()).err().unwrap();
        assert!(error.to_string().contains("nomic-bert"), "{error}");
    }
}
