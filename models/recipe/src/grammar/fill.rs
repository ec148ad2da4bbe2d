//! Templates: text with `{slots}`.

/// Replaces each `{slot}` by its value and corrects the articles.
///
/// A slot that starts with a capital, such as `{He}`, gets its value with a capital.
pub(super) fn fill<'a>(template: &str, value: impl Fn(&str) -> &'a str) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (slot, after) = after.split_once('}').expect("each template closes its slots");
        out.push_str(before);
        if slot.starts_with(char::is_uppercase) {
            out.push_str(&capital(value(&slot.to_lowercase())));
        } else {
            out.push_str(value(slot));
        }
        rest = after;
    }
    out.push_str(rest);
    articles(&out)
}

/// Lists the slots of a template, in small letters.
pub(super) fn slots(template: &str) -> impl Iterator<Item = String> {
    template.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(slot, _)| slot.to_lowercase())
}

/// Gives `text` a capital first letter.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Turns every "a" before a vowel sound into "an".
fn articles(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        out.push_str(word);
        let article = matches!(word.trim_start_matches('"'), "a" | "A");
        if article && words.peek().is_some_and(|next| starts_with_vowel_sound(next)) {
            out.push('n');
        }
        if words.peek().is_some() {
            out.push(' ');
        }
    }
    out
}

/// Says whether `word` takes "an".
pub(super) fn starts_with_vowel_sound(word: &str) -> bool {
    let word = word.to_lowercase();
    let consonant_sound = ["uni", "use", "uk", "one", "eu"].iter().any(|start| word.starts_with(start));
    word.starts_with(['a', 'e', 'i', 'o', 'u']) && !consonant_sound
        || word.starts_with("hon") && word != "honey"
}

/// Gives the plural of a noun.
pub(super) fn plural(noun: &str) -> String {
    let irregular = [
        ("mouse", "mice"),
        ("goose", "geese"),
        ("sheep", "sheep"),
        ("deer", "deer"),
        ("fish", "fish"),
        ("wolf", "wolves"),
        ("elf", "elves"),
        ("child", "children"),
        ("moose", "moose"),
        ("leaf", "leaves"),
        ("knife", "knives"),
        ("old man", "old men"),
        ("old woman", "old women"),
        ("dwarf", "dwarves"),
        ("fisherman", "fishermen"),
        ("policeman", "policemen"),
        ("mailman", "mailmen"),
        ("salmon", "salmon"),
        ("trout", "trout"),
        ("shrimp", "shrimp"),
        ("potato", "potatoes"),
        ("tomato", "tomatoes"),
    ];
    if let Some((_, plural)) = irregular.iter().find(|(singular, _)| *singular == noun) {
        return (*plural).to_owned();
    }
    let ends_with_vowel_y = ["ay", "ey", "oy"].iter().any(|end| noun.ends_with(end));
    if noun.ends_with(['s', 'x', 'z']) || noun.ends_with("ch") || noun.ends_with("sh") {
        format!("{noun}es")
    } else if let Some(stem) = noun.strip_suffix('y').filter(|_| !ends_with_vowel_y) {
        format!("{stem}ies")
    } else {
        format!("{noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_follow_the_sound_of_the_next_word() {
        let fill = |kind: &'static str| fill("A {kind} met a {kind}.", move |_| kind);
        assert_eq!(fill("owl"), "An owl met an owl.");
        assert_eq!(fill("dog"), "A dog met a dog.");
        assert_eq!(fill("unicorn"), "A unicorn met a unicorn.");
        assert_eq!(fill("honest boy"), "An honest boy met an honest boy.");
        assert_eq!(fill("ukulele"), "A ukulele met a ukulele.");
    }

    #[test]
    fn a_capital_slot_gets_a_capital_value() {
        assert_eq!(fill("{He} said that {he} was here.", |_| "she"), "She said that she was here.");
    }

    #[test]
    fn plurals_are_spelled_right() {
        let nouns = ["dog", "fox", "puppy", "monkey", "wolf", "witch", "mouse"];
        assert_eq!(nouns.map(plural), ["dogs", "foxes", "puppies", "monkeys", "wolves", "witches", "mice"]);
    }
}
