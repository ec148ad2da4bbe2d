//! What routing looks at in a request.

use stack_chat::{ChatRequest, Message, Part, Prompt, Tier};

use crate::route::{Facts, Need};

/// Looks at a request, which may reach no further than `ceiling`.
pub(super) fn facts(request: &ChatRequest, ceiling: Tier) -> Facts {
    let routing = &request.routing;
    let tenant = Some(request.tenant.as_str()).filter(|tenant| !tenant.is_empty()).map(str::to_owned);
    Facts {
        tier: request.tier.unwrap_or(ceiling).min(ceiling),
        needs: needs(request),
        tokens: tokens(request),
        fallback: routing.fallback,
        session: routing.session.clone(),
        subject: routing.user.clone().or_else(|| routing.session.clone()).or(tenant),
    }
}

fn needs(request: &ChatRequest) -> Vec<Need> {
    let is_raw = !matches!(request.prompt, Prompt::Messages(_));
    [
        (Need::Tools, !request.shown_tools().is_empty()),
        (Need::Media, has_media(request)),
        (Need::Thinking, request.thinking.effort().is_some()),
        (Need::Stop, !request.stop.is_empty()),
        (Need::Choices, request.choices > 1),
        (Need::RawPrompt, is_raw),
    ]
    .into_iter()
    .filter_map(|(need, is_needed)| is_needed.then_some(need))
    .collect()
}

fn has_media(request: &ChatRequest) -> bool {
    let is_media = |part: &Part| matches!(part, Part::Image(_) | Part::Audio(_) | Part::Document(_));
    messages(request).iter().any(|message| message.parts.iter().any(is_media))
}

/// Estimates how many tokens the prompt and its answer take: four bytes are about one.
fn tokens(request: &ChatRequest) -> u32 {
    let prompt = match &request.prompt {
        Prompt::Messages(messages) => messages.iter().flat_map(|message| &message.parts).map(bytes).sum(),
        Prompt::Text(text) => text.len(),
        Prompt::Tokens(tokens) => tokens.len() * BYTES_PER_TOKEN,
        Prompt::Infill(infill) => infill.prefix.len() + infill.suffix.len(),
    };
    let prompt = u32::try_from(prompt / BYTES_PER_TOKEN).unwrap_or(u32::MAX);
    prompt.saturating_add(request.max_tokens.unwrap_or(0))
}

fn bytes(part: &Part) -> usize {
    match part {
        Part::Text(text) | Part::Thinking(text) | Part::Refusal(text) => text.len(),
        Part::ToolCall(call) => call.arguments.0.len(),
        Part::ToolResult(result) => result.parts.iter().map(bytes).sum(),
        Part::Image(_)
        | Part::Audio(_)
        | Part::Document(_)
        | Part::Foreign(_)
        | Part::Opaque(_)
        | Part::CacheMark(_) => 0,
    }
}

fn messages(request: &ChatRequest) -> &[Message] {
    match &request.prompt {
        Prompt::Messages(messages) => messages,
        Prompt::Text(_) | Prompt::Tokens(_) | Prompt::Infill(_) => &[],
    }
}

const BYTES_PER_TOKEN: usize = 4;

#[cfg(test)]
mod tests {
    use stack_chat::{Media, MediaSource, Role, Tenant, Thinking};

    use super::*;

    fn request(prompt: Prompt) -> ChatRequest {
        ChatRequest::new(prompt)
    }

    #[test]
    fn what_a_request_needs_is_seen() {
        let plain = request(Prompt::Messages(vec![Message::user("Hi")]));
        assert_eq!(facts(&plain, Tier::Standard).needs, []);
        let mut more = plain.clone();
        more.thinking = Thinking::Budget(9);
        more.stop = vec!["x".into()];
        more.choices = 2;
        assert_eq!(facts(&more, Tier::Standard).needs, [Need::Thinking, Need::Stop, Need::Choices]);
        let raw = request(Prompt::Text("x".repeat(400)));
        let seen = facts(&raw, Tier::Standard);
        assert_eq!((seen.needs, seen.tokens), (vec![Need::RawPrompt], 100));
        let media = Media { source: MediaSource::Bytes(vec![1]), media_type: None, detail: None };
        let mut sees = plain;
        let Prompt::Messages(messages) = &mut sees.prompt else { panic!() };
        messages[0].parts.push(Part::Image(media));
        assert_eq!(messages[0].role, Role::User);
        assert_eq!(facts(&sees, Tier::Standard).needs, [Need::Media]);
    }

    #[test]
    fn the_tier_is_held_to_the_ceiling_and_somebody_is_always_the_same() {
        let mut asks = request(Prompt::Text(String::new()));
        asks.tier = Some(Tier::Standard);
        assert_eq!(facts(&asks, Tier::Private).tier, Tier::Private);
        asks.tenant = Tenant::new("t");
        assert_eq!(facts(&asks, Tier::Private).subject.as_deref(), Some("t"));
        asks.routing.session = Some("s".into());
        assert_eq!(facts(&asks, Tier::Private).subject.as_deref(), Some("s"));
        asks.routing.user = Some("u".into());
        assert_eq!(facts(&asks, Tier::Private).subject.as_deref(), Some("u"));
    }
}
