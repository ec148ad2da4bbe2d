//! Where a model is computed.

use std::num::NonZero;
use std::thread::available_parallelism;

use stack_kernels::{Cpu, Format, Level, PrefetchPolicy};

use super::candle::{self, CandleExecutor};
use super::cpu::{self, CpuExecutor};
use super::{CacheType, DeviceKind, Executor, Progress};
use crate::spec::DecoderSpec;
use crate::weights::{LoadError, LoadErrorKind, TensorInfo, WeightSource};

/// Where a model is computed, and with how much.
#[derive(Clone, Copy, Debug)]
pub struct Placement {
    /// The device.
    pub device: DeviceKind,
    /// The instruction set, where the processor computes with this program's kernels.
    pub level: Level,
    /// The threads, there too.
    pub threads: usize,
    /// How keys and values are held. Only the processor has a choice.
    pub cache: CacheType,
    /// How weights get into the processor's caches in time; `None` measures it when a large model is loaded. It changes
    /// no answer.
    pub prefetch: Option<PrefetchPolicy>,
}

impl Default for Placement {
    /// The processor, with the best instructions that it has and every thread that this process may use.
    fn default() -> Self {
        Self {
            device: DeviceKind::Cpu,
            level: Level::detect(),
            threads: usable_threads(),
            cache: CacheType::default(),
            prefetch: None,
        }
    }
}

/// Every thread that this process may use.
pub(crate) fn usable_threads() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

impl Placement {
    /// Loads a decoder, which is still to be verified. A sequence may hold `context` tokens.
    ///
    /// # Errors
    ///
    /// Names the tensor or key that is missing, of the wrong shape or of an unknown type, or the device.
    pub(crate) fn load(
        &self,
        source: &dyn WeightSource,
        spec: DecoderSpec,
        context: usize,
        progress: Progress<'_>,
    ) -> Result<Box<dyn Executor>, LoadError> {
        if !self.cache.is_held_by(self.device) {
            let problem = format!("{} does not support {}; use the device cpu", self.device, self.cache);
            return Err(LoadError::new("KV cache", problem).of_kind(LoadErrorKind::Device));
        }
        let boxed: Result<Box<dyn Executor>, LoadError> = match self.device {
            DeviceKind::Cpu => {
                CpuExecutor::load(source, spec, self, context, progress).map(|it| Box::new(it) as _)
            }
            device => {
                CandleExecutor::load(source, spec, device, context, progress).map(|it| Box::new(it) as _)
            }
        };
        boxed.map_err(|error| error.of_model().in_words_of(source))
    }

    /// Says which prefetch policy a model of the usual quantization would be computed with, measuring it for some
    /// milliseconds where it is not given; `None` where there is nothing to choose.
    pub fn prefetch_policy(&self) -> Option<PrefetchPolicy> {
        let measure = || cpu::measure_prefetch(&mut Cpu::new(self.level, self.threads), Format::Q4K);
        if self.device == DeviceKind::Cpu { self.prefetch.or_else(measure) } else { None }
    }

    /// Bytes that one token takes in the cache of a decoder.
    pub(crate) fn cache_bytes_per_token(&self, spec: &DecoderSpec) -> u64 {
        match self.device {
            DeviceKind::Cpu => cpu::cache_bytes_per_token(spec, self.cache),
            DeviceKind::Candle | DeviceKind::Cuda | DeviceKind::Metal => candle::cache_bytes_per_token(spec),
        }
    }
}

impl DeviceKind {
    /// Bytes that a tensor takes where decoders are computed with this device.
    pub(crate) fn resident_bytes(self, tensor: &TensorInfo) -> u64 {
        match self {
            Self::Cpu => cpu::resident_bytes(tensor),
            Self::Candle | Self::Cuda | Self::Metal => candle::resident_bytes(tensor),
        }
    }
}
