//! Shortening a prompt that does not fit, where the caller asked for it.
//!
//! Of a conversation whole turns go: a message of the user and what followed it, so that no result stands without its call.
//! Instructions and the last turn stay. Of a text or of tokens, tokens go.

use stack_chat::{ChatRequest, ContextPolicy, Failure, Message, Prompt, Role};

/// What a prompt may take, so that an answer has room.
pub(super) fn budget(context: usize, max_tokens: Option<u32>) -> usize {
    let answer = max_tokens.map_or(ANSWER_TOKENS, |tokens| tokens as usize);
    context - answer.min(context / 4)
}

/// Finds the longest conversation that fits, the one with the fewest turns left out, and returns what `fitting` makes of
/// it: that is `None` for a request that does not fit. `None` if even the last turn alone does not.
///
/// # Errors
///
/// As `fitting`.
pub(super) fn conversation<T>(
    request: &ChatRequest,
    mut fitting: impl FnMut(&ChatRequest) -> Result<Option<T>, Failure>,
) -> Result<Option<T>, Failure> {
    let Prompt::Messages(messages) = &request.prompt else { return Ok(None) };
    let turns = turns(messages);
    let without = |left_out: usize| {
        let gone = gone(turns, left_out, request.context_policy);
        let kept = messages
            .iter()
            .zip(turn_of(messages))
            .filter(|(_, turn)| turn.is_none_or(|turn| !gone.contains(&turn)));
        let messages = kept.map(|(message, _)| message.clone()).collect();
        ChatRequest { prompt: Prompt::Messages(messages), ..request.clone() }
    };
    // Fewer turns never take more tokens, so that halving finds the border.
    let (mut low, mut high) = (1, turns);
    let mut longest = None;
    while low < high {
        let middle = low.midpoint(high);
        match fitting(&without(middle))? {
            Some(found) => (longest, high) = (Some(found), middle),
            None => low = middle + 1,
        }
    }
    Ok(longest)
}

/// Leaves out tokens so that `max` remain; the first one stays, which is often BOS.
pub(super) fn tokens(tokens: &[u32], max: usize, policy: ContextPolicy) -> Vec<u32> {
    let begin = match policy {
        ContextPolicy::Error => return tokens.to_vec(),
        ContextPolicy::Window => 1,
        ContextPolicy::Middle => max / 2,
    };
    if tokens.len() <= max {
        return tokens.to_vec();
    }
    let begin = begin.min(max);
    [&tokens[..begin], &tokens[tokens.len() - (max - begin)..]].concat()
}

/// The turns that go where so many go: the oldest, or those in the middle.
fn gone(turns: usize, left_out: usize, policy: ContextPolicy) -> std::ops::Range<usize> {
    // The first turn often says what it is all about, and the last one what is asked.
    let start = if policy == ContextPolicy::Middle { (turns - left_out) / 2 } else { 0 };
    start..start + left_out
}

/// How many turns there are.
fn turns(messages: &[Message]) -> usize {
    turn_of(messages).flatten().max().map_or(0, |last| last + 1)
}

/// Which turn each message belongs to; instructions belong to none.
fn turn_of(messages: &[Message]) -> impl Iterator<Item = Option<usize>> {
    let mut turns = 0_usize;
    messages.iter().map(move |message| match message.role {
        Role::System | Role::Developer => None,
        Role::User => {
            turns += 1;
            Some(turns - 1)
        }
        // What comes before the user has said anything goes with the first turn.
        Role::Assistant | Role::Tool | Role::Other(_) => Some(turns.saturating_sub(1)),
    })
}

/// What is kept for an answer whose length the caller leaves open.
const ANSWER_TOKENS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A conversation, a letter for each message: instructions, user, assistant, tool.
    fn request(roles: &str, context_policy: ContextPolicy) -> ChatRequest {
        let messages = roles.chars().enumerate().map(|(place, role)| {
            let role = match role {
                's' => Role::System,
                'u' => Role::User,
                't' => Role::Tool,
                _ => Role::Assistant,
            };
            Message::new(role, place.to_string())
        });
        ChatRequest { context_policy, ..ChatRequest::new(Prompt::Messages(messages.collect())) }
    }

    /// The places of the messages that are left where so many fit.
    fn left(roles: &str, policy: ContextPolicy, max: usize) -> Option<Vec<String>> {
        let messages = |request: &ChatRequest| match &request.prompt {
            Prompt::Messages(messages) => messages.iter().filter_map(Message::text).collect::<Vec<String>>(),
            _ => unreachable!("a conversation stays one"),
        };
        let fitting = |request: &ChatRequest| Ok(Some(messages(request)).filter(|left| left.len() <= max));
        conversation(&request(roles, policy), fitting).unwrap()
    }

    #[test]
    fn the_oldest_turns_go_with_all_that_belongs_to_them() {
        let window = ContextPolicy::Window;
        assert_eq!(left("suatauau", window, 5).unwrap(), ["0", "5", "6", "7"]);
        assert_eq!(left("suatauau", window, 7).unwrap(), ["0", "5", "6", "7"]);
        assert_eq!(left("suatauau", window, 2).unwrap(), ["0", "7"]);
        assert_eq!(left("suatauau", window, 1), None, "instructions and the last turn stay");
        assert_eq!(left("u", window, 0), None);
    }

    #[test]
    fn the_middle_goes_and_both_ends_stay() {
        let middle = ContextPolicy::Middle;
        assert_eq!(left("suauauau", middle, 6).unwrap(), ["0", "1", "2", "5", "6", "7"]);
        assert_eq!(left("suauauau", middle, 4).unwrap(), ["0", "1", "2", "7"]);
    }

    #[test]
    fn tokens_are_cut_where_the_policy_says() {
        let all: Vec<u32> = (0..10).collect();
        assert_eq!(tokens(&all, 4, ContextPolicy::Window), [0, 7, 8, 9]);
        assert_eq!(tokens(&all, 4, ContextPolicy::Middle), [0, 1, 8, 9]);
        assert_eq!(tokens(&all, 10, ContextPolicy::Window), all);
        assert_eq!(tokens(&all, 4, ContextPolicy::Error), all);
    }

    #[test]
    fn an_answer_gets_its_room_but_not_more_than_a_quarter() {
        assert_eq!((budget(8192, Some(100)), budget(8192, None), budget(64, None)), (8092, 7168, 48));
    }
}
