//! How much fits.

use crate::executor::{DeviceKind, Placement};
use crate::options::EngineOptions;
use crate::spec::DecoderSpec;
use crate::weights::WeightSource;

/// Bytes that the weights take where they are computed with this device.
pub fn weight_bytes(source: &dyn WeightSource, device: DeviceKind) -> u64 {
    source.tensors().iter().map(|tensor| device.resident_bytes(tensor)).fold(0, u64::saturating_add)
}

/// Bytes that one token takes in the cache of a decoder.
pub fn cache_bytes_per_token(spec: &DecoderSpec, placement: &Placement) -> u64 {
    placement.cache_bytes_per_token(spec)
}

/// Bytes that the caches of all sequences may take together beside the weights, where that is known.
pub(super) fn cache_bytes(options: &EngineOptions, weight_bytes: u64) -> Option<u64> {
    // A fifth stays free for activations and for the rest of the machine.
    let left = |memory: u64| memory.saturating_sub(weight_bytes) / 5 * 4;
    options.cache_bytes.or_else(|| options.memory_bytes.map(left))
}
