//! A loaded decoder that answers requests.
//!
//! ```text
//! chat() ──job──▶ prepare thread ──sequences──▶ worker thread ──events──▶ stream
//!                 render, tokenize              schedule, compute, sample
//! ```

mod answer;
mod binding;
mod channel;
mod fit;
mod group;
mod infill;
mod job;
mod memory;
mod model;
mod pace;
mod parts;
mod pooled;
mod prefix_cache;
mod prefix_file;
mod prefix_tree;
mod prepare;
mod prompts;
mod ranker;
mod saved_prefixes;
mod scheduler;
mod sequence;
mod speculation;
mod templates;
mod without_effect;
mod worker;

use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stack_chat::{
    Ability, ChatModel, ChatRequest, EmbedFuture, EmbedRequest, Embedder, EventStream, Failure, FailureKind,
    ModelCard, Prompts, RankFuture, RankRequest, RenderedPrompt, Reranker, Sampling, TokenizeOptions,
};
use tokio::sync::oneshot;

use self::channel::Permit;
use self::job::{EmbedJob, Job, RankJob};
use self::model::Model;
use self::ranker::Ranker;
use self::worker::{Worker, WorkerLimits};
use crate::executor::{Executor, Progress};
use crate::load::{LoadedDraft, Proof};
use crate::options::EngineOptions;
use crate::pooling::Pooling;
use crate::sample::SamplingDefaults;
use crate::spec::DecoderSpec;
use crate::tokenizer::Tokenizer;
use crate::vocabulary;
use crate::weights::{self, LoadError, WeightSource};

pub use memory::{cache_bytes_per_token, weight_bytes};
pub use prefix_file::PrefixFileError;
pub use prompts::{PromptRenderer, prompt_text, prompt_tokens};
pub use saved_prefixes::{PrefixFile, PrefixOutcome};
pub use scheduler::STEP_TOKENS;
pub(crate) use speculation::check_vocabularies;
pub use templates::{ChatTemplates, FoundTemplates, NoTemplate, own_template};

/// A decoder that answers requests, several at once.
///
/// Dropping it cancels what is unfinished and waits for its threads.
pub(crate) struct Engine {
    model: Arc<Model>,
    jobs: Option<SyncSender<Job>>,
    accepted: Arc<AtomicUsize>,
    queue_max: usize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// An engine without threads: all that it takes to answer is in memory, but nothing answers until its files were
/// verified.
pub(crate) struct Idle {
    model: Model,
    executor: Box<dyn Executor>,
    draft: Option<LoadedDraft>,
    limits: WorkerLimits,
    queue_max: usize,
}

impl Idle {
    /// Loads a decoder, for which `draft` guesses ahead. `progress` is called with bytes loaded and bytes in all.
    ///
    /// # Errors
    ///
    /// Names the file, key or tensor that is at fault.
    pub(crate) fn load(
        source: &dyn WeightSource,
        draft: Option<LoadedDraft>,
        options: &EngineOptions,
        progress: Progress<'_>,
    ) -> Result<Self, LoadError> {
        let spec = DecoderSpec::read(source)?;
        let tokenizer = Tokenizer::read(source)?;
        let FoundTemplates { usable, warnings } = options.templates_for(source, || tokenizer.clone())?;
        let prompts = usable.map(|templates| PromptRenderer::new(templates, tokenizer.as_ref()));
        let pooling = pooling(source, &spec.architecture);
        let ranker = Ranker::read(source, &spec.architecture)?;
        let sampling = SamplingDefaults::from_metadata(source.metadata())
            .map_err(|error| LoadError::new(format!("metadata key {}", error.key), error.problem))?;

        let mut weights = weight_bytes(source, options.placement.device);
        let mut token_bytes = cache_bytes_per_token(&spec, &options.placement);
        if let Some(draft) = &draft {
            weights = weights.saturating_add(draft.executor().weight_bytes());
            token_bytes = token_bytes
                .saturating_add(cache_bytes_per_token(draft.executor().spec(), &options.placement));
        }
        let cache_bytes = memory::cache_bytes(options, weights);
        let limits = WorkerLimits::new(options, cache_bytes, token_bytes);
        let context = limits.context(options.context.unwrap_or(spec.context_trained));
        let mut executor = options.placement.load(source, spec, context, progress)?;
        let pages = executor.pages().map(|pages| pages.form());
        let context = executor.context();
        let card = card(source, executor.as_ref(), prompts.as_ref().ok(), ranker.is_some());
        let clock = options.clock;
        Ok(Self {
            model: Model {
                card,
                context,
                tokenizer,
                prompts,
                sampling,
                pooling,
                ranker,
                pages,
                clock,
                warnings,
                grammars: OnceLock::new(),
            },
            executor,
            draft,
            limits: limits.with_context(context),
            queue_max: options.queue_max,
        })
    }

    /// Starts the threads of a decoder that was verified.
    ///
    /// # Errors
    ///
    /// When the system gives no more threads.
    pub(crate) fn start(self, proof: Proof) -> Result<Engine, LoadError> {
        let Self { mut model, executor, draft, limits, queue_max } = self;
        proof.enter(&mut model.card);
        let model = Arc::new(model);
        let (job_sender, jobs) = mpsc::sync_channel(queue_max);
        let (prepared_sender, prepared) = mpsc::sync_channel(queue_max);
        let preparing = Arc::clone(&model);
        let draft = draft.map(LoadedDraft::into_executor);
        let worker = Worker::new(Arc::clone(&model), executor, draft, prepared, limits);
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(run)
                .map_err(|error| LoadError::caused("the engine's threads", "cannot be started", error))
        };
        // Either thread ends when the other is not there: a failure leaves none behind.
        let threads = vec![
            spawn("stack-prepare", Box::new(move || prepare::run(&preparing, &jobs, &prepared_sender)))?,
            spawn("stack-worker", Box::new(move || worker.run()))?,
        ];
        Ok(Engine {
            model,
            jobs: Some(job_sender),
            accepted: Arc::new(AtomicUsize::new(0)),
            queue_max,
            threads: Mutex::new(threads),
        })
    }
}

impl Engine {
    /// The tokenizer, if the model has a vocabulary.
    pub(crate) fn tokenizer(&self) -> Option<&Tokenizer> {
        self.model.tokenizer.as_ref()
    }

    /// Whether it ranks documents.
    pub(crate) fn ranks(&self) -> bool {
        self.model.ranker.is_some()
    }

    /// What the user should know about the model's chat template.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.model.warnings
    }

    fn submit(&self, job: Job) -> Result<(), Failure> {
        let closed = || Failure::new(FailureKind::Draining, "the engine has stopped");
        self.jobs.as_ref().ok_or_else(closed)?.try_send(job).map_err(|_| closed())
    }
}

impl ChatModel for Engine {
    fn card(&self) -> &ModelCard {
        &self.model.card
    }

    fn sampling(&self) -> Sampling {
        self.model.sampling.completed()
    }

    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure> {
        let choices = request.choices as usize;
        if choices == 0 || choices > CHOICES_MAX {
            let problem = format!("n is {choices}, but must be from 1 to {CHOICES_MAX}");
            return Err(Failure::invalid("n", problem));
        }
        if request.max_tokens == Some(0) {
            return Err(Failure::invalid("max_tokens", "max_tokens must be at least 1"));
        }
        let permit = Permit::take(&self.accepted, self.queue_max).ok_or_else(|| {
            let message = format!("{} requests are waiting or running; the queue is full", self.queue_max);
            Failure::new(FailureKind::QueueFull, message).after(RETRY_AFTER)
        })?;
        let (events, receiver) = channel::channel(permit, choices);
        self.submit(Job::Chat { request: Box::new(request), events, arrived: Instant::now() })?;
        Ok(Box::pin(receiver))
    }
}

impl Prompts for Engine {
    fn tokenize(&self, text: &str, options: TokenizeOptions) -> Result<Vec<u32>, Failure> {
        vocabulary::tokenize(self.tokenizer(), text, options)
    }

    fn piece(&self, token: u32) -> Result<&[u8], Failure> {
        vocabulary::piece(self.tokenizer(), token)
    }

    fn render(&self, request: &ChatRequest) -> Result<RenderedPrompt, Failure> {
        prepare::rendered(&self.model, request)
    }

    fn template(&self, has_tools: bool) -> Option<&str> {
        self.model.prompts.as_ref().ok().map(|prompts| prompts.template(has_tools))
    }

    fn bounds(&self) -> (Option<u32>, Option<u32>) {
        vocabulary::bounds(self.tokenizer())
    }
}

impl Embedder for Engine {
    fn embed(&self, request: EmbedRequest) -> EmbedFuture {
        let submitted = if request.dimensions.is_some() {
            Err(Failure::unsupported("dimensions", "this model does not declare shorter vectors"))
        } else if self.ranks() {
            Err(Failure::unsupported("model", "this model ranks documents and has no embedding vectors"))
        } else {
            let (reply, answer) = oneshot::channel();
            self.submit(Job::Embed(EmbedJob { request, reply })).map(|()| answer)
        };
        Box::pin(async move {
            submitted?
                .await
                .unwrap_or_else(|_| Err(Failure::new(FailureKind::Draining, "the engine has stopped")))
        })
    }
}

impl Reranker for Engine {
    fn rank(&self, request: RankRequest) -> RankFuture {
        let (reply, answer) = oneshot::channel();
        let submitted = self.submit(Job::Rank(RankJob { request, reply }));
        Box::pin(async move {
            submitted?;
            let stopped = || Failure::new(FailureKind::Draining, "the engine has stopped");
            answer.await.unwrap_or_else(|_| Err(stopped()))
        })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.jobs = None;
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A thread that panicked has already told its callers by closing their streams.
            let _panicked = thread.join();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("model", &self.model.card.id).finish_non_exhaustive()
    }
}

fn pooling(source: &dyn WeightSource, architecture: &str) -> Pooling {
    let key = format!("{architecture}.pooling_type");
    // Files without pooling write −1 as an unsigned number, which is no usable integer here and means the same.
    match source.metadata().integer(&key) {
        Ok(Some(2)) => Pooling::First,
        Ok(Some(3)) => Pooling::Last,
        _ => Pooling::Mean,
    }
}

fn card(
    source: &dyn WeightSource,
    executor: &dyn Executor,
    prompts: Option<&PromptRenderer>,
    ranks: bool,
) -> ModelCard {
    let spec = executor.spec();
    let files = source.files();
    let elements = |shape: &[usize]| shape.iter().map(|&dimension| dimension as u64).product::<u64>();
    let mut abilities = vec![Ability::Completes, if ranks { Ability::Ranks } else { Ability::Embeds }];
    if let Some(prompts) = prompts {
        abilities.push(Ability::Chats);
        abilities.extend(prompts.shows_tools().then_some(Ability::Calls));
        abilities.extend(prompts.reply_format(false).reasons().then_some(Ability::Thinks));
    }
    ModelCard {
        id: files
            .path()
            .file_stem()
            .map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned()),
        created_s: files.modified_s(),
        context: u32::try_from(executor.context()).unwrap_or(u32::MAX),
        context_trained: u32::try_from(spec.context_trained).unwrap_or(u32::MAX),
        parameters: source.tensors().iter().map(|tensor| elements(&tensor.shape)).sum(),
        size_bytes: source.size_bytes(),
        vocabulary: u32::try_from(spec.vocabulary).unwrap_or(u32::MAX),
        embedding: u32::try_from(spec.embedding).unwrap_or(u32::MAX),
        architecture: spec.architecture.clone(),
        abilities,
        quantization: weights::main_type(source.tensors()).map(|ty| ty.name().to_owned()),
        ..ModelCard::default()
    }
}

/// The most answers to one request.
const CHOICES_MAX: usize = 16;

/// What a caller who got no permit is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(2);
