//! What an operator sees of the way to models, and does to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stack_chat::{Failure, FailureKind, Tier};
use stack_gateway::route::{Decision, Facts, Verdict};
use stack_gateway::routed::{Circuit, CircuitChange, Gateway, ProviderHealth};
use stack_server::{CircuitAction, ControlPlane, ReportFuture};
use stack_trust::home::Home;
use stack_wire::native::{
    CandidateReport, CircuitReport, CircuitRequest, HealthReport, ProviderReport, RouteReport,
};

use crate::error::CommandError;
use crate::home::circuits;

/// What an operator sees and does.
pub(crate) struct Operations {
    gateway: Arc<Gateway>,
    /// Where circuits are kept that somebody holds open; without a home nowhere.
    kept: Option<PathBuf>,
}

impl Operations {
    /// Takes over, and holds those circuits open again that were held open before.
    ///
    /// # Errors
    ///
    /// When what was kept cannot be read: nobody should be asked whom somebody has excluded.
    pub(crate) fn new(gateway: Arc<Gateway>, home: &Home) -> Result<Self, CommandError> {
        let kept = home.known().map(circuits::path);
        if let Some(path) = &kept {
            for (name, change) in circuits::read(path)? {
                // A provider that is not configured any more has no circuit.
                drop(gateway.change_circuit(&name, &change));
            }
        }
        Ok(Self { gateway, kept })
    }
}

impl ControlPlane for Operations {
    fn route(&self, model: &str, tier: Option<Tier>) -> Result<RouteReport, Failure> {
        let ceiling = self.gateway.ceiling();
        let facts = Facts { tier: tier.unwrap_or(ceiling).min(ceiling), ..Facts::any() };
        let decision = self.gateway.decide(model, &facts).map_err(|near| unknown(model, &near))?;
        Ok(report(model, &decision))
    }

    fn circuits(&self) -> Vec<CircuitReport> {
        self.gateway.circuits().into_iter().map(circuit).collect()
    }

    fn change_circuit(
        &self,
        name: &str,
        action: CircuitAction,
        request: &CircuitRequest,
    ) -> Result<CircuitReport, Failure> {
        let change = match action {
            CircuitAction::Open => CircuitChange::Open {
                reason: request.reason.clone().unwrap_or_else(|| "held open by an operator".to_owned()),
                wait: request.for_s.map(Duration::from_secs),
            },
            CircuitAction::Close => CircuitChange::Close,
            CircuitAction::Reset => CircuitChange::Reset,
        };
        let changed = self.gateway.change_circuit(name, &change)?;
        if let Some(path) = &self.kept {
            circuits::write(path, &self.gateway.pins()).map_err(|error| {
                let message =
                    "the circuit is changed, but would not be after a restart: it cannot be written down";
                Failure { cause: Some(error.to_string()), ..Failure::new(FailureKind::Internal, message) }
            })?;
        }
        Ok(circuit(changed))
    }

    fn health(&self, probes: bool) -> ReportFuture {
        let gateway = Arc::clone(&self.gateway);
        Box::pin(async move {
            let providers = if probes { gateway.probe().await } else { gateway.health() };
            HealthReport {
                providers: providers.into_iter().map(provider).collect(),
                circuits: gateway.circuits().into_iter().map(circuit).collect(),
                tier: gateway.ceiling().name(),
                ..HealthReport::default()
            }
        })
    }
}

fn report(model: &str, decision: &Decision) -> RouteReport {
    let candidates = decision.considered.iter().map(|one| CandidateReport {
        route: one.candidate.target.name(),
        priority: one.candidate.priority,
        verdict: match &one.verdict {
            Verdict::Asked => "asked",
            Verdict::Excluded(exclusion) => exclusion.name(),
        },
        reason: one.verdict.text(),
    });
    RouteReport {
        model: model.to_owned(),
        alias: decision.alias.clone(),
        tier: decision.tier.name(),
        variant: decision.variant.clone(),
        candidates: candidates.collect(),
    }
}

fn circuit(circuit: Circuit) -> CircuitReport {
    let ms = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let report = circuit.report;
    CircuitReport {
        name: circuit.name,
        state: report.state.as_str(),
        failures: report.failures,
        reason: report.pinned,
        next_probe_ms: report.probe_in.map(ms),
        cooldown_ms: circuit.cooldown.map(ms),
    }
}

fn provider(health: ProviderHealth) -> ProviderReport {
    ProviderReport {
        name: health.name,
        status: health.status.name(),
        latency_ms: health.latency.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        last_error: health.last_error,
    }
}

fn unknown(model: &str, near: &[String]) -> Failure {
    let shown: String = model.chars().take(NAME_CHARS_MAX).collect();
    let near = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
    let message = format!("nothing here is called {shown:?}, and no model in memory{near}");
    Failure { field: Some("model".to_owned()), ..Failure::new(FailureKind::ModelUnknown, message) }
}

const NAME_CHARS_MAX: usize = 128;
