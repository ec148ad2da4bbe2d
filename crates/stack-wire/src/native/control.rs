//! What an operator is told: dry decisions, circuits, and how providers are doing.

use serde_json::{Map, Value, json};
use stack_chat::Failure;

use crate::fields::Fields;
use crate::{Call, Delivery, Ignored};

/// What would be decided about a request for a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteReport {
    /// The text that was asked for.
    pub model: String,
    /// The alias that it is, if it is one.
    pub alias: Option<String>,
    /// How far the request could reach.
    pub tier: &'static str,
    /// The variant that the caller would see, where models are compared.
    pub variant: Option<String>,
    /// Everybody who was considered, in the order in which they would be asked.
    pub candidates: Vec<CandidateReport>,
}

/// A candidate, and what was decided about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CandidateReport {
    /// Who it is: `PROVIDER/MODEL`.
    pub route: String,
    /// Those with the lowest number are asked first.
    pub priority: u8,
    /// `asked`, or by which rule it is not.
    pub verdict: &'static str,
    /// The same for people.
    pub reason: String,
}

/// A circuit breaker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CircuitReport {
    /// `PROVIDER` or `PROVIDER/MODEL`.
    pub name: String,
    /// `closed`, `open` or `half_open`.
    pub state: &'static str,
    /// How many failures in a row it has seen.
    pub failures: u32,
    /// Why somebody holds it open, if somebody does.
    pub reason: Option<String>,
    /// When it may admit a probe, if it admits none now and that is known.
    pub next_probe_ms: Option<u64>,
    /// For how much longer it asked to be left alone.
    pub cooldown_ms: Option<u64>,
}

/// A provider, and how it is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderReport {
    /// The provider.
    pub name: String,
    /// `healthy`, `degraded`, `loading`, `unreachable` or `unknown`.
    pub status: &'static str,
    /// How long its first outputs take.
    pub latency_ms: Option<u64>,
    /// What went wrong last: the kind, and a sentence.
    pub last_error: Option<(&'static str, String)>,
}

/// How everybody is doing who may answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthReport {
    /// The providers.
    pub providers: Vec<ProviderReport>,
    /// The circuits.
    pub circuits: Vec<CircuitReport>,
    /// How many models of this process can answer.
    pub engine_models: usize,
    /// How far requests may reach.
    pub tier: &'static str,
    /// How tightly the system holds the process, where somebody demanded that.
    pub lockdown: Option<&'static str>,
}

/// Why and for how long a circuit is to be opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CircuitRequest {
    /// Why.
    pub reason: Option<String>,
    /// For how long; `None` = until further notice.
    pub for_s: Option<u64>,
}

/// Renders a dry decision.
pub fn route_object(report: &RouteReport) -> String {
    let candidate = |one: &CandidateReport| json!({"route": one.route, "priority": one.priority, "verdict": one.verdict, "reason": one.reason});
    json!({
        "model": report.model,
        "alias": report.alias,
        "tier": report.tier,
        "variant": report.variant,
        "candidates": report.candidates.iter().map(candidate).collect::<Vec<_>>(),
    })
    .to_string()
}

/// Renders all circuits.
pub fn circuit_list(circuits: &[CircuitReport]) -> String {
    json!({"circuits": circuits_value(circuits)}).to_string()
}

/// Renders one circuit that was changed.
pub fn circuit_object(circuit: &CircuitReport) -> String {
    let mut object = circuit_value(circuit);
    object["circuit"] = circuit.name.as_str().into();
    object.to_string()
}

/// Renders how everybody is doing.
pub fn health_object(report: &HealthReport) -> String {
    let provider = |one: &ProviderReport| {
        let error = one.last_error.as_ref();
        let error = error.map(|(kind, message)| json!({"code": kind, "message": message}));
        let value = json!({"status": one.status, "latency_ms": one.latency_ms, "last_error": error});
        (one.name.clone(), value)
    };
    json!({
        "engine": {"models": report.engine_models},
        "providers": report.providers.iter().map(provider).collect::<Map<_, _>>(),
        "circuits": circuits_value(&report.circuits),
        "tier": report.tier,
        "lockdown": report.lockdown,
    })
    .to_string()
}

/// Parses why and for how long a circuit is to be opened; an empty body says neither.
///
/// # Errors
///
/// Names the field at fault unless the body as a whole is wrong.
pub fn parse_circuit(body: &[u8]) -> Result<Call<CircuitRequest>, Failure> {
    let mut ignored = Ignored::default();
    let mut request = CircuitRequest::default();
    if !body.iter().all(u8::is_ascii_whitespace) {
        let mut fields = Fields::parse(body)?;
        request.reason = fields.text("reason", REASON_BYTES_MAX)?;
        let seconds = fields.integer("for_s", 1..=SECONDS_MAX)?;
        request.for_s = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        fields.ignore_rest("", &mut ignored);
    }
    Ok(Call { model: None, request, delivery: Delivery::Whole, ignored, keep_alive: None })
}

fn circuits_value(circuits: &[CircuitReport]) -> Value {
    let one = |circuit: &CircuitReport| (circuit.name.clone(), circuit_value(circuit));
    Value::Object(circuits.iter().map(one).collect())
}

fn circuit_value(circuit: &CircuitReport) -> Value {
    json!({
        "state": circuit.state,
        "failures": circuit.failures,
        "forced": circuit.reason.is_some(),
        "reason": circuit.reason,
        "next_probe_ms": circuit.next_probe_ms,
        "cooldown_ms": circuit.cooldown_ms,
    })
}

const REASON_BYTES_MAX: usize = 200;
/// A year.
const SECONDS_MAX: i64 = 31_536_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circuit_is_opened_with_a_reason_or_without() {
        let parsed = |body: &str| parse_circuit(body.as_bytes()).map(|call| call.request);
        assert_eq!(parsed(" "), Ok(CircuitRequest::default()));
        let want = CircuitRequest { reason: Some("bills".into()), for_s: Some(60) };
        assert_eq!(parsed(r#"{"reason": "bills", "for_s": 60}"#), Ok(want));
        for (body, field) in [
            (r#"{"for_s": 0}"#.to_owned(), "for_s"),
            (r#"{"for_s": "soon"}"#.to_owned(), "for_s"),
            (format!(r#"{{"reason": "{}"}}"#, "x".repeat(201)), "reason"),
        ] {
            assert_eq!(parsed(&body).unwrap_err().field.as_deref(), Some(field), "{body}");
        }
    }

    #[test]
    fn reports_say_who_and_why() {
        let circuit = CircuitReport {
            name: "acme/m".into(),
            state: "open",
            reason: Some("bills".into()),
            ..CircuitReport::default()
        };
        let object: Value = serde_json::from_str(&circuit_list(std::slice::from_ref(&circuit))).unwrap();
        assert_eq!(object["circuits"]["acme/m"]["forced"], true);
        let one: Value = serde_json::from_str(&circuit_object(&circuit)).unwrap();
        assert_eq!((&one["circuit"], &one["state"]), (&json!("acme/m"), &json!("open")));
        let provider = ProviderReport {
            name: "acme".into(),
            status: "unreachable",
            last_error: Some(("provider_auth_failed", "no".into())),
            ..ProviderReport::default()
        };
        let report = HealthReport { providers: vec![provider], tier: "standard", ..HealthReport::default() };
        let object: Value = serde_json::from_str(&health_object(&report)).unwrap();
        assert_eq!(object["providers"]["acme"]["last_error"]["code"], "provider_auth_failed");
    }
}
