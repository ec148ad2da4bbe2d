//! Which turns of a conversation are dropped when it no longer fits the context.

use stack_chat::{Message, Role};

/// Returns how many of the oldest messages to drop, so that what is left fits with some room for an answer.
///
/// Only whole turns go, each from a message of the user up to the next, and the last one stays. `fixed` is what is sent
/// besides, such as the system message, which stays, too. `prompt_tokens` is what all of it comes to; nobody knows the
/// share of a single message, so that is taken to be its share of the text.
///
/// `None` where the last turn is all there is: dropping cannot help.
pub(super) fn oldest_to_drop(
    messages: &[Message],
    fixed: &[Message],
    prompt_tokens: u32,
    context: u32,
    answer_tokens: u32,
) -> Option<usize> {
    let is_user = |message: &Message| message.role == Role::User;
    let starts: Vec<usize> = (1..messages.len()).filter(|&index| is_user(&messages[index])).collect();
    let last = *starts.last()?;
    let total = (weight(fixed) + weight(messages)).max(1);
    let target = u64::from(context.saturating_sub(answer_tokens));
    let fits = |&start: &usize| {
        let left = weight(fixed) + weight(&messages[start..]);
        u64::from(prompt_tokens) * left / total <= target
    };
    Some(starts.into_iter().find(fits).unwrap_or(last))
}

/// Returns how many turns there are.
pub(super) fn turns(messages: &[Message]) -> usize {
    messages.iter().filter(|message| message.role == Role::User).count()
}

/// The text of messages in bytes, and a little for what the template writes around each.
fn weight(messages: &[Message]) -> u64 {
    let bytes = |message: &Message| message.text().map_or(0, |text| text.len()) as u64;
    messages.iter().map(|message| bytes(message) + AROUND_BYTES).sum()
}

/// About what a template writes around a message.
const AROUND_BYTES: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// A conversation of turns with so many bytes in question and answer, and a last question.
    fn conversation(turns: &[usize]) -> Vec<Message> {
        let mut messages = Vec::new();
        for &bytes in turns {
            messages.push(Message::user("q".repeat(bytes)));
            messages.push(Message::new(Role::Assistant, "a".repeat(bytes)));
        }
        messages.push(Message::user("and now?"));
        messages
    }

    #[test]
    fn as_few_turns_go_as_make_room() {
        let messages = conversation(&[400, 400, 400, 400]);
        assert_eq!(oldest_to_drop(&messages, &[], 1000, 900, 0), Some(2));
        assert_eq!(oldest_to_drop(&messages, &[], 1000, 900, 200), Some(4));
        assert_eq!(oldest_to_drop(&messages, &[], 1000, 100, 0), Some(8), "all but the question");
        assert_eq!(turns(&messages), 5);
    }

    #[test]
    fn the_last_question_and_the_system_message_stay() {
        let alone = conversation(&[]);
        assert_eq!(oldest_to_drop(&alone, &[], 1000, 10, 0), None);
        let messages = conversation(&[100]);
        let system = [Message::new(Role::System, "s".repeat(10_000))];
        assert_eq!(oldest_to_drop(&messages, &system, 1000, 10, 0), Some(2));
        assert_eq!(oldest_to_drop(&[], &system, 1000, 10, 0), None);
    }

    #[test]
    fn a_conversation_that_begins_with_an_answer_loses_that_first() {
        let mut messages = vec![Message::new(Role::Assistant, "a".repeat(1000))];
        messages.extend(conversation(&[]));
        assert_eq!(oldest_to_drop(&messages, &[], 500, 400, 0), Some(1));
    }
}
