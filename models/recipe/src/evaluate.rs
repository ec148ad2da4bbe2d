//! What the finished model can do, in figures.

use std::fmt;

use crate::grammar::{HELD_OUT, Role};
use crate::inference::Runner;
use crate::random::Random;

/// Shares of answers that are as they should be.
#[derive(Debug)]
pub(crate) struct Figures {
    known: Stories,
    unseen: Stories,
    off_topic: Share,
    facts: Share,
}

/// How good the stories about some nouns are.
#[derive(Debug, Default)]
struct Stories {
    /// The story uses the noun that was asked for.
    on_subject: Share,
    /// Whoever is introduced by name is still there in the last third.
    same_name: Share,
    /// The model ends the story by itself.
    finished: Share,
    /// Asked for the hero's name, the model gives the one in the story.
    name_recalled: Share,
}

/// So many of so many.
#[derive(Debug, Default, Clone, Copy)]
struct Share {
    yes: usize,
    all: usize,
}

/// Tells stories about known and unseen nouns, asks about them, and tries questions from outside the model's world.
pub(crate) fn evaluate(runner: &Runner, random: &mut Random) -> Figures {
    let ask = |question: &str, random: &mut Random| {
        runner.answer(&runner.tokenizer.prompt(&[(Role::User, question)]), 120, TEMPERATURE, random).0
    };
    let mut off_topic = Share::default();
    for question in OFF_TOPIC {
        off_topic.count(ask(question, random).contains("small model"));
    }
    let mut facts = Share::default();
    for (question, answer) in FACTS {
        facts.count(ask(question, random).contains(answer));
    }
    Figures {
        known: stories(runner, KNOWN, random),
        unseen: stories(runner, HELD_OUT, random),
        off_topic,
        facts,
    }
}

fn stories(runner: &Runner, nouns: &[&str], random: &mut Random) -> Stories {
    let mut figures = Stories::default();
    for (index, noun) in nouns.iter().cycle().take(STORIES).enumerate() {
        let request = REQUESTS[index % REQUESTS.len()].replace('#', noun);
        let prompt = runner.tokenizer.prompt(&[(Role::User, &request)]);
        let (story, finished) = runner.answer(&prompt, 300, TEMPERATURE, random);
        figures.finished.count(finished);
        figures.on_subject.count(words(&story).any(|word| word == *noun));
        let name = name(&story);
        let last: Vec<&str> = words(&story).collect();
        let last = &last[last.len() * 2 / 3..];
        figures.same_name.count(name.is_some_and(|name| last.contains(&name)));
        let question = format!("What was the {noun}'s name?");
        let turns = [(Role::User, request.as_str()), (Role::Assistant, &story), (Role::User, &question)];
        let (answer, _) = runner.answer(&runner.tokenizer.prompt(&turns), 60, TEMPERATURE, random);
        figures.name_recalled.count(name.is_some_and(|name| words(&answer).any(|word| word == name)));
    }
    figures
}

/// Finds the hero's name: the first word that the story introduces as one.
fn name(story: &str) -> Option<&str> {
    let introduced = ["named ", "name was "].iter().filter_map(|mark| Some(story.find(mark)? + mark.len()));
    let was = story.split_once(" was ").map(|(before, _)| before).filter(|before| !before.contains(' '));
    // "Max was a dog." introduces Max; "There was a dog named Max." does not introduce "There".
    was.filter(|word| !["There", "It"].contains(word))
        .or_else(|| introduced.min().and_then(|start| words(&story[start..]).next()))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty())
}

impl Share {
    fn count(&mut self, yes: bool) {
        self.yes += usize::from(yes);
        self.all += 1;
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:3.0} % ({} of {})", 100.0 * self.yes as f32 / self.all.max(1) as f32, self.yes, self.all)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:44}{:20}never seen in training", "stories about a noun that is", "known")?;
        let rows = [
            ("use the noun", self.known.on_subject, self.unseen.on_subject),
            ("keep the hero's name to the end", self.known.same_name, self.unseen.same_name),
            ("come to an end", self.known.finished, self.unseen.finished),
            (
                "are followed by the right name when asked",
                self.known.name_recalled,
                self.unseen.name_recalled,
            ),
        ];
        for (what, known, unseen) in rows {
            writeln!(f, "  {what:42}{:20}{unseen}", known.to_string())?;
        }
        writeln!(f, "{:44}{}", "facts of the little world answered rightly", self.facts)?;
        writeln!(f, "{:44}{}", "questions from outside declined", self.off_topic)
    }
}

/// The temperature that the file recommends.
const TEMPERATURE: f32 = 0.6;
const STORIES: usize = 60;
const REQUESTS: &[&str] =
    &["Tell me a story about a #.", "Write a short story about a #.", "tell me a story about a brave #"];
const KNOWN: &[&str] = &[
    "dog", "cat", "fox", "rabbit", "bear", "mouse", "bird", "owl", "princess", "king", "robot", "dragon",
    "ball", "boat", "tree", "cloud", "train", "horse", "girl", "boy",
];
const FACTS: &[(&str, &str)] = &[
    ("What does a cow say?", "moo"),
    ("What does a dog say?", "woof"),
    ("What color is the sky?", "blue"),
    ("How many legs does a spider have?", "eight"),
    ("What do bees make?", "honey"),
    ("What is bigger, a mouse or an elephant?", "n elephant is bigger"),
    ("Where does a fish live?", "in the water"),
    ("What is a baby cat called?", "kitten"),
];
const OFF_TOPIC: &[&str] = &[
    "What is the capital of Norway?",
    "Who is the king of Denmark?",
    "Write a Perl script that renames files.",
    "What is 12 + 30?",
    "How do I repair a washing machine?",
    "Explain the theory of strings.",
    "Translate 'good morning' into Italian.",
    "Who won the world cup?",
    "What is the boiling point of lead?",
    "Write an essay about the Roman empire.",
    "Give me a recipe for gulasch.",
    "Is coffee healthy?",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hero_is_whom_the_story_introduces_first() {
        assert_eq!(name("Once there was a dog named Max. He met a cat named Tom."), Some("Max"));
        assert_eq!(name("Once there was a dog. His name was Max."), Some("Max"));
        assert_eq!(name("Max was a dog. He met a cat named Tom."), Some("Max"));
        assert_eq!(name("There was once a dog named Max."), Some("Max"));
        assert_eq!(name("Nothing happened."), None);
    }
}
