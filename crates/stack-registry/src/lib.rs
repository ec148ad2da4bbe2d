//! Models as signed, encrypted, content-addressed artifacts.

pub mod trust;
