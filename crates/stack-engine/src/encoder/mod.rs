//! Encoders: models that read a text as a whole and generate nothing.
//!
//! They turn a text into one vector, or say how much a document has to do with a query. The families are rows of a table,
//! from GGUF files and from `SafeTensors` directories with what sentence-transformers keeps beside them. An input longer
//! than the model takes is refused, never cut.

mod batch;
mod candle;
mod cpu;
mod directory;
mod family;
mod head;
mod keys;
mod load;
mod network;
mod reader;
mod request;
mod sentence;
mod spec;
mod worker;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tiny;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use stack_chat::{
    Ability, ChatRequest, EmbedFuture, EmbedRequest, Embedder, Failure, FailureKind, ModelCard, Prompts,
    RankFuture, RankRequest, RenderedPrompt, Reranker, TokenizeOptions,
};
use tokio::sync::{Semaphore, oneshot};

use self::candle::CandleNetwork;
use self::cpu::CpuNetwork;
use self::family::Family;
use self::head::Head;
use self::network::Network;
use self::reader::Reader;
use self::request::{Job, Work};
use self::spec::EncoderSpec;
use self::worker::Worker;
use crate::executor::load::Tensors;
use crate::executor::{DeviceKind, Progress};
use crate::load::Proof;
use crate::options::EngineOptions;
use crate::pooling::Pooling;
use crate::tokenizer::Tokenizer;
use crate::turns::Turns;
use crate::vocabulary;
use crate::weights::{self, LoadError, WeightSource};

pub use directory::EncoderDirectory;

/// An encoder that computes on a thread of its own.
///
/// Dropping it cancels what is unfinished and waits for the thread.
pub(crate) struct Encoder {
    card: Arc<ModelCard>,
    tokenizer: Option<Tokenizer>,
    /// Lengths that vectors may be cut to.
    dimensions: Vec<usize>,
    jobs: Option<SyncSender<Job>>,
    /// Requests that may wait or run at once.
    places: Arc<Semaphore>,
    stopped: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// An encoder without its thread: nothing is computed until its files were verified.
pub(crate) struct Idle {
    spec: EncoderSpec,
    network: Box<dyn Network>,
    head: Head,
    card: ModelCard,
    tokenizer: Option<Tokenizer>,
    queue_max: usize,
    turns: Turns,
}

/// Whether a model is an encoder that this program can run.
pub fn recognises(source: &dyn WeightSource) -> bool {
    let name = source.metadata().text("general.architecture");
    name.is_ok_and(|name| name.and_then(Family::named).is_some())
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
        let mut spec = EncoderSpec::read(source.metadata())?;
        let tokenizer = Tokenizer::read(source)?;
        let tensors = Tensors::new(source, &[], progress);
        let placement = &options.placement;
        let head = Head::load(&tensors, &spec, placement.level)?;
        let network: Box<dyn Network> = match placement.device {
            DeviceKind::Cpu => Box::new(CpuNetwork::load(&tensors, &mut spec, placement)?),
            device => Box::new(CandleNetwork::load(&tensors, &mut spec, device)?),
        };
        load::refuse_unused(&tensors, &spec)?;
        let context_trained = spec.context;
        spec.context = options.context.map_or(spec.context, |most| spec.context.min(most));
        let card = card(source, &spec, &head, context_trained);
        let (queue_max, turns) = (options.queue_max, options.turns.clone());
        Ok(Self { spec, network, head, card, tokenizer, queue_max, turns })
    }

    /// Starts the thread of an encoder that was verified on this basis.
    ///
    /// # Errors
    ///
    /// When the system gives no more threads.
    pub(crate) fn start(self, proof: Proof) -> Result<Encoder, LoadError> {
        let Self { spec, network, head, mut card, tokenizer, queue_max, turns } = self;
        proof.enter(&mut card);
        let card = Arc::new(card);
        let reader =
            Reader { card: Arc::clone(&card), tokenizer: tokenizer.clone(), lowercase: spec.lowercase };
        let mut worker = Worker {
            reader,
            network,
            head,
            poolings: (spec.pooling.unwrap_or(Pooling::Mean), spec.head_pooling),
            turns,
            stopped: Arc::default(),
        };
        let stopped = Arc::clone(&worker.stopped);
        // No more requests than places are under way, so the queue never fills.
        let (jobs, receiver) = mpsc::sync_channel(queue_max.max(1));
        let thread = std::thread::Builder::new()
            .name("stack-encoder".to_owned())
            .spawn(move || worker.run(&receiver))
            .map_err(|error| LoadError::caused("the encoder's thread", "cannot be started", error))?;
        Ok(Encoder {
            card,
            tokenizer,
            dimensions: spec.dimensions,
            jobs: Some(jobs),
            places: Arc::new(Semaphore::new(queue_max.min(Semaphore::MAX_PERMITS))),
            stopped,
            thread: Mutex::new(Some(thread)),
        })
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

    /// Whether it ranks.
    pub(crate) fn ranks(&self) -> bool {
        self.can(Ability::Ranks)
    }

    fn can(&self, ability: Ability) -> bool {
        self.card.abilities.contains(&ability)
    }

    fn submit(&self, work: Work) -> Result<(), Failure> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let message = "too many requests to this encoder are waiting";
            Failure::new(FailureKind::QueueFull, message).after(RETRY_AFTER)
        })?;
        let jobs = self.jobs.as_ref().ok_or_else(closed)?;
        jobs.try_send(Job { work, permit }).map_err(|_| closed())
    }

    fn check_dimensions(&self, request: &EmbedRequest) -> Result<(), Failure> {
        let Some(length) = request.dimensions.filter(|&length| length != self.card.embedding) else {
            return Ok(());
        };
        if self.dimensions.is_empty() {
            let problem = "this model does not declare shorter vectors";
            return Err(Failure::unsupported("dimensions", problem));
        }
        if self.dimensions.contains(&(length as usize)) {
            return Ok(());
        }
        let known: Vec<String> = self.dimensions.iter().map(ToString::to_string).collect();
        let problem = format!("{length} is not among {} and {}", known.join(", "), self.card.embedding);
        Err(Failure::invalid("dimensions", problem))
    }
}

fn closed() -> Failure {
    Failure::new(FailureKind::Draining, "the encoder has stopped")
}

impl Prompts for Encoder {
    fn tokenize(&self, text: &str, options: TokenizeOptions) -> Result<Vec<u32>, Failure> {
        vocabulary::tokenize(self.tokenizer(), text, options)
    }

    fn piece(&self, token: u32) -> Result<&[u8], Failure> {
        vocabulary::piece(self.tokenizer(), token)
    }

    fn render(&self, _request: &ChatRequest) -> Result<RenderedPrompt, Failure> {
        Err(Failure::unsupported("messages", "this model answers no prompts: it reads texts as a whole"))
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
        let (reply, answer) = oneshot::channel();
        let submitted = if self.can(Ability::Embeds) {
            self.check_dimensions(&request).and_then(|()| self.submit(Work::Embed { request, reply }))
        } else {
            Err(Failure::unsupported("model", "this model ranks documents and has no embedding vectors"))
        };
        Box::pin(async move {
            submitted?;
            answer.await.unwrap_or_else(|_| Err(closed()))
        })
    }
}

impl Reranker for Encoder {
    fn rank(&self, request: RankRequest) -> RankFuture {
        let (reply, answer) = oneshot::channel();
        let submitted = if self.ranks() {
            self.submit(Work::Rank { request, reply })
        } else {
            Err(Failure::unsupported("model", "this model has no head that ranks documents"))
        };
        Box::pin(async move {
            submitted?;
            answer.await.unwrap_or_else(|_| Err(closed()))
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

fn card(source: &dyn WeightSource, spec: &EncoderSpec, head: &Head, context_trained: usize) -> ModelCard {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    // The dots in a directory's name belong to it: bge-small-en-v1.5.
    let files = source.files();
    let name = if files.is_folder() { files.path().file_name() } else { files.path().file_stem() };
    let embeds = spec.pooling.map(|_| Ability::Embeds);
    let ranks = head.ranks().then_some(Ability::Ranks);
    ModelCard {
        id: name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned()),
        created_s: files.modified_s(),
        context: count(spec.context),
        context_trained: count(context_trained),
        parameters: source.tensors().iter().map(|tensor| tensor.elements() as u64).sum(),
        size_bytes: source.size_bytes(),
        vocabulary: count(source.tensor("token_embd.weight").map_or(0, |tensor| tensor.shape[0])),
        embedding: count(head.length(spec.width)),
        architecture: spec.family.name.to_owned(),
        abilities: embeds.into_iter().chain(ranks).collect(),
        quantization: weights::main_type(source.tensors()).map(|ty| ty.name().to_owned()),
        ..ModelCard::default()
    }
}

/// What a caller who found the queue full is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(2);
