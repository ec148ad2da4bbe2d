//! The rotations of a model.

use super::Loader;
use super::tensors::missing;
use crate::spec::{RopeSpec, Rotation};
use crate::weights::LoadError;

/// A rotation of queries and keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rope {
    pub(crate) rotation: Rotation,
    /// Angle per position of each pair.
    pub(crate) frequencies: Vec<f32>,
    /// Multiplies the rotated vectors.
    pub(crate) magnitude: f32,
}

impl<B> Loader<'_, B> {
    /// The rotations of the model, and which of them each layer uses.
    pub(super) fn ropes(&self, context: usize) -> Result<(Vec<Rope>, Vec<Option<usize>>), LoadError> {
        let divisors = self.rope_divisors(context)?;
        let mut known: Vec<Rope> = Vec::new();
        let mut index = |spec: &RopeSpec| {
            let frequencies = spec.frequencies(divisors.as_deref());
            let rope = Rope { rotation: spec.rotation, frequencies, magnitude: spec.magnitude };
            known.iter().position(|other| *other == rope).unwrap_or_else(|| {
                known.push(rope);
                known.len() - 1
            })
        };
        let of_layers = self.spec.layers.iter().map(|layer| layer.mixer.rope().map(&mut index)).collect();
        Ok((known, of_layers))
    }

    /// What the file divides the frequencies of rotations by, where sequences hold up to `context` tokens.
    pub(super) fn rope_divisors(&self, context: usize) -> Result<Option<Vec<f32>>, LoadError> {
        const TABLES: [&str; 3] =
            ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"];
        let ropes: Vec<&RopeSpec> = self.spec.layers.iter().filter_map(|layer| layer.mixer.rope()).collect();
        if ropes.is_empty() {
            return Ok(None);
        }
        // All are checked, whichever is used with this context.
        let mut tables = TABLES.map(|_| None);
        for (name, table) in TABLES.into_iter().zip(&mut tables) {
            if self.tensors.has(name) {
                *table = Some(self.divisors(name, &ropes)?);
            }
        }
        let [always, long, short] = tables;
        if let (Some(_), None) | (None, Some(_)) = (&long, &short) {
            return Err(missing(if long.is_none() { TABLES[1] } else { TABLES[2] }));
        }
        let by_context = if context > self.spec.context_original { long } else { short };
        Ok(always.or(by_context))
    }

    /// A table of divisors: one for each pair of dimensions of every rotation that uses it.
    fn divisors(&self, name: &str, ropes: &[&RopeSpec]) -> Result<Vec<f32>, LoadError> {
        let divisors = self.tensors.floats(name)?;
        let pairs = |rope: &RopeSpec| rope.dimensions / 2;
        if let Some(rope) = ropes.iter().find(|rope| rope.divisors && pairs(rope) != divisors.len()) {
            let problem =
                format!("the tensor has {} elements, but {} pairs are rotated", divisors.len(), pairs(rope));
            return Err(LoadError::new(name, problem));
        }
        // A negative one turns its pair the other way round, which is odd but not ambiguous.
        match divisors.iter().position(|&divisor| divisor == 0.0) {
            Some(pair) => {
                Err(LoadError::new(name, format!("the frequency of pair {pair} is divided by zero")))
            }
            None => Ok(divisors),
        }
    }
}
