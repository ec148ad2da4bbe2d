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
        return Err(cursor.error(format!("is not GGUF: {}", other_format(magic))));
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

/// Says what a file is that begins with other bytes than `GGUF`.
fn other_format(magic: [u8; 4]) -> String {
    match &magic {
        b"PK\x03\x04" => "it is a zip archive, perhaps a PyTorch checkpoint".to_owned(),
        b"tjgg" | b"fmgg" | b"lmgg" => {
            "it is of a format that came before GGUF; convert the model anew".to_owned()
        }
        b"vers" => "it is a Git LFS pointer; fetch the file itself with `git lfs pull`".to_owned(),
        b"<!DO" | b"<htm" => "it is a web page; the download went wrong".to_owned(),
        [_, _, _, 0] => "it may be SafeTensors; give the directory with its config.json instead".to_owned(),
        _ => format!("it begins with {:?}", String::from_utf8_lossy(&magic)),
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
            return Err(cursor.error("is there twice"));
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
    let id = cursor.u32()?;
    let ty = TensorType::from_id(id).ok_or(id);
    let bytes = bytes(&shape, ty).map_err(|problem| cursor.error(problem))?;
    let offset = cursor.u64()?;
    Ok(TensorEntry { info: TensorInfo { name, ty, shape, bytes }, offset })
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
