//! Options that several commands share.

pub(crate) mod recipients;
pub(crate) mod transfer;

use std::path::PathBuf;

use clap::{Args, ValueHint, value_parser};
use stack_chat::Sampling;
use stack_engine::executor::{CacheType, DeviceKind, Level, Placement, PrefetchPolicy};
use stack_engine::{EngineOptions, Speculation};
use stack_registry::choice::ModelPath;
use stack_registry::name::Name;
use stack_registry::store::{Store, StoreError};
use stack_trust::home::Home;

use crate::audit::AuditLog;
use crate::error::{CommandError, Kind};
use crate::home::HomeArguments;
use crate::models::choice::ModelArgument;
use crate::process::machine;
use crate::process::threads::{self, Workload};
use crate::terminal::input;
use crate::terminal::output::{self, sanitize};
use crate::terminal::units;

/// What every command takes that deals with models as things to keep, to fetch, to sign and to trust.
#[derive(Clone, Debug, Args)]
pub(crate) struct CommonArguments {
    #[command(flatten)]
    home: HomeArguments,
    /// Print data and errors as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print only data and errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

impl CommonArguments {
    /// Finds the home folder.
    pub(crate) fn home(&self) -> Result<Home, CommandError> {
        self.home.home()
    }

    /// Returns the audit log there.
    pub(crate) fn audit(&self) -> Result<&AuditLog, CommandError> {
        self.home.audit()
    }

    /// Opens the store, and makes it if there is none yet.
    pub(crate) fn store(&self) -> Result<Store, CommandError> {
        let home = self.home()?;
        home.make(home.root()?)?;
        Ok(Store::open(home.root()?)?)
    }

    /// Opens the store if there is one, and writes nothing.
    pub(crate) fn existing_store(&self) -> Result<Option<Store>, CommandError> {
        Ok(Store::existing(self.home()?.root()?)?)
    }

    /// Opens the store that must have something.
    pub(crate) fn store_with(&self, what: &Name) -> Result<Store, CommandError> {
        self.existing_store()?.ok_or_else(|| StoreError::missing(what.short()).into())
    }

    /// Says something on stderr, unless nobody wants to hear it.
    pub(crate) fn stderr(&self, line: impl AsRef<str>) {
        if !self.quiet {
            output::stderr(sanitize(line.as_ref()));
        }
    }
}

/// Where and with how much a model is computed.
#[derive(Clone, Debug, Args)]
pub(crate) struct Compute {
    /// Compute threads [default: one per core]
    #[arg(short, long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Device: cpu, cuda or metal, or candle for comparison
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceKind::Cpu)]
    device: DeviceKind,
    /// KV cache type: `f16`, or `q8_0` for little more than half the memory
    #[arg(long, value_name = "TYPE", default_value_t = CacheType::F16)]
    kv_cache: CacheType,
}

impl Compute {
    /// Returns the device, if this program was built for it.
    pub(crate) fn device(&self) -> Result<DeviceKind, CommandError> {
        if self.device.supported() {
            return Ok(self.device);
        }
        let message = format!("this program was built without support for {}", self.device);
        let hint = format!("build it with `cargo install --path crates/stack --features {}`", self.device);
        Err(CommandError::new(Kind::Usage, message).hint(hint))
    }

    /// Returns the device, the instruction set and the threads that are computed with.
    pub(crate) fn placement(&self, work: Workload) -> Result<Placement, CommandError> {
        let (device, cache) = (self.device()?, self.kv_cache);
        if !cache.is_held_by(device) {
            let message = format!("{device} does not support a {cache} KV cache");
            return Err(CommandError::new(Kind::Usage, message).hint("leave out `--kv-cache` or `--device`"));
        }
        let threads = threads::count(self.threads, work);
        Ok(Placement { device, level: level()?, threads, cache, prefetch: prefetch()? })
    }
}

/// Returns the instruction set that kernels run with: the best one, unless the environment names another.
pub(crate) fn level() -> Result<Level, CommandError> {
    let Some(name) = machine::environment(LEVEL_VARIABLE) else { return Ok(Level::detect()) };
    Level::named(&name).map_err(|error| {
        CommandError::new(Kind::Usage, format!("{LEVEL_VARIABLE}={name} cannot be used"))
            .caused(error)
            .hint(format!("unset {LEVEL_VARIABLE} to use the best instruction set"))
    })
}

/// Returns the prefetch policy that the environment names; without one it is measured.
pub(crate) fn prefetch() -> Result<Option<PrefetchPolicy>, CommandError> {
    let Some(name) = machine::environment(PREFETCH_VARIABLE) else { return Ok(None) };
    PrefetchPolicy::named(&name).map(Some).ok_or_else(|| {
        let names = PrefetchPolicy::ALL.map(PrefetchPolicy::name).join(" and ");
        let message = format!("{PREFETCH_VARIABLE}={name} cannot be used: there are {names}");
        CommandError::new(Kind::Usage, message).hint(format!("unset {PREFETCH_VARIABLE} to have it measured"))
    })
}

/// Forces kernels to a lower instruction set than the machine has.
const LEVEL_VARIABLE: &str = "STACK_ISA";

/// Fixes the prefetch policy, for measurements that are to be repeated.
const PREFETCH_VARIABLE: &str = "STACK_PREFETCH";

/// How a model is loaded to answer.
#[derive(Clone, Debug, Args)]
pub(crate) struct EngineArguments {
    #[command(flatten)]
    pub(crate) compute: Compute,
    /// Context length in tokens [default: the model's]
    #[arg(short, long, value_name = "TOKENS", aliases = ["ctx-size", "num-ctx", "max-model-len"])]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    ctx: Option<u32>,
    /// Chat template file to use instead of the model's own
    #[arg(long, value_name = "FILE", alias = "chat-template-file", value_hint = ValueHint::FilePath)]
    template: Option<PathBuf>,
    /// Memory for beginnings of prompts that were computed before, or 0 for none [default: a quarter of what is left]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    prefix_cache: Option<u64>,
    /// Guess tokens ahead, from what was said before (`ngram`), or do not (`off`); answers are the same
    #[arg(long, value_name = "KIND", default_value_t = Speculation::default())]
    speculation: Speculation,
    /// Let this smaller model of the same vocabulary guess tokens ahead, too; answers are the same
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    draft: Option<ModelArgument>,
}

impl EngineArguments {
    /// Finds the model that guesses ahead.
    pub(crate) fn draft(&self, home: &Home) -> Result<Option<ModelPath>, CommandError> {
        self.draft.as_ref().map(|draft| draft.find(home)).transpose()
    }

    /// Reads what the options name.
    pub(crate) fn options(&self, work: Workload) -> Result<EngineOptions, CommandError> {
        if self.draft.is_some() && self.speculation == Speculation::Off {
            let message = "--draft guesses tokens ahead, and --speculation off forbids it";
            return Err(CommandError::new(Kind::Usage, message).hint("leave out one of the two"));
        }
        Ok(EngineOptions {
            placement: self.compute.placement(work)?,
            context: self.ctx.map(|tokens| tokens as usize),
            template: self.template.as_deref().map(input::text).transpose()?,
            prefix_cache_bytes: self.prefix_cache,
            speculation: self.speculation,
            ..EngineOptions::default()
        })
    }
}

fn size(text: &str) -> Result<u64, String> {
    if text == "0" { Ok(0) } else { units::parse_bytes(text) }
}

/// How tokens are chosen.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SamplingArguments {
    /// Maximum number of tokens to generate; -1 = as many as the context holds
    #[arg(short = 'n', long, value_name = "TOKENS", aliases = ["n-predict", "predict", "num-predict"])]
    #[arg(value_parser = tokens_max, allow_negative_numbers = true)]
    max_tokens: Option<TokensMax>,
    /// Temperature; 0 always picks the most probable token
    #[arg(long, visible_alias = "temp", value_name = "T", value_parser = temperature)]
    #[arg(allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Sample from the K most probable tokens; 0 = all
    #[arg(long, value_name = "K")]
    top_k: Option<u32>,
    /// Sample from the most probable tokens that add up to this probability
    #[arg(long, value_name = "P", value_parser = probability)]
    top_p: Option<f32>,
    /// Drop tokens less probable than this fraction of the best one
    #[arg(long, value_name = "P", value_parser = probability)]
    min_p: Option<f32>,
    /// Choose among tokens whose surprise is nearest to the expected one, up to this probability; 1 = off
    #[arg(long, value_name = "P", alias = "typical", value_parser = probability)]
    typical_p: Option<f32>,
    /// Penalize recent tokens; 1 = off
    #[arg(long, value_name = "X", value_parser = repeat_penalty)]
    repeat_penalty: Option<f32>,
    /// Look back at this many tokens for the penalties; 0 = none
    #[arg(long, value_name = "TOKENS")]
    repeat_last_n: Option<u32>,
    /// Make a token less probable if it occurred
    #[arg(long, value_name = "X", value_parser = penalty, allow_negative_numbers = true)]
    presence_penalty: Option<f32>,
    /// Make a token less probable each time that it occurred
    #[arg(long, value_name = "X", value_parser = penalty, allow_negative_numbers = true)]
    frequency_penalty: Option<f32>,
    /// Seed: the same seed and prompt give the same answer; -1 = draw anew for each answer
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true)]
    seed: Option<Seed>,
}

/// A seed, or the wish for a new one each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(Option<u64>);

/// A limit, or the wish for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokensMax(Option<u32>);

impl SamplingArguments {
    /// Returns the parameters; what was not given is left to the model.
    pub(crate) fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            typical_p: self.typical_p,
            repeat_penalty: self.repeat_penalty,
            repeat_last_n: self.repeat_last_n,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            seed: self.seed.and_then(|seed| seed.0),
            ..Sampling::default()
        }
    }

    /// Returns how many tokens an answer may have at most.
    pub(crate) fn max_tokens(&self) -> Option<u32> {
        self.max_tokens.and_then(|tokens| tokens.0)
    }
}

fn seed(text: &str) -> Result<Seed, String> {
    if text == "-1" {
        return Ok(Seed(None));
    }
    text.parse().map(|seed| Seed(Some(seed))).map_err(|_| "expected a whole number, or -1 for any".to_owned())
}

fn tokens_max(text: &str) -> Result<TokensMax, String> {
    match text.parse() {
        _ if text == "-1" => Ok(TokensMax(None)),
        Ok(tokens) if tokens > 0 => Ok(TokensMax(Some(tokens))),
        _ => Err("expected a number of tokens, at least 1, or -1 for no limit".to_owned()),
    }
}

fn temperature(text: &str) -> Result<f32, String> {
    within(text, 0.0, 1000.0)
}

fn probability(text: &str) -> Result<f32, String> {
    within(text, 0.0, 1.0)
}

fn penalty(text: &str) -> Result<f32, String> {
    within(text, -2.0, 2.0)
}

fn repeat_penalty(text: &str) -> Result<f32, String> {
    within(text, f32::MIN_POSITIVE, 1000.0).map_err(|_| "expected a number above 0, up to 1000".to_owned())
}

/// Parses a number within limits, which are those of the sampler: what a server is started with must suit every request.
fn within(text: &str, low: f32, high: f32) -> Result<f32, String> {
    finite(text)
        .ok()
        .filter(|number| (low..=high).contains(number))
        .ok_or_else(|| format!("expected a number from {low} to {high}"))
}

/// Parses a number that is one.
pub(crate) fn finite(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err("expected a number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinity_is_no_number_here() {
        assert!((finite("0.5").unwrap() - 0.5).abs() < f32::EPSILON);
        for text in ["inf", "NaN", "1e99", "", "x"] {
            assert!(finite(text).is_err(), "{text}");
        }
    }

    #[test]
    fn minus_one_is_no_limit_and_any_seed() {
        assert_eq!((tokens_max("-1"), tokens_max("7")), (Ok(TokensMax(None)), Ok(TokensMax(Some(7)))));
        assert_eq!((seed("-1"), seed("7")), (Ok(Seed(None)), Ok(Seed(Some(7)))));
        for text in ["0", "-2", "1.5", "", "x", "99999999999"] {
            assert!(tokens_max(text).is_err(), "{text}");
        }
        for text in ["-2", "1.5", "", "99999999999999999999"] {
            assert!(seed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parameters_have_the_limits_of_the_sampler() {
        for (parse, good, bad) in [
            (temperature as fn(&str) -> Result<f32, String>, ["0", "1000"], ["-1", "1001"]),
            (probability, ["0", "1"], ["-0.1", "1.1"]),
            (penalty, ["-2", "2"], ["-2.1", "nan"]),
            (repeat_penalty, ["0.1", "1000"], ["0", "inf"]),
        ] {
            assert!(good.iter().all(|text| parse(text).is_ok()), "{good:?}");
            assert!(bad.iter().all(|text| parse(text).is_err()), "{bad:?}");
        }
    }
}
