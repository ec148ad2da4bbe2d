//! HTTP in front of any [`ChatModel`](stack_chat::ChatModel).
//!
//! [`router`] maps the routes of several dialects onto the models in a [`Models`] registry; [`serve`] puts it on a
//! socket. Handlers parse with `stack-wire`, call the model and render; they know no engine, so a gateway or a test
//! double is served the same way.
//!
//! This crate deliberately loads no models, reads no configuration and installs nothing global: every router has its
//! own metrics, and two of them can live in one process.
//!
//! ```no_run
//! # async fn example(model: std::sync::Arc<dyn stack_chat::ChatModel>) -> std::io::Result<()> {
//! use std::sync::Arc;
//! use stack_server::{Limits, Models, Options, Served, router, serve};
//!
//! let models = Arc::new(Models::starting(["default"]));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8084").await?;
//! let router = router(Arc::clone(&models), Options::default());
//! models.ready(Served { id: "default".into(), card: model.card().clone(), chat: Some(model), embedder: None, reranker: None, prompts: None, held: None });
//! serve(listener, router, Limits::default(), std::future::pending()).await
//! # }
//! ```
//!
//! Invariants:
//! - A stream ends with its end mark or with an error event; a request that fails before its first event gets a status.
//! - Dropping the connection drops the model's stream, which cancels the work.
//! - An answer with status 500 says nothing about the defect; the log does. Prompts and answers are never logged.
//! - Web pages of other origins reach only routes that read or infer, and only from this machine or an origin that the
//!   operator named.
//! - No client can hold a connection open by sending or reading slowly beyond the [`Limits`].

mod activity;
mod answer;
mod auth;
mod body;
mod control;
mod cors;
mod crowd;
mod dialect;
mod error;
mod guard;
mod histogram;
mod ids;
mod lineage;
mod merge;
mod metrics;
mod models;
mod observe;
mod options;
mod origin;
mod route;
mod router;
mod routes;
mod serve;
mod server;
mod stall;
mod stopwatch;
mod stored;
mod stream;
mod terms;
mod tls;
mod waits;

pub use auth::{ApiKeys, Auth, BadModelPattern, FoundKey, Grant, ModelPattern, RateLimits, Scope, Scopes};
pub use control::{CircuitAction, ControlPlane, ReportFuture};
pub use models::{Library, ModelState, Models, Providers, Residency, Served, by_name};
pub use options::Options;
pub use origin::{HostName, NameError, Origin};
pub use router::router;
pub use serve::{Limits, Listener, serve};
pub use stack_wire::KeepAlive;
pub use tls::{BadCertificate, Certificate, Tls};
