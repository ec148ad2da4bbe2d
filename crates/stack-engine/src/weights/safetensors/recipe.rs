//! How one tensor of GGUF is made from tensors of a directory.

use super::super::{LoadError, TensorData, TensorInfo, TensorType, dequantize};
use super::SafeTensorsDir;

/// A tensor to be made when it is asked for.
#[derive(Debug)]
pub(super) struct Recipe {
    /// What it will be.
    pub(super) info: TensorInfo,
    /// What it is made of.
    pub(super) content: Content,
}

/// What a tensor is made of.
#[derive(Debug)]
pub(super) enum Content {
    /// Tensors of the directory, one after the other, and then changed.
    Stored { parts: Vec<String>, ty: TensorType, change: Change },
    /// Values that the configuration gave.
    Computed(Vec<f32>),
}

/// What happens to the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// In each of so many heads, row *i* of the first half and row *i* of the second become neighbours.
    Interleave { heads: usize },
    /// Rows that are q, k, v of one head after the other become all q, all k, all v.
    ByKind { heads: usize },
    /// Rows and columns are exchanged; the shape is the new one.
    Transpose { columns: usize },
    /// One is added.
    PlusOne,
}

impl Recipe {
    /// Returns the data in the type that the description gives. What is stored as it is needed stays in the file; the
    /// rest is made in memory.
    pub(super) fn data<'a>(&self, dir: &'a SafeTensorsDir) -> Result<TensorData<'a>, LoadError> {
        let (parts, stored, change) = match &self.content {
            Content::Computed(values) => return Ok(TensorData::from_bytes(to_bytes(values))),
            Content::Stored { parts, ty, change } => (parts, *ty, *change),
        };
        let data = dir.data(parts.iter().map(String::as_str))?;
        if change == Change::None && Ok(stored) == self.info.ty {
            return Ok(data);
        }
        Ok(TensorData::from_bytes(self.changed(data.into_bytes()?, stored, change)?))
    }

    fn changed(&self, bytes: Vec<u8>, stored: TensorType, change: Change) -> Result<Vec<u8>, LoadError> {
        let elements = self.info.elements();
        let (rows, element) = (self.info.shape.first().copied().unwrap_or(1), stored.block_bytes());
        let bytes = match change {
            Change::None | Change::PlusOne => bytes,
            Change::Interleave { heads } => {
                let head = rows / heads;
                reorder(&bytes, rows, |row| row / head * head + row % head / 2 + row % 2 * (head / 2))
            }
            Change::ByKind { heads } => {
                let head = rows / 3 / heads;
                reorder(&bytes, rows, |row| {
                    let (kind, of, within) = (row / (heads * head), row / head % heads, row % head);
                    (of * 3 + kind) * head + within
                })
            }
            Change::Transpose { columns } => {
                let old_rows = elements / columns;
                // New element (r, c) is old element (c, r).
                reorder(&bytes, bytes.len() / element, |at| at % old_rows * columns + at / old_rows)
            }
        };
        if Ok(stored) == self.info.ty && change != Change::PlusOne {
            return Ok(bytes);
        }
        let mut values = vec![0.0; elements];
        dequantize(stored, &bytes, &mut values)?;
        if change == Change::PlusOne {
            for value in &mut values {
                *value += 1.0;
            }
        }
        Ok(to_bytes(&values))
    }
}

/// Copies `count` equal pieces so that piece *n* of the result is piece `from(n)` of the source.
fn reorder(bytes: &[u8], count: usize, from: impl Fn(usize) -> usize) -> Vec<u8> {
    let size = bytes.len() / count;
    let mut out = Vec::with_capacity(bytes.len());
    for n in 0..count {
        let at = from(n) * size;
        out.extend_from_slice(&bytes[at..at + size]);
    }
    out
}

fn to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
