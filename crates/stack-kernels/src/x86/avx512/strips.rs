//! From lengths and formats that are known at run time to kernels for which they are constants.

/// Runs a kernel over strips of rows: as few as there can be, of lengths that differ by one at most.
///
/// The first argument lists the lengths that the kernel is compiled for: those from 1 to the longest. The last one holds
/// a slice of sums, one for each row, for each sixteen rows of weights.
macro_rules! in_strips {
    ([$($length:literal)+], $kernel:path, $source:expr, $inputs:expr, $sums:expr) => {{
        let longest = [$($length),+].len();
        let (mut inputs, mut sums) = ($inputs, $sums);
        for strips in (1..=inputs.len().div_ceil(longest)).rev() {
            match inputs.len().div_ceil(strips) {
                $($length => {
                    let strip = inputs.split_off(..$length).and_then(|strip| strip.as_array::<$length>());
                    let strip = strip.expect("the strips are as long as the rows together");
                    let strip_sums = sums.each_mut().map(|sums| {
                        let strip = sums.split_off_mut(..$length).and_then(|strip| strip.as_mut_array::<$length>());
                        strip.expect("there are as many sums as rows")
                    });
                    $kernel($source, strip, strip_sums);
                })+
                _ => unreachable!("no strip is longer than the longest"),
            }
        }
    }};
}

/// Chooses the block format of a format and evaluates an expression with it.
macro_rules! with_block_format {
    ($format:expr, $block_format:ident => $body:expr, else $none:expr) => {{
        use $crate::x86::avx512::block_format;
        match $format {
            $crate::format::Format::Q4_0 => {
                type $block_format = block_format::Q4_0;
                $body
            }
            $crate::format::Format::Q4_1 => {
                type $block_format = block_format::Q4_1;
                $body
            }
            $crate::format::Format::Q5_0 => {
                type $block_format = block_format::Q5_0;
                $body
            }
            $crate::format::Format::Q5_1 => {
                type $block_format = block_format::Q5_1;
                $body
            }
            $crate::format::Format::Q8_0 => {
                type $block_format = block_format::Q8_0;
                $body
            }
            $crate::format::Format::Iq4Nl => {
                type $block_format = block_format::Iq4Nl;
                $body
            }
            $crate::format::Format::Mxfp4 => {
                type $block_format = block_format::Mxfp4;
                $body
            }
            $crate::format::Format::Q2K => {
                type $block_format = block_format::Q2K;
                $body
            }
            $crate::format::Format::Q3K => {
                type $block_format = block_format::Q3K;
                $body
            }
            $crate::format::Format::Q4K => {
                type $block_format = block_format::Q4K;
                $body
            }
            $crate::format::Format::Q5K => {
                type $block_format = block_format::Q5K;
                $body
            }
            $crate::format::Format::Q6K => {
                type $block_format = block_format::Q6K;
                $body
            }
            $crate::format::Format::Iq4Xs => {
                type $block_format = block_format::Iq4Xs;
                $body
            }
            $crate::format::Format::F32 | $crate::format::Format::F16 | $crate::format::Format::Bf16 => $none,
        }
    }};
}
pub(super) use {in_strips, with_block_format};
