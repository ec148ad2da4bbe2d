//! Where the tensors lie: aligned, inside the file, apart from one another.

use std::collections::HashSet;

use super::{GgufError, TensorEntry};

/// Turns offsets that count from the data's start into offsets in the file, and checks them.
///
/// A tensor of an unknown type gets the bytes up to the next one: it can be listed, though not read.
pub(super) fn place(
    mut tensors: Vec<TensorEntry>,
    header_end: u64,
    alignment: u64,
    total: u64,
) -> Result<Vec<TensorEntry>, GgufError> {
    let Some(start) = header_end.checked_next_multiple_of(alignment) else {
        return Err(error("header", header_end, format!("cannot be aligned to {alignment} bytes")));
    };
    let mut names = HashSet::with_capacity(tensors.len());
    for tensor in &mut tensors {
        let subject = subject(tensor);
        if !names.insert(tensor.info.name.clone()) {
            return Err(error(subject, header_end, "is duplicated"));
        }
        if !tensor.offset.is_multiple_of(alignment) {
            let problem = format!("has offset {}, which is not a multiple of {alignment}", tensor.offset);
            return Err(error(subject, header_end, problem));
        }
        let end = start.checked_add(tensor.offset).and_then(|offset| offset.checked_add(tensor.info.bytes));
        if end.is_none_or(|end| end > total) {
            let problem = format!(
                "claims {} bytes from offset {} of the data, which begins at byte {start}, but the file has {total} \
                 bytes: it is truncated or damaged",
                tensor.info.bytes, tensor.offset
            );
            return Err(error(subject, header_end, problem));
        }
        tensor.offset += start;
    }
    separate(&mut tensors, total)?;
    Ok(tensors)
}

fn separate(tensors: &mut [TensorEntry], total: u64) -> Result<(), GgufError> {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&index| tensors[index].offset);
    for (place, &index) in order.iter().enumerate() {
        let next = order.get(place + 1).map(|&next| &tensors[next]);
        let limit = next.map_or(total, |next| next.offset);
        let tensor = &tensors[index];
        let end = tensor.offset + tensor.info.bytes;
        if let Some(next) = next.filter(|_| end > limit) {
            let problem = format!("overlaps tensor {}", next.info.name.escape_debug());
            return Err(error(subject(tensor), tensor.offset, problem));
        }
        if tensor.info.ty.is_err() {
            tensors[index].info.bytes = limit - tensors[index].offset;
        }
    }
    Ok(())
}

fn subject(tensor: &TensorEntry) -> String {
    format!("tensor {}", tensor.info.name.escape_debug())
}

fn error(subject: impl Into<String>, offset: u64, problem: impl Into<String>) -> GgufError {
    GgufError { offset, subject: subject.into(), problem: problem.into(), source: None }
}
