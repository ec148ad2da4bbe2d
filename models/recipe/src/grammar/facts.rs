//! What the model knows about its little world.

use super::fill::{fill, plural};
use crate::random::Random;

#[rustfmt::skip]
const SOUNDS: &[(&str, &str)] = &[
    ("dog", "woof"), ("cat", "meow"), ("cow", "moo"), ("sheep", "baa"), ("pig", "oink"), ("duck", "quack"),
    ("horse", "neigh"), ("bird", "tweet"), ("mouse", "squeak"), ("owl", "hoo"), ("lion", "roar"),
    ("bee", "buzz"), ("frog", "ribbit"), ("snake", "hiss"), ("rooster", "cock-a-doodle-doo"),
    ("hen", "cluck"), ("wolf", "howl"), ("donkey", "hee-haw"), ("goose", "honk"), ("crow", "caw"),
];

#[rustfmt::skip]
const BABIES: &[(&str, &str)] = &[
    ("dog", "puppy"), ("cat", "kitten"), ("cow", "calf"), ("sheep", "lamb"), ("hen", "chick"),
    ("duck", "duckling"), ("horse", "foal"), ("bear", "cub"), ("lion", "cub"), ("goat", "kid"),
    ("pig", "piglet"), ("deer", "fawn"),
];

#[rustfmt::skip]
const FOODS: &[(&str, &str)] = &[
    ("rabbit", "carrots and grass"), ("cow", "grass"), ("horse", "grass and hay"), ("monkey", "bananas"),
    ("mouse", "cheese and seeds"), ("squirrel", "nuts"), ("bear", "berries and honey"), ("panda", "bamboo"),
    ("cat", "fish and mice"), ("dog", "meat and bones"), ("bird", "seeds and worms"), ("frog", "flies"),
    ("sheep", "grass"), ("lion", "meat"), ("koala", "leaves"), ("bee", "honey"), ("otter", "fish"),
];

#[rustfmt::skip]
const HOMES: &[(&str, &str)] = &[
    ("fish", "in the water"), ("bird", "in a nest"), ("bee", "in a hive"), ("bear", "in a cave"),
    ("rabbit", "in a burrow"), ("lion", "in the grassland"), ("whale", "in the sea"),
    ("camel", "in the desert"), ("frog", "near a pond"), ("owl", "in a tree"), ("dog", "with people"),
    ("ant", "in an anthill"), ("monkey", "in the trees"), ("shark", "in the sea"), ("horse", "in a stable"),
    ("cow", "on a farm"), ("pig", "on a farm"), ("fox", "in a den"), ("spider", "in a web"),
    ("squirrel", "in a tree"),
];

#[rustfmt::skip]
const LEGS: &[(&str, &str)] = &[
    ("dog", "four"), ("cat", "four"), ("bird", "two"), ("spider", "eight"), ("ant", "six"), ("horse", "four"),
    ("bee", "six"), ("cow", "four"), ("duck", "two"), ("snake", "no"), ("fish", "no"), ("hen", "two"),
    ("octopus", "eight"), ("mouse", "four"), ("elephant", "four"), ("butterfly", "six"),
];

#[rustfmt::skip]
const COLORS: &[(&str, &str)] = &[
    ("the sky", "blue"), ("grass", "green"), ("snow", "white"), ("the sun", "yellow"),
    ("a strawberry", "red"), ("a banana", "yellow"), ("a carrot", "orange"), ("the night", "dark"),
    ("a cloud", "white"), ("a frog", "green"), ("a crow", "black"), ("a tomato", "red"), ("milk", "white"),
    ("a lemon", "yellow"), ("the sea", "blue"), ("a leaf", "green"), ("a rose", "red"), ("gold", "yellow"),
    ("a fox", "red"), ("an elephant", "gray"),
];

#[rustfmt::skip]
const KINDS: &[(&str, &str)] = &[
    ("dog", "an animal that barks and likes people"), ("cat", "a soft animal that says meow"),
    ("fox", "a clever animal with a long red tail"), ("whale", "a very big animal that lives in the sea"),
    ("bird", "an animal with wings and feathers"), ("elephant", "a very big animal with a long trunk"),
    ("owl", "a bird that is awake at night"), ("bee", "a small insect that makes honey"),
    ("king", "a man who rules a land"), ("queen", "a woman who rules a land"),
    ("baker", "somebody who bakes bread"), ("farmer", "somebody who grows food"), ("ball", "a round toy"),
    ("kite", "a toy that flies in the wind"), ("boat", "a thing that swims on the water"),
    ("dragon", "a big animal from fairy tales that can fly"), ("friend", "somebody you like and trust"),
    ("story", "a tale about somebody and what happened"), ("horse", "a big animal that people can ride"),
    ("mouse", "a very small animal with a long tail"), ("rabbit", "a soft animal with long ears"),
    ("lion", "a big wild cat"), ("tree", "a very tall plant"),
];

#[rustfmt::skip]
const SIZES: &[(&str, &str)] = &[
    ("an elephant", "a mouse"), ("a whale", "a fish"), ("a horse", "a dog"), ("a bear", "a rabbit"),
    ("a house", "a chair"), ("a tree", "a flower"), ("a lion", "a cat"), ("a mountain", "a stone"),
    ("a cow", "a hen"), ("the sun", "the moon"), ("a dog", "an ant"), ("a giant", "an elf"),
];

const OTHERS: &[(&str, &str)] = &[
    ("What do bees make?", "Bees make honey."),
    ("What does a cow give?", "A cow gives milk."),
    ("What does a hen lay?", "A hen lays eggs."),
    ("Can a fish fly?", "No, a fish cannot fly. It swims."),
    ("Can a bird fly?", "Yes, most birds can fly."),
    ("Can a dog fly?", "No, a dog cannot fly. It runs."),
    ("Can a fish swim?", "Yes, a fish can swim very well."),
    ("Can a cat climb?", "Yes, a cat can climb trees."),
    ("When does the sun shine?", "The sun shines during the day."),
    ("When do we sleep?", "We sleep at night."),
    ("Is ice cold?", "Yes, ice is very cold."),
    ("Is fire hot?", "Yes, fire is very hot."),
    ("Is the sun hot?", "Yes, the sun is very hot."),
    ("What falls from the clouds?", "Rain falls from the clouds."),
    ("What do you wear on your head?", "You wear a hat on your head."),
    ("What do you wear on your feet?", "You wear shoes on your feet."),
    ("What comes after the night?", "After the night comes the day."),
    ("What comes after winter?", "After winter comes spring."),
    ("What do we use to see?", "We use our eyes to see."),
    ("What do we use to hear?", "We use our ears to hear."),
];

/// Asks about the little world, and answers.
pub(super) fn fact(random: &mut Random) -> (String, String) {
    let (asks, answer, pairs): (&[&str], &str, &[(&str, &str)]) = match random.below(9) {
        0 => (
            &["What does a {a} say?", "What sound does a {a} make?", "What noise does a {a} make?"],
            "A {a} says {b}.",
            SOUNDS,
        ),
        1 => (
            &["What is a baby {a} called?", "What do you call a baby {a}?"],
            "A baby {a} is called a {b}.",
            BABIES,
        ),
        2 => (
            &["What does a {a} eat?", "What do {as} eat?", "What does a {a} like to eat?"],
            "A {a} eats {b}.",
            FOODS,
        ),
        3 => (&["Where does a {a} live?", "Where do {as} live?"], "A {a} lives {b}.", HOMES),
        4 => {
            (&["How many legs does a {a} have?", "How many legs do {as} have?"], "A {a} has {b} legs.", LEGS)
        }
        5 => (
            &["What color is {a}?", "Which color is {a}?", "What is the color of {a}?"],
            "{A} is {b}.",
            COLORS,
        ),
        6 => (
            &["What is a {a}?", "Do you know what a {a} is?", "Explain what a {a} is."],
            "A {a} is {b}.",
            KINDS,
        ),
        7 => (
            &["What is bigger, {a} or {b}?", "What is bigger, {b} or {a}?", "Is {a} bigger than {b}?"],
            "{A} is bigger than {b}.",
            SIZES,
        ),
        _ => {
            let (ask, answer) = random.pick(OTHERS);
            return ((*ask).to_owned(), (*answer).to_owned());
        }
    };
    let (a, b) = random.pick(pairs);
    let many = plural(a);
    let value = |slot: &str| match slot {
        "a" => a,
        "b" => b,
        _ => many.as_str(),
    };
    (fill(random.pick(asks), value), fill(answer, value))
}
