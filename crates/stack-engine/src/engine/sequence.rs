//! One answer on its way: tokens so far, and how the next is chosen.

use stack_chat::{Failure, Logprobs, TokenLogprob};

use super::answer::{Answer, Heard};
use super::speculation::{DraftSequence, Ngram, Origin};
use crate::executor::SequenceId;
use crate::sample::Sampler;

/// One choice of a request while it is generated.
pub(super) struct Sequence {
    pub(super) choice: u32,
    /// Where the executor keeps it; `None` before it starts and after it was preempted.
    pub(super) id: Option<SequenceId>,
    /// The prompt and what was generated.
    pub(super) tokens: Vec<u32>,
    /// How many of them the executor holds.
    pub(super) computed: usize,
    /// Whether it was put aside because there was no memory.
    pub(super) preempted: bool,
    /// Guesses of what follows, for the next step.
    pub(super) guessed: Vec<u32>,
    /// Where they came from.
    pub(super) origin: Origin,
    pub(super) ngram: Ngram,
    pub(super) draft: DraftSequence,
    pub(super) generated: u32,
    /// Whether its last token has been chosen.
    pub(super) finished: bool,
    sampler: Sampler,
    answer: Answer,
}

/// What ends a sequence besides the model, and what is told of each of its tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct GenerationOptions {
    /// The most tokens to generate.
    pub(super) tokens_max: u32,
    /// The most tokens that a sequence holds.
    pub(super) context: usize,
    pub(super) ignore_eos: bool,
    pub(super) logprobs: Option<Logprobs>,
}

impl Sequence {
    /// Makes a sequence that has computed nothing.
    pub(super) fn new(choice: u32, tokens: Vec<u32>, mut sampler: Sampler, answer: Answer) -> Self {
        for &token in &tokens {
            sampler.accept(token);
        }
        Self {
            choice,
            id: None,
            tokens,
            computed: 0,
            preempted: false,
            guessed: Vec::new(),
            origin: Origin::default(),
            ngram: Ngram::default(),
            draft: DraftSequence::default(),
            generated: 0,
            finished: false,
            sampler,
            answer,
        }
    }

    /// Tokens that the executor does not hold yet.
    pub(super) fn remaining(&self) -> usize {
        self.tokens.len() - self.computed
    }

    /// How many tokens after the next one it may still say.
    pub(super) fn left(&self, options: &GenerationOptions) -> usize {
        let wanted = options.tokens_max.saturating_sub(self.generated).saturating_sub(1) as usize;
        wanted.min(options.context.saturating_sub(self.tokens.len()))
    }

    /// How many of the tokens that it generated are reasoning.
    pub(super) fn reasoning_tokens(&self) -> u32 {
        self.answer.reasoning_tokens()
    }

    /// Guesses the token after those that are guessed already, by the logits of another model.
    pub(super) fn guess_from(&mut self, logits: &[f32]) -> Option<u32> {
        let guess = self.sampler.guess(logits, self.guessed.len() as u64)?;
        self.guessed.push(guess);
        Some(guess)
    }

    /// Chooses the next token from the logits that follow all tokens so far.
    pub(super) fn step(&mut self, logits: &[f32], options: &GenerationOptions) -> Result<Heard, Failure> {
        let mask = self.answer.mask()?;
        let sampled = self.sampler.sample(logits, mask.as_ref(), options.logprobs)?;
        let token = sampled.token;
        if !options.ignore_eos && self.answer.is_end(token) {
            return Ok(self.answer.finish(Some(token)));
        }
        self.sampler.accept(token);
        self.tokens.push(token);
        self.generated += 1;

        let describe = |id: u32, logprob: f32| {
            let bytes = self.answer.piece(id).to_vec();
            TokenLogprob { id, bytes, logprob, top: Vec::new() }
        };
        let mut chosen = describe(token, sampled.logprob);
        chosen.top = sampled.top.iter().map(|&(id, logprob)| describe(id, logprob)).collect();
        let mut heard = self.answer.push(token, chosen)?;
        if heard.end.is_some() {
            self.answer.close(&mut heard.events);
        } else if self.generated >= options.tokens_max || self.tokens.len() > options.context {
            let rest = self.answer.finish(None);
            heard.events.extend(rest.events);
            heard.end = rest.end;
        }
        Ok(heard)
    }
}
