//! Chooses the next token.
//!
//! The stages act in this order: logit bias, grammar, penalties, DRY, top-k, typical-p, top-p, min-p, XTC, temperature, draw.
//! The draw is counter-based: it depends on the seed, the choice and the position, and on nothing else.

mod candidates;
mod dry;
mod logprobs;
mod parameters;
mod penalties;
mod rng;
mod truncate;

use stack_chat::{Failure, Logprobs, Sampling};

use self::candidates::Candidates;
use self::dry::DrySearch;
use self::parameters::SamplingParameters;
use self::penalties::Penalties;

use crate::grammar::Mask;

pub use parameters::SamplingDefaults;

/// Chooses the tokens of one answer.
#[derive(Clone, Debug)]
pub struct Sampler {
    parameters: SamplingParameters,
    penalties: Penalties,
    dry: Option<DrySearch>,
    seed: u64,
    choice: u32,
    /// Tokens chosen so far; the counter of the draw.
    position: u64,
    candidates: Candidates,
}

/// A chosen token.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// The token.
    pub token: u32,
    /// Its log-probability under the unmodified logits; 0 if log-probabilities were not asked for.
    pub logprob: f32,
    /// The most probable tokens with their log-probabilities, best first.
    pub top: Vec<(u32, f32)>,
}

impl Sampler {
    /// Makes a sampler for one choice of a request. `tokenize` finds the tokens of DRY's sequence breakers.
    ///
    /// # Errors
    ///
    /// Names the parameter that is out of its range.
    pub fn new(
        sampling: &Sampling,
        defaults: &SamplingDefaults,
        seed: u64,
        choice: u32,
        tokenize: impl Fn(&str) -> Vec<u32>,
    ) -> Result<Self, Failure> {
        let parameters = SamplingParameters::new(sampling, defaults)?;
        Ok(Self {
            penalties: Penalties::new(&parameters),
            dry: parameters.dry.as_ref().map(|dry| DrySearch::new(dry, tokenize)),
            parameters,
            seed,
            choice,
            position: 0,
            candidates: Candidates::default(),
        })
    }

    /// Chooses a token from the logits of one position, of those that a grammar allows.
    ///
    /// # Errors
    ///
    /// When no logit is a usable number.
    pub fn sample(
        &mut self,
        logits: &[f32],
        mask: Option<&Mask>,
        logprobs: Option<Logprobs>,
    ) -> Result<Sampled, Failure> {
        let token = self.choose(logits, mask, self.position)?;
        self.position += 1;
        let (logprob, top) = match logprobs {
            None => (0.0, Vec::new()),
            Some(wanted) => logprobs::of(logits, token, wanted.top as usize),
        };
        Ok(Sampled { token, logprob, top })
    }

    /// What would be chosen from these logits `ahead` tokens after the next one, if penalties stayed as they are; `None`
    /// if no logit is a usable number. It changes nothing of what is chosen later.
    pub(crate) fn guess(&mut self, logits: &[f32], ahead: u64) -> Option<u32> {
        self.choose(logits, None, self.position + ahead).ok()
    }

    /// Takes note of a token of the prompt or of the answer.
    pub fn accept(&mut self, token: u32) {
        self.penalties.accept(token);
        if let Some(dry) = &mut self.dry {
            dry.accept(token);
        }
    }

    fn choose(&mut self, logits: &[f32], mask: Option<&Mask>, position: u64) -> Result<u32, Failure> {
        let Self { parameters, candidates, .. } = self;
        candidates.fill(logits);
        for &(token, bias) in &parameters.logit_bias {
            candidates.add(token, bias);
        }
        if let Some(mask) = mask {
            candidates.keep_allowed(|token| mask.allows(token));
        }
        self.penalties.apply(candidates);
        if let Some(dry) = &self.dry {
            dry.apply(candidates);
        }
        let Some(best) = candidates.best() else {
            return Err(Failure::internal("the model returned no usable logits"));
        };
        if parameters.temperature <= 0.0 {
            return Ok(best);
        }
        candidates.keep_best(parameters.top_k);
        truncate::typical(candidates, parameters.typical_p);
        truncate::top_p(candidates, parameters.top_p);
        truncate::min_p(candidates, parameters.min_p);
        let draw = rng::Draw::new(self.seed, self.choice, position);
        if let Some(xtc) = parameters.xtc
            && draw.uniform(rng::Purpose::Xtc) < f64::from(xtc.probability)
        {
            truncate::exclude_top_choices(candidates, xtc.threshold);
        }
        Ok(candidates.draw(parameters.temperature, draw.uniform(rng::Purpose::Token)))
    }
}

#[cfg(test)]
mod tests {
    use stack_chat::{FailureKind, LogitBias, Xtc};

    use super::*;

    fn sampler(sampling: &Sampling, seed: u64, choice: u32) -> Sampler {
        Sampler::new(sampling, &SamplingDefaults::default(), seed, choice, |_| Vec::new()).unwrap()
    }

    fn draws(sampling: &Sampling, seed: u64, choice: u32, logits: &[f32], count: usize) -> Vec<u32> {
        let mut sampler = sampler(sampling, seed, choice);
        (0..count).map(|_| sampler.sample(logits, None, None).unwrap().token).collect()
    }

    #[test]
    fn temperature_zero_takes_the_best_and_the_first_of_equals() {
        let greedy = Sampling { temperature: Some(0.0), ..Sampling::default() };
        assert_eq!(draws(&greedy, 1, 0, &[0.0, 3.0, 3.0, 1.0], 2), [1, 1]);
    }

    #[test]
    fn a_bias_acts_even_when_greedy() {
        let logit_bias =
            vec![LogitBias { token: 1, bias: f32::NEG_INFINITY }, LogitBias { token: 0, bias: 5.0 }];
        let greedy = Sampling { temperature: Some(0.0), logit_bias, ..Sampling::default() };
        assert_eq!(draws(&greedy, 1, 0, &[0.0, 3.0, 2.0], 1), [0]);
    }

    #[test]
    fn the_same_seed_gives_the_same_tokens_and_another_choice_others() {
        let logits: Vec<f32> = (0..50).map(|n| (n % 7) as f32 * 0.1).collect();
        let sampling = Sampling { temperature: Some(1.0), ..Sampling::default() };
        let first = draws(&sampling, 42, 0, &logits, 40);
        assert_eq!(first, draws(&sampling, 42, 0, &logits, 40));
        assert_ne!(first, draws(&sampling, 42, 1, &logits, 40));
        assert_ne!(first, draws(&sampling, 43, 0, &logits, 40));
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let everything = Sampling {
            temperature: Some(1.0),
            top_k: Some(0),
            top_p: Some(1.0),
            min_p: Some(0.0),
            ..Sampling::default()
        };
        let logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        let tokens = draws(&everything, 7, 0, &logits, 20_000);
        for (token, expected) in [0.5, 0.3, 0.2].into_iter().enumerate() {
            let share = tokens.iter().filter(|&&drawn| drawn as usize == token).count() as f64 / 20_000.0;
            // Four standard deviations of a binomial share.
            let tolerance = 4.0 * (expected * (1.0 - expected) / 20_000.0f64).sqrt();
            assert!((share - expected).abs() < tolerance, "token {token}: {share}");
        }
    }

    #[test]
    fn xtc_never_draws_the_best_when_it_always_acts() {
        let sampling = Sampling {
            temperature: Some(1.0),
            min_p: Some(0.0),
            top_p: Some(1.0),
            xtc: Some(Xtc { probability: 1.0, threshold: 0.1 }),
            ..Sampling::default()
        };
        let tokens = draws(&sampling, 3, 0, &[2.0, 1.9, 1.0], 200);
        assert!(tokens.iter().all(|&token| token == 2), "the two most probable ones are excluded");
    }

    #[test]
    fn logits_that_are_not_numbers_are_never_chosen() {
        let sampling = Sampling { temperature: Some(1.0), ..Sampling::default() };
        assert!(draws(&sampling, 3, 0, &[f32::NAN, 0.0, f32::NAN], 50).iter().all(|&token| token == 1));
        let error = sampler(&sampling, 0, 0).sample(&[f32::NAN; 3], None, None).unwrap_err();
        assert_eq!(error.kind, FailureKind::Internal);
    }

    #[test]
    fn logprobs_are_those_of_the_unmodified_logits() {
        let logit_bias = vec![LogitBias { token: 2, bias: 100.0 }];
        let mut sampler = sampler(&Sampling { logit_bias, ..Sampling::default() }, 1, 0);
        let logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        let sampled = sampler.sample(&logits, None, Some(Logprobs { top: 2 })).unwrap();
        assert_eq!(sampled.token, 2);
        assert!((sampled.logprob - 0.2f32.ln()).abs() < 1e-6);
        assert_eq!(sampled.top.iter().map(|&(token, _)| token).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn parameters_out_of_range_are_refused_by_name() {
        let field = |sampling: &Sampling| {
            Sampler::new(sampling, &SamplingDefaults::default(), 0, 0, |_| Vec::new())
                .unwrap_err()
                .field
                .unwrap()
        };
        assert_eq!(field(&Sampling { temperature: Some(f32::NAN), ..Sampling::default() }), "temperature");
        assert_eq!(field(&Sampling { top_p: Some(1.5), ..Sampling::default() }), "top_p");
        assert_eq!(
            field(&Sampling { frequency_penalty: Some(-3.0), ..Sampling::default() }),
            "frequency_penalty"
        );
        assert_eq!(field(&Sampling { repeat_penalty: Some(0.0), ..Sampling::default() }), "repeat_penalty");
    }
}
