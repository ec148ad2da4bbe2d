//! What somebody may have meant who mistyped a word.

use super::Name;

/// Finds the names that somebody may have meant: those of models that begin with the word, else the one that is nearest.
/// Case, host, owner and tag need not be right.
pub(crate) fn near_names<'a>(word: &str, names: impl IntoIterator<Item = &'a Name>) -> Vec<String> {
    let names: Vec<&Name> = names.into_iter().collect();
    let word = word.to_lowercase();
    let asked = word.rsplit('/').next().unwrap_or_default();
    let asked = asked.split(':').next().unwrap_or_default();
    let says_more = |name: &&&Name| asked.len() >= WORD_MIN && model_of(name).starts_with(asked);
    let mut near: Vec<String> = names.iter().filter(says_more).map(|name| name.short()).collect();
    if near.is_empty() {
        let shorts: Vec<String> = names.iter().map(|name| name.short()).collect();
        if let Some(whole) = nearest(&word, shorts.iter().map(String::as_str)) {
            near.push(whole.to_owned());
        } else if let Some(model) = nearest(asked, names.iter().map(|name| model_of(name))) {
            near.extend(names.iter().filter(|name| model_of(name) == model).map(|name| name.short()));
        }
    }
    near.truncate(NEAR_MAX);
    near
}

/// The model itself, without host, owner and tag.
fn model_of(name: &Name) -> &str {
    name.repository().rsplit('/').next().unwrap_or_default()
}

/// Finds the one candidate that is as near to the word as a slip of the fingers: at most one in three letters is wrong,
/// missing, too many, or has changed places with the next.
///
/// Two candidates that are equally near say nothing.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = word.chars().count() / LETTERS_PER_SLIP;
    let mut best: Option<(usize, &str)> = None;
    let mut tied = false;
    for candidate in candidates {
        let distance = distance(word, candidate);
        if distance > allowed.min(candidate.chars().count() / LETTERS_PER_SLIP) {
            continue;
        }
        match best {
            Some((least, _)) if distance > least => {}
            Some((least, other)) if distance == least => tied |= other != candidate,
            _ => (best, tied) = (Some((distance, candidate)), false),
        }
    }
    best.filter(|_| !tied).map(|(_, candidate)| candidate)
}

/// Counts the slips between two words: the optimal string alignment distance, without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (letters(a), letters(b));
    if a.len().abs_diff(b.len()) > SLIPS_MAX {
        return usize::MAX;
    }
    // Rows of the table before the last one, the last one, and the one at hand.
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// The letters that are compared. The table has a cell for each pair, so that a long text must not make it large.
fn letters(text: &str) -> Vec<char> {
    text.chars().take(LETTERS_MAX).flat_map(char::to_lowercase).collect()
}

/// More names would be a list, which `stack list` prints.
pub(crate) const NEAR_MAX: usize = 3;
/// A shorter word is the beginning of too much.
const WORD_MIN: usize = 3;
const LETTERS_PER_SLIP: usize = 3;
const LETTERS_MAX: usize = 128;
const SLIPS_MAX: usize = LETTERS_MAX / LETTERS_PER_SLIP;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (a, b, slips) in [
            ("run", "run", 0),
            ("RUN", "run", 0),
            ("rnu", "run", 1),
            ("serv", "serve", 1),
            ("sserve", "serve", 1),
            ("sarve", "serve", 1),
            ("create", "rekey", 4),
            ("", "ab", 2),
        ] {
            assert_eq!((distance(a, b), distance(b, a)), (slips, slips), "{a} {b}");
        }
    }

    #[test]
    fn names_are_near_by_their_models() {
        let names = ["llama3", "med/tiny:v1", "hf.co/qwen/q3-gguf:q4_0", "hf.co/qwen/q3-gguf:q8_0"];
        let names = names.map(|name| Name::parse(name).unwrap());
        let near = |word| near_names(word, &names);
        for word in ["lama3", "LLAMA3", "llama3:70b", "me/llama3"] {
            assert_eq!(near(word), ["llama3"], "{word}");
        }
        assert_eq!(near("tiny"), ["med/tiny:v1"]);
        assert_eq!(near("q3-gguf"), ["hf.co/qwen/q3-gguf:q4_0", "hf.co/qwen/q3-gguf:q8_0"]);
        for word in ["", "x", "hello", "l"] {
            assert_eq!(near(word), [""; 0], "{word}");
        }
    }

    #[test]
    fn only_what_is_near_is_meant() {
        let commands = ["run", "serve", "list", "rekey", "completions", "pull", "push"];
        let near = |word| nearest(word, commands);
        assert_eq!((near("rnu"), near("srve"), near("lst")), (Some("run"), Some("serve"), Some("list")));
        assert_eq!((near("compleitons"), near("pul")), (Some("completions"), Some("pull")));
        let long = "x".repeat(100_000);
        for word in ["cp", "create", "ps", "fly", "", "r", "hello", &long] {
            assert_eq!(near(word), None, "{word}");
        }
        // As near to one as to the other.
        assert_eq!(near("pusl"), None);
    }
}
