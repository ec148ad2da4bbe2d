//! One story: told once, then asked about.

use std::collections::BTreeSet;

use super::cast::Cast;
use super::fill::slots;
use super::plots::{ENDINGS, HABITS, OPENINGS, PLOTS, Plot, QUESTIONS, Question};
use crate::random::Random;

/// A story that has been told.
pub(super) struct Story {
    /// Who is in it.
    pub(super) cast: Cast,
    /// How it goes.
    pub(super) plot: &'static Plot,
    /// Its words.
    pub(super) text: String,
    /// The slots whose values the reader has learned.
    told: BTreeSet<String>,
}

impl Story {
    /// Tells a story about a hero of this kind.
    pub(super) fn tell(random: &mut Random, kind: String) -> Self {
        let cast = Cast::draw(random, kind);
        let plots: Vec<&Plot> = PLOTS.iter().copied().flatten().collect();
        let plot = random.pick(&plots);
        let mut parts = vec![random.pick(OPENINGS)];
        if random.chance(0.5) {
            parts.push(random.pick(HABITS));
        }
        parts.extend(plot.beats.iter().map(|beat| random.pick(beat)));
        if random.chance(0.4) {
            parts.push(random.pick(ENDINGS));
        }
        let template = parts.join(" ");
        let mut told: BTreeSet<String> = slots(&template).collect();
        // A pronoun needs no telling, and "in the park" also tells of the park.
        told.extend(["he", "him", "his", "self", "fhe", "fhim", "fhis"].map(str::to_owned));
        if told.contains("at") {
            told.insert("place".to_owned());
        }
        Self { text: cast.fill(&template), cast, plot, told }
    }

    /// Asks something that the story tells, and answers it.
    pub(super) fn question(&self, random: &mut Random) -> (String, String) {
        let group = if random.chance(0.6) { self.plot.questions } else { QUESTIONS };
        loop {
            let question = random.pick(group);
            if self.can_answer(question) {
                return (
                    self.cast.fill(random.pick(question.ask)),
                    self.cast.fill(random.pick(question.answer)),
                );
            }
        }
    }

    fn can_answer(&self, question: Question) -> bool {
        question
            .ask
            .iter()
            .chain(question.answer)
            .flat_map(|text| slots(text))
            .all(|slot| self.told.contains(&slot))
    }

    /// Asks what the hero learned.
    pub(super) fn lesson(&self, random: &mut Random) -> (String, String) {
        let ask =
            ["What did {name} learn?", "What did {he} learn from this?", "What is the moral of the story?"];
        let answer = format!("{{Name}} learned that {}.", self.plot.lesson);
        (self.cast.fill(random.pick(&ask)), self.cast.fill(&answer))
    }

    /// Asks how it went on.
    pub(super) fn sequel(&self, random: &mut Random) -> (String, String) {
        let ask = [
            "What happened next?",
            "Continue the story.",
            "And then?",
            "Go on.",
            "Please continue.",
            "What happened then?",
            "Tell me more.",
            "more",
            "What did {name} do next?",
        ];
        let first = [
            "The next day, {name} and {fname} went to {nextplace} together.",
            "After that, {name} and {fname} met every day {nextat}.",
            "A week later, {name} asked {fname} to come to {nextplace}.",
        ];
        let second = [
            "They played until the evening and told each other stories.",
            "They ate {food} and looked at the clouds.",
            "There they found a {color} {thing} and took it home.",
            "They laughed so much that everyone came to see them.",
        ];
        let last = [
            "{Name} was {feel}, and so was {fname}.",
            "And if they are not tired, they are playing still.",
            "From then on, they were never alone again.",
        ];
        let answer = format!("{} {} {}", random.pick(&first), random.pick(&second), random.pick(&last));
        (self.cast.fill(random.pick(&ask)), self.cast.fill(&answer))
    }
}
