//! Amounts of money.

/// An amount in units of 10⁻¹⁰ US dollars, in which the price of every single token is a whole number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(pub i64);
