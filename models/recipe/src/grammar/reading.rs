//! Small texts with a question, as people type them to see whether a model reads.

use super::cast::{Cast, any_kind};
use crate::random::Random;

/// What a text may say, and what may then be asked.
const SENTENCES: &[(&str, &str, &str)] = &[
    ("{Name} is a {trait} {kind}.", "What is {name}?", "{Name} is a {kind}."),
    ("{Name} has a {color} {thing}.", "What color is the {thing}?", "The {thing} is {color}."),
    ("{Name} found a {thing}.", "What did {name} find?", "{Name} found a {thing}."),
    ("{Name} lives in {home}.", "Where does {name} live?", "{Name} lives in {home}."),
    ("{Name} likes to {hobby}.", "What does {name} like to do?", "{Name} likes to {hobby}."),
    ("{His} friend is a {fkind} named {fname}.", "Who is {name}'s friend?", "{Name}'s friend is {fname}."),
    ("{Name} went to {place}.", "Where did {name} go?", "{Name} went to {place}."),
    ("{Name} is afraid of {fear}.", "What is {name} afraid of?", "{Name} is afraid of {fear}."),
    ("{Name} ate {food}.", "What did {name} eat?", "{Name} ate {food}."),
    (
        "{Name} wants to learn to {skill}.",
        "What does {name} want to learn?",
        "{Name} wants to learn to {skill}.",
    ),
    ("It was a {weather} day.", "What was the weather like?", "It was a {weather} day."),
];

/// Makes a text of two to four sentences, asks about one of them and answers.
pub(super) fn reading(random: &mut Random) -> (String, String) {
    let kind = any_kind(random);
    let cast = Cast::draw(random, kind);
    // The first sentence introduces the name.
    let mut chosen = vec![SENTENCES[0]];
    for _ in 0..=random.below(3) {
        let next = random.pick(SENTENCES);
        if !chosen.contains(&next) {
            chosen.push(next);
        }
    }
    let (_, ask, answer) = random.pick(&chosen);
    let text: Vec<&str> = chosen.iter().map(|sentence| sentence.0).collect();
    (cast.fill(&format!("{} {ask}", text.join(" "))), cast.fill(answer))
}
