//! The built binary driven by real clients.
