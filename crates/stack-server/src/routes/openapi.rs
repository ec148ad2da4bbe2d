//! `GET /openapi.json`: the description of the interface.

use axum::response::Response;

use crate::error::json;

/// Describes the interface.
pub(crate) async fn openapi() -> Response {
    json(DOCUMENT.to_owned())
}

/// The document, which tests hold against what is served.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");
