//! Sealed files: who opens them, for whom they are sealed, and what becomes of the plain ones.

pub(crate) mod keyring;
pub(crate) mod recipients;
pub(crate) mod reclaimed;
pub(crate) mod record;
pub(crate) mod sealed;
