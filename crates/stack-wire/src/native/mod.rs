//! The program's own dialect: one shape for whatever answers, and with each answer the record of how it came about.

mod control;
mod embedding;
mod error;
mod lineage;
mod model;
mod request;
mod tool;
mod whoami;
mod writer;

pub use control::{
    CandidateReport, CircuitReport, CircuitRequest, HealthReport, ProviderReport, RouteReport, circuit_list,
    circuit_object, health_object, parse_circuit, route_object,
};
pub use embedding::{embedding_object, parse_embed};
pub use error::error_object;
pub use lineage::{Lineage, LineageReport, lineage_object};
pub use model::model_list;
pub use request::parse_chat;
pub use whoami::{Whoami, whoami_object};
pub use writer::Writer;

/// The name under which whatever runs in this process answers.
pub use stack_chat::ENGINE as PROVIDER;
