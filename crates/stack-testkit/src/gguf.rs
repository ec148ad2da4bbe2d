//! A small writer of GGUF files, for tests.

use half::f16;

/// GGUF's ids of metadata types.
pub mod value_type {
    #![allow(missing_docs, reason = "the names are the format's own")]
    pub const U8: u32 = 0;
    pub const I8: u32 = 1;
    pub const U16: u32 = 2;
    pub const I16: u32 = 3;
    pub const U32: u32 = 4;
    pub const I32: u32 = 5;
    pub const F32: u32 = 6;
    pub const BOOL: u32 = 7;
    pub const STRING: u32 = 8;
    pub const ARRAY: u32 = 9;
    pub const U64: u32 = 10;
    pub const I64: u32 = 11;
    pub const F64: u32 = 12;
}

/// Builds the bytes of a GGUF file, version 3, little-endian.
///
/// It checks nothing: tests need wrong files as often as right ones.
///
/// ```
/// let file = stack_testkit::GgufBuilder::new("llama").u32("llama.block_count", 1).f32_tensor("a", &[1, 2], &[0.5, 1.0]).build();
/// assert_eq!(&file[..4], b"GGUF");
/// ```
#[derive(Clone, Debug)]
pub struct GgufBuilder {
    alignment: usize,
    entries: u64,
    metadata: Vec<u8>,
    tensors: Vec<Tensor>,
}

#[derive(Clone, Debug)]
struct Tensor {
    name: Vec<u8>,
    shape: Vec<u64>,
    ty: u32,
    offset: Option<u64>,
    data: Vec<u8>,
}

impl GgufBuilder {
    /// Starts a file of an architecture: writes `general.architecture`.
    pub fn new(architecture: &str) -> Self {
        Self::bare().text("general.architecture", architecture)
    }

    /// Starts a file without any key.
    pub fn bare() -> Self {
        Self { alignment: 32, entries: 0, metadata: Vec::new(), tensors: Vec::new() }
    }

    /// Writes `general.alignment`, and aligns tensors so.
    #[must_use]
    pub fn alignment(mut self, alignment: u32) -> Self {
        self.alignment = alignment as usize;
        self.u32("general.alignment", alignment)
    }

    /// Adds a key with a value that is already encoded: anything that the other methods cannot say.
    #[must_use]
    pub fn raw(mut self, key: &str, type_id: u32, value: &[u8]) -> Self {
        string(&mut self.metadata, key.as_bytes());
        self.metadata.extend(type_id.to_le_bytes());
        self.metadata.extend(value);
        self.entries += 1;
        self
    }

    /// Adds a string.
    #[must_use]
    pub fn text(self, key: &str, value: &str) -> Self {
        let mut bytes = Vec::new();
        string(&mut bytes, value.as_bytes());
        self.raw(key, value_type::STRING, &bytes)
    }

    /// Adds an unsigned integer of 32 bits.
    #[must_use]
    pub fn u32(self, key: &str, value: u32) -> Self {
        self.raw(key, value_type::U32, &value.to_le_bytes())
    }

    /// Adds a number.
    #[must_use]
    pub fn f32(self, key: &str, value: f32) -> Self {
        self.raw(key, value_type::F32, &value.to_le_bytes())
    }

    /// Adds a boolean.
    #[must_use]
    pub fn boolean(self, key: &str, value: bool) -> Self {
        self.raw(key, value_type::BOOL, &[u8::from(value)])
    }

    /// Adds an array of strings.
    #[must_use]
    pub fn strings<S: AsRef<[u8]>>(self, key: &str, values: &[S]) -> Self {
        let mut items = Vec::new();
        for value in values {
            string(&mut items, value.as_ref());
        }
        self.array(key, value_type::STRING, values.len(), &items)
    }

    /// Adds an array of signed integers of 32 bits.
    #[must_use]
    pub fn i32s(self, key: &str, values: &[i32]) -> Self {
        let items: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.array(key, value_type::I32, values.len(), &items)
    }

    /// Adds an array of numbers.
    #[must_use]
    pub fn f32s(self, key: &str, values: &[f32]) -> Self {
        let items: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.array(key, value_type::F32, values.len(), &items)
    }

    /// Adds an array of booleans.
    #[must_use]
    pub fn booleans(self, key: &str, values: &[bool]) -> Self {
        let items: Vec<u8> = values.iter().map(|&value| u8::from(value)).collect();
        self.array(key, value_type::BOOL, values.len(), &items)
    }

    /// Adds a tensor of any type. The shape is outermost first, as the engine has it.
    #[must_use]
    pub fn tensor(mut self, name: &str, ty: u32, shape: &[usize], data: &[u8]) -> Self {
        let shape = shape.iter().map(|&n| n as u64).collect();
        self.tensors.push(Tensor { name: name.into(), shape, ty, offset: None, data: data.to_vec() });
        self
    }

    /// Adds a description of a tensor as given, with no data: for files that lie.
    #[must_use]
    pub fn tensor_at(mut self, name: &str, ty: u32, shape: &[u64], offset: u64) -> Self {
        let shape = shape.to_vec();
        self.tensors.push(Tensor { name: name.into(), shape, ty, offset: Some(offset), data: Vec::new() });
        self
    }

    /// Adds a tensor of F32 values.
    #[must_use]
    pub fn f32_tensor(self, name: &str, shape: &[usize], values: &[f32]) -> Self {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, 0, shape, &data)
    }

    /// Adds a tensor of F16 values, rounded from f32.
    #[must_use]
    pub fn f16_tensor(self, name: &str, shape: &[usize], values: &[f32]) -> Self {
        let data: Vec<u8> = values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect();
        self.tensor(name, 1, shape, &data)
    }

    /// Returns the bytes of the file.
    pub fn build(&self) -> Vec<u8> {
        let mut file = self.header();
        file.resize(file.len().next_multiple_of(self.alignment), 0);
        for tensor in &self.tensors {
            file.extend(&tensor.data);
            file.resize(file.len().next_multiple_of(self.alignment), 0);
        }
        file
    }

    /// Returns the bytes before the tensors' data, without the padding.
    pub fn header(&self) -> Vec<u8> {
        let mut header = b"GGUF".to_vec();
        header.extend(3u32.to_le_bytes());
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend(self.entries.to_le_bytes());
        header.extend(&self.metadata);
        let mut next = 0;
        for tensor in &self.tensors {
            string(&mut header, &tensor.name);
            header.extend((tensor.shape.len() as u32).to_le_bytes());
            for dimension in tensor.shape.iter().rev() {
                header.extend(dimension.to_le_bytes());
            }
            header.extend(tensor.ty.to_le_bytes());
            header.extend(tensor.offset.unwrap_or(next as u64).to_le_bytes());
            next = (next + tensor.data.len()).next_multiple_of(self.alignment);
        }
        header
    }

    fn array(self, key: &str, item_type: u32, count: usize, items: &[u8]) -> Self {
        let mut bytes = item_type.to_le_bytes().to_vec();
        bytes.extend((count as u64).to_le_bytes());
        bytes.extend(items);
        self.raw(key, value_type::ARRAY, &bytes)
    }
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_lie_aligned_after_the_header() {
        let builder = GgufBuilder::new("llama").alignment(64).f32_tensor("a", &[1], &[1.0]).f16_tensor(
            "b",
            &[2],
            &[2.0, 3.0],
        );
        let (header, file) = (builder.header(), builder.build());
        let start = header.len().next_multiple_of(64);
        assert_eq!(file.len(), start + 128);
        assert_eq!(file[start..start + 4], 1.0f32.to_le_bytes());
        assert_eq!(file[start + 64..start + 66], f16::from_f32(2.0).to_le_bytes());
    }
}
