//! How the next token is chosen.

/// Sampling parameters of one request.
///
/// `None` means: the model's own default, else the program's (see the fields). The order in which they act is
/// logit bias, penalties, DRY, top-k, typical-p, top-p, min-p, XTC, temperature, draw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Divides the logits; `0` or less picks the most probable token. Default 0.8.
    pub temperature: Option<f32>,
    /// Keeps the `k` most probable tokens; `0` keeps all. Default 40.
    pub top_k: Option<u32>,
    /// Keeps the smallest set whose probability reaches this. Default 0.95; `1` keeps all.
    pub top_p: Option<f32>,
    /// Keeps tokens at least this probable relative to the best. Default 0.05; `0` keeps all.
    pub min_p: Option<f32>,
    /// Keeps the tokens nearest to the expected surprise, up to this mass. Default 1 = off.
    pub typical_p: Option<f32>,
    /// Excludes the most probable choices now and then. Default off.
    pub xtc: Option<Xtc>,
    /// Penalizes continuing a repeated sequence. Default off.
    pub dry: Option<Dry>,
    /// Divides (or multiplies, if negative) the logits of recent tokens. Default 1 = off.
    pub repeat_penalty: Option<f32>,
    /// How many recent tokens the three penalties look at; 0 = none, `None` = 64.
    pub repeat_last_n: Option<u32>,
    /// Subtracted once per occurrence of a token. Default 0, range −2 to 2.
    pub frequency_penalty: Option<f32>,
    /// Subtracted once if a token occurred. Default 0, range −2 to 2.
    pub presence_penalty: Option<f32>,
    /// Added to the logits of single tokens.
    pub logit_bias: Vec<LogitBias>,
    /// Fixes the draw: same seed, same prompt, same answer. `None` draws a random seed.
    pub seed: Option<u64>,
}

/// A value added to the logit of one token; `f32::NEG_INFINITY` bans it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogitBias {
    /// The token.
    pub token: u32,
    /// What is added.
    pub bias: f32,
}

/// "Exclude top choices": with `probability`, drops all but the least probable token above `threshold`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xtc {
    /// The chance that it acts on a token.
    pub probability: f32,
    /// Tokens at least this probable are candidates for exclusion.
    pub threshold: f32,
}

/// "Don't repeat yourself": penalizes a token that would extend a sequence seen before.
#[derive(Clone, Debug, PartialEq)]
pub struct Dry {
    /// Scales the penalty; 0 = off.
    pub multiplier: f32,
    /// The base of the exponential in the length of the repetition.
    pub base: f32,
    /// Repetitions up to this length are free.
    pub allowed_length: u32,
    /// How many recent tokens are searched; `None` = the whole context.
    pub last_n: Option<u32>,
    /// Texts that end a sequence.
    pub sequence_breakers: Vec<String>,
}

impl Default for Dry {
    fn default() -> Self {
        Self {
            multiplier: 0.0,
            base: 1.75,
            allowed_length: 2,
            last_n: None,
            sequence_breakers: ["\n", ":", "\"", "*"].map(String::from).to_vec(),
        }
    }
}

/// Asks for the log-probabilities of the chosen tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logprobs {
    /// How many of the most probable alternatives are listed at each position, 0 to 20.
    pub top: u8,
}
