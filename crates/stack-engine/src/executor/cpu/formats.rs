//! In which format of the kernels a tensor's type is computed with.

use stack_kernels::Format;

use crate::weights::TensorType;

/// The format under which kernels compute with a type.
pub(super) fn own_format(ty: TensorType) -> Option<Format> {
    Some(match ty {
        TensorType::F32 => Format::F32,
        TensorType::F16 => Format::F16,
        TensorType::BF16 => Format::Bf16,
        TensorType::Q4_0 => Format::Q4_0,
        TensorType::Q4_1 => Format::Q4_1,
        TensorType::Q5_0 => Format::Q5_0,
        TensorType::Q5_1 => Format::Q5_1,
        TensorType::Q8_0 => Format::Q8_0,
        TensorType::Q2_K => Format::Q2K,
        TensorType::Q3_K => Format::Q3K,
        TensorType::Q4_K => Format::Q4K,
        TensorType::Q5_K => Format::Q5K,
        TensorType::Q6_K => Format::Q6K,
        TensorType::IQ4_NL => Format::Iq4Nl,
        TensorType::IQ4_XS => Format::Iq4Xs,
        TensorType::MXFP4 => Format::Mxfp4,
        _ => return None,
    })
}

/// What a type without kernels becomes: the smallest format that holds every one of its values exactly.
pub(super) fn stand_in(ty: TensorType) -> Format {
    match ty {
        // ±d and 0 are halves as d is; the codes of NVFP4 times their scales have at most six significant bits.
        TensorType::I8 | TensorType::Q1_0 | TensorType::TQ1_0 | TensorType::TQ2_0 | TensorType::NVFP4 => {
            Format::F16
        }
        _ => Format::F32,
    }
}
