//! Types without blocks: floats and integers.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "every decoder takes its block by reference")]

use half::{bf16, f16};

pub(super) fn f32(bytes: &[u8; 4], out: &mut [f32; 1]) {
    out[0] = f32::from_le_bytes(*bytes);
}

pub(super) fn f64(bytes: &[u8; 8], out: &mut [f32; 1]) {
    out[0] = f64::from_le_bytes(*bytes) as f32;
}

pub(super) fn f16(bytes: &[u8; 2], out: &mut [f32; 1]) {
    out[0] = f16::from_le_bytes(*bytes).to_f32();
}

pub(super) fn bf16(bytes: &[u8; 2], out: &mut [f32; 1]) {
    out[0] = bf16::from_le_bytes(*bytes).to_f32();
}

pub(super) fn i8(bytes: &[u8; 1], out: &mut [f32; 1]) {
    out[0] = i8::from_le_bytes(*bytes).into();
}

pub(super) fn i16(bytes: &[u8; 2], out: &mut [f32; 1]) {
    out[0] = i16::from_le_bytes(*bytes).into();
}

pub(super) fn i32(bytes: &[u8; 4], out: &mut [f32; 1]) {
    out[0] = i32::from_le_bytes(*bytes) as f32;
}

pub(super) fn i64(bytes: &[u8; 8], out: &mut [f32; 1]) {
    out[0] = i64::from_le_bytes(*bytes) as f32;
}
