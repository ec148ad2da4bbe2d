//! Non-linearities, as the kernels name them.

use stack_kernels::Nonlinearity;

use crate::spec::{Activation, GateFunction, Xielu};

impl Activation {
    /// The kernels' name of it.
    pub(super) fn kernel(self) -> Nonlinearity {
        match self {
            Self::Silu => Nonlinearity::Silu,
            Self::Gelu => Nonlinearity::Gelu,
            Self::Relu => Nonlinearity::Relu,
            Self::ReluSquared => Nonlinearity::ReluSquared,
            Self::ClampedSwiglu => Nonlinearity::ClampedSwiglu,
            Self::Xielu(Xielu { positive, negative, beta, epsilon }) => {
                Nonlinearity::Xielu { positive, negative, beta, epsilon }
            }
        }
    }
}

impl GateFunction {
    /// The kernels' name of it.
    pub(super) fn kernel(self) -> Nonlinearity {
        match self {
            Self::Sigmoid => Nonlinearity::Sigmoid,
            Self::Softplus => Nonlinearity::Softplus,
        }
    }
}
