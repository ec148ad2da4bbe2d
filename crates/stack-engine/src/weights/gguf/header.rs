//! The header: version, metadata, descriptions of tensors.

use std::io::Read;

use super::super::{Metadata, TensorInfo, TensorType};
use super::cursor::Cursor;
use super::{GgufError, layout, value};

/// Everything that a GGUF file says before its data.
#[derive(Clone, Debug)]
pub struct Header {
    /// The version of the format: 1, 2 or 3.
    pub version: u32,
    /// The metadata.
    pub metadata: Metadata,
    /// The tensors, in file order.
    pub tensors: Vec<TensorEntry>,
}

/// A tensor and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorEntry {
    /// What it is.
    pub info: TensorInfo,
    /// The first byte of its data, from the start of the file.
    pub offset: u64,
}

/// Parses the header of a GGUF file that is in memory.
///
/// The bytes are hostile: every count, length and dimension is checked against the bytes that are left before
/// anything is allocated, and every tensor that this program can read lies inside the file without touching another.
///
/// # Errors
///
/// Names what is wrong, and the byte where.
pub fn parse(bytes: &[u8]) -> Result<Header, GgufError> {
    read(bytes, bytes.len() as u64)
}

/// Parses the header of a file of `total` bytes, reading no further than it goes.
pub(super) fn read(reader: impl Read, total: u64) -> Result<Header, GgufError> {
    let mut cursor = Cursor::new(reader, total);
    let version = version(&mut cursor)?;
    if version == 1 {
        cursor.use_short_lengths();
    }
    let string_min = cursor.string_bytes_min();
    let tensor_count = cursor.count("tensors", string_min + 4 + 4 + 8, TENSORS_MAX)?;
    let key_count = cursor.count("metadata keys", string_min + 4 + 1, KEYS_MAX)?;
    let metadata = metadata(&mut cursor, key_count)?;
    let described =
        (0..tensor_count).map(|index| tensor(&mut cursor, index)).collect::<Result<Vec<_>, _>>()?;
    let alignment = alignment(&cursor, &metadata)?;
    let tensors = layout::place(described, cursor.position(), alignment, total)?;
    Ok(Header { version, metadata, tensors })
}

fn version(cursor: &mut Cursor<impl Read>) -> Result<u32, GgufError> {
    let magic: [u8; 4] = cursor.array()?;
    if magic != *b"GGUF" {
        let start = String::from_utf8_lossy(&magic);
        return Err(cursor.error(format!("is not GGUF: it begins with {start:?}")));
    }
    let version = cursor.u32()?;
    match version {
        1..=3 => Ok(version),
        _ if (1..=3).contains(&version.swap_bytes()) => {
            Err(cursor.error("is big-endian; convert the file to little-endian"))
        }
        _ => Err(cursor.error(format!("has version {version}; versions 1 to 3 are known"))),
    }
}

fn metadata(cursor: &mut Cursor<impl Read>, count: usize) -> Result<Metadata, GgufError> {
    let mut metadata = Metadata::default();
    for index in 0..count {
        cursor.about(format!("metadata key {}", index + 1));
        let key = utf8(cursor)?;
        cursor.about(format!("metadata key {}", key.escape_debug()));
        let value = value::read(cursor)?;
        if !metadata.insert(key, value) {
            return Err(cursor.error("is duplicated"));
        }
    }
    Ok(metadata)
}

/// Reads one description; the offset is still relative to where the data starts, and the size still unknown.
fn tensor(cursor: &mut Cursor<impl Read>, index: usize) -> Result<TensorEntry, GgufError> {
    cursor.about(format!("tensor {}", index + 1));
    let name = utf8(cursor)?;
    cursor.about(format!("tensor {}", name.escape_debug()));
    let dimensions = cursor.u32()?;
    if dimensions > DIMENSIONS_MAX {
        return Err(
            cursor.error(format!("has {dimensions} dimensions; at most {DIMENSIONS_MAX} are allowed"))
        );
    }
    let mut shape = Vec::with_capacity(dimensions as usize);
    for _ in 0..dimensions {
        let dimension = cursor.length()?;
        match usize::try_from(dimension) {
            Ok(size) if size > 0 => shape.push(size),
            _ => return Err(cursor.error(format!("has a dimension of {dimension}"))),
        }
    }
    shape.reverse();
    squeeze(&mut shape);
    let id = cursor.u32()?;
    let ty = TensorType::from_id(id).ok_or(id);
    let bytes = bytes(&shape, ty).map_err(|problem| cursor.error(problem))?;
    let offset = cursor.u64()?;
    Ok(TensorEntry { info: TensorInfo { name, ty, shape, bytes }, offset })
}

/// Takes off outer dimensions of 1 beyond the second, which writers of files leave out or not as they like.
fn squeeze(shape: &mut Vec<usize>) {
    while shape.len() > 2 && shape[0] == 1 {
        shape.remove(0);
    }
}

/// Returns the bytes that a tensor takes; none yet for an unknown type.
fn bytes(shape: &[usize], ty: Result<TensorType, u32>) -> Result<u64, String> {
    let elements = shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size as u64));
    let elements = elements.ok_or_else(|| format!("has more elements than can be counted: {shape:?}"))?;
    let Ok(ty) = ty else { return Ok(0) };
    let row = shape.last().copied().unwrap_or(1);
    if !row.is_multiple_of(ty.block_elements()) {
        return Err(format!("has rows of {row} elements, but {ty} stores them by {}", ty.block_elements()));
    }
    ty.bytes_for(elements).ok_or_else(|| format!("has more bytes than can be counted: {shape:?} of {ty}"))
}

fn alignment(cursor: &Cursor<impl Read>, metadata: &Metadata) -> Result<u64, GgufError> {
    let fail = |problem: String| GgufError {
        subject: "metadata key general.alignment".to_owned(),
        ..cursor.error(problem)
    };
    match metadata.integer("general.alignment") {
        Ok(None) => Ok(ALIGNMENT_DEFAULT),
        Ok(Some(alignment)) if alignment.is_power_of_two() => Ok(alignment as u64),
        Ok(Some(alignment)) => Err(fail(format!("is {alignment}, which is not a power of two"))),
        Err(error) => Err(fail(error.problem)),
    }
}

fn utf8(cursor: &mut Cursor<impl Read>) -> Result<String, GgufError> {
    let bytes = cursor.string(NAME_BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|_| cursor.error("has a name that is not UTF-8"))
}

const ALIGNMENT_DEFAULT: u64 = 32;
const DIMENSIONS_MAX: u32 = 4;
const KEYS_MAX: u64 = 1 << 16;
const NAME_BYTES_MAX: u64 = 64 << 10;
const TENSORS_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use stack_testkit::gguf::value_type;
    use stack_testkit::{GgufBuilder, reference_data};

    use super::super::super::Value;
    use super::*;

    fn small() -> GgufBuilder {
        GgufBuilder::new("llama")
            .u32("llama.block_count", 2)
            .f32("llama.rope.freq_base", 1e4)
            .boolean("tokenizer.ggml.add_bos_token", true)
            .strings("tokenizer.ggml.tokens", &[b"a".as_slice(), b"\xFF\xFE", b""])
            .f32s("tokenizer.ggml.scores", &[0.0, -1.5, 2.0])
            .i32s("tokenizer.ggml.token_type", &[1, 3, -6])
            .booleans("llama.attention.sliding_window_pattern", &[true, false])
            .f32_tensor("output_norm.weight", &[4], &[1.0; 4])
            .f16_tensor("token_embd.weight", &[3, 4], &[0.5; 12])
            .tensor("blk.0.ffn_up.weight", TensorType::Q8_0 as u32, &[2, 32], &[1; 68])
    }

    fn problem(file: &GgufBuilder) -> String {
        parse(&file.build()).unwrap_err().to_string()
    }

    #[test]
    fn a_small_file_is_understood() {
        let file = small().build();
        let header = parse(&file).unwrap();
        assert_eq!(header.version, 3);
        let metadata = &header.metadata;
        assert_eq!(metadata.text("general.architecture").unwrap(), Some("llama"));
        assert_eq!(metadata.strings("tokenizer.ggml.tokens").unwrap().unwrap()[1], b"\xFF\xFE");
        assert_eq!(metadata.floats("tokenizer.ggml.scores").unwrap().unwrap(), [0.0, -1.5, 2.0]);
        assert_eq!(metadata.integers("tokenizer.ggml.token_type").unwrap().unwrap(), [1, 3, -6]);
        assert_eq!(metadata.integers("llama.attention.sliding_window_pattern").unwrap().unwrap(), [1, 0]);
        let [norm, embedding, up] = header.tensors.as_slice() else { panic!("three tensors") };
        assert_eq!((norm.info.shape.as_slice(), norm.info.bytes), ([4].as_slice(), 16));
        assert_eq!(
            (embedding.info.shape.as_slice(), embedding.info.ty),
            ([3, 4].as_slice(), Ok(TensorType::F16))
        );
        assert_eq!(file[up.offset as usize..][..68], [1; 68]);
    }

    #[test]
    fn every_prefix_is_an_error_and_none_panics() {
        let file = small().build();
        let needed = file.len() - file.iter().rev().take_while(|&&byte| byte == 0).count();
        for len in 0..needed {
            assert!(parse(&file[..len]).is_err(), "{len} of {needed} bytes");
        }
        assert!(parse(&file[..needed]).is_ok());
    }

    #[test]
    fn any_flipped_bit_of_the_header_parses_or_is_refused() {
        let file = small().build();
        for position in 0..small().header().len() {
            for bit in 0..8 {
                let mut damaged = file.clone();
                damaged[position] ^= 1 << bit;
                if let Ok(header) = parse(&damaged) {
                    for tensor in header.tensors {
                        assert!(tensor.offset + tensor.info.bytes <= file.len() as u64);
                    }
                }
            }
            for byte in [0, 0xFF] {
                let mut damaged = file.clone();
                damaged[position] = byte;
                _ = parse(&damaged);
            }
        }
    }

    #[test]
    fn other_files_and_versions_are_refused() {
        let named = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
        assert!(named(b"ABCD....").contains("it begins with \"ABCD\""));
        assert!(named(b"GG").contains("only 2 are left"));
        let mut swapped = small().build();
        swapped[4..8].reverse();
        assert!(named(&swapped).contains("big-endian"));
        swapped[4..8].copy_from_slice(&9u32.to_le_bytes());
        assert!(named(&swapped).contains("version 9"));
    }

    #[test]
    fn counts_that_the_file_cannot_hold_are_refused_before_allocation() {
        for (position, what) in [(8, "tensors"), (16, "metadata keys")] {
            for count in [u64::MAX, 1 << 63, 60_000] {
                let mut file = small().build();
                file[position..position + 8].copy_from_slice(&count.to_le_bytes());
                assert!(parse(&file).unwrap_err().problem.contains(what));
            }
        }
        let mut huge = value_type::U8.to_le_bytes().to_vec();
        huge.extend((8u64 << 20).to_le_bytes());
        let file = GgufBuilder::new("llama").raw("huge", value_type::ARRAY, &huge);
        assert!(problem(&file).starts_with("metadata key huge at byte"));
        let file = GgufBuilder::new("llama").raw("long", value_type::STRING, &(u64::MAX).to_le_bytes());
        assert!(problem(&file).contains("string of 18446744073709551615 bytes"));
    }

    #[test]
    fn arrays_nest_once_and_no_deeper() {
        let level = |inner: &[u8]| {
            let mut bytes = value_type::ARRAY.to_le_bytes().to_vec();
            bytes.extend(1u64.to_le_bytes());
            bytes.extend(inner);
            bytes
        };
        let leaf: Vec<u8> =
            value_type::U8.to_le_bytes().into_iter().chain(1u64.to_le_bytes()).chain([7]).collect();
        let file = GgufBuilder::bare().raw("two", value_type::ARRAY, &level(&leaf));
        let header = parse(&file.build()).unwrap();
        assert_eq!(header.metadata.value("two"), Some(&Value::Array(vec![Value::Integers(vec![7])])));
        let mut bomb = leaf;
        for _ in 0..10_000 {
            bomb = level(&bomb);
        }
        assert!(
            problem(&GgufBuilder::bare().raw("deep", value_type::ARRAY, &bomb)).contains("deeper than 2")
        );
    }

    #[test]
    fn what_is_there_twice_is_refused() {
        assert!(problem(&small().u32("llama.block_count", 3)).contains("llama.block_count"));
        let twice = small().f32_tensor("output_norm.weight", &[4], &[1.0; 4]);
        assert!(problem(&twice).contains("tensor output_norm.weight"));
    }

    #[test]
    fn wrong_values_and_types_are_refused() {
        assert!(problem(&small().raw("flag", value_type::BOOL, &[2])).contains("byte 2 as a boolean"));
        assert!(problem(&small().raw("odd", 13, &[])).contains("unknown value type 13"));
        for alignment in [0u32, 3, 48] {
            let file = small().raw("general.alignment", value_type::U32, &alignment.to_le_bytes());
            assert!(problem(&file).contains("power of two"));
        }
        let file = small().text("general.alignment", "32");
        assert!(problem(&file).contains("general.alignment"));
    }

    #[test]
    fn dimensions_must_be_few_whole_and_countable() {
        let with = |shape: &[u64], ty: TensorType| problem(&small().tensor_at("t", ty as u32, shape, 0));
        assert!(with(&[1; 5], TensorType::F32).contains("5 dimensions"));
        assert!(with(&[2, 0], TensorType::F32).contains("dimension of 0"));
        assert!(with(&[1 << 33, 1 << 33], TensorType::F32).contains("more elements"));
        assert!(with(&[1 << 31, 1 << 31], TensorType::F64).contains("more bytes"));
        assert!(with(&[64, 33], TensorType::Q4_K).contains("rows of 33"));
    }

    #[test]
    fn tensors_lie_aligned_inside_and_apart() {
        let with = |offset: u64| problem(&small().tensor_at("t", 0, &[16], offset));
        assert!(with(8).contains("not a multiple of 32"));
        assert!(with(32).contains("overlaps tensor"));
        assert!(with(1 << 20).contains("truncated or damaged"));
        assert!(with(u64::MAX - 31).contains("truncated or damaged"));
    }

    #[test]
    fn an_unknown_type_is_listed_with_the_bytes_up_to_the_next() {
        let file =
            GgufBuilder::new("x").tensor("odd", 31, &[5], &[0; 40]).f32_tensor("b", &[1], &[1.0]).build();
        let header = parse(&file).unwrap();
        assert_eq!((header.tensors[0].info.ty, header.tensors[0].info.bytes), (Err(31), 64));
    }

    #[test]
    fn version_1_has_short_lengths() {
        let mut file = b"GGUF".to_vec();
        for word in [1u32, 1, 1, 1] {
            file.extend(word.to_le_bytes());
        }
        file.extend(b"k");
        for word in [value_type::STRING, 2] {
            file.extend(word.to_le_bytes());
        }
        file.extend(b"ok");
        file.extend(1u32.to_le_bytes());
        file.extend(b"t");
        for word in [1u32, 3, 0, 0, 0] {
            file.extend(word.to_le_bytes());
        }
        file.resize(file.len().next_multiple_of(32) + 12, 0);
        let header = parse(&file).unwrap();
        assert_eq!(header.metadata.text("k").unwrap(), Some("ok"));
        assert_eq!(header.tensors[0].info.shape, [3]);
    }

    #[test]
    fn all_reference_files_parse() {
        for folder in ["archs", "types", "stories260K", "tokenizers"] {
            let Some(folder) = reference_data(folder) else { return };
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "gguf") {
                    let header = parse(&std::fs::read(&path).unwrap()).unwrap();
                    assert!(
                        header.metadata.text("general.architecture").unwrap().is_some(),
                        "{}",
                        path.display()
                    );
                }
            }
        }
    }
}
