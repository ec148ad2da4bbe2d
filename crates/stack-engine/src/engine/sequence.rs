//! One answer on its way: tokens so far, how the next is chosen, and the text that may leave.

use stack_chat::{ChatError, Delta, FinishReason, Logprobs, TokenLogprob};

use crate::executor::SequenceId;
use crate::sample::Sampler;
use crate::stop::StopMatcher;
use crate::tokenizer::{Detokenizer, Tokenizer};

/// One choice of a request while it is generated.
pub(super) struct Sequence {
    pub(super) choice: u32,
    /// Where the executor keeps it; `None` before it starts and after it was preempted.
    pub(super) id: Option<SequenceId>,
    /// The prompt and what was generated.
    pub(super) tokens: Vec<u32>,
    /// How many of them the executor holds.
    pub(super) computed: usize,
    pub(super) generated: u32,
    /// Whether its last token has been chosen.
    pub(super) finished: bool,
    sampler: Sampler,
    text: Option<TextOut>,
}

/// Turns tokens into text that may leave.
struct TextOut {
    tokenizer: Tokenizer,
    detokenizer: Detokenizer,
    stop: StopMatcher,
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

/// What one token led to.
pub(super) struct Step {
    pub(super) delta: Option<Delta>,
    pub(super) finish: Option<FinishReason>,
}

impl Sequence {
    /// Makes a sequence that has computed nothing.
    pub(super) fn new(
        choice: u32,
        tokens: Vec<u32>,
        mut sampler: Sampler,
        tokenizer: Option<&Tokenizer>,
        stop: &[String],
    ) -> Self {
        for &token in &tokens {
            sampler.accept(token);
        }
        let text = tokenizer.map(|tokenizer| TextOut {
            tokenizer: tokenizer.clone(),
            detokenizer: tokenizer.continuation(),
            stop: StopMatcher::new(stop),
        });
        Self { choice, id: None, tokens, computed: 0, generated: 0, finished: false, sampler, text }
    }

    /// Tokens that the executor does not hold yet.
    pub(super) fn remaining(&self) -> usize {
        self.tokens.len() - self.computed
    }

    /// Chooses the next token from the logits that follow all tokens so far.
    pub(super) fn step(&mut self, logits: &[f32], options: &GenerationOptions) -> Result<Step, ChatError> {
        let sampled = self.sampler.sample(logits, options.logprobs)?;
        let token = sampled.token;
        if !options.ignore_eos
            && self.text.as_ref().is_some_and(|text| text.tokenizer.is_end_of_generation(token))
        {
            return Ok(Step { delta: self.rest(), finish: Some(FinishReason::Stop) });
        }
        self.sampler.accept(token);
        self.tokens.push(token);
        self.generated += 1;

        let describe = |id: u32, logprob: f32| TokenLogprob {
            id,
            bytes: self.text.as_ref().map_or_else(Vec::new, |text| text.tokenizer.piece(id).to_vec()),
            logprob,
            top: Vec::new(),
        };
        let mut chosen = describe(token, sampled.logprob);
        chosen.top = sampled.top.iter().map(|&(id, logprob)| describe(id, logprob)).collect();
        let mut delta = Delta { choice: self.choice, text: String::new(), tokens: vec![chosen] };
        let mut stopped = false;
        if let Some(text) = &mut self.text {
            let checked = text.stop.push(&text.detokenizer.push(token));
            delta.text = checked.emit;
            stopped = checked.stopped;
        }
        if stopped {
            return Ok(Step { delta: Some(delta), finish: Some(FinishReason::Stop) });
        }
        let full = self.generated >= options.tokens_max || self.tokens.len() > options.context;
        if full && let Some(rest) = self.rest() {
            delta.text.push_str(&rest.text);
        }
        Ok(Step { delta: Some(delta), finish: full.then_some(FinishReason::Length) })
    }

    /// The text that was held back and now may leave.
    fn rest(&mut self) -> Option<Delta> {
        let text = self.text.as_mut()?;
        let mut rest = text.stop.push(&text.detokenizer.flush()).emit;
        rest.push_str(&text.stop.finish());
        (!rest.is_empty()).then(|| Delta { choice: self.choice, text: rest, tokens: Vec::new() })
    }
}
