//! Plots about finding, helping and keeping friends.

use super::{Plot, Question};

pub(super) const PLOTS: &[Plot] = &[
    Plot {
        wishes: &["wants a friend", "makes a new friend", "feels lonely", "has no friends"],
        themes: &["friendship", "making friends", "a new friend", "best friends"],
        beats: &[
            &[
                "But {he} had no friends, and {he} felt lonely.",
                "{Name} had everything but a friend.",
                "There was only one problem. {Name} had nobody to play with.",
            ],
            &[
                "One {weather} day, {he} went to {place}.",
                "One {weather} morning, {name} walked to {place}.",
                "So one {weather} day, {name} went to {place} to look for a friend.",
            ],
            &[
                "There {he} saw a {fkind} who sat all alone.",
                "A {fkind} was there too, sitting alone {spot}.",
                "There {he} met a {ftrait} {fkind}.",
            ],
            &[
                "\"Hello, my name is {name},\" said {name}. \"I am {fname},\" said the {fkind}.",
                "\"What is your name?\" asked {name}. \"My name is {fname},\" said the {fkind}.",
                "\"Hi! I am {fname},\" said the {fkind}. \"Do you want to play with me?\"",
            ],
            &[
                "They played together until the sun went down.",
                "{Name} and {fname} played all day long.",
                "They shared {food} and talked for hours.",
                "Soon they laughed and ran and played games.",
            ],
            &[
                "{Name} felt very {feel}. Now {he} had a friend.",
                "Now {name} was not alone anymore, and {he} was very {feel}.",
                "In the end, {name} was {feel}, because {he} had found a true friend.",
            ],
        ],
        questions: &[Question {
            ask: &["Who did {name} meet?", "Whom did {he} meet?", "Who became {his} friend?"],
            answer: &["{Name} met a {fkind} named {fname}.", "{He} met {fname}, a {fkind}."],
        }],
        lesson: "a friend can be found anywhere",
    },
    Plot {
        wishes: &["shares {his} food", "helps a hungry friend", "learns to share", "is kind to a {fkind}"],
        themes: &["sharing", "kindness", "being kind", "a hungry friend"],
        beats: &[
            &[
                "One {weather} day, {name} had {food} for lunch.",
                "One {weather} day, {name} took {food} and went to {place}.",
                "One {weather} day, {he} sat down {at} to eat {food}.",
            ],
            &[
                "Just then, a {fkind} named {fname} came by.",
                "Then {he} saw a {fkind} named {fname}, who looked very thin.",
                "A {fkind} named {fname} looked at the food with big eyes.",
            ],
            &[
                "\"I am so hungry,\" said {fname}. \"I have not eaten all day.\"",
                "\"That smells good,\" said {fname}. \"I have nothing to eat.\"",
                "{Fname} was hungry, but {fhe} had no food.",
            ],
            &[
                "{Name} thought for a moment. Then {he} gave half of the food to {fname}.",
                "\"You can have some of mine,\" said {name}, and {he} shared the food with {fname}.",
                "At first, {name} did not want to share. But {he} felt sorry for {fname} and gave {fhim} half.",
            ],
            &[
                "\"Thank you! You are so kind,\" said {fname}.",
                "{Fname} smiled. \"Thank you, {name}!\" {fhe} said.",
                "The next day, {fname} came back with a gift. It was a {color} {thing}.",
            ],
            &[
                "{Name} felt very {feel}, and the two became good friends.",
                "It made {name} very {feel} to help a friend.",
                "They ate together, and {name} was very {feel}.",
            ],
        ],
        questions: &[
            Question {
                ask: &["Who was hungry?", "Who had no food?", "Who got the food?"],
                answer: &[
                    "{Fname} was hungry, and {name} shared with {fhim}.",
                    "{Fname} the {fkind} was hungry.",
                ],
            },
            Question {
                ask: &["What did {name} share?", "What did {he} share?", "What did {he} give away?"],
                answer: &["{Name} shared {food}.", "{He} shared {food} with {fname}."],
            },
        ],
        lesson: "food tastes better when it is shared",
    },
    Plot {
        wishes: &["saves a friend", "helps a friend", "saves a {fkind}", "is a hero", "hears a cry for help"],
        themes: &["helping", "a hero", "a rescue", "helping others"],
        beats: &[
            &[
                "One {weather} day, {name} heard a cry for help.",
                "One {weather} day, {he} walked to {place} and heard a voice. \"Help! Help!\"",
                "One {weather} morning, {name} was {at} when somebody called for help.",
            ],
            &[
                "A {fkind} named {fname} had fallen into a deep hole.",
                "It was {fname} the {fkind}, who was stuck in the mud.",
                "A {fkind} named {fname} was stuck high up in a tree.",
                "It was a {fkind} named {fname}, who was caught in a net.",
            ],
            &[
                "\"Please help me!\" cried {fname}. \"I cannot get out!\"",
                "{Fname} was very scared and could not move.",
                "\"Do not worry,\" said {name}. \"I will help you.\"",
            ],
            &[
                "{Name} found a long rope and pulled as hard as {he} could.",
                "{Name} ran to get a rope. Then {he} pulled and pulled.",
                "{Name} did not wait. {He} took a strong rope and pulled {fname} out.",
            ],
            &[
                "At last, {fname} was free.",
                "Soon {fname} was safe again.",
                "Little by little, {fname} came free.",
            ],
            &[
                "\"You saved me!\" said {fname}. {Name} felt {feel}.",
                "\"Thank you, {name}! You are a hero,\" said {fname}. {Name} was very {feel}.",
                "{Fname} hugged {name}, and {name} was very {feel}.",
            ],
        ],
        questions: &[
            Question {
                ask: &[
                    "Who did {name} save?",
                    "Who did {he} help?",
                    "Who needed help?",
                    "Who called for help?",
                ],
                answer: &["{Name} helped {fname}, the {fkind}.", "{He} saved {fname}."],
            },
            Question {
                ask: &["What did {name} use to help?", "How did {name} help {fname}?", "How did {he} help?"],
                answer: &["{Name} used a rope to pull {fname} out.", "{He} pulled {fname} out with a rope."],
            },
        ],
        lesson: "even a small hero can do great things",
    },
    Plot {
        wishes: &["gives a gift", "plans a surprise", "has a birthday", "makes a present for a friend"],
        themes: &["a birthday", "a surprise", "a gift", "a present", "a party"],
        beats: &[
            &[
                "Tomorrow was the birthday of {fname} the {fkind}, {his} best friend.",
                "{His} best friend was a {fkind} named {fname}, and it was {fname}'s birthday.",
                "One {weather} day, {his} friend {fname} the {fkind} had a birthday.",
            ],
            &[
                "{Name} wanted to give {fhim} something special, but {he} had no money.",
                "\"What can I give to {fname}?\" thought {name}.",
                "{Name} did not know what to give {fhim}.",
            ],
            &[
                "So {he} went to {place} and looked around.",
                "{He} walked to {place} to think.",
                "{He} looked for a gift {at}.",
            ],
            &[
                "There {he} found an old {thing}. {He} cleaned it and painted it {color}.",
                "Then {he} had an idea. {He} made a {color} {thing} with {his} own hands.",
                "All night long, {he} worked on a {color} {thing}.",
            ],
            &[
                "When {fname} saw the {thing}, {fhe} jumped for joy.",
                "\"A {thing}! It is beautiful,\" said {fname}.",
                "{Fname} opened the box and saw the {thing}. \"I love it!\" {fhe} said.",
            ],
            &[
                "{Name} was very {feel}. They ate cake and sang songs.",
                "{Name} felt very {feel}, because {his} friend was happy.",
                "They danced at the party, and {name} was very {feel}.",
            ],
        ],
        questions: &[
            Question {
                ask: &[
                    "What was the gift?",
                    "What did {name} give to {fname}?",
                    "What did {he} give {fhim}?",
                ],
                answer: &["{Name} gave {fname} a {color} {thing}.", "The gift was a {color} {thing}."],
            },
            Question {
                ask: &["Whose birthday was it?", "Who had a birthday?", "Who got the {thing}?"],
                answer: &["It was {fname}'s birthday.", "{Fname} had a birthday and got a {thing}."],
            },
        ],
        lesson: "the best gifts come from the heart",
    },
    Plot {
        wishes: &["breaks something", "tells the truth", "makes a mistake", "is sorry"],
        themes: &["telling the truth", "honesty", "saying sorry", "a mistake"],
        beats: &[
            &[
                "{His} friend {fname}, a {fkind}, had a {color} {thing}.",
                "One {weather} day, {name} visited {his} friend {fname}, a {fkind} who had a {color} {thing}.",
                "{Fname} the {fkind} was {his} friend and owned a {color} {thing}.",
            ],
            &[
                "{Name} wanted to hold the {thing}, but it fell down and broke.",
                "{Name} picked up the {thing}. Oh no! It fell and broke.",
                "While {fname} was away, {name} played with the {thing} and broke it.",
            ],
            &[
                "{Name} was scared. {He} hid the {thing} {spot}.",
                "{He} wanted to run away and hide {spot}.",
                "{He} felt bad and did not know what to do.",
            ],
            &[
                "\"Where is my {thing}?\" asked {fname}.",
                "Soon {fname} came and looked for the {thing}.",
                "\"Have you seen my {thing}?\" asked {fname}.",
            ],
            &[
                "{Name} told the truth. \"I broke it. I am very sorry,\" {he} said.",
                "\"I broke your {thing}, and I am sorry,\" said {name}.",
                "{Name} took a deep breath. \"It was me. I am sorry,\" {he} said.",
            ],
            &[
                "{Fname} was not angry. \"Thank you for telling me,\" {fhe} said. They fixed it together.",
                "\"We can fix it together,\" said {fname}, and so they did.",
                "{Fname} thought for a while. Then {fhe} smiled, and together they made the {thing} whole again.",
            ],
            &[
                "{Name} felt very {feel}, because {he} had told the truth.",
                "After that, {name} was very {feel}.",
                "{Name} was {feel} that {fname} was still {his} friend.",
            ],
        ],
        questions: &[
            Question {
                ask: &[
                    "What did {name} break?",
                    "What did {he} break?",
                    "What fell down?",
                    "What was broken?",
                ],
                answer: &["{Name} broke {fname}'s {thing}.", "{He} broke the {color} {thing}."],
            },
            Question {
                ask: &["Was {fname} angry?", "Was {fname} mad?"],
                answer: &["No, {fname} was not angry. They fixed the {thing} together."],
            },
        ],
        lesson: "it is always better to tell the truth",
    },
    Plot {
        wishes: &["has a sick friend", "makes soup", "takes care of a friend", "visits a friend"],
        themes: &["a sick friend", "taking care of others", "caring"],
        beats: &[
            &[
                "One {weather} day, {name} went to see {his} friend {fname}, a {ftrait} {fkind}.",
                "One {weather} day, {he} wanted to play with {fname}, the {fkind} next door.",
                "{Name} had a friend, a {fkind} named {fname}. One {weather} day, {he} went to visit {fhim}.",
            ],
            &[
                "But {fname} was in bed and felt sick.",
                "But {fname} did not come out. {Fhe} was sick in bed.",
                "{Fname} was sick and could not play.",
            ],
            &[
                "\"I will take care of you,\" said {name}.",
                "\"You poor thing,\" said {name}. \"I will make you feel better.\"",
                "{Name} wanted to help.",
            ],
            &[
                "{He} cooked a hot soup and brought a warm blanket.",
                "{He} made some warm soup and told {fname} a funny story.",
                "{He} gave {fhim} hot soup and opened the window for fresh air.",
            ],
            &[
                "{Fname} ate the soup and slept for a long time.",
                "Slowly, {fname} began to feel better.",
                "After a few days, {fname} was well again.",
            ],
            &[
                "Soon they could play again, and {name} was very {feel}.",
                "\"You are the best friend of all,\" said {fname}. {Name} felt very {feel}.",
                "{Name} was {feel} to see {fname} smile again.",
            ],
        ],
        questions: &[
            Question {
                ask: &["Who was sick?", "Who did {name} take care of?", "Who did {name} visit?"],
                answer: &[
                    "{Fname} the {fkind} was sick.",
                    "{Fname} was sick, and {name} took care of {fhim}.",
                ],
            },
            Question {
                ask: &["What did {name} cook?", "What did {he} make for {fname}?", "What did {fname} eat?"],
                answer: &["{Name} made hot soup for {fname}.", "{He} made some soup."],
            },
        ],
        lesson: "friends take care of each other",
    },
];
