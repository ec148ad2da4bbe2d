//! Makes the kernels of a level out of the generic ones.

/// Defines a proof that a machine has some features, and the kernels that it opens. It is named like its instruction set.
///
/// Each function that is compiled for the features calls one generic function, which becomes part of it.
macro_rules! kernels {
    ($(#[$doc:meta])* $name:ident, $vectors:ty, $features:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name(());

        impl $name {
            /// Makes the proof from a level that was detected, if it is this one.
            pub(crate) fn new(level: $crate::level::Level) -> Option<Self> {
                (level.set() == $crate::level::InstructionSet::$name).then_some(Self(()))
            }
        }

        impl $crate::kernels::Kernels for $name {
            $crate::vector::kernels! {
                $features
                unpack::<$vectors>(
                    format: $crate::format::Format,
                    tile: &[$crate::buffer::Line],
                    blocks: usize,
                    unpacked: &mut $crate::unpacked_tile::UnpackedTile,
                ) -> ();
                accumulate_q8_k::<$vectors>(
                    format: $crate::format::Format,
                    tiles: &[$crate::unpacked_tile::UnpackedTile],
                    inputs: &[$crate::activations::BlockQ8K],
                    sums: &mut [[f32; $crate::tile::LANES]],
                ) -> ();
                accumulate_q8_0::<$vectors>(
                    format: $crate::format::Format,
                    tiles: &[$crate::unpacked_tile::UnpackedTile],
                    inputs: &[$crate::activations::BlockQ8_0],
                    sums: &mut [[f32; $crate::tile::LANES]],
                ) -> ();
                gemv::<$vectors>(
                    operands: &$crate::kernels::Operands<'_>,
                    unpacked: &mut $crate::unpacked_tile::UnpackedTile,
                    sums: &mut [[f32; $crate::tile::LANES]],
                ) -> bool;
                floats::<$vectors>(task: &mut $crate::float::FloatTask<'_>,) -> ();
                quantize_q8_k::<$vectors>(x: &[f32; 256], out: &mut $crate::activations::BlockQ8K,) -> ();
                quantize_q8_0::<$vectors>(x: &[f32; 256], out: &mut $crate::activations::BlockQ8_0,) -> ();
            }
        }
    };
    ($features:literal $($function:ident::<$vectors:ty>($($argument:ident: $type:ty,)*) -> $result:ty;)*) => {
        $(
            fn $function(self, $($argument: $type),*) -> $result {
                #[target_feature(enable = $features)]
                fn compiled($($argument: $type),*) -> $result {
                    // SAFETY: this function is compiled for the instructions that the vectors need.
                    unsafe { $crate::vector::parts::$function::<$vectors>($($argument),*) }
                }
                // SAFETY: `self` proves that the machine has the features.
                unsafe { compiled($($argument),*) }
            }
        )*
    };
}
pub(crate) use kernels;
