//! Writing GGUF files, version 3.

use std::io::{self, Write};

use half::f16;

/// A metadata value of a type that the recipe needs.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Type 4.
    U32(u32),
    /// Type 6.
    F32(f32),
    /// Type 7.
    Bool(bool),
    /// Type 8.
    Text(String),
    /// Type 9 of type 8.
    Texts(Vec<String>),
    /// Type 9 of type 6.
    F32s(Vec<f32>),
    /// Type 9 of type 5.
    I32s(Vec<i32>),
}

/// A tensor, which is stored as F16 when it has two dimensions and as F32 when it has one.
#[derive(Debug, Clone)]
pub(crate) struct NamedTensor {
    /// Its name.
    pub(crate) name: String,
    /// Its dimensions, the fastest first.
    pub(crate) dimensions: Vec<usize>,
    /// Its numbers.
    pub(crate) values: Vec<f32>,
}

const ALIGNMENT: usize = 32;

impl NamedTensor {
    fn is_matrix(&self) -> bool {
        self.dimensions.len() > 1
    }

    fn bytes(&self) -> Vec<u8> {
        if self.is_matrix() {
            self.values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect()
        } else {
            self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
        }
    }
}

/// Returns the bytes of a GGUF file with this metadata and these tensors.
pub(crate) fn encode(metadata: &[(&str, Value)], tensors: &[NamedTensor]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    out.write_all(b"GGUF")?;
    out.write_all(&3u32.to_le_bytes())?;
    out.write_all(&(tensors.len() as u64).to_le_bytes())?;
    out.write_all(&(metadata.len() as u64).to_le_bytes())?;
    for (key, value) in metadata {
        write_text(&mut out, key)?;
        write_value(&mut out, value)?;
    }
    let mut data = Vec::new();
    for tensor in tensors {
        write_text(&mut out, &tensor.name)?;
        out.write_all(&(tensor.dimensions.len() as u32).to_le_bytes())?;
        for &dimension in &tensor.dimensions {
            out.write_all(&(dimension as u64).to_le_bytes())?;
        }
        out.write_all(&u32::from(tensor.is_matrix()).to_le_bytes())?;
        out.write_all(&(data.len() as u64).to_le_bytes())?;
        data.extend(tensor.bytes());
        data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
    }
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
    out.extend(data);
    Ok(out)
}

fn write_value(out: &mut impl Write, value: &Value) -> io::Result<()> {
    let mut array = |element: u32, count: usize| -> io::Result<()> {
        out.write_all(&9u32.to_le_bytes())?;
        out.write_all(&element.to_le_bytes())?;
        out.write_all(&(count as u64).to_le_bytes())
    };
    match value {
        Value::U32(value) => {
            out.write_all(&4u32.to_le_bytes())?;
            out.write_all(&value.to_le_bytes())
        }
        Value::F32(value) => {
            out.write_all(&6u32.to_le_bytes())?;
            out.write_all(&value.to_le_bytes())
        }
        Value::Bool(value) => {
            out.write_all(&7u32.to_le_bytes())?;
            out.write_all(&[u8::from(*value)])
        }
        Value::Text(value) => {
            out.write_all(&8u32.to_le_bytes())?;
            write_text(out, value)
        }
        Value::Texts(values) => {
            array(8, values.len())?;
            values.iter().try_for_each(|value| write_text(out, value))
        }
        Value::F32s(values) => {
            array(6, values.len())?;
            values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
        }
        Value::I32s(values) => {
            array(5, values.len())?;
            values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
        }
    }
}

fn write_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(&(text.len() as u64).to_le_bytes())?;
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use candle_core::quantized::gguf_file::Content;
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn another_reader_finds_what_was_written() {
        let metadata = [
            ("general.architecture", Value::Text("llama".to_owned())),
            ("number", Value::U32(7)),
            ("flag", Value::Bool(true)),
            ("texts", Value::Texts(vec!["▁a".to_owned(), String::new()])),
            ("scores", Value::F32s(vec![-1.5])),
            ("types", Value::I32s(vec![1, 3])),
            ("rate", Value::F32(0.5)),
        ];
        let tensor = |name: &str, dimensions: &[usize], values: &[f32]| NamedTensor {
            name: name.to_owned(),
            dimensions: dimensions.to_vec(),
            values: values.to_vec(),
        };
        let tensors = [tensor("a", &[3], &[1.0, 2.0, 3.0]), tensor("b", &[2, 3], &[1., 2., 3., 4., 5., 6.])];
        let mut file = Cursor::new(encode(&metadata, &tensors).unwrap());
        let content = Content::read(&mut file).unwrap();
        assert_eq!(content.metadata["number"].to_u32().unwrap(), 7);
        assert!(content.metadata["flag"].to_bool().unwrap());
        assert_eq!(content.metadata["texts"].to_vec().unwrap()[0].to_string().unwrap(), "▁a");
        assert_eq!(content.metadata["types"].to_vec().unwrap()[1].to_i32().unwrap(), 3);
        let mut read =
            |name| content.tensor(&mut file, name, &Device::Cpu).unwrap().dequantize(&Device::Cpu).unwrap();
        assert_eq!(read("a").to_vec1::<f32>().unwrap(), [1.0, 2.0, 3.0]);
        let matrix = read("b").to_dtype(DType::F32).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(matrix, [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    }
}
