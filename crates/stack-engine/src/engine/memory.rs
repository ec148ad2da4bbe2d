//! How much fits.

use crate::executor::{DeviceKind, Placement};
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

/// Tokens that the caches of all sequences may hold together.
pub(super) fn cache_tokens(bytes_per_token: u64, available: Option<u64>) -> usize {
    // A fifth stays free for activations and for the rest of the machine.
    let tokens = available.map_or(u64::MAX, |bytes| bytes / 5 * 4 / bytes_per_token);
    usize::try_from(tokens).unwrap_or(usize::MAX)
}
