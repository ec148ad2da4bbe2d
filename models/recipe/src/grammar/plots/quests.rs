//! Plots about looking for something and going somewhere.

use super::{Plot, Question};

pub(super) const PLOTS: &[Plot] = &[
    Plot {
        wishes: &["loses {his} {thing}", "lost a {thing}", "lost something", "is looking for a {thing}"],
        themes: &["a lost {thing}", "losing something", "finding a {thing}"],
        beats: &[
            &[
                "{Name} had a {color} {thing} that {he} loved very much.",
                "The thing {he} loved most was a {color} {thing}.",
                "{He} had a {color} {thing} and took it everywhere.",
            ],
            &[
                "One {weather} day, {he} went to {place} and lost the {thing}.",
                "One {weather} morning, {name} went to {place}. When {he} came home, the {thing} was gone.",
                "One {weather} day, after a walk to {place}, {name} could not find the {thing}.",
            ],
            &[
                "{Name} looked everywhere, but {he} could not find it. {He} felt very sad.",
                "\"Where is my {thing}?\" cried {name}. {He} looked here and there.",
                "{Name} was so sad that {he} began to cry.",
            ],
            &[
                "Then {he} met a {ftrait} {fkind} named {fname}. \"Why are you sad?\" asked {fname}.",
                "A {fkind} named {fname} saw {him}. \"What is wrong?\" asked {fname}.",
                "Just then, a {ftrait} {fkind} named {fname} came along and asked, \"Can I help you?\"",
            ],
            &["\"I lost my {thing},\" said {name}.", "\"My {thing} is gone,\" said {name}."],
            &[
                "{Fname} helped {him} look. They found the {thing} {spot}!",
                "Together they looked again, and there it was! The {thing} was {spot}.",
                "\"I think I saw it,\" said {fname}. And yes, the {thing} was {spot}!",
            ],
            &[
                "{Name} was very {feel} and thanked {fname}.",
                "{Name} felt so {feel} that {he} hugged {fname}.",
                "\"Thank you, {fname}!\" said {name}. {He} was very {feel}.",
            ],
        ],
        questions: &[
            Question {
                ask: &[
                    "What did {name} lose?",
                    "What did {he} lose?",
                    "What did the {kind} lose?",
                    "What was gone?",
                ],
                answer: &["{Name} lost {his} {color} {thing}.", "{He} lost {his} {thing}."],
            },
            Question {
                ask: &[
                    "Where was the {thing}?",
                    "Where did they find it?",
                    "Where did {name} find the {thing}?",
                ],
                answer: &["The {thing} was {spot}.", "They found the {thing} {spot}."],
            },
            Question {
                ask: &["Who helped {name}?", "Who helped {him}?", "Who helped the {kind}?"],
                answer: &["A {fkind} named {fname} helped {him}.", "{Fname} the {fkind} helped {name}."],
            },
            Question {
                ask: &["What color was the {thing}?", "What color is the {thing}?"],
                answer: &["The {thing} was {color}.", "It was {color}."],
            },
        ],
        lesson: "friends can help when something is lost",
    },
    Plot {
        wishes: &["is lost", "gets lost", "cannot find the way home", "wants to go home"],
        themes: &["getting lost", "finding the way home", "being lost", "coming home"],
        beats: &[
            &[
                "One {weather} day, {name} went for a walk to {place}.",
                "One {weather} morning, {he} went to {place} all alone.",
                "One {weather} day, {name} walked and walked until {he} came to {place}.",
            ],
            &[
                "{He} walked too far and got lost.",
                "Soon {he} did not know where {he} was. {Name} was lost.",
                "When {he} wanted to go home, {he} could not find the way. {He} was lost.",
            ],
            &[
                "It got dark, and {name} was afraid.",
                "{Name} sat down {spot} and cried.",
                "\"How will I get home?\" thought {name}.",
            ],
            &[
                "Then a {ftrait} {fkind} named {fname} came along. \"Are you lost?\" asked {fname}.",
                "A {fkind} named {fname} heard {him} and came closer. \"Do not be afraid,\" {fhe} said.",
                "Just then, {he} saw a light. It was {fname}, a {ftrait} {fkind}.",
            ],
            &[
                "\"I want to go home,\" said {name}. \"I know the way,\" said {fname}.",
                "\"I cannot find my home,\" said {name}. \"Follow me,\" said {fname}.",
            ],
            &[
                "They walked together under the stars until they saw {name}'s home.",
                "{Fname} showed {him} the path, and soon they were there.",
                "Hand in hand, they followed the path all the way home.",
            ],
            &[
                "{Name} was very {feel} to be home again.",
                "At home, {name} felt safe and very {feel}.",
                "\"Thank you, {fname}!\" said {name}. {He} was very {feel}.",
            ],
        ],
        questions: &[
            Question {
                ask: &["Who helped {name}?", "Who showed {him} the way?", "Who helped the {kind}?"],
                answer: &[
                    "A {fkind} named {fname} helped {him}.",
                    "{Fname} the {fkind} showed {name} the way.",
                ],
            },
            Question {
                ask: &["Where did {name} get lost?", "Where did {he} get lost?", "Where was {he} lost?"],
                answer: &["{Name} got lost on the way to {place}.", "{He} went to {place} and got lost."],
            },
            Question {
                ask: &["Did {name} get home?", "Did {he} find the way home?", "Did the {kind} come home?"],
                answer: &["Yes, {fname} helped {name} to get home.", "Yes, {name} came home with {fname}."],
            },
        ],
        lesson: "it is good to ask for help",
    },
    Plot {
        wishes: &["finds a treasure", "finds a map", "goes on an adventure", "looks for a treasure"],
        themes: &["a treasure", "an adventure", "a treasure map", "a big adventure"],
        beats: &[
            &[
                "One {weather} day, {name} found an old map {spot}.",
                "One {weather} morning, {he} saw something {spot}. It was an old map.",
                "One {weather} day, {name} found an old map in a bottle.",
            ],
            &[
                "It showed the way to a treasure in a place near {place}.",
                "The map showed a big red cross near {place}.",
                "\"This is a treasure map!\" said {name}. It led to {place}.",
            ],
            &[
                "{He} asked {his} friend {fname}, a {fkind}, to come along.",
                "{Name} showed the map to {fname}, a {ftrait} {fkind}. \"Let us go!\" said {fname}.",
                "A {fkind} named {fname} wanted to come too.",
            ],
            &[
                "They walked for a long time and crossed a deep river.",
                "They climbed over rocks and went through a dark tunnel.",
                "The way was long, but they sang songs and did not give up.",
            ],
            &[
                "At last they began to dig. Soon they found a {color} box.",
                "At the end of the way stood a {color} box.",
                "They dug and dug until they hit something hard. It was a {color} box!",
            ],
            &[
                "The box was full of {treasure}.",
                "Inside they found many {treasure}.",
                "When they opened it, they saw {treasure}.",
            ],
            &[
                "They shared the treasure, and {name} was very {feel}.",
                "{Name} felt {feel}. \"The best part was to go with you,\" {he} told {fname}.",
                "They took it home and gave some to everyone. {Name} was very {feel}.",
            ],
        ],
        questions: &[
            Question {
                ask: &["What was in the box?", "What was the treasure?", "What did they find?"],
                answer: &["The box was full of {treasure}.", "They found {treasure} in the box."],
            },
            Question {
                ask: &["Who went with {name}?", "Who came along?", "Who helped {name}?"],
                answer: &["{Fname} the {fkind} went with {name}.", "A {fkind} named {fname} came along."],
            },
            Question {
                ask: &["What color was the box?", "What did the box look like?"],
                answer: &["The box was {color}.", "It was a {color} box."],
            },
        ],
        lesson: "a good friend is the best treasure",
    },
    Plot {
        wishes: &[
            "goes on a trip",
            "wants to see the world",
            "goes to {place}",
            "visits {place}",
            "travels far",
        ],
        themes: &["a trip to {place}", "{place}", "a long trip", "a journey"],
        beats: &[
            &[
                "{Name} had never been to {place}.",
                "{His} dream was to see {place}.",
                "Every night, {name} dreamed of {place}.",
            ],
            &[
                "One {weather} morning, {he} packed {food} and a {thing} and left home.",
                "One {weather} day, {he} put a {thing} and {food} in a bag and started to walk.",
                "So one {weather} day, {name} took {his} {color} {thing} and went off.",
            ],
            &[
                "On the way, {he} met a {fkind} named {fname}. \"May I come with you?\" asked {fname}.",
                "Soon a {fkind} named {fname} joined {him}.",
                "After a while, a {ftrait} {fkind} named {fname} asked, \"Where are you going?\"",
            ],
            &[
                "Together they went over hills and through fields.",
                "They walked side by side and told each other stories.",
                "The road was long, but {name} and {fname} had fun together.",
            ],
            &[
                "At last they came to {place}. It was even more beautiful than in {his} dreams.",
                "Then they saw it. {Name} was finally {at}!",
                "In the evening, they were {at}. They sat down and looked around for a long time.",
            ],
            &[
                "{Name} felt very {feel}.",
                "{Name} was very {feel} that {he} had come so far.",
                "\"What a wonderful day,\" said {name}. {He} was very {feel}.",
            ],
        ],
        questions: &[
            Question {
                ask: &["Who went with {name}?", "Who did {name} meet on the way?", "Who joined {him}?"],
                answer: &["A {fkind} named {fname} went with {him}.", "{He} met {fname}, a {fkind}."],
            },
            Question {
                ask: &["What did {name} take along?", "What did {he} pack?", "What did {he} bring?"],
                answer: &["{Name} took a {thing} along.", "{He} took a {thing}."],
            },
        ],
        lesson: "the world is big and full of friends",
    },
    Plot {
        wishes: &["plants a seed", "grows a plant", "has a garden", "waits for a flower"],
        themes: &["a garden", "a seed", "planting a seed", "waiting", "being patient"],
        beats: &[
            &[
                "One {weather} day, {name} found a tiny seed {at}.",
                "One {weather} day, a {fkind} named {fname} gave {him} a tiny seed.",
                "One {weather} morning, {name} saw a tiny seed {spot}.",
            ],
            &[
                "{He} put it in the ground and gave it water.",
                "{He} dug a small hole and planted the seed.",
                "{Name} planted it next to {his} home.",
            ],
            &[
                "Every day {he} looked, but nothing happened.",
                "{He} waited and waited, but nothing came up.",
                "Days went by, and {name} saw only brown earth.",
            ],
            &[
                "\"You must be patient,\" said {his} friend {fname} the {fkind}.",
                "\"Good things take time,\" said {fname}, an old {fkind}.",
                "{His} friend {fname}, a {ftrait} {fkind}, said, \"Do not give up.\"",
            ],
            &[
                "So {name} gave it water every morning and sang to it.",
                "So {name} took good care of it and did not give up.",
                "{Name} listened to {fname} and gave the seed more water.",
            ],
            &[
                "Then one day, a {plant} stood there!",
                "At last, a green leaf came up. It grew and grew into a {plant}.",
                "After many days, the seed became a {plant}.",
            ],
            &[
                "{Name} was very {feel} and showed it to everyone.",
                "{Name} danced around it. {He} was very {feel}.",
                "All the friends came to see it, and {name} felt very {feel}.",
            ],
        ],
        questions: &[
            Question {
                ask: &["What did {name} plant?", "What did {he} put in the ground?", "What did {he} find?"],
                answer: &["{Name} planted a tiny seed.", "{He} planted a seed."],
            },
            Question {
                ask: &[
                    "What grew from the seed?",
                    "What did the seed become?",
                    "What came out of the ground?",
                ],
                answer: &["The seed became a {plant}.", "A {plant} grew from the seed."],
            },
            Question {
                ask: &["Who told {name} to be patient?", "Who helped {name}?", "Who gave {him} advice?"],
                answer: &["{Fname} the {fkind} did.", "It was {fname}, the {fkind}."],
            },
        ],
        lesson: "good things take time",
    },
];
