//! The keys of one architecture, of which none may say what nobody asks for.

use super::family::{FAMILIES, Family};
use crate::weights::{Ledger, LoadError, Metadata, Value};

/// Typed access to the metadata of an encoder.
pub(super) struct Keys<'a> {
    pub(super) family: &'static Family,
    ledger: Ledger<'a>,
}

impl<'a> Keys<'a> {
    /// Finds out which family the metadata is of.
    pub(super) fn new(metadata: &'a Metadata) -> Result<Self, LoadError> {
        let found = metadata.text("general.architecture")?.unwrap_or("none");
        let family = Family::named(found).ok_or_else(|| {
            let known: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
            let problem = format!("is {found:?}; the known encoders are {}", known.join(", "));
            LoadError::new("metadata key general.architecture", problem)
        })?;
        Ok(Self { family, ledger: Ledger::new(metadata) })
    }

    /// An integer that must be there and not be zero.
    pub(super) fn required(&self, name: &str) -> Result<usize, LoadError> {
        let found =
            self.ask(name).integer(&self.name(name))?.ok_or_else(|| self.wrong(name, "is missing"))?;
        match found {
            0 => Err(self.wrong(name, "is zero")),
            // Products of two must not overflow.
            _ if found > i32::MAX as usize => Err(self.wrong(name, format!("{found} is out of range"))),
            _ => Ok(found),
        }
    }

    /// An integer that is not zero where it is said.
    pub(super) fn count(&self, name: &str) -> Result<Option<usize>, LoadError> {
        if self.value(name).is_none() { Ok(None) } else { self.required(name).map(Some) }
    }

    pub(super) fn float(&self, name: &str) -> Result<Option<f32>, LoadError> {
        Ok(self.ask(name).float(&self.name(name))?)
    }

    /// A number, which must be above zero.
    pub(super) fn positive(&self, name: &str) -> Result<Option<f32>, LoadError> {
        match self.float(name)? {
            Some(number) if !number.is_finite() || number <= 0.0 => {
                Err(self.wrong(name, format!("{number} is not a positive number")))
            }
            found => Ok(found),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, LoadError> {
        Ok(self.ask(name).boolean(&self.name(name))?)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, LoadError> {
        Ok(self.ask(name).text(&self.name(name))?)
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<i64>>, LoadError> {
        Ok(self.ask(name).integers(&self.name(name))?)
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        let key = self.name(name);
        self.ledger.ask(&key).value(&key)
    }

    pub(super) fn wrong(&self, name: &str, problem: impl Into<String>) -> LoadError {
        LoadError::new(format!("metadata key {}", self.name(name)), problem)
    }

    /// Refuses keys of the architecture that nothing asked for and whose meaning is not known.
    pub(super) fn refuse_unasked(&self) -> Result<(), LoadError> {
        for (key, value) in self.ledger.unasked() {
            let prefix = key.strip_prefix(self.family.name);
            let Some(name) = prefix.and_then(|rest| rest.strip_prefix('.')) else { continue };
            if !value.is_neutral() && !IRRELEVANT.iter().any(|(known, _)| *known == name) {
                let problem = format!(
                    "this program does not know what it does to {}, and will not guess",
                    self.family.name
                );
                return Err(self.wrong(&name.escape_debug().to_string(), problem));
            }
        }
        Ok(())
    }

    fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.family.name)
    }

    fn ask(&self, name: &str) -> &'a Metadata {
        self.ledger.ask(&self.name(name))
    }
}

/// Keys that nothing asks for, and why they do not matter.
const IRRELEVANT: &[(&str, &str)] = &[
    ("vocab_size", "the shape of the embeddings says it"),
    ("attention.layer_norm_epsilon", "belongs to the other kind of norm"),
    ("attention.layer_norm_rms_epsilon", "belongs to the other kind of norm"),
    ("token_type_count", "inputs are of one type"),
    ("rope.freq_base", "positions are not rotated"),
    ("rope.freq_base_swa", "no layer has a window"),
    ("rope.dimension_count", "positions are not rotated"),
    ("rope.scaling.type", "positions are not rotated"),
    ("rope.scaling.factor", "belongs to a scaling that is not there"),
    ("classifier.output_labels", "the shape of the head says how many there are"),
    ("dense_2_feat_in", "the shape of the matrix says it"),
    ("dense_2_feat_out", "the shape of the matrix says it"),
    ("dense_3_feat_in", "the shape of the matrix says it"),
    ("dense_3_feat_out", "the shape of the matrix says it"),
];
