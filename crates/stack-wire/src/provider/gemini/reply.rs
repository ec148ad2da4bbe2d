//! Replies: one record or many of the same form.

use serde_json::Value;
use stack_chat::{Citation, Failure, FailureKind, FinishReason, Fragment, PartKind, Usage};

use super::SIGNATURE;
use super::pieces::Pieces;
use crate::provider::count::{Ledger, number};
use crate::provider::events::Events;
use crate::provider::object::{Object, drift, unknown_word};
use crate::provider::reader::Codec;

/// The calls so far.
#[derive(Debug, Default)]
pub(in crate::provider) struct Content {
    /// Whether the model has called a tool: the interface says only that it stopped.
    has_calls: bool,
    /// The call whose arguments are still coming.
    begun: Option<Pieces>,
}

impl Codec for Content {
    fn record(&mut self, _name: &str, record: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        events.start(0);
        events.facts.id(record.text("responseId")?);
        events.facts.model(record.text("modelVersion")?);
        let candidates = record.objects("candidates", "candidates[]")?;
        if candidates.is_empty()
            && let Some(feedback) = record.object("promptFeedback", "promptFeedback")?
            && let Some(word) = feedback.text("blockReason")?
        {
            events.finish(word, FinishReason::ContentFilter);
        }
        for candidate in candidates {
            if candidate.count("index")?.unwrap_or_default() != 0 {
                events.facts.unknown("candidate", "index");
                continue;
            }
            if let Some(content) = candidate.object("content", "candidates[].content")? {
                for part in content.objects("parts", "candidates[].content.parts[]")? {
                    self.part(part, events)?;
                }
            }
            if let Some(sources) = candidate.object("citationMetadata", "candidates[].citationMetadata")? {
                for source in sources.objects("citationSources", "citationMetadata.citationSources[]")? {
                    let text = |name| source.text(name).map(|text| text.map(str::to_owned));
                    events.cite(Citation { url: text("uri")?, title: text("title")?, quote: None });
                }
            }
            if let Some(word) = candidate.text("finishReason")? {
                let reason = match events.adapted_reason(word) {
                    Some(reason) => reason,
                    None => self.reason(word, events.provider())?,
                };
                events.finish(word, reason);
            }
        }
        if let Some(counts) = record.object("usageMetadata", "usageMetadata")? {
            match usage(counts) {
                Some(usage) => events.usage(usage),
                None => events.facts.unknown("usage", "without counts"),
            }
        }
        Ok(())
    }

    fn whole(&mut self, body: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        self.record("", body, events)?;
        if !events.is_proven() {
            return Err(body.missing("candidates[0].finishReason"));
        }
        events.done();
        Ok(())
    }
}

impl Content {
    fn part(&mut self, part: Object<'_>, events: &mut Events) -> Result<(), Failure> {
        let signature = part.text("thoughtSignature")?;
        let place = if let Some(call) = part.object("functionCall", "parts[].functionCall")? {
            return self.call(call, signature.unwrap_or_default(), events);
        } else if let Some(text) = part.text("text")? {
            let is_thought = part.is_set("thought")?;
            let fragment = if is_thought { Fragment::Thinking } else { Fragment::Text };
            match (events.say(fragment(text.to_owned()))?, signature) {
                (Some(place), _) => Some(place),
                (None, None) => None,
                // What is signed may be empty.
                (None, Some(_)) => {
                    Some(events.run(if is_thought { PartKind::Thinking } else { PartKind::Text })?)
                }
            }
        } else if signature.is_some() && part.map().len() == 1 {
            Some(events.run(PartKind::Text)?)
        } else {
            let name = part.map().keys().find(|name| *name != "thoughtSignature");
            events.facts.unknown("part", name.map_or("", String::as_str));
            None
        };
        if let (Some(place), Some(signature)) = (place, signature) {
            events.opaque(place, SIGNATURE, signature.to_owned());
            // It must come back on its own part, so nothing may be added to that.
            events.pause();
        }
        Ok(())
    }

    /// Takes in a call, or a part of one: who asks for that gets the arguments in pieces.
    fn call(&mut self, call: Object<'_>, signature: &str, events: &mut Events) -> Result<(), Failure> {
        self.has_calls = true;
        let goes_on = call.is_set("willContinue")?;
        let pieces = call.objects("partialArgs", "parts[].functionCall.partialArgs[]")?;
        let mut begun = match self.begun.take() {
            Some(begun) => begun,
            None => Pieces::new(events.open_call(call.text("id")?, call.require_text("name")?)?),
        };
        for piece in pieces {
            begun.add(piece)?;
        }
        let part = begun.part;
        events.opaque(part, SIGNATURE, signature.to_owned());
        if goes_on {
            self.begun = Some(begun);
            return Ok(());
        }
        let arguments = match call.value("args") {
            None => begun.arguments(),
            Some(args @ Value::Object(_)) => args.to_string(),
            Some(other) => return Err(drift("parts[].functionCall.args", "an object", other)),
        };
        events.add(part, Fragment::Arguments(arguments));
        events.close(part);
        Ok(())
    }

    fn reason(&self, word: &str, provider: &str) -> Result<FinishReason, Failure> {
        if self.begun.is_some() {
            let message = format!("{provider} ended its answer in the middle of a call");
            return Err(Failure::new(FailureKind::StreamTruncated, message));
        }
        match word {
            "STOP" if self.has_calls => Ok(FinishReason::ToolCalls),
            "STOP" => Ok(FinishReason::Stop),
            "MAX_TOKENS" => Ok(FinishReason::Length),
            "CONTINUATION" => Ok(FinishReason::Paused),
            "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "MODEL_ARMOR" => {
                Ok(FinishReason::ContentFilter)
            }
            word if word.starts_with("IMAGE_") => Ok(FinishReason::ContentFilter),
            "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" | "MISSING_THOUGHT_SIGNATURE" => {
                Err(stumbled(provider, word))
            }
            word if word.starts_with("MALFORMED_") => Err(stumbled(provider, word)),
            other => Err(unknown_word("finishReason", other)),
        }
    }
}

fn stumbled(provider: &str, word: &str) -> Failure {
    let shown: String = word.chars().take(64).collect();
    let message = format!("{provider} gave up on its answer: {shown}");
    Failure::new(FailureKind::ServerError, message)
}

/// Reads usage. What is thought stands beside the answer, unless the total says that it is inside.
fn usage(counts: Object<'_>) -> Option<Usage> {
    let prompt = number(counts.value("promptTokenCount"))?;
    let figure = |name: &str| number(counts.value(name)).unwrap_or_default();
    let (cached, tools) = (figure("cachedContentTokenCount"), figure("toolUsePromptTokenCount"));
    let (answer, thought) = (figure("candidatesTokenCount"), figure("thoughtsTokenCount"));
    let mut ledger = Ledger::default();
    let sum = |figures: &[u64]| figures.iter().copied().fold(0, u64::saturating_add);
    let mut answer_alone = answer;
    if let Some(total) = number(counts.value("totalTokenCount"))
        && total != sum(&[prompt, tools, answer, thought])
    {
        ledger.contradict();
        if total == sum(&[prompt, tools, answer]) {
            answer_alone = ledger.without(answer, thought);
        }
    }
    let input = ledger.without(prompt, cached).saturating_add(tools);
    Some(ledger.usage([input, cached, 0, 0, answer_alone, thought]))
}
