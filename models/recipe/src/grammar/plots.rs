//! What can happen in a story.

mod friends;
mod quests;
mod trials;

/// One way for a story to go.
#[derive(Clone, Copy)]
pub(super) struct Plot {
    /// How a request may ask for it, after "about a dog who": "is lost".
    pub(super) wishes: &'static [&'static str],
    /// How a request may ask for it without a hero, after "a story about": "a lost dog" has one, "sharing" none.
    pub(super) themes: &'static [&'static str],
    /// What happens, in order; each part in several wordings that tell the same.
    pub(super) beats: &'static [&'static [&'static str]],
    /// Questions that only this plot answers.
    pub(super) questions: &'static [Question],
    /// What the hero learned, after "that".
    pub(super) lesson: &'static str,
}

/// Several ways to ask the same, and several ways to answer it.
#[derive(Clone, Copy)]
pub(super) struct Question {
    /// The question.
    pub(super) ask: &'static [&'static str],
    /// The answer. It is given only when the story tells what its slots stand for.
    pub(super) answer: &'static [&'static str],
}

/// Every plot.
pub(super) const PLOTS: &[&[Plot]] = &[friends::PLOTS, quests::PLOTS, trials::PLOTS];

impl Plot {
    /// Says whether the plot speaks of this slot.
    pub(super) fn uses(&self, slot: &str) -> bool {
        let names = |wording: &&str| super::fill::slots(wording).any(|used| used == slot);
        self.beats.iter().any(|beat| beat.iter().all(names))
    }
}

/// How every story may begin. Each opening tells name, kind and nature.
pub(super) const OPENINGS: &[&str] = &[
    "Once upon a time, there was a {trait} {kind} named {name}.",
    "Once upon a time, there was a {trait} {kind} named {name}. {He} lived in {home}.",
    "Once there was a {trait} {kind}. {His} name was {name}.",
    "In {home}, there lived a {trait} {kind} named {name}.",
    "There was once a {trait} {kind} named {name} who lived in {home}.",
    "{Name} was a {trait} {kind} who lived in {home}.",
    "Long ago, a {trait} {kind} named {name} lived in {home}.",
    "Once upon a time, a {trait} {kind} named {name} lived in {home}.",
    "{Name} was a {trait} {kind}. {He} lived in {home}.",
];

/// What may be told about the hero before anything happens.
pub(super) const HABITS: &[&str] = &[
    "{He} loved to {hobby}.",
    "Every day, {name} liked to {hobby}.",
    "{Name} loved to {hobby} more than anything else.",
    "Every morning, {he} ate {food}.",
    "{His} favorite food was {food}.",
    "Most of all, {name} loved to {hobby}.",
    "When the sun came up, {name} liked to {hobby}.",
];

/// How a story may close, after its plot.
pub(super) const ENDINGS: &[&str] = &[
    "The end.",
    "And they all lived happily ever after.",
    "From that day on, {name} smiled every morning.",
    "That night, {name} slept very well.",
    "It was the best day of {his} life.",
    "{Name} never forgot that day.",
];

/// Questions that any story may answer.
pub(super) const QUESTIONS: &[Question] = &[
    Question {
        ask: &[
            "What was the {kind}'s name?",
            "What is the name of the {kind}?",
            "What was the name of the {kind}?",
            "What is the {kind} called?",
            "Who was the {kind}?",
        ],
        answer: &["The {kind}'s name was {name}.", "{His} name was {name}.", "The {kind} was named {name}."],
    },
    Question {
        ask: &[
            "Who is {name}?",
            "Who was {name}?",
            "Tell me about {name}.",
            "What kind of {kind} was {name}?",
        ],
        answer: &["{Name} was a {trait} {kind}.", "{Name} is the {trait} {kind} in the story."],
    },
    Question {
        ask: &["Who was the story about?", "Who is the hero of the story?", "What was the story about?"],
        answer: &[
            "The story was about a {trait} {kind} named {name}.",
            "It was about {name}, a {trait} {kind}.",
        ],
    },
    Question {
        ask: &[
            "How did {name} feel in the end?",
            "How did {he} feel at the end?",
            "How did {name} feel at the end?",
            "How did the story end?",
        ],
        answer: &["In the end, {name} felt very {feel}.", "{Name} was very {feel} in the end."],
    },
    Question {
        ask: &[
            "Was {he} happy in the end?",
            "Was {name} happy in the end?",
            "Was the {kind} happy at the end?",
        ],
        answer: &["Yes, {name} was very {feel} in the end.", "Yes, in the end {he} felt {feel}."],
    },
    Question {
        ask: &["Where did {name} live?", "Where did {he} live?", "Where did the {kind} live?"],
        answer: &["{Name} lived in {home}.", "{He} lived in {home}."],
    },
    Question {
        ask: &["What did {name} love to do?", "What did {he} like to do?", "What did the {kind} like to do?"],
        answer: &["{Name} loved to {hobby}.", "{He} loved to {hobby}."],
    },
    Question {
        ask: &[
            "What was the friend's name?",
            "What was the name of {his} friend?",
            "Who was {name}'s friend?",
        ],
        answer: &["{His} friend was {fname}.", "{Name}'s friend was a {fkind} named {fname}."],
    },
    Question {
        ask: &["Who is {fname}?", "Who was {fname}?", "What was {fname}?"],
        answer: &["{Fname} was a {fkind}.", "{Fname} was the {fkind} in the story."],
    },
    Question {
        ask: &["Where did {name} go?", "Where did {he} go?", "Where did the {kind} go?", "Where was {name}?"],
        answer: &["{Name} went to {place}.", "{He} went to {place}."],
    },
    Question {
        ask: &["What was the weather like?", "What kind of day was it?"],
        answer: &["It was a {weather} day."],
    },
    Question {
        ask: &["Is {name} a {fkind}?", "Was {name} a {fkind}?"],
        answer: &["No, {name} was a {kind}.", "No. {Name} was a {kind}, not a {fkind}."],
    },
    Question {
        ask: &["Was {name} a {kind}?", "Is {name} a {kind}?"],
        answer: &["Yes, {name} was a {kind}.", "Yes, {name} was a {trait} {kind}."],
    },
    Question {
        ask: &["What did {name} eat?", "What was {his} favorite food?"],
        answer: &["{Name} ate {food}.", "{He} ate {food}."],
    },
];
