//! Models as signed, encrypted, content-addressed artifacts.

pub mod fetch;
pub mod plan;
pub mod url;
