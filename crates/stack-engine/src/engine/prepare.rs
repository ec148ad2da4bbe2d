//! From a request to tokens: rendering, tokenizing, checking. It runs on a thread of its own, because a long prompt
//! takes a while and must not hold up the answers of others.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use stack_chat::{
    ChatEvent, ChatRequest, ContextPolicy, EmbedInput, Failure, Overflow, Prompt, RankRequest,
    RenderedPrompt, Unused,
};

use super::answer::Answer;
use super::binding::{Rules, must_call_tools, rules};
use super::fit;
use super::group::SequenceGroup;
use super::infill;
use super::job::{EmbedJob, Job, PreparedJob, RankJob};
use super::model::Model;
use super::pooled::{Goal, PooledRequest};
use super::prompts::{prompt_text, prompt_tokens};
use super::sequence::{GenerationOptions, Sequence};
use super::without_effect::without_effect;
use crate::sample::Sampler;
use crate::tokenizer::{Control, Specials, Tokenizer};

/// Prepares jobs until no more can come.
pub(super) fn run(model: &Arc<Model>, jobs: &Receiver<Job>, prepared: &SyncSender<PreparedJob>) {
    for job in jobs {
        let ready = match job {
            Job::Chat { events, .. } if events.is_closed() => None,
            Job::Chat { request, events, arrived } => match prepare(model, &request) {
                Err(error) => {
                    events.send(Err(error));
                    None
                }
                Ok(Prepared { sequences, options, prompt_tokens, seed, unused }) => {
                    Some(PreparedJob::Chat(SequenceGroup {
                        // The caller learns now what the prompt was made of, however long the queue is.
                        events: events.with(ChatEvent::Started { prompt_tokens, seed, unused }),
                        prompt_tokens,
                        sequences,
                        options,
                        cached_tokens: 0,
                        generated_tokens: 0,
                        reasoning_tokens: 0,
                        number: 0,
                        priority: request.priority,
                        tenant: request.tenant.clone(),
                        deadline: request.deadline.and_then(|deadline| arrived.checked_add(deadline)),
                        leader: None,
                        reproducible: request.sampling.seed.is_some(),
                        arrived,
                        started: None,
                        prompt_done: None,
                        failed: false,
                    }))
                }
            },
            Job::Embed(EmbedJob { request, reply }) => match embed_inputs(model, &request.inputs) {
                Err(error) => {
                    let _gone = reply.send(Err(error));
                    None
                }
                Ok(inputs) => {
                    let goal = Goal::Embed { pooling: model.pooling, reply };
                    Some(PreparedJob::Pooled(PooledRequest::new(inputs, goal)))
                }
            },
            Job::Rank(RankJob { request, reply }) => match rank_inputs(model, &request) {
                Err(error) => {
                    let _gone = reply.send(Err(error));
                    None
                }
                Ok(inputs) => Some(PreparedJob::Pooled(PooledRequest::new(inputs, Goal::Rank { reply }))),
            },
            Job::Save(job) => Some(PreparedJob::Save(job)),
            Job::Restore(job) => Some(PreparedJob::Restore(job)),
        };
        if let Some(ready) = ready
            && prepared.send(ready).is_err()
        {
            return;
        }
    }
}

struct Prepared {
    sequences: Vec<Sequence>,
    options: GenerationOptions,
    prompt_tokens: u32,
    seed: u64,
    unused: Vec<Unused>,
}

fn prepare(model: &Model, request: &ChatRequest) -> Result<Prepared, Failure> {
    let PreparedPrompt { tokens: prompt, end, unused } = fitting_prompt(model, request)?;
    check_length(model, prompt.len())?;
    let room = model.context - prompt.len() + 1;
    let tokens_max = request.max_tokens.unwrap_or(u32::MAX).min(u32::try_from(room).unwrap_or(u32::MAX));
    let seed = request.sampling.seed.unwrap_or_else(random_seed);
    let tokenizer = model.tokenizer.as_ref();
    let vocabulary = model.card.vocabulary;
    if let Some(bias) = request.sampling.logit_bias.iter().find(|bias| bias.token >= vocabulary) {
        let problem = format!("token {} is not in the vocabulary of {vocabulary}", bias.token);
        return Err(Failure::invalid("logit_bias", problem));
    }
    if !request.stop.is_empty() && tokenizer.is_none() {
        return Err(Failure::unsupported(
            "stop",
            "this model has no vocabulary, so its answers have no text",
        ));
    }
    let tokenize = |text: &str| match tokenizer {
        Some(tokenizer) => tokenizer.encode(text, Control::Literal, Specials::Omit),
        None => Vec::new(),
    };
    let Rules { reply, binding } = rules(model, request, &end)?;
    let sequences = (0..request.choices)
        .map(|choice| {
            let answer = Answer::new(choice, tokenizer, &request.stop, reply.clone(), binding.clone());
            let sampler = Sampler::new(&request.sampling, &model.sampling, seed, choice, tokenize)?;
            Ok(Sequence::new(choice, prompt.clone(), sampler, answer))
        })
        .collect::<Result<_, Failure>>()?;
    Ok(Prepared {
        sequences,
        options: GenerationOptions {
            tokens_max,
            context: model.context,
            ignore_eos: request.ignore_eos,
            logprobs: request.logprobs,
        },
        prompt_tokens: prompt.len() as u32,
        seed,
        unused,
    })
}

/// Makes the tokens of a prompt, shortened where it does not fit and the caller wants it so.
fn fitting_prompt(model: &Model, request: &ChatRequest) -> Result<PreparedPrompt, Failure> {
    let whole = prompt(model, request)?;
    if whole.tokens.len() <= model.context || request.context_policy == ContextPolicy::Error {
        return Ok(whole);
    }
    let max = fit::budget(model.context, request.max_tokens);
    match &request.prompt {
        Prompt::Infill(_) => Ok(whole),
        Prompt::Text(_) | Prompt::Tokens(_) => {
            Ok(PreparedPrompt { tokens: fit::tokens(&whole.tokens, max, request.context_policy), ..whole })
        }
        Prompt::Messages(_) => {
            let fitting = |request: &ChatRequest| {
                Ok(Some(prompt(model, request)?).filter(|prompt| prompt.tokens.len() <= max))
            };
            Ok(fit::conversation(request, fitting)?.unwrap_or(whole))
        }
    }
}

struct PreparedPrompt {
    tokens: Vec<u32>,
    /// The last of its text, where it is a rendered conversation.
    end: String,
    /// What has no effect.
    unused: Vec<Unused>,
}

/// Writes down what the model is sent for a request.
///
/// # Errors
///
/// As for the request itself, short of a prompt that does not fit.
pub(super) fn rendered(model: &Model, request: &ChatRequest) -> Result<RenderedPrompt, Failure> {
    let tokens = prompt(model, request)?.tokens;
    let text = match &request.prompt {
        Prompt::Messages(messages) => {
            let rendered = model.render(messages, request.shown_tools(), &request.template_values())?;
            prompt_text(model.tokenizer.as_ref(), &rendered)
        }
        Prompt::Text(_) | Prompt::Tokens(_) | Prompt::Infill(_) => {
            let vocabulary = vocabulary(model)?;
            let pieces: Vec<u8> = tokens.iter().flat_map(|&id| vocabulary.piece(id)).copied().collect();
            String::from_utf8_lossy(&pieces).into_owned()
        }
    };
    Ok(RenderedPrompt { text, tokens })
}

/// Makes the tokens of a prompt, and lists what its template does not look at.
fn prompt(model: &Model, request: &ChatRequest) -> Result<PreparedPrompt, Failure> {
    let mut unused = without_effect(request);
    let mut end = String::new();
    let tokens = match &request.prompt {
        Prompt::Tokens(tokens) => tokens.clone(),
        Prompt::Infill(gap) => infill::tokens(vocabulary(model)?, gap)?,
        // No template stands between the caller and the model: this text is the whole prompt, and what it says of
        // control tokens is meant.
        Prompt::Text(text) => vocabulary(model)?.encode(text, Control::Parsed, Specials::Add),
        Prompt::Messages(messages) => {
            let rendered = model.render(messages, request.shown_tools(), &request.template_values())?;
            let tokens = prompt_tokens(vocabulary(model)?, &rendered);
            // Tools that the model is not shown have an effect where a grammar makes it call them.
            let is_without = |unused: &Unused| *unused != Unused::Tools || !must_call_tools(request);
            unused.extend(rendered.unused.into_iter().filter(is_without));
            end =
                rendered.segments.last().map(|segment| segment.text.clone().into_owned()).unwrap_or_default();
            tokens
        }
    };
    check_tokens(model, "prompt", &tokens)?;
    Ok(PreparedPrompt { tokens, end, unused })
}

fn embed_inputs(model: &Model, inputs: &[EmbedInput]) -> Result<Vec<Vec<u32>>, Failure> {
    inputs
        .iter()
        .map(|input| {
            let tokens = match input {
                EmbedInput::Tokens(tokens) => tokens.clone(),
                // A document to embed is often a stranger's, and nothing in it may steer the model.
                EmbedInput::Text(text) => vocabulary(model)?.encode(text, Control::Literal, Specials::Add),
            };
            check_tokens(model, "input", &tokens)?;
            check_length(model, tokens.len())?;
            Ok(tokens)
        })
        .collect()
}

fn rank_inputs(model: &Model, request: &RankRequest) -> Result<Vec<Vec<u32>>, Failure> {
    let ranker = model
        .ranker
        .as_ref()
        .ok_or_else(|| Failure::unsupported("model", "this model has no head that ranks documents"))?;
    ranker.prompts(vocabulary(model)?, request, |field, tokens| {
        check_length(model, tokens).map_err(|failure| Failure { field: Some(field.to_owned()), ..failure })
    })
}

/// Checks what the field `field` of the request became.
fn check_tokens(model: &Model, field: &str, tokens: &[u32]) -> Result<(), Failure> {
    if tokens.is_empty() {
        return Err(Failure::invalid(field, format!("the {field} has no tokens")));
    }
    match tokens.iter().find(|&&token| token >= model.card.vocabulary) {
        None => Ok(()),
        Some(token) => {
            let problem = format!("token {token} is not in the vocabulary of {}", model.card.vocabulary);
            Err(Failure::invalid(field, problem))
        }
    }
}

fn check_length(model: &Model, tokens: usize) -> Result<(), Failure> {
    if tokens <= model.context {
        return Ok(());
    }
    let (prompt_tokens, context) = (tokens as u32, model.context as u32);
    let message =
        format!("the prompt has {tokens} tokens, but the context of this model is {context} tokens here");
    Err(Failure::overflow(Overflow { prompt_tokens, context }, message))
}

fn vocabulary(model: &Model) -> Result<&Tokenizer, Failure> {
    model.tokenizer.as_ref().ok_or_else(|| {
        Failure::unsupported("prompt", "this model has no vocabulary; give the prompt as token ids")
    })
}

/// A seed from the operating system's randomness, by way of the standard library's hash keys.
fn random_seed() -> u64 {
    RandomState::new().hash_one(0)
}
