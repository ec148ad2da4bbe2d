//! The header of one `.safetensors` file: eight bytes of length, then JSON.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::super::TensorType;

/// A tensor in a file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its name in the file.
    pub(super) name: String,
    /// Its type, or the name of one that this program does not know.
    pub(super) ty: Result<TensorType, String>,
    /// Dimensions, outermost first.
    pub(super) shape: Vec<usize>,
    /// First byte of its data, from the start of the file.
    pub(super) offset: u64,
    /// Bytes of its data.
    pub(super) bytes: u64,
}

/// Returns the length of the JSON that the first eight bytes announce in a file of `total` bytes.
pub(super) fn json_bytes(prefix: [u8; 8], total: u64) -> Result<u64, String> {
    let len = u64::from_le_bytes(prefix);
    if len > JSON_BYTES_MAX {
        return Err(format!(
            "claims a header of {len} bytes; at most {JSON_BYTES_MAX} are allowed: not SafeTensors?"
        ));
    }
    if len > total.saturating_sub(8) {
        return Err(format!(
            "claims a header of {len} bytes, but the file has {total}: it is truncated or damaged"
        ));
    }
    Ok(len)
}

/// Reads the JSON of a header; `data_bytes` follow it in the file, from byte `data_start` on.
///
/// Every tensor lies inside the data without touching another, and known types have as many bytes as their shape says.
pub(super) fn parse(json: &[u8], data_start: u64, data_bytes: u64) -> Result<Vec<Entry>, String> {
    let raw: Raw =
        serde_json::from_slice(json).map_err(|error| format!("has a header that is wrong: {error}"))?;
    let mut entries = Vec::with_capacity(raw.0.len());
    for (name, tensor) in raw.0 {
        let problem = |problem: String| format!("tensor {}: {problem}", name.escape_debug());
        let [begin, end] = tensor.data_offsets;
        let Some(bytes) = end.checked_sub(begin).filter(|_| end <= data_bytes) else {
            return Err(problem(format!("is at {begin}..{end} of {data_bytes} bytes of data")));
        };
        let ty = dtype(&tensor.dtype).ok_or(tensor.dtype);
        if let Ok(ty) = ty {
            let elements =
                tensor.shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size as u64));
            if elements.and_then(|elements| ty.bytes_for(elements)) != Some(bytes) {
                return Err(problem(format!("has {bytes} bytes, which is not {:?} of {ty}", tensor.shape)));
            }
        }
        entries.push(Entry { name, ty, shape: tensor.shape, offset: data_start + begin, bytes });
    }
    entries.sort_by_key(|entry| (entry.offset, entry.bytes));
    for pair in entries.windows(2) {
        if pair[0].offset + pair[0].bytes > pair[1].offset {
            let (one, other) = (pair[0].name.escape_debug(), pair[1].name.escape_debug());
            return Err(format!("tensor {one}: overlaps tensor {other}"));
        }
    }
    Ok(entries)
}

fn dtype(name: &str) -> Option<TensorType> {
    Some(match name {
        "F64" => TensorType::F64,
        "F32" => TensorType::F32,
        "F16" => TensorType::F16,
        "BF16" => TensorType::BF16,
        "I64" => TensorType::I64,
        "I32" => TensorType::I32,
        "I16" => TensorType::I16,
        "I8" => TensorType::I8,
        _ => return None,
    })
}

/// The JSON object; a map would let a second tensor of a name replace the first.
struct Raw(Vec<(String, RawTensor)>);

#[derive(serde::Deserialize)]
struct RawTensor {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let (mut tensors, mut names) = (Vec::new(), HashSet::new());
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if !names.insert(name.clone()) {
                return Err(de::Error::custom(format_args!("tensor {} is duplicated", name.escape_debug())));
            }
            tensors.push((name, map.next_value()?));
        }
        Ok(Raw(tensors))
    }
}

/// As the format's own reader has it.
const JSON_BYTES_MAX: u64 = 100_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn one(dtype: &str, shape: &str, begin: u64, end: u64) -> String {
        format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
    }

    #[test]
    fn tensors_lie_inside_and_apart_and_fill_their_shapes() {
        let parse = |json: String| parse(json.as_bytes(), 100, 16);
        let good = format!(
            r#"{{"__metadata__":{{}},"a":{},"b":{}}}"#,
            one("F32", "[2]", 0, 8),
            one("X9", "[5]", 8, 9)
        );
        let entries = parse(good).unwrap();
        assert_eq!((entries[0].offset, entries[0].bytes), (100, 8));
        assert_eq!(entries[1].ty, Err("X9".to_owned()));
        let wrong = |json: String| parse(json).unwrap_err();
        assert!(wrong(format!(r#"{{"a":{}}}"#, one("F32", "[5]", 0, 20))).contains("is at 0..20 of 16"));
        assert!(wrong(format!(r#"{{"a":{}}}"#, one("F32", "[2]", 8, 0))).contains("is at 8..0"));
        assert!(
            wrong(format!(r#"{{"a":{}}}"#, one("F16", "[2]", 0, 8)))
                .contains("8 bytes, which is not [2] of F16")
        );
        let huge = format!("[{0},{0}]", u32::MAX as usize * 4096);
        assert!(wrong(format!(r#"{{"a":{}}}"#, one("F16", &huge, 0, 8))).contains("which is not"));
        let twice = format!(r#"{{"a":{0},"a":{0}}}"#, one("F32", "[2]", 0, 8));
        assert!(wrong(twice).contains("duplicated"));
        let overlap = format!(r#"{{"a":{},"b":{}}}"#, one("F32", "[2]", 0, 8), one("F32", "[2]", 4, 12));
        assert!(wrong(overlap).contains("overlaps tensor b"));
        assert!(wrong("[]".to_owned()).contains("header that is wrong"));
        assert!(
            wrong(r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#.to_owned()).contains("wrong")
        );
    }

    #[test]
    fn lengths_are_checked_against_the_file() {
        assert_eq!(json_bytes(2u64.to_le_bytes(), 10), Ok(2));
        assert!(json_bytes(3u64.to_le_bytes(), 10).is_err());
        assert!(json_bytes([0xFF; 8], u64::MAX).is_err());
    }
}
