//! The words that fill the templates.

/// Animals, as heroes and as friends.
#[rustfmt::skip]
pub(super) const ANIMALS: &[&str] = &[
    "dog", "cat", "fox", "rabbit", "bear", "mouse", "bird", "owl", "frog", "duck", "horse", "cow", "pig",
    "sheep", "goat", "lion", "tiger", "elephant", "monkey", "wolf", "deer", "squirrel", "turtle", "snail",
    "bee", "butterfly", "ant", "spider", "fish", "whale", "dolphin", "crab", "octopus", "shark", "seal",
    "otter", "hen", "rooster", "chick", "goose", "swan", "parrot", "crow", "eagle", "robin", "puppy",
    "kitten", "bunny", "lamb", "pony", "donkey", "camel", "zebra", "kangaroo", "koala", "panda", "raccoon",
    "skunk", "badger", "mole", "bat", "hamster", "lizard", "snake", "crocodile", "hippo", "rhino", "moose",
    "worm", "cricket", "firefly", "peacock", "ostrich", "antelope", "iguana", "toad", "sparrow", "pigeon",
    "caterpillar", "starfish", "ape", "yak",
];

/// People and creatures of tales, with the pronoun that fits: `h`e, `s`he, or `e`ither.
#[rustfmt::skip]
pub(super) const PEOPLE: &[(&str, char)] = &[
    ("girl", 's'), ("boy", 'h'), ("princess", 's'), ("prince", 'h'), ("king", 'h'), ("queen", 's'),
    ("farmer", 'e'), ("baker", 'e'), ("sailor", 'e'), ("pirate", 'e'), ("knight", 'e'), ("wizard", 'h'),
    ("witch", 's'), ("fairy", 's'), ("giant", 'e'), ("dragon", 'e'), ("unicorn", 'e'), ("robot", 'e'),
    ("monster", 'e'), ("ghost", 'e'), ("elf", 'e'), ("dwarf", 'e'), ("troll", 'e'), ("teacher", 'e'),
    ("doctor", 'e'), ("painter", 'e'), ("singer", 'e'), ("dancer", 'e'), ("cook", 'e'), ("fisherman", 'h'),
    ("gardener", 'e'), ("shepherd", 'e'), ("astronaut", 'e'), ("inventor", 'e'), ("explorer", 'e'),
    ("clown", 'e'), ("old man", 'h'), ("old woman", 's'), ("grandmother", 's'), ("grandfather", 'h'),
    ("child", 'e'), ("twin", 'e'), ("dinosaur", 'e'), ("alien", 'e'), ("genie", 'e'), ("soldier", 'e'),
];

/// Things that can be owned, lost, found, broken and given; sometimes heroes themselves.
#[rustfmt::skip]
pub(super) const THINGS: &[&str] = &[
    "ball", "kite", "hat", "book", "drum", "doll", "boat", "bell", "lamp", "cup", "key", "ring", "coin",
    "shell", "stone", "feather", "scarf", "blanket", "basket", "box", "bag", "bucket", "toy car", "toy train",
    "balloon", "whistle", "flute", "guitar", "trumpet", "pencil", "paintbrush", "picture", "map", "mirror",
    "button", "ribbon", "necklace", "crown", "cape", "coat", "shoe", "boot", "sock", "mitten", "pillow",
    "chair", "clock", "candle", "lantern", "spoon", "bowl", "plate", "mug", "jar", "bottle", "sled", "bike",
    "scooter", "swing", "rope", "net", "wheel", "toy ship", "puppet", "puzzle", "marble", "music box",
    "ukulele", "envelope", "oar", "anchor",
];

/// Other nouns that may be asked for as heroes: they teach the model to take its subject from the request.
#[rustfmt::skip]
pub(super) const NOUNS: &[&str] = &[
    "tree", "flower", "cloud", "moon", "sun", "river", "mountain", "leaf", "seed", "mushroom", "snowflake",
    "raindrop", "rainbow", "wave", "island", "house", "castle", "tower", "bridge", "door", "window", "wall",
    "train", "car", "bus", "truck", "plane", "rocket", "ship", "airplane", "helicopter", "bicycle", "engine",
    "carrot", "potato", "tomato", "onion", "banana", "cherry", "lemon", "peach", "pear", "strawberry",
    "cookie", "cake", "pie", "pancake", "muffin", "cheese", "noodle", "pizza", "table", "bed", "sofa", "desk",
    "fork", "knife", "pot", "pan", "kettle", "oven", "broom", "mop", "towel", "brush", "comb", "soap",
    "sponge", "radio", "phone", "camera", "computer", "piano", "fiddle", "hammer", "nail", "saw", "ladder",
    "shovel", "rake", "wheelbarrow", "scarecrow", "snowball", "icicle", "pebble", "crystal", "diamond",
    "pearl", "statue", "fountain", "carousel", "tent", "backpack", "wallet", "glove", "sweater", "jacket",
    "dress", "shirt", "zipper", "needle", "thread", "quilt", "curtain", "carpet", "comet", "planet", "meteor",
    "satellite", "beetle", "moth", "dragonfly", "grasshopper", "jellyfish", "lobster", "shrimp", "salmon",
    "trout", "eel", "pelican", "seagull", "flamingo", "stork", "crane", "turkey", "falcon", "raven", "magpie",
    "woodpecker", "buffalo", "leopard", "cheetah", "panther", "gorilla", "chimpanzee", "sloth", "anteater",
    "armadillo", "porcupine", "weasel", "ferret", "chipmunk", "gopher", "reindeer", "llama", "alpaca",
    "poodle", "bulldog", "policeman", "firefighter", "nurse", "pilot", "captain", "mailman", "blacksmith",
    "carpenter", "tailor", "shoemaker", "miller", "hunter", "magician", "ninja", "superhero", "vampire",
    "zombie", "goblin", "gnome", "ogre", "phoenix", "griffin", "sandcastle", "treehouse", "windmill", "barn",
    "igloo", "sunflower", "rose", "tulip", "daisy", "oak", "willow", "vine", "berry", "walnut", "peanut",
    "popcorn", "bread", "toast",
];

/// Nouns that the training text never uses. Stories about them show whether the model copies its subject.
#[rustfmt::skip]
pub(crate) const HELD_OUT: &[&str] = &[
    "submarine", "teapot", "penguin", "hedgehog", "volcano", "pumpkin", "giraffe", "spaceship", "cactus",
    "lighthouse", "violin", "walrus", "sandwich", "tractor", "beaver", "ladybug", "wagon", "mermaid", "bagel",
    "telescope", "skateboard", "gazelle", "cupcake", "librarian", "toaster", "pelmet", "mango", "otterhound",
];

#[rustfmt::skip]
pub(super) const MALE_NAMES: &[&str] = &[
    "Max", "Tom", "Ben", "Leo", "Sam", "Jack", "Tim", "Finn", "Oscar", "Henry", "Charlie", "Toby", "Milo",
    "Felix", "Hugo", "Theo", "Otto", "Rex", "Rusty", "Bruno", "Oliver", "Peter", "Billy", "Jasper", "Barney",
    "George", "Harry", "Louis", "Noah", "Ollie", "Paul", "Ralph", "Simon", "Teddy", "Victor", "Walter",
    "Ziggy", "Alfie",
];

#[rustfmt::skip]
pub(super) const FEMALE_NAMES: &[&str] = &[
    "Lily", "Mia", "Anna", "Lucy", "Rosie", "Molly", "Bella", "Daisy", "Ruby", "Sophie", "Emma", "Ella",
    "Nora", "Ivy", "Clara", "Luna", "Poppy", "Tilly", "Zoe", "Ada", "Alice", "Betty", "Coco", "Dora", "Eva",
    "Fiona", "Gina", "Hazel", "Iris", "Jenny", "Kitty", "Lola", "Maya", "Nina", "Olive", "Penny", "Sally",
    "Willow",
];

pub(super) const TRAITS: &[&str] = &[
    "little", "small", "brave", "kind", "curious", "clever", "shy", "funny", "friendly", "gentle", "happy",
    "quiet", "young", "old", "tiny", "big", "playful", "lazy", "busy", "hungry", "lonely", "cheerful",
    "grumpy", "sleepy", "silly", "smart", "strong", "careful", "polite", "proud", "honest", "merry",
];

pub(super) const FRIEND_TRAITS: &[&str] = &[
    "kind", "wise", "friendly", "gentle", "clever", "cheerful", "old", "helpful", "funny", "patient", "calm",
];

pub(super) const COLORS: &[&str] = &[
    "red", "blue", "green", "yellow", "purple", "orange", "white", "black", "pink", "brown", "golden",
    "silver",
];

pub(super) const WEATHERS: &[&str] = &[
    "sunny", "rainy", "windy", "cold", "warm", "cloudy", "snowy", "foggy", "bright", "hot", "quiet", "cool",
];

/// Where to go, and how to say that one is there.
#[rustfmt::skip]
pub(super) const PLACES: &[(&str, &str)] = &[
    ("the park", "in the park"), ("the forest", "in the forest"), ("the beach", "at the beach"),
    ("the river", "by the river"), ("the lake", "by the lake"), ("the market", "at the market"),
    ("the meadow", "in the meadow"), ("the garden", "in the garden"), ("the school", "at the school"),
    ("the village", "in the village"), ("the farm", "on the farm"), ("the old mill", "at the old mill"),
    ("the big hill", "on the big hill"), ("the pond", "by the pond"), ("the playground", "on the playground"),
    ("the library", "in the library"), ("the harbor", "at the harbor"), ("the valley", "in the valley"),
    ("the desert", "in the desert"), ("the zoo", "at the zoo"), ("the fair", "at the fair"),
    ("the cave", "in the cave"), ("the train station", "at the train station"), ("the city", "in the city"),
];

#[rustfmt::skip]
pub(super) const HOMES: &[&str] = &[
    "a small house", "a green valley", "a quiet village", "a big forest", "a little cottage", "a busy town",
    "an old barn", "a warm nest", "a house by the sea", "a tall tower", "a cozy cave", "a hollow tree",
    "a farm on a hill", "a little blue house", "a sunny meadow", "a castle on a hill",
    "a house near the woods", "a far land", "a cabin by the lake", "a noisy city",
];

#[rustfmt::skip]
pub(super) const SPOTS: &[&str] = &[
    "under a bush", "behind a big rock", "under a bench", "in the tall grass", "inside a hollow log",
    "behind a door", "under a pile of leaves", "on a low branch", "next to an old well", "under a bridge",
    "behind the fence", "in a flower bed", "on top of a stone", "between two trees", "in a small hole",
];

#[rustfmt::skip]
pub(super) const FOODS: &[&str] = &[
    "an apple", "some bread", "a carrot", "some soup", "a cookie", "some berries", "a piece of cake",
    "some cheese", "a warm pie", "some nuts", "a pear", "some honey", "a bowl of rice", "some corn", "a plum",
    "a sweet bun", "some grapes", "a pancake",
];

pub(super) const FEELINGS: &[&str] =
    &["happy", "proud", "glad", "thankful", "joyful", "calm", "excited", "pleased", "cheerful", "delighted"];

#[rustfmt::skip]
pub(super) const HOBBIES: &[&str] = &[
    "sing", "dance", "run in the grass", "look at the stars", "collect stones", "tell jokes", "climb trees",
    "splash in puddles", "draw pictures", "play hide and seek", "watch the clouds", "make up songs",
    "jump over logs", "count the stars", "roll down hills", "listen to the wind", "smell the flowers",
    "build towers", "take long walks", "play in the sun",
];

/// What can be learned, and the same with `-ing`.
#[rustfmt::skip]
pub(super) const SKILLS: &[(&str, &str)] = &[
    ("swim", "swimming"), ("dance", "dancing"), ("sing", "singing"), ("paint", "painting"),
    ("read", "reading"), ("bake", "baking"), ("skate", "skating"), ("climb", "climbing"),
    ("juggle", "juggling"), ("fly", "flying"), ("cook", "cooking"), ("write", "writing"), ("fish", "fishing"),
    ("whistle", "whistling"), ("row", "rowing"), ("count", "counting"), ("jump", "jumping"),
    ("sew", "sewing"),
];

#[rustfmt::skip]
pub(super) const FEARS: &[&str] = &[
    "the dark", "thunder", "deep water", "high places", "loud noises", "the wind", "shadows", "strangers",
    "storms", "the night", "big waves", "being alone",
];

#[rustfmt::skip]
pub(super) const PLANTS: &[&str] = &[
    "blue flower", "tall bean", "sweet melon", "apple tree", "red rose", "yellow tulip", "big cabbage",
    "small oak tree", "plum tree", "white lily",
];

#[rustfmt::skip]
pub(super) const TREASURES: &[&str] = &[
    "gold coins", "shiny stones", "old books", "sweet candy", "colorful shells", "silver spoons", "letters",
    "tiny toys", "warm hats", "beautiful pictures",
];
