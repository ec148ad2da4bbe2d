//! The many ways to ask for a story.

use super::cast::Cast;
use super::fill::plural;
use super::plots::Plot;
use crate::random::Random;

#[rustfmt::skip]
const WITH_SUBJECT: &[&str] = &[
    "Tell me a story about #.", "Tell me a story about #.", "Tell me a story about #.",
    "Tell a story about #.", "Write a story about #.", "Write a short story about #.",
    "Write me a story about #.", "I want a story about #.", "Can you tell me a story about #?",
    "Could you write a short story about #?", "Tell me about #.", "Please tell me a story about #.",
    "Make up a story about #.", "Give me a story about #.", "I would like to hear a story about #.",
    "Do you know a story about #?", "Tell me a short story about #.", "A story about #, please.",
    "Tell me a bedtime story about #.", "Write a tale about #.", "Story about #.",
    "Write a little story about #.", "Tell us a story about #.", "Let me hear a story about #.",
    "Once more, a story about #.", "I need a story about #.", "Invent a story about #.", "A story about #.",
    "Create a short story about #.", "Tell me a fairy tale about #.", "Write something about #.",
    "Say something about #.", "Can I have a story about #?", "Tell me a funny story about #.",
    "Generate a story about #.", "Tell my child a story about #.", "Write a one paragraph story about #.",
];

#[rustfmt::skip]
const WITHOUT_SUBJECT: &[&str] = &[
    "Tell me a story.", "Write a story.", "I want to hear a story.", "Can you tell me a story?",
    "A story, please.", "Tell me a bedtime story.", "Tell me something.", "Please tell me a short story.",
    "Once upon a time", "Do you know any stories?", "Write a short story.", "Tell me a fairy tale.", "story",
    "Yes.", "Yes, please.", "Tell me a nice story.", "Any story.", "Surprise me.", "Make up a story.",
    "I am bored.", "Write something.",
];

#[rustfmt::skip]
const ANOTHER: &[&str] = &[
    "Tell me another one.", "Another story, please.", "One more!", "Tell me another story.", "Another one.",
    "Again!", "One more story, please.", "Can you tell me another one?", "Now a different story.",
];

#[rustfmt::skip]
const ANOTHER_WITH_SUBJECT: &[&str] = &[
    "Now tell me a story about #.", "And now one about #.", "Tell me one about #.",
    "Now one about #, please.", "Can you tell me one about #?", "Tell me another one about #.",
    "What about #?",
];

/// Asks for a story with this cast and plot, naming some of what will be in it.
pub(super) fn request(random: &mut Random, cast: &Cast, plot: &Plot) -> String {
    if random.chance(0.06) {
        let text = random.pick(WITHOUT_SUBJECT);
        return style(random, (*text).to_owned());
    }
    let subject = subject(random, cast, plot);
    if random.chance(0.03) {
        return style(random, super::fill::capital(&subject));
    }
    let text = random.pick(WITH_SUBJECT).replace('#', &subject);
    style(random, text)
}

/// Asks for another story; it is about `cast` when it names somebody.
pub(super) fn another(random: &mut Random, cast: &Cast, plot: &Plot, same_kind: bool) -> String {
    if same_kind {
        let text = random.pick(ANOTHER);
        return style(random, (*text).to_owned());
    }
    let subject = subject(random, cast, plot);
    let text = random.pick(ANOTHER_WITH_SUBJECT).replace('#', &subject);
    style(random, text)
}

/// Names the hero, and perhaps more of what the story will have.
fn subject(random: &mut Random, cast: &Cast, plot: &Plot) -> String {
    let template = match random.below(24) {
        9..11 => "a {trait} {kind}".to_owned(),
        11..13 => "a {kind} named {name}".to_owned(),
        13 => "a {trait} {kind} named {name}".to_owned(),
        14 => "a {kind} called {name}".to_owned(),
        15 => "a {kind} and a {fkind}".to_owned(),
        16 if plot.uses("thing") => "a {kind} and a {thing}".to_owned(),
        17 if plot.uses("thing") && plot.uses("color") => "a {kind} with a {color} {thing}".to_owned(),
        18 if plot.uses("place") => "a {kind} {at}".to_owned(),
        19..21 => format!("a {{kind}} who {}", random.pick(plot.wishes)),
        21 => random.pick(plot.themes).to_owned(),
        22 => match random.below(4) {
            0 => "the {kind}".to_owned(),
            1 => "my {kind}".to_owned(),
            2 => "{name} the {kind}".to_owned(),
            _ => plural(&cast.hero.kind),
        },
        _ => "a {kind}".to_owned(),
    };
    cast.fill(&template)
}

/// Writes a request as people do: sometimes without capitals, points or patience.
pub(super) fn style(random: &mut Random, text: String) -> String {
    let mut text = text;
    if random.chance(0.25) {
        text = text.trim_end_matches(['.', '?', '!']).to_owned();
    }
    if random.chance(0.06) {
        let bare = text.trim_end_matches(['.', '?', '!']);
        text = format!("{bare}, please{}", &text[bare.len()..]);
    }
    if random.chance(0.05) {
        text = format!("{} {text}", random.pick(&["Hi!", "Hello!", "Hello,", "Hey,", "Please,", "Ok,"]));
    }
    if random.chance(0.18) {
        text = text.to_lowercase();
    }
    text
}
