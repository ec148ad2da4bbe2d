//! Choosing one token after the other.

use stack_chat::{ChatError, ErrorKind, Logprobs, Sampling};

use super::candidates::{self, Candidate};
use super::dry::Repetition;
use super::penalties::Window;
use super::plan::{Plan, SamplingDefaults};
use super::rng::{Purpose, uniform};
use super::{logprobs, truncation, xtc};

/// Chooses the tokens of one choice of one request.
///
/// What it chooses is a function of the parameters, the seed, the number of the choice, the accepted tokens and the
/// logits; nothing else is remembered.
#[derive(Clone, Debug)]
pub struct Sampler {
    plan: Plan,
    seed: u64,
    choice: u32,
    vocabulary: usize,
    history: Vec<u32>,
    window: Window,
    repetition: Option<Repetition>,
    /// Scratch: the logits as changed by bias and penalties.
    adjusted: Vec<f32>,
    /// Scratch: the tokens that may still be chosen.
    candidates: Vec<Candidate>,
}

/// A chosen token.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// The token.
    pub token: u32,
    /// Its log-probability under the unmodified logits; 0 when log-probabilities were not asked for.
    pub logprob: f32,
    /// The most probable tokens with their log-probabilities, best first, as many as were asked for.
    pub top: Vec<(u32, f32)>,
}

/// What a sampler is made for.
#[derive(Clone, Debug)]
pub struct SamplerSetup<'a> {
    /// The parameters of the request.
    pub sampling: &'a Sampling,
    /// The parameters that the model prefers.
    pub defaults: &'a SamplingDefaults,
    /// How many logits there are.
    pub vocabulary: usize,
    /// The seed; whoever wants a random one draws it.
    pub seed: u64,
    /// The number of the choice.
    pub choice: u32,
    /// The token sequences of DRY's breakers, from [`super::breaker_tokens`] or a tokenizer.
    pub breakers: Vec<Vec<u32>>,
}

impl Sampler {
    /// Makes a sampler.
    ///
    /// # Errors
    ///
    /// Names the first field whose value is out of range.
    pub fn new(setup: SamplerSetup<'_>) -> Result<Self, ChatError> {
        let plan = Plan::new(setup.sampling, setup.defaults, setup.vocabulary)?;
        let repetition = plan.dry.as_ref().and_then(|dry| Repetition::new(dry, setup.breakers));
        Ok(Self {
            plan,
            seed: setup.seed,
            choice: setup.choice,
            vocabulary: setup.vocabulary,
            history: Vec::new(),
            window: Window::default(),
            repetition,
            adjusted: Vec::new(),
            candidates: Vec::new(),
        })
    }

    /// Takes note of a token of the prompt, or of one that was chosen.
    pub fn accept(&mut self, token: u32) {
        self.history.push(token);
        if self.plan.penalties.act() {
            self.window.advance(&self.history, self.plan.penalties.last_n);
        }
    }

    /// Chooses the token behind the accepted ones. Asking twice gives the same token twice.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when no token has a usable logit, or there are not as many as the vocabulary has.
    pub fn sample(&mut self, logits: &[f32], logprobs: Option<Logprobs>) -> Result<Sampled, ChatError> {
        if logits.len() != self.vocabulary {
            let message =
                format!("the model returned {} logits for {} tokens", logits.len(), self.vocabulary);
            return Err(ChatError::new(ErrorKind::Internal, message));
        }
        self.adjusted.clear();
        self.adjusted.extend(logits.iter().map(|&logit| usable(logit)));
        let report = logprobs.map(|wanted| {
            let sum = logprobs::log_sum_exp(&self.adjusted);
            (sum, logprobs::top(&self.adjusted, usize::from(wanted.top), sum, &mut self.candidates))
        });
        self.adjust();
        let token = if self.plan.temperature == 0.0 { candidates::best(&self.adjusted) } else { self.draw() };
        let token = token
            .ok_or_else(|| ChatError::new(ErrorKind::Internal, "the model returned no usable logits"))?;
        Ok(match report {
            Some((sum, top)) => Sampled { token, logprob: usable(logits[token as usize]) - sum, top },
            None => Sampled { token, logprob: 0.0, top: Vec::new() },
        })
    }

    /// Changes logits by bias, penalties and DRY.
    fn adjust(&mut self) {
        for bias in &self.plan.logit_bias {
            self.adjusted[bias.token as usize] += bias.bias;
        }
        if self.plan.penalties.act() {
            self.plan.penalties.apply(&mut self.adjusted, &self.window);
        }
        if let Some(repetition) = &mut self.repetition {
            repetition.apply(&mut self.adjusted, &self.history);
        }
    }

    /// Truncates, and draws from what is left; `None` if no token may be chosen.
    fn draw(&mut self) -> Option<u32> {
        let Plan { temperature, top_k, top_p, min_p, typical_p, .. } = self.plan;
        let position = self.history.len() as u64;
        let candidates = &mut self.candidates;
        candidates::select(candidates, &self.adjusted, top_k);
        truncation::typical_p(candidates, typical_p);
        truncation::top_p(candidates, top_p);
        truncation::min_p(candidates, min_p);
        if let Some(parameters) = self.plan.xtc {
            xtc::exclude(candidates, parameters, uniform(self.seed, self.choice, position, Purpose::Xtc));
        }
        candidates::softmax(candidates, temperature);
        let mut left = uniform(self.seed, self.choice, position, Purpose::Token);
        for candidate in candidates.iter() {
            left -= f64::from(candidate.probability);
            if left < 0.0 {
                return Some(candidate.token);
            }
        }
        // The probabilities may sum to a little less than 1.
        candidates.first().map(|best| best.token)
    }
}

/// Makes a logit that can be compared: what is not a number cannot be chosen.
fn usable(logit: f32) -> f32 {
    if logit.is_nan() { f32::NEG_INFINITY } else { logit.min(f32::MAX) }
}

#[cfg(test)]
mod tests {
    use stack_chat::{Dry, LogitBias, Xtc};

    use super::*;

    fn sampler(sampling: &Sampling, vocabulary: usize, seed: u64, choice: u32) -> Sampler {
        let defaults = &SamplingDefaults::default();
        Sampler::new(SamplerSetup { sampling, defaults, vocabulary, seed, choice, breakers: Vec::new() })
            .unwrap()
    }

    fn greedy() -> Sampling {
        Sampling { temperature: Some(0.0), ..Sampling::default() }
    }

    /// Everything that truncates is off.
    fn plain() -> Sampling {
        Sampling {
            temperature: Some(1.0),
            top_k: Some(0),
            top_p: Some(1.0),
            min_p: Some(0.0),
            ..Sampling::default()
        }
    }

    fn sequence(sampling: &Sampling, seed: u64, choice: u32) -> Vec<u32> {
        let logits: Vec<f32> = (0..200).map(|i| ((i * 37 % 101) as f32) / 40.0).collect();
        let mut sampler = sampler(sampling, 200, seed, choice);
        (0..50)
            .map(|_| {
                let token = sampler.sample(&logits, None).unwrap().token;
                sampler.accept(token);
                token
            })
            .collect()
    }

    #[test]
    fn greedy_takes_the_best_and_the_lowest_of_equals() {
        let mut sampler = sampler(&greedy(), 4, 0, 0);
        assert_eq!(sampler.sample(&[0.0, 2.0, 2.0, 1.0], None).unwrap().token, 1);
    }

    #[test]
    fn bias_and_penalties_act_on_greedy_choices() {
        let mut banned = greedy();
        banned.logit_bias = vec![LogitBias { token: 1, bias: f32::NEG_INFINITY }];
        assert_eq!(sampler(&banned, 3, 0, 0).sample(&[0.0, 2.0, 1.0], None).unwrap().token, 2);
        let mut penalized = greedy();
        penalized.repeat_penalty = Some(4.0);
        let mut sampler = sampler(&penalized, 3, 0, 0);
        sampler.accept(1);
        assert_eq!(sampler.sample(&[0.0, 2.0, 1.0], None).unwrap().token, 2);
    }

    #[test]
    fn dry_stops_a_loop() {
        let dry = Dry { multiplier: 10.0, ..Dry::default() };
        let mut sampler = sampler(&Sampling { dry: Some(dry), ..greedy() }, 3, 0, 0);
        for token in [0, 1, 2, 0, 1] {
            sampler.accept(token);
        }
        assert_eq!(sampler.sample(&[0.0, 1.0, 2.0], None).unwrap().token, 1);
    }

    #[test]
    fn the_same_seed_gives_the_same_answer() {
        for sampling in [plain(), Sampling::default()] {
            assert_eq!(sequence(&sampling, 7, 0), sequence(&sampling, 7, 0));
            assert_ne!(sequence(&sampling, 7, 0), sequence(&sampling, 8, 0));
            assert_ne!(sequence(&sampling, 7, 0), sequence(&sampling, 7, 1));
        }
    }

    #[test]
    fn asking_twice_gives_the_same_token() {
        let mut sampler = sampler(&plain(), 100, 3, 0);
        let logits = [0.5; 100];
        assert_eq!(sampler.sample(&logits, None).unwrap(), sampler.sample(&logits, None).unwrap());
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let probabilities = [0.5, 0.25, 0.125, 0.125];
        let logits = probabilities.map(f64::ln).map(|logit| logit as f32);
        let mut sampler = sampler(&plain(), 4, 42, 0);
        let mut counts = [0_u32; 4];
        let draws = 20_000;
        for _ in 0..draws {
            let token = sampler.sample(&logits, None).unwrap().token;
            counts[token as usize] += 1;
            sampler.accept(token);
        }
        let chi_squared: f64 = counts
            .iter()
            .zip(probabilities)
            .map(|(&count, probability)| {
                let expected = probability * f64::from(draws);
                (f64::from(count) - expected).powi(2) / expected
            })
            .sum();
        // With three degrees of freedom, 16.3 is passed by one seed in a thousand.
        assert!(chi_squared < 16.3, "{counts:?}: {chi_squared}");
    }

    #[test]
    fn truncation_leaves_only_what_it_should() {
        let logits = [0.4_f32, 0.3, 0.2, 0.1].map(f32::ln);
        let seen = |sampling: Sampling| {
            let mut seen = [false; 4];
            for seed in 0..300 {
                seen[sampler(&sampling, 4, seed, 0).sample(&logits, None).unwrap().token as usize] = true;
            }
            seen
        };
        assert_eq!(seen(plain()), [true; 4]);
        assert_eq!(seen(Sampling { top_k: Some(2), ..plain() }), [true, true, false, false]);
        assert_eq!(seen(Sampling { top_p: Some(0.75), ..plain() }), [true, true, true, false]);
        assert_eq!(seen(Sampling { min_p: Some(0.6), ..plain() }), [true, true, false, false]);
        let xtc = Some(Xtc { probability: 1.0, threshold: 0.15 });
        assert_eq!(seen(Sampling { xtc, ..plain() }), [false, false, true, true]);
    }

    #[test]
    fn log_probabilities_ignore_what_changes_logits() {
        let mut sampling = greedy();
        sampling.logit_bias = vec![LogitBias { token: 0, bias: -100.0 }];
        let logits = [0.5_f32, 0.3, 0.2].map(f32::ln);
        let sampled = sampler(&sampling, 3, 0, 0).sample(&logits, Some(Logprobs { top: 2 })).unwrap();
        assert_eq!(sampled.token, 1);
        assert!((sampled.logprob - 0.3_f32.ln()).abs() < 1e-6);
        assert_eq!(sampled.top.iter().map(|entry| entry.0).collect::<Vec<_>>(), [0, 1]);
        assert!((sampled.top[0].1 - 0.5_f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn what_is_not_a_number_is_never_chosen() {
        for sampling in [greedy(), plain(), Sampling::default()] {
            let mut sampler = sampler(&sampling, 3, 0, 0);
            assert_eq!(sampler.sample(&[f32::NAN, 1.0, f32::NAN], None).unwrap().token, 1);
            let infinite = sampler.sample(&[0.0, f32::INFINITY, 0.0], Some(Logprobs { top: 1 })).unwrap();
            assert_eq!(infinite.token, 1);
            for unusable in [[f32::NAN; 3], [f32::NEG_INFINITY; 3]] {
                assert_eq!(sampler.sample(&unusable, None).unwrap_err().kind, ErrorKind::Internal);
            }
            assert_eq!(sampler.sample(&[1.0], None).unwrap_err().kind, ErrorKind::Internal);
        }
    }
}
