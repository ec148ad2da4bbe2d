//! Tensors that nothing has read, and why that matters or not.

use super::Loader;
use super::tensors::split_layer;
use crate::weights::LoadError;

impl<B> Loader<'_, B> {
    /// Refuses tensors that nothing has read: the model has a part that this program does not know.
    pub(super) fn refuse_unused(&self) -> Result<(), LoadError> {
        for tensor in self.tensors.unused() {
            if self.reason_to_ignore(&tensor.name).is_none() {
                let problem = format!("is not a part of {} that is known here", self.spec.architecture);
                return Err(LoadError::new(tensor.name.escape_debug().to_string(), problem));
            }
        }
        Ok(())
    }

    /// Why a tensor does not matter; `None` if it may.
    fn reason_to_ignore(&self, name: &str) -> Option<&'static str> {
        if self.tensors.is_ignored(name) {
            return Some("the reference implementation does not use it");
        }
        let Some((layer, part)) = split_layer(name) else {
            return OUTSIDE.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, reason)| *reason);
        };
        let layers = self.spec.layers.len();
        if (layers..layers + self.spec.predictors).contains(&layer) {
            return Some("the layer only predicts further tokens");
        }
        if layer >= layers {
            return None;
        }
        // The factors of matrices that have none in the reference implementation, and of activations.
        if let Some((matrix, "scale" | "input_scale")) = name.rsplit_once('.') {
            let has_matrix = self.tensors.source().tensor(&format!("{matrix}.weight")).is_some();
            return has_matrix.then_some("the reference implementation does not use it");
        }
        SPARE.iter().find(|(prefix, _)| part.starts_with(prefix)).map(|(_, reason)| *reason)
    }
}

/// Parts of layers that files carry though nothing computes with them.
const SPARE: &[(&str, &str)] = &[
    ("rope_freqs.", "a table that is computed instead"),
    ("attn_rot_embd.", "a table that is computed instead"),
    ("attn.rotary_emb.", "a table that is computed instead"),
    ("vis_", "an expert for images"),
];

/// Tensors outside of layers that text does not need.
const OUTSIDE: &[(&str, &str)] = &[
    ("v.", "belongs to images"),
    ("mm.", "belongs to images"),
    ("a.", "belongs to sound"),
    ("cls.", "a head that ranks or classifies, which is not used for text"),
    ("mtp.", "only predicts further tokens"),
    ("nextn.", "only predicts further tokens"),
];
