//! Typed access to the keys of one architecture, and the limits of what they may say.

use super::Reader;
use crate::weights::{LoadError, Metadata, MetadataError};

/// Most layers, heads and experts that a file may claim.
pub(super) const COUNT_MAX: usize = 65_536;

impl Reader<'_> {
    pub(super) fn has(&self, layer: usize, name: &str) -> bool {
        self.tensors.tensor(&format!("blk.{layer}.{name}.weight")).is_some()
    }

    pub(super) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    /// The metadata, to be asked for a key of the architecture.
    fn ask(&self, name: &str) -> &Metadata {
        self.ledger.ask(&self.key(name))
    }

    pub(super) fn wrong(&self, name: &str, problem: String) -> LoadError {
        LoadError::new(format!("metadata key {}", self.key(name)), problem)
    }

    pub(super) fn required(&self, name: &str) -> Result<usize, LoadError> {
        let found = self.integer(name)?.ok_or_else(|| self.wrong(name, "is missing".to_owned()))?;
        // No real model has a dimension beyond 2³¹, and products of two must not overflow.
        if found == 0 || found > i32::MAX as usize {
            return Err(self.wrong(name, format!("{found} is out of range")));
        }
        Ok(found)
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<usize>, LoadError> {
        self.ask(name).integer(&self.key(name)).map_err(bad_key)
    }

    /// An integer whose absence may be written as 0, and which must be a plausible length.
    pub(super) fn length(&self, name: &str) -> Result<Option<usize>, LoadError> {
        match self.integer(name)? {
            Some(length) if length > COUNT_MAX * 16 => {
                Err(self.wrong(name, format!("{length} is out of range")))
            }
            found => Ok(found.filter(|&length| length > 0)),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<f32>, LoadError> {
        let found = self.ask(name).float(&self.key(name)).map_err(bad_key)?;
        match found {
            Some(number) if !number.is_finite() => Err(self.wrong(name, format!("{number} is not a number"))),
            found => Ok(found),
        }
    }

    /// A number whose absence may be written as 0.
    pub(super) fn positive(&self, name: &str) -> Result<Option<f32>, LoadError> {
        match self.number(name)? {
            Some(number) if number < 0.0 => Err(self.wrong(name, format!("{number} is negative"))),
            found => Ok(found.filter(|&number| number != 0.0)),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, LoadError> {
        self.ask(name).boolean(&self.key(name)).map_err(bad_key)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, LoadError> {
        self.ask(name).text(&self.key(name)).map_err(bad_key)
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<i64>>, LoadError> {
        self.ask(name).integers(&self.key(name)).map_err(bad_key)
    }

    /// A value that is either the same for all layers or listed for each.
    pub(super) fn per_layer(&self, name: &str, layer: usize) -> Result<Option<usize>, LoadError> {
        let Some(list) = self.list(name)? else { return Ok(None) };
        self.check_length(name, list.len())?;
        let value = if list.len() == 1 { list.first() } else { list.get(layer) };
        match value.map(|&value| usize::try_from(value)) {
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(self.wrong(name, format!("is negative for layer {layer}"))),
            None => Err(self.wrong(name, format!("has no value for layer {layer}"))),
        }
    }

    /// Refuses a list of more values than the file has layers: nobody knows which of them count.
    pub(super) fn check_length(&self, name: &str, length: usize) -> Result<(), LoadError> {
        let blocks = self.integer("block_count")?.unwrap_or(0);
        if length > blocks.max(1) {
            return Err(self.wrong(name, format!("has {length} values for {blocks} layers")));
        }
        Ok(())
    }

    /// A number that is either the same for all layers or listed for each.
    pub(super) fn number_per_layer(&self, key: &str, layer: usize) -> Result<Option<f32>, LoadError> {
        let Some(list) = self.ledger.ask(key).floats(key).map_err(bad_key)? else { return Ok(None) };
        let value = if list.len() == 1 { list.first() } else { list.get(layer) };
        match value {
            Some(value) if value.is_finite() => Ok(Some(*value)),
            Some(value) => {
                Err(LoadError::new(format!("metadata key {key}"), format!("{value} is not a number")))
            }
            None => {
                Err(LoadError::new(format!("metadata key {key}"), format!("has no value for layer {layer}")))
            }
        }
    }
}

pub(super) fn bad_key(error: MetadataError) -> LoadError {
    LoadError::new(format!("metadata key {}", error.key), error.problem)
}
