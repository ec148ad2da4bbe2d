//! What is said of a session.

use serde_json::{Value, json};
use stack_agent::kernel::Session;
use stack_agent::state::State;

use crate::error::{CommandError, Kind};
use crate::terminal::output::{Data, sanitize, stderr};

/// Describes a session for programs.
pub(super) fn json(session: &Session) -> Value {
    let (spent, end, start) = (session.spent(), session.end(), session.start());
    json!({
        "session": session.stream().to_string(),
        "task": start.map(|start| &start.task),
        "model": start.map(|start| &start.model),
        "workspace": start.map(|start| &start.workspace),
        "mode": start.map(|start| start.mode.name()),
        "state": session.state().name(),
        "exit_reason": end.map(|end| &end.reason),
        "detail": end.filter(|end| end.state != State::Done).and_then(|end| end.detail.as_deref()),
        "answer": session.answer(),
        "steps": spent.steps,
        "tool_calls": spent.tool_calls,
        "tokens": spent.tokens,
        "active_ms": spent.active_ms,
        "entries": session.next_seq() - 1,
        "ambiguous": session.ambiguous().map(|effect| json!({
            "seq": effect.seq,
            "call": effect.call.as_str(),
            "tool": effect.tool,
        })),
    })
}

/// Describes it for people.
pub(super) fn lines(session: &Session) -> Vec<String> {
    let (spent, mut lines) = (session.spent(), Vec::new());
    let mut line = |name: &str, value: String| lines.push(sanitize(&format!("{name:<12} {value}")));
    line("session", session.stream().to_string());
    if let Some(start) = session.start() {
        line("task", start.task.clone());
        line("model", start.model.clone());
        line("workspace", start.workspace.clone());
        line("mode", start.mode.name().to_owned());
    }
    let reason = session.end().map(|end| format!(" ({})", end.reason)).unwrap_or_default();
    line("state", format!("{}{reason}", session.state()));
    if let Some(effect) = session.ambiguous() {
        line("unknown", format!("whether {} {} happened", effect.tool, effect.call));
    }
    line("taken", format!("{} steps, {} calls, {} tokens", spent.steps, spent.tool_calls, spent.tokens));
    if let Some(answer) = session.answer() {
        line("answer", answer);
    }
    lines
}

/// Prints what came of a session, or says why nothing did.
pub(super) fn outcome(session: &Session, as_json: bool, quiet: bool) -> Result<(), CommandError> {
    let (id, spent) = (session.stream(), session.spent());
    if session.state() == State::Done {
        if !quiet && !as_json {
            let taken = format!("{} steps, {} calls, {} tokens", spent.steps, spent.tool_calls, spent.tokens);
            stderr(format!("session {id}: done after {taken}"));
        }
        let mut data = Data::new();
        if as_json {
            return data.json(&json(session));
        }
        let answer = session.answer().unwrap_or_default();
        return data.write_foreign(&format!("{}\n", answer.trim_end_matches('\n')));
    }
    let hint = format!("`stack agent show {id}` shows what it did");
    let error = match (session.state(), session.end()) {
        (State::Cancelled, _) => {
            CommandError::new(Kind::Interrupted, format!("the session {id} was cancelled")).hint(hint)
        }
        (_, Some(end)) => {
            let kind = match end.reason.as_str() {
                "denied" => Kind::Refused,
                "tool_failed" | "model_failed" | "ambiguous" | "content_filter" => Kind::Machine,
                _ => Kind::Limit,
            };
            let detail = end.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            let message = format!("the session {id} failed: {}{detail}", end.reason);
            CommandError::new(kind, message).reason("session-failed").hint(hint)
        }
        (state, None) => CommandError::new(
            Kind::Refused,
            format!("the session {id} is {state}: a person has to say what became of a call"),
        )
        .reason("ambiguous")
        .hint(format!("`stack agent resume {id} --resolve happened|did-not|retry|fail` goes on")),
    };
    Err(error.details(json(session)))
}
