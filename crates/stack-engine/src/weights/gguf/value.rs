//! Metadata values.

use std::io::Read;

use super::super::Value;
use super::GgufError;
use super::cursor::Cursor;

/// Reads a type id and a value of that type.
pub(super) fn read(cursor: &mut Cursor<impl Read>) -> Result<Value, GgufError> {
    let type_id = cursor.u32()?;
    Ok(match type_id {
        U8 => Value::Unsigned(cursor.array().map(u8::from_le_bytes)?.into()),
        I8 => Value::Signed(cursor.array().map(i8::from_le_bytes)?.into()),
        U16 => Value::Unsigned(cursor.array().map(u16::from_le_bytes)?.into()),
        I16 => Value::Signed(cursor.array().map(i16::from_le_bytes)?.into()),
        U32 => Value::Unsigned(cursor.u32()?.into()),
        I32 => Value::Signed(cursor.array().map(i32::from_le_bytes)?.into()),
        F32 => Value::Float(cursor.array().map(f32::from_le_bytes)?.into()),
        BOOL => {
            let [byte] = cursor.array()?;
            if byte > 1 {
                return Err(cursor.error(format!("holds the byte {byte} as a boolean")));
            }
            Value::Bool(byte == 1)
        }
        STRING => Value::String(cursor.string(STRING_BYTES_MAX)?),
        ARRAY => array(cursor, 1)?,
        U64 => Value::Unsigned(cursor.u64()?),
        I64 => Value::Signed(cursor.array().map(i64::from_le_bytes)?),
        F64 => Value::Float(cursor.array().map(f64::from_le_bytes)?),
        unknown => return Err(cursor.error(format!("has the unknown value type {unknown}"))),
    })
}

/// Reads what follows an array's type id. Arrays of numbers are kept flat, booleans among them as 0 and 1.
fn array(cursor: &mut Cursor<impl Read>, depth: u32) -> Result<Value, GgufError> {
    let type_id = cursor.u32()?;
    Ok(match type_id {
        U8 => integers(cursor, |[n]: [u8; 1]| n.into())?,
        I8 => integers(cursor, |bytes| i8::from_le_bytes(bytes).into())?,
        U16 => integers(cursor, |bytes| u16::from_le_bytes(bytes).into())?,
        I16 => integers(cursor, |bytes| i16::from_le_bytes(bytes).into())?,
        U32 => integers(cursor, |bytes| u32::from_le_bytes(bytes).into())?,
        I32 => integers(cursor, |bytes| i32::from_le_bytes(bytes).into())?,
        I64 => integers(cursor, i64::from_le_bytes)?,
        BOOL => {
            let bytes = items(cursor, |[byte]: [u8; 1]| byte)?;
            if let Some(byte) = bytes.iter().find(|&&byte| byte > 1) {
                return Err(cursor.error(format!("holds the byte {byte} as a boolean")));
            }
            Value::Integers(bytes.into_iter().map(i64::from).collect())
        }
        U64 => {
            let list = items(cursor, u64::from_le_bytes)?;
            match list.iter().map(|&n| i64::try_from(n)).collect() {
                Ok(signed) => Value::Integers(signed),
                Err(_) => Value::Array(list.into_iter().map(Value::Unsigned).collect()),
            }
        }
        F32 => Value::Floats(items(cursor, f32::from_le_bytes)?),
        F64 => Value::Floats(items(cursor, |bytes| f64::from_le_bytes(bytes) as f32)?),
        STRING => {
            let bytes_min = cursor.string_bytes_min();
            let count = cursor.count("strings", bytes_min, ITEMS_MAX)?;
            Value::Strings((0..count).map(|_| cursor.string(STRING_BYTES_MAX)).collect::<Result<_, _>>()?)
        }
        ARRAY if depth == DEPTH_MAX => {
            return Err(cursor.error(format!("nests arrays deeper than {DEPTH_MAX}")));
        }
        ARRAY => {
            let bytes_min = 4 + cursor.string_bytes_min();
            let count = cursor.count("arrays", bytes_min, ITEMS_MAX)?;
            Value::Array((0..count).map(|_| array(cursor, depth + 1)).collect::<Result<_, _>>()?)
        }
        unknown => return Err(cursor.error(format!("is an array of the unknown value type {unknown}"))),
    })
}

fn integers<const N: usize>(
    cursor: &mut Cursor<impl Read>,
    decode: impl Fn([u8; N]) -> i64,
) -> Result<Value, GgufError> {
    items(cursor, decode).map(Value::Integers)
}

fn items<const N: usize, T>(
    cursor: &mut Cursor<impl Read>,
    decode: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, GgufError> {
    let count = cursor.count("values", N as u64, ITEMS_MAX)?;
    let bytes = cursor.bytes((count * N) as u64)?;
    let (items, _) = bytes.as_chunks::<N>();
    Ok(items.iter().map(|&item| decode(item)).collect())
}

const U8: u32 = 0;
const I8: u32 = 1;
const U16: u32 = 2;
const I16: u32 = 3;
const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;
const U64: u32 = 10;
const I64: u32 = 11;
const F64: u32 = 12;

const STRING_BYTES_MAX: u64 = 64 << 20;
/// Vocabularies have some 300 000 tokens, and fewer than a million merges.
const ITEMS_MAX: u64 = 16 << 20;
const DEPTH_MAX: u32 = 2;
