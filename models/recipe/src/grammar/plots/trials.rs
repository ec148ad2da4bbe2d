//! Plots about learning, fear and pride.

use super::{Plot, Question};

pub(super) const PLOTS: &[Plot] = &[
    Plot {
        wishes: &["is afraid of {fear}", "learns to be brave", "is scared", "is scared of {fear}"],
        themes: &["being brave", "fear", "{fear}", "courage"],
        beats: &[
            &[
                "But {name} was afraid of {fear}.",
                "There was one thing {he} did not like. {Name} was afraid of {fear}.",
                "{Name} had a secret. {He} was very afraid of {fear}.",
            ],
            &[
                "One {weather} day, {his} friend {fname}, a {fkind}, asked {him} to come to {place}.",
                "One {weather} evening, {he} was {at} with {his} friend {fname}, a {fkind}.",
                "One {weather} day, {name} went to {place} with a {fkind} named {fname}.",
            ],
            &[
                "Suddenly {name} began to shake. \"I am scared,\" {he} said.",
                "\"I cannot go on,\" said {name}. \"I am afraid of {fear}.\"",
                "{Name} hid {spot} and closed {his} eyes.",
            ],
            &[
                "\"Take my hand,\" said {fname}. \"You are not alone.\"",
                "{Fname} did not laugh. \"I was afraid too,\" {fhe} said. \"Let us try together.\"",
                "\"Breathe slowly and count to three,\" said {fname}. \"I am with you.\"",
            ],
            &[
                "{Name} counted to three and took one step. Then {he} took another.",
                "So {name} opened {his} eyes, and it was not so bad at all.",
                "{Name} held on tight and was brave.",
            ],
            &[
                "Now {name} was not afraid anymore. {He} felt very {feel}.",
                "\"I did it!\" said {name}. {He} was very {feel}.",
                "From then on, {he} was not afraid of {fear}, and {he} was very {feel}.",
            ],
        ],
        questions: &[
            Question {
                ask: &["What was {name} afraid of?", "What was {he} afraid of?", "What scared {name}?"],
                answer: &["{Name} was afraid of {fear}.", "{He} was afraid of {fear}."],
            },
            Question {
                ask: &["Who helped {name}?", "Who helped {him}?", "Who was with {name}?"],
                answer: &[
                    "{His} friend {fname}, a {fkind}, helped {him}.",
                    "{Fname} the {fkind} helped {name}.",
                ],
            },
        ],
        lesson: "being brave is easier with a friend",
    },
    Plot {
        wishes: &["wants to {skill}", "learns to {skill}", "cannot {skill}", "practices {skilling}"],
        themes: &["{skilling}", "learning to {skill}", "not giving up", "learning something new"],
        beats: &[
            &[
                "More than anything, {name} wanted to learn to {skill}.",
                "{Name} had a dream. {He} wanted to {skill}.",
                "But {name} could not {skill}, and {he} wanted to learn it.",
            ],
            &[
                "One {weather} day, {he} went to {place} to try it.",
                "One {weather} day, {he} tried {skilling} {at}.",
                "So one {weather} morning, {name} went to {place} and tried.",
            ],
            &[
                "It was very hard, and {he} fell down. Some animals laughed.",
                "{He} tried again and again, but it did not work.",
                "At first, everything went wrong, and {name} wanted to give up.",
            ],
            &[
                "Then a {ftrait} {fkind} named {fname} came. \"I can teach you,\" said {fname}.",
                "A {fkind} named {fname} saw {him}. \"Do not give up,\" said {fname}. \"I will show you.\"",
                "{Fname}, a {ftrait} {fkind}, knew all about {skilling}. \"Let me help you,\" {fhe} said.",
            ],
            &[
                "They practiced every day.",
                "Day after day, {fname} and {name} practiced together.",
                "{Name} listened well and practiced a lot.",
            ],
            &[
                "And one day, {name} could {skill}!",
                "At last it worked. {Name} could {skill} all by {self}!",
                "Soon {name} could {skill} better than anyone.",
            ],
            &[
                "{He} was very {feel}, and everyone clapped.",
                "\"I knew you could do it,\" said {fname}. {Name} felt very {feel}.",
                "{Name} was very {feel} and thanked {fname}.",
            ],
        ],
        questions: &[
            Question {
                ask: &[
                    "What did {name} want to learn?",
                    "What did {he} learn?",
                    "What did {name} want to do?",
                ],
                answer: &["{Name} wanted to learn to {skill}.", "{He} learned to {skill}."],
            },
            Question {
                ask: &["Who taught {name}?", "Who helped {name}?", "Who helped the {kind}?"],
                answer: &["A {fkind} named {fname} taught {him}.", "{Fname} the {fkind} helped {name}."],
            },
            Question {
                ask: &["Could {name} {skill} in the end?", "Did {name} learn to {skill}?"],
                answer: &["Yes, in the end {name} could {skill}.", "Yes, {he} learned to {skill}."],
            },
        ],
        lesson: "practice makes everything easier",
    },
    Plot {
        wishes: &["runs a race", "wins a race", "wants to win", "is in a race"],
        themes: &["a race", "winning", "a contest", "running a race"],
        beats: &[
            &[
                "One {weather} day, there was a big race {at}.",
                "One {weather} morning, everyone came to {place} to see a race.",
                "Every year there was a race {at}. This year it was a {weather} day.",
            ],
            &[
                "\"I will win,\" said {fname}, a fast {fkind}. \"You are too slow, {name}.\"",
                "A {fkind} named {fname} laughed at {name}. \"You can never win,\" {fhe} said.",
                "The fastest of all was {fname}, a {fkind}. Nobody thought that {name} could win.",
            ],
            &[
                "But {name} wanted to try. One, two, three, go!",
                "{Name} said nothing and went to the start.",
                "\"I will do my best,\" said {name}.",
            ],
            &[
                "{Fname} ran so fast that {fhe} fell over a stone and hurt {fhis} foot.",
                "In the middle of the race, {fname} fell and could not get up.",
                "Soon {fname} was far ahead. But then {fhe} fell into a hole.",
            ],
            &[
                "{Name} could have won, but {he} stopped to help {fname}.",
                "{Name} stopped and helped {fname} to stand up.",
                "\"Come, lean on me,\" said {name}, and {he} helped {fname}.",
            ],
            &[
                "They crossed the line together, and everyone cheered.",
                "Side by side, they came in last, but the crowd cheered for them.",
                "They finished the race together, and both of them got a {color} {thing}.",
            ],
            &[
                "{Name} was very {feel}. It was better than winning.",
                "\"You are the real winner,\" said {fname}. {Name} felt very {feel}.",
                "{Name} felt {feel}, for {he} had found a new friend.",
            ],
        ],
        questions: &[
            Question {
                ask: &["Who fell down?", "Who fell?", "Who did {name} help?", "Who needed help?"],
                answer: &["{Fname} the {fkind} fell, and {name} helped {fhim}.", "{Fname} fell in the race."],
            },
            Question {
                ask: &["Who won the race?", "Did {name} win the race?", "Who was first?"],
                answer: &[
                    "{Name} and {fname} finished the race together.",
                    "They crossed the line together.",
                ],
            },
            Question { ask: &["Where was the race?"], answer: &["The race was {at}."] },
        ],
        lesson: "helping is better than winning",
    },
    Plot {
        wishes: &["is in a storm", "builds a house", "needs a safe place", "gets wet in the rain"],
        themes: &["a storm", "a big storm", "the rain", "building a house"],
        beats: &[
            &[
                "One day, a big storm came, and the wind blew away {his} roof.",
                "One night, a storm came. The wind was so strong that it broke {his} home.",
                "One evening, dark clouds came. Rain fell, and water ran into {his} home.",
            ],
            &[
                "{Name} was cold and wet.",
                "{Name} had no place to sleep.",
                "\"What shall I do now?\" thought {name}.",
            ],
            &[
                "{He} ran to {place} to find a dry place.",
                "{He} went out into the rain and came to {place}.",
                "{He} looked for a safe place and came to {place}.",
            ],
            &[
                "There {he} met a {fkind} named {fname}. \"Come in, it is warm here,\" said {fname}.",
                "A {ftrait} {fkind} named {fname} opened the door. \"You can stay with me,\" {fhe} said.",
                "\"Come in quickly!\" called {fname}, a {ftrait} {fkind}.",
            ],
            &[
                "{Fname} gave {him} {food} and a warm bed.",
                "They sat by the fire and ate {food}.",
                "{Name} got {food} and a dry blanket.",
            ],
            &[
                "The next day, the sun came out. {Name} and {fname} built a new home together.",
                "In the morning, the storm was over, and {fname} helped to fix the roof.",
                "When the storm was gone, they worked together until the house was whole again.",
            ],
            &[
                "{Name} was very {feel} and thanked {fname}.",
                "{Name} looked at {his} new home and felt very {feel}.",
                "\"Now it is stronger than before,\" said {name}. {He} was very {feel}.",
            ],
        ],
        questions: &[
            Question {
                ask: &[
                    "Who helped {name}?",
                    "Who helped {him}?",
                    "Who opened the door?",
                    "Who did {name} meet?",
                ],
                answer: &["A {fkind} named {fname} helped {him}.", "{Fname} the {fkind} helped {name}."],
            },
            Question {
                ask: &[
                    "What happened to {his} home?",
                    "What did the storm do?",
                    "Why did {name} leave {his} home?",
                ],
                answer: &["A storm broke {name}'s home.", "The storm broke {his} home."],
            },
        ],
        lesson: "after every storm the sun comes out",
    },
    Plot {
        wishes: &["is too proud", "brags a lot", "thinks {he} is the best", "learns to be kind"],
        themes: &["being proud", "bragging", "being nice"],
        beats: &[
            &[
                "{Name} always told everyone, \"I am the best!\"",
                "{Name} thought that {he} was better than all the others.",
                "But {name} liked to brag. \"Nobody is as good as me,\" {he} said.",
            ],
            &[
                "One {weather} day, {he} laughed at {fname}, a little {fkind}.",
                "One {weather} day, {he} met a little {fkind} named {fname} {at} and made fun of {fhim}.",
                "One {weather} day, a little {fkind} named {fname} wanted to play. \"You are too small,\" said {name}.",
            ],
            &[
                "{Fname} was sad and went away.",
                "{Fname} said nothing and walked away slowly.",
                "{Fname} began to cry.",
            ],
            &[
                "Later, {name} dropped {his} {color} {thing} into a narrow hole and could not reach it.",
                "That afternoon, {his} {color} {thing} fell into a narrow hole. {Name} was too big to get it.",
                "Then {name} lost {his} {color} {thing} in a narrow hole and could not get it out.",
            ],
            &[
                "\"I can help you,\" said {fname}, who was small enough to climb in.",
                "Little {fname} came back, climbed into the hole and brought up the {thing}.",
                "Only {fname} was small enough. {Fhe} went in and came back with the {thing}.",
            ],
            &[
                "\"I am sorry that I laughed at you,\" said {name}. \"You are great.\"",
                "\"Thank you, and I am sorry,\" said {name}.",
                "{Name} was ashamed. \"I was not nice to you. I am sorry,\" {he} said.",
            ],
            &[
                "{Fname} smiled, and {name} felt very {feel}.",
                "They became friends, and {name} was very {feel}.",
                "From then on, {name} was kind to everyone, and {he} was very {feel}.",
            ],
        ],
        questions: &[
            Question {
                ask: &["Who helped {name}?", "Who got the {thing}?", "Who climbed into the hole?"],
                answer: &[
                    "Little {fname} the {fkind} helped {name}.",
                    "{Fname} got the {thing} out of the hole.",
                ],
            },
            Question {
                ask: &["What fell into the hole?", "What did {name} drop?", "What did {name} lose?"],
                answer: &["{Name}'s {color} {thing} fell into the hole.", "It was {his} {color} {thing}."],
            },
        ],
        lesson: "everyone is good at something",
    },
];
