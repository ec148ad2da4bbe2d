//! `/api/v1/route`, `/api/v1/circuit`, `/api/v1/health` and `/api/v1/lineage`: the way to models.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use stack_chat::{Failure, FailureKind, Tier};
use stack_wire::native::{self, HealthReport};

use crate::answer::report;
use crate::auth::Grant;
use crate::body::WholeBody;
use crate::control::{CircuitAction, ControlPlane};
use crate::error::{ApiError, json};
use crate::server::Server;
use crate::waits::Waits;

/// Says what would be decided about a request, and asks nobody.
pub(crate) async fn route(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let model = query(&uri, "model").unwrap_or_default();
    if model.is_empty() || model.len() > NAME_BYTES_MAX {
        let message = format!("`model` is required, and has 1 to {NAME_BYTES_MAX} bytes");
        return Err(Failure::invalid("model", message).into());
    }
    if !waits.grant().covers(&model) {
        return Err(Grant::excludes(&model).into());
    }
    Ok(json(native::route_object(&plane(&server)?.route(&model, waits.tier())?)))
}

/// Lists the circuits.
pub(crate) async fn circuits(State(server): State<Arc<Server>>) -> Response {
    let circuits = server.options.control.as_ref().map(|plane| plane.circuits());
    json(native::circuit_list(&circuits.unwrap_or_default()))
}

/// Changes a circuit: the last part of the path says how.
pub(crate) async fn change_circuit(
    State(server): State<Arc<Server>>,
    Path(path): Path<String>,
    body: WholeBody,
) -> Result<Response, ApiError> {
    let found = path.rsplit_once('/').filter(|(name, _)| !name.is_empty() && name.len() <= NAME_BYTES_MAX);
    let found = found.and_then(|(name, action)| Some((name.to_owned(), CircuitAction::from_name(action)?)));
    let (name, action) = found.ok_or_else(|| {
        let message = "a circuit is changed at /api/v1/circuit/PROVIDER/open, …/close or …/reset";
        Failure::new(FailureKind::ModelUnknown, message)
    })?;
    let call = body.parse(native::parse_circuit).await?;
    let plane = Arc::clone(plane(&server)?);
    let change = move || plane.change_circuit(&name, action, &call.request);
    let changed = tokio::task::spawn_blocking(change).await.map_err(|_panicked| ApiError::Panic)?;
    Ok(report(json(native::circuit_object(&changed?)), &call.ignored))
}

/// Says how everybody is doing who may answer.
pub(crate) async fn health(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let probes = query(&uri, "probe").is_some_and(|value| value == "true" || value == "1");
    if probes {
        // Providers see that somebody asks.
        waits.grant().operates()?;
    }
    let mut report = match &server.options.control {
        Some(plane) => waits.on(plane.health(probes)).await,
        None => HealthReport { tier: Tier::Sovereign.name(), ..HealthReport::default() },
    };
    report.engine_models = server.models.here().iter().filter(|model| model.card.is_some()).count();
    report.lockdown = server.options.lockdown;
    Ok(json(native::health_object(&report)))
}

/// Says how an answer came about.
pub(crate) async fn lineage(
    State(server): State<Arc<Server>>,
    Extension(waits): Extension<Waits>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = server.lineages.find(&waits.grant().tenant, &id);
    let found = found.ok_or_else(|| {
        let shown: String = id.chars().take(128).collect();
        let message = format!("there is no request {shown:?} among the last ones");
        Failure::new(FailureKind::ModelUnknown, message)
    })?;
    Ok(json(native::lineage_object(&found)))
}

fn plane(server: &Server) -> Result<&Arc<dyn ControlPlane>, Failure> {
    server.options.control.as_ref().ok_or_else(|| {
        Failure::new(
            FailureKind::Unsupported,
            "this server routes no requests: it answers all of them itself",
        )
    })
}

fn query(uri: &Uri, name: &str) -> Option<String> {
    let mut query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    query.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

const NAME_BYTES_MAX: usize = 256;
