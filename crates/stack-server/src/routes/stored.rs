//! `/v1/responses/{id}`: what was stored.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use stack_chat::Failure;
use stack_wire::responses::{self, ListOptions};

use crate::error::{ApiError, json};
use crate::server::Server;
use crate::stored::{StoredResponses, unknown};
use crate::waits::Waits;

/// Returns a response as far as it is.
pub(crate) async fn retrieve(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    if pairs(&query).any(|(name, value)| name == "stream" && value != "false") {
        let message = "`stream` is not supported here: a stored response is told as a whole";
        return Err(Failure::unsupported("stream", message).into());
    }
    let response = stored(&server, &waits, &id)?.find(&id).ok_or_else(|| unknown(&id))?;
    Ok(json(response.body().to_owned()))
}

/// Lists what a response answers.
pub(crate) async fn input_items(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let options = list_options(&query.unwrap_or_default())?;
    let response = stored(&server, &waits, &id)?.find(&id).ok_or_else(|| unknown(&id))?;
    Ok(json(response.input_items(&options)))
}

/// Forgets a response.
pub(crate) async fn delete(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    stored(&server, &waits, &id)?.remove(&id)?;
    Ok(json(responses::deleted_object(&id)))
}

/// Stops a response that is made while nobody waits for it.
pub(crate) async fn cancel(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(json(stored(&server, &waits, &id)?.cancel(&id)?.body().to_owned()))
}

fn stored(server: &Server, waits: &Waits, id: &str) -> Result<Arc<StoredResponses>, ApiError> {
    let id = || id.chars().take(64).collect();
    server.stored(waits.grant()).ok_or_else(|| ApiError::UnknownResponse { id: id(), can_store: false })
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// Reads which items are asked for. What else a query says changes nothing.
fn list_options(query: &str) -> Result<ListOptions, Failure> {
    let mut options = ListOptions { after: None, limit: 20, descending: true };
    for (name, value) in pairs(query) {
        match (name.as_str(), value.as_str()) {
            ("after", _) => options.after = Some(value),
            ("order", "asc") => options.descending = false,
            ("order", "desc") => options.descending = true,
            ("order", _) => return Err(Failure::invalid("order", "`order` must be \"asc\" or \"desc\"")),
            ("limit", text) => {
                let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                let message = || format!("`limit` must be an integer from 1 to {LIMIT_MAX}");
                options.limit = limit.ok_or_else(|| Failure::invalid("limit", message()))?;
            }
            _ => {}
        }
    }
    Ok(options)
}

const LIMIT_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_which_items() {
        let options = list_options("limit=3&order=asc&after=msg%5F1&include%5B%5D=x").unwrap();
        assert_eq!(options, ListOptions { after: Some("msg_1".into()), limit: 3, descending: false });
        assert!(list_options("").unwrap().descending);
        for (query, field) in
            [("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("order=up", "order")]
        {
            assert_eq!(list_options(query).unwrap_err().field.as_deref(), Some(field), "{query}");
        }
    }
}
