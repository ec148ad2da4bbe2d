//! Who and what a story is about.

use super::words::{
    ANIMALS, COLORS, FEARS, FEELINGS, FEMALE_NAMES, FOODS, FRIEND_TRAITS, HOBBIES, HOMES, MALE_NAMES, NOUNS,
    PEOPLE, PLACES, PLANTS, SKILLS, SPOTS, THINGS, TRAITS, TREASURES, WEATHERS,
};
use crate::random::Random;

/// Somebody with a name.
#[derive(Debug, Clone)]
pub(super) struct Character {
    /// What they are: "dog".
    pub(super) kind: String,
    /// Their name.
    pub(super) name: String,
    /// An adjective that fits.
    pub(super) nature: &'static str,
    female: bool,
}

/// Everything that the slots of one story's templates stand for.
#[derive(Debug, Clone)]
pub(super) struct Cast {
    /// Whom the story follows.
    pub(super) hero: Character,
    /// Whom the hero meets.
    pub(super) friend: Character,
    /// The object in the story.
    pub(super) thing: String,
    color: &'static str,
    home: &'static str,
    hobby: &'static str,
    weather: &'static str,
    place: (&'static str, &'static str),
    next_place: (&'static str, &'static str),
    spot: &'static str,
    food: &'static str,
    feeling: &'static str,
    skill: (&'static str, &'static str),
    fear: &'static str,
    plant: &'static str,
    treasure: &'static str,
}

impl Character {
    fn draw(random: &mut Random, kind: String, natures: &'static [&'static str]) -> Self {
        let pronoun = PEOPLE.iter().find(|(person, _)| *person == kind).map_or('e', |(_, pronoun)| *pronoun);
        let female = match pronoun {
            's' => true,
            'h' => false,
            _ => random.chance(0.5),
        };
        // A name nobody has heard now and then: the model should take names from the text, not from a list.
        let name = if random.chance(0.1) {
            super::fill::capital(&invented_word(random))
        } else {
            random.pick(if female { FEMALE_NAMES } else { MALE_NAMES }).to_owned()
        };
        let natures: Vec<&str> = natures.iter().copied().filter(|nature| !kind.starts_with(nature)).collect();
        Self { nature: random.pick(&natures), kind, name, female }
    }
}

impl Cast {
    /// Draws a cast around a hero of this kind.
    pub(super) fn draw(random: &mut Random, kind: String) -> Self {
        let hero = Character::draw(random, kind, TRAITS);
        let friend = loop {
            let kind = common_kind(random);
            let friend = Character::draw(random, kind, FRIEND_TRAITS);
            if friend.name != hero.name && friend.kind != hero.kind {
                break friend;
            }
        };
        let thing = loop {
            let thing = random.pick(THINGS);
            if thing != hero.kind {
                break thing.to_owned();
            }
        };
        let place = random.pick(PLACES);
        let next_place = loop {
            let next = random.pick(PLACES);
            if next != place {
                break next;
            }
        };
        Self {
            hero,
            friend,
            thing,
            color: random.pick(COLORS),
            home: random.pick(HOMES),
            hobby: random.pick(HOBBIES),
            weather: random.pick(WEATHERS),
            place,
            next_place,
            spot: random.pick(SPOTS),
            food: random.pick(FOODS),
            feeling: random.pick(FEELINGS),
            skill: random.pick(SKILLS),
            fear: random.pick(FEARS),
            plant: random.pick(PLANTS),
            treasure: random.pick(TREASURES),
        }
    }

    /// Returns what a slot stands for.
    ///
    /// # Panics
    ///
    /// Panics when a template names a slot that does not exist, which a test excludes.
    pub(super) fn value(&self, slot: &str) -> &str {
        let pronoun = |character: &Character, she, he| if character.female { she } else { he };
        match slot {
            "kind" => &self.hero.kind,
            "name" => &self.hero.name,
            "trait" => self.hero.nature,
            "he" => pronoun(&self.hero, "she", "he"),
            "him" => pronoun(&self.hero, "her", "him"),
            "his" => pronoun(&self.hero, "her", "his"),
            "self" => pronoun(&self.hero, "herself", "himself"),
            "fkind" => &self.friend.kind,
            "fname" => &self.friend.name,
            "ftrait" => self.friend.nature,
            "fhe" => pronoun(&self.friend, "she", "he"),
            "fhim" => pronoun(&self.friend, "her", "him"),
            "fhis" => pronoun(&self.friend, "her", "his"),
            "thing" => &self.thing,
            "color" => self.color,
            "home" => self.home,
            "hobby" => self.hobby,
            "weather" => self.weather,
            "place" => self.place.0,
            "at" => self.place.1,
            "nextplace" => self.next_place.0,
            "nextat" => self.next_place.1,
            "spot" => self.spot,
            "food" => self.food,
            "feel" => self.feeling,
            "skill" => self.skill.0,
            "skilling" => self.skill.1,
            "fear" => self.fear,
            "plant" => self.plant,
            "treasure" => self.treasure,
            _ => panic!("no template may use the slot {slot}"),
        }
    }

    /// Fills a template with this cast.
    pub(super) fn fill(&self, template: &str) -> String {
        super::fill::fill(template, |slot| self.value(slot))
    }
}

/// Draws an animal or a person.
pub(super) fn common_kind(random: &mut Random) -> String {
    if random.chance(0.65) { random.pick(ANIMALS).to_owned() } else { random.pick(PEOPLE).0.to_owned() }
}

/// Draws any kind of hero: mostly somebody common, sometimes a thing, sometimes a word that does not exist.
pub(super) fn any_kind(random: &mut Random) -> String {
    match random.below(20) {
        0..9 => common_kind(random),
        9..14 => random.pick(NOUNS).to_owned(),
        14..16 => random.pick(THINGS).to_owned(),
        _ => invented_word(random),
    }
}

/// Draws a word of any sort that occurs in stories.
pub(super) fn any_word(random: &mut Random) -> String {
    match random.below(8) {
        0 => random.pick(MALE_NAMES).to_owned(),
        1 => random.pick(FEMALE_NAMES).to_owned(),
        2 => random.pick(TRAITS).to_owned(),
        3 => random.pick(THINGS).to_owned(),
        4 => super::fill::capital(&invented_word(random)),
        _ => any_kind(random),
    }
}

/// Makes up a word of two or three syllables that can be pronounced.
pub(super) fn invented_word(random: &mut Random) -> String {
    const STARTS: &[&str] = &[
        "b", "br", "c", "cl", "d", "dr", "f", "fl", "g", "gl", "gr", "h", "j", "k", "l", "m", "n", "p", "pl",
        "pr", "qu", "r", "s", "sc", "sh", "sk", "sl", "sn", "sp", "st", "sub", "t", "th", "tr", "v", "w",
        "z", "",
    ];
    const VOWELS: &[&str] =
        &["a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ea", "oo", "ou", "ai", "ee", "y"];
    const ENDS: &[&str] = &[
        "", "", "", "b", "ck", "d", "g", "l", "ll", "m", "n", "nd", "ng", "nk", "p", "r", "rd", "rt", "s",
        "t", "x",
    ];
    const TAILS: &[&str] =
        &["er", "le", "in", "et", "on", "or", "a", "o", "y", "ine", "oo", "ot", "ard", "ing", ""];
    loop {
        let mut word = String::new();
        for _ in 0..=random.below(2) {
            word.push_str(random.pick(STARTS));
            word.push_str(random.pick(VOWELS));
            word.push_str(random.pick(ENDS));
        }
        word.push_str(random.pick(TAILS));
        if (4..=10).contains(&word.len()) && !super::words::HELD_OUT.contains(&word.as_str()) {
            return word;
        }
    }
}
