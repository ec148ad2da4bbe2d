//! Reference data beside the checkout.

use std::path::{Path, PathBuf};

/// Returns the path of `name` in the reference data (`../shared/data` seen from the workspace), or `None` after
/// saying loudly that the calling test is skipped.
pub fn reference_data(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if root.exists() {
        return Some(root);
    }
    eprintln!("SKIPPED: needs reference data at {}", root.display());
    None
}

/// Normalized mean squared error, Σ(a−b)² / Σb², of `a` against the reference `b`.
///
/// # Panics
///
/// When the lengths differ.
pub fn nmse(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "rows of different lengths");
    let error: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from(a - b).powi(2)).sum();
    let power: f64 = b.iter().map(|&b| f64::from(b).powi(2)).sum();
    error / power
}
