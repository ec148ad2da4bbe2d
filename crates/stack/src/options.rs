//! Options that several commands share.

use std::path::PathBuf;

use clap::{Args, value_parser};
use stack_chat::Sampling;
use stack_engine::engine::EngineOptions;
use stack_engine::executor::{CacheType, DeviceKind, Level, Placement};

use crate::command_error::{CommandError, Kind};
use crate::home::{Home, HomeArguments};
use crate::output::harmless;
use crate::{input, machine, output, threads};

/// What every command takes that deals with models as things to keep, sign and trust.
#[derive(Clone, Debug, Args)]
pub(crate) struct CommonArguments {
    #[command(flatten)]
    home: HomeArguments,
    /// Print data and errors as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Say nothing but data and errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

impl CommonArguments {
    /// Finds the home folder.
    pub(crate) fn home(&self) -> Result<Home, CommandError> {
        self.home.home()
    }

    /// Says something on stderr, unless nobody wants to hear it.
    pub(crate) fn talk(&self, line: impl AsRef<str>) {
        if !self.quiet {
            output::talk(harmless(line.as_ref()));
        }
    }
}

/// Where and with how much a model is computed.
#[derive(Clone, Debug, Args)]
pub(crate) struct Compute {
    /// Compute with this many threads instead of one per core
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Compute on cpu, cuda or metal, or through candle to compare
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceKind::Cpu)]
    device: DeviceKind,
    /// Hold keys and values as `f16`, or as `q8_0` in little more than half the memory
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
    pub(crate) fn placement(&self) -> Result<Placement, CommandError> {
        let (device, cache) = (self.device()?, self.kv_cache);
        if !cache.is_held_by(device) {
            let message = format!("{device} cannot hold keys and values as {cache}");
            return Err(CommandError::new(Kind::Usage, message).hint("leave out `--kv-cache` or `--device`"));
        }
        Ok(Placement { device, level: level()?, threads: threads::count(), cache })
    }
}

/// Returns the instruction set that kernels run with: the best one, unless the environment names another.
pub(crate) fn level() -> Result<Level, CommandError> {
    let Some(name) = machine::environment(LEVEL_VARIABLE) else { return Ok(Level::detect()) };
    Level::named(&name).map_err(|error| {
        CommandError::new(Kind::Usage, format!("{LEVEL_VARIABLE}={name} cannot be used"))
            .caused(error)
            .hint(format!("unset {LEVEL_VARIABLE} to use the best one"))
    })
}

/// Forces kernels to a lower instruction set than the machine has.
const LEVEL_VARIABLE: &str = "STACK_ISA";

/// How a model is loaded to answer.
#[derive(Clone, Debug, Args)]
pub(crate) struct EngineArguments {
    #[command(flatten)]
    pub(crate) compute: Compute,
    /// Let a conversation hold this many tokens instead of what the model was trained for
    #[arg(long, value_name = "TOKENS", value_parser = value_parser!(u32).range(1..))]
    ctx: Option<u32>,
    /// Use the chat template in this file instead of the model's own
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
}

impl EngineArguments {
    /// Reads what the options name.
    pub(crate) fn options(&self) -> Result<EngineOptions, CommandError> {
        Ok(EngineOptions {
            placement: self.compute.placement()?,
            context: self.ctx.map(|tokens| tokens as usize),
            template: self.template.as_deref().map(input::text).transpose()?,
            ..EngineOptions::default()
        })
    }
}

/// How tokens are chosen.
#[derive(Clone, Debug, Args)]
pub(crate) struct SamplingArguments {
    /// Vary the answer more (above 1) or less; 0 always takes the most probable token
    #[arg(long, value_name = "T", value_parser = finite, allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Choose among the K most probable tokens; 0 = all
    #[arg(long, value_name = "K")]
    top_k: Option<u32>,
    /// Choose among the most probable tokens that make up this probability
    #[arg(long, value_name = "P", value_parser = finite)]
    top_p: Option<f32>,
    /// Choose among tokens at least this probable relative to the best
    #[arg(long, value_name = "P", value_parser = finite)]
    min_p: Option<f32>,
    /// Make recent tokens less probable; 1 = off
    #[arg(long, value_name = "X", value_parser = finite)]
    repeat_penalty: Option<f32>,
    /// Fix the draw: same seed, same prompt, same answer
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl SamplingArguments {
    /// Returns the parameters; what was not given is left to the model.
    pub(crate) fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repeat_penalty: self.repeat_penalty,
            seed: self.seed,
            ..Sampling::default()
        }
    }
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
}
