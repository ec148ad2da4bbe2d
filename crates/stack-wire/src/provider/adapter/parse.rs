//! Specs, read strictly: what is not of the language is an error that says where.

use std::time::Duration;

use serde_json::Value;
use stack_chat::{FailureKind, FinishReason};

use super::classify::{Classifier, Row, Test};
use super::fault::{Rule, SpecFault};
use super::fields::Fields;
use super::meter::{COUNTERS, Meter, Term};
use super::parse_op::{OpReader, family, single, words};
use super::pointer::Pointer;
use super::protected::{PathTemplate, check_header};
use super::stage::Stage;
use super::{Adapter, End, EventMap, Proof, Surface};
use crate::limits;
use crate::provider::Family;

/// Reads a spec; its examples are another matter.
pub(super) fn spec(bytes: &[u8]) -> Result<Adapter, SpecFault> {
    let whole = |rule| SpecFault::new("", rule);
    if bytes.len() > SPEC_BYTES_MAX {
        return Err(whole(Rule::TooLarge));
    }
    limits::check(bytes).map_err(|failure| whole(Rule::NotJson(failure.message)))?;
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| whole(Rule::NotJson(error.to_string())))?;
    let mut fields = Fields::open("", value)?;
    if fields.require("spec")? != 1 {
        return Err(fields.fault("spec", Rule::SpecVersion));
    }
    let provider = fields.require_text("provider")?;
    if !is_provider(&provider) {
        return Err(fields.fault("provider", Rule::BadProvider));
    }
    let version = fields.require("version")?.as_u64().and_then(|version| u32::try_from(version).ok());
    let version = version
        .filter(|version| (1..=VERSION_MAX).contains(version))
        .ok_or_else(|| fields.fault("version", Rule::BadVersion))?;
    let name = fields.require_text("family")?;
    let family = family(&name).map_err(|rule| fields.fault("family", rule))?;
    let surface = surface(fields.object("surfaces")?)?;
    let mut ops = OpReader::default();
    let request = ops.request("/request", fields.list("request")?)?;
    if family == Family::Ollama && !request.families.is_empty() {
        return Err(SpecFault::new("/request", Rule::FamilyStays));
    }
    let reply = Stage { ops: ops.reply("/reply", fields.list("reply")?)? };
    let events = events(fields.object("events")?, &mut ops)?;
    let end = end(fields.object("end")?)?;
    let usage = fields.take("usage").map(|usage| meter(Fields::open("/usage", usage)?)).transpose()?;
    let finish = finish(fields.object("finish")?)?;
    let errors = classifier(fields.list("errors")?)?;
    let examples = examples(&mut fields)?;
    fields.end()?;
    Ok(Adapter {
        provider,
        version,
        family,
        surface,
        request,
        reply,
        events,
        end,
        usage,
        finish,
        errors,
        examples,
    })
}

fn surface(mut surfaces: Fields) -> Result<Surface, SpecFault> {
    let mut chat = surfaces.object("chat")?;
    surfaces.end()?;
    let path = chat.text("path")?;
    let path =
        path.map(|path| PathTemplate::parse(&path).map_err(|rule| chat.fault("path", rule))).transpose()?;
    let mut headers = Vec::new();
    for (name, at, value) in chat.object("headers")?.all() {
        let Value::String(value) = value else { return Err(SpecFault::new(at, Rule::WrongType("a text"))) };
        check_header(&name, &value).map_err(|rule| SpecFault::new(&at, rule))?;
        if headers.len() == HEADERS_MAX {
            return Err(SpecFault::new(at, Rule::TooMany("headers")));
        }
        headers.push((name, value));
    }
    chat.end()?;
    Ok(Surface { path, headers })
}

fn events(mut fields: Fields, ops: &mut OpReader) -> Result<EventMap, SpecFault> {
    let name = match fields.take("name") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(single(&text).map_err(|rule| fields.fault("name", rule))?),
        Some(_) => return Err(fields.fault("name", Rule::WrongType("a text or null"))),
    };
    let map = words(fields.object("map")?)?;
    let stage = Stage { ops: ops.reply("/events/ops", fields.list("ops")?)? };
    fields.end()?;
    Ok(EventMap { name, map, stage })
}

fn end(mut fields: Fields) -> Result<End, SpecFault> {
    let mut proof = Vec::new();
    for (place, condition) in fields.list("proof")?.into_iter().enumerate() {
        let at = format!("{}/{place}", fields.at("proof"));
        if place == PROOFS_MAX {
            return Err(SpecFault::new(at, Rule::TooMany("proofs")));
        }
        let mut condition = Fields::open(at, condition)?;
        let found = if let Some(text) = condition.text("not_null")? {
            Proof::NotNull(single(&text).map_err(|rule| condition.fault("not_null", rule))?)
        } else {
            let mut equals = Fields::open(condition.at("equals"), condition.require("equals")?)?;
            let at = equals.require_text("at")?;
            let at = single(&at).map_err(|rule| equals.fault("at", rule))?;
            let value = equals.require("value")?;
            equals.end()?;
            Proof::Equals(at, value)
        };
        proof.push(found);
        condition.end()?;
    }
    let sentinel = fields.text("sentinel")?;
    let is_sound = |text: &String| {
        (1..=64).contains(&text.len()) && text.bytes().all(|byte| (b'!'..=b'~').contains(&byte))
    };
    if sentinel.as_ref().is_some_and(|text| !is_sound(text)) {
        return Err(fields.fault("sentinel", Rule::BadSentinel));
    }
    let linger = match fields.take("linger_ms") {
        None => None,
        Some(value) => {
            let ms = value.as_u64().filter(|ms| *ms <= LINGER_MS_MAX);
            Some(Duration::from_millis(ms.ok_or_else(|| fields.fault("linger_ms", Rule::BadLinger))?))
        }
    };
    fields.end()?;
    Ok(End { proof, sentinel, linger })
}

fn meter(mut fields: Fields) -> Result<Meter, SpecFault> {
    let mut meter = Meter::default();
    for (terms, name) in meter.counters.iter_mut().zip(COUNTERS) {
        for (place, term) in fields.list(name)?.into_iter().enumerate() {
            let at = format!("{}/{place}", fields.at(name));
            let Value::String(text) = term else { return Err(SpecFault::new(at, Rule::BadTerm)) };
            let (is_added, pointer) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
                (Some(pointer), _) => (true, pointer),
                (None, Some(pointer)) => (false, pointer),
                (None, None) => return Err(SpecFault::new(at, Rule::BadTerm)),
            };
            let pointer = single(pointer).map_err(|rule| SpecFault::new(&at, rule))?;
            if terms.len() == TERMS_MAX {
                return Err(SpecFault::new(at, Rule::TooMany("terms")));
            }
            terms.push(Term { is_added, at: pointer });
        }
    }
    for (place, name) in [(0, "input"), (4, "answer")] {
        if !meter.counters[place].iter().any(|term| term.is_added) {
            return Err(SpecFault::new("/usage", Rule::Missing(name)));
        }
    }
    fields.end()?;
    Ok(meter)
}

fn finish(fields: Fields) -> Result<Vec<(String, FinishReason)>, SpecFault> {
    let reasons = [
        FinishReason::Stop,
        FinishReason::ToolCalls,
        FinishReason::Length,
        FinishReason::ContentFilter,
        FinishReason::Paused,
    ];
    let words = words(fields)?.into_iter().map(|(word, name)| {
        let reason = reasons.into_iter().find(|reason| reason.name() == name);
        let fault = || SpecFault::new(format!("/finish/{word}"), Rule::UnknownReason(name.clone()));
        reason.map(|reason| (word.clone(), reason)).ok_or_else(fault)
    });
    words.collect()
}

fn classifier(rows: Vec<Value>) -> Result<Classifier, SpecFault> {
    let mut classifier = Classifier::default();
    for (place, value) in rows.into_iter().enumerate() {
        let at = format!("/errors/{place}");
        if place == ROWS_MAX {
            return Err(SpecFault::new(at, Rule::TooMany("rows")));
        }
        let row = row(Fields::open(at, value)?)?;
        let is_phrase = matches!(row.test, Some(Test::Has(..)));
        if is_phrase { classifier.phrases.push(row) } else { classifier.exact.push(row) }
    }
    Ok(classifier)
}

fn row(mut fields: Fields) -> Result<Row, SpecFault> {
    let status = match fields.take("status") {
        None => None,
        Some(value) => {
            let status = value.as_u64().and_then(|status| u16::try_from(status).ok());
            let status = status.filter(|status| (400..600).contains(status));
            Some(status.ok_or_else(|| fields.fault("status", Rule::BadStatus))?)
        }
    };
    let name = fields.require_text("kind")?;
    let kind = FailureKind::ALL.into_iter().find(|kind| kind.as_str() == name && KINDS.contains(kind));
    let kind =
        kind.ok_or_else(|| fields.fault("kind", Rule::UnknownKind(name.chars().take(40).collect())))?;
    let place = |fields: &mut Fields, key| {
        let text = fields.text(key)?;
        text.map(|text| single(&text).map_err(|rule| fields.fault(key, rule))).transpose()
    };
    let (at, retry_after) = (place(&mut fields, "at")?, place(&mut fields, "retry_after")?);
    let (header, is, has) = (fields.text("header")?, fields.take("is"), fields.text("has")?);
    let test = match (at, header, is, has) {
        (None, None, None, None) if status.is_some() => None,
        (Some(at), None, Some(value), None) => Some(Test::Is(at, value)),
        (None, Some(header), Some(Value::String(value)), None) => Some(Test::Header(header, value)),
        (Some(at), None, None, Some(phrase)) => Some(phrase_test(&fields, at, phrase, kind)?),
        _ => return Err(SpecFault::new(fields.at(""), Rule::BadRow)),
    };
    fields.end()?;
    Ok(Row { status, test, kind, retry_after })
}

fn phrase_test(fields: &Fields, at: Pointer, phrase: String, kind: FailureKind) -> Result<Test, SpecFault> {
    if !(8..=80).contains(&phrase.chars().count()) || phrase.chars().any(char::is_control) {
        return Err(fields.fault("has", Rule::BadPhrase));
    }
    if !REFUSALS.contains(&kind) {
        return Err(fields.fault("kind", Rule::PhraseKind));
    }
    Ok(Test::Has(at, phrase))
}

fn examples(fields: &mut Fields) -> Result<Vec<String>, SpecFault> {
    let mut names = Vec::new();
    for (place, name) in fields.list("examples")?.into_iter().enumerate() {
        let at = format!("/examples/{place}");
        let is_sound = |name: &String| {
            (1..=64).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                && !name.starts_with('.')
        };
        match name {
            Value::String(name) if is_sound(&name) => names.push(name),
            _ => return Err(SpecFault::new(at, Rule::WrongType("the name of a recording"))),
        }
        if place == EXAMPLES_MAX {
            return Err(SpecFault::new(at, Rule::TooMany("examples")));
        }
    }
    if names.is_empty() { Err(SpecFault::new("", Rule::NoExample)) } else { Ok(names) }
}

fn is_provider(name: &str) -> bool {
    let is_sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    (1..=32).contains(&name.len()) && name.bytes().all(is_sound)
}

/// What the reply of a provider can mean.
const KINDS: &[FailureKind] = &[
    FailureKind::InvalidRequest,
    FailureKind::ProviderRateLimited,
    FailureKind::Overloaded,
    FailureKind::ServerError,
    FailureKind::Timeout,
    FailureKind::Loading,
    FailureKind::AuthFailed,
    FailureKind::Billing,
    FailureKind::ContextExceeded,
    FailureKind::ContentRejected,
    FailureKind::ModelMissing,
];

/// The kinds that phrases may tell apart: requests that were refused, and would be again.
const REFUSALS: &[FailureKind] = &[
    FailureKind::InvalidRequest,
    FailureKind::AuthFailed,
    FailureKind::Billing,
    FailureKind::ContextExceeded,
    FailureKind::ContentRejected,
    FailureKind::ModelMissing,
];

const SPEC_BYTES_MAX: usize = 64 << 10;
const VERSION_MAX: u32 = 999_999;
const HEADERS_MAX: usize = 16;
const PROOFS_MAX: usize = 8;
const TERMS_MAX: usize = 8;
const ROWS_MAX: usize = 128;
const EXAMPLES_MAX: usize = 64;
const LINGER_MS_MAX: u64 = 10_000;
