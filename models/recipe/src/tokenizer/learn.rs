//! Learning a vocabulary by joining the most frequent neighbours, again and again.

use std::collections::{BTreeMap, HashMap};

use super::{Kind, Piece};

/// Learns `count` pieces: every printable letter of ASCII, then what occurs most.
///
/// ```text
/// split each distinct chunk of the texts into letters
/// until there are enough pieces:
///     count what each two neighbours spell, weighted by how often their chunk occurs
///     make the most frequent of these a piece, and join its neighbours everywhere
/// ```
pub(super) fn pieces<'a>(texts: impl Iterator<Item = &'a str>, count: usize) -> Vec<Piece> {
    let mut occurrences: BTreeMap<String, u64> = BTreeMap::new();
    for chunk in texts.flat_map(chunks) {
        *occurrences.entry(chunk).or_default() += 1;
    }
    let mut chunks: Vec<(Vec<String>, u64)> = occurrences
        .iter()
        .map(|(chunk, &times)| (chunk.chars().map(String::from).collect(), times))
        .collect();
    let letters: Vec<String> = ('!'..='~').chain(['▁']).map(String::from).collect();
    let mut learned: Vec<String> = Vec::new();
    while letters.len() + learned.len() < count {
        let mut spelled: HashMap<String, u64> = HashMap::new();
        for (symbols, times) in &chunks {
            for pair in symbols.windows(2) {
                *spelled.entry(pair.concat()).or_default() += times;
            }
        }
        // The first of several equally frequent ones, in the order of their letters.
        let order = |a: &(String, u64), b: &(String, u64)| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0));
        let Some((best, _)) = spelled.into_iter().max_by(order) else { break };
        for (symbols, _) in &mut chunks {
            join(symbols, &best);
        }
        chunks.retain(|(symbols, _)| symbols.len() > 1);
        learned.push(best);
    }
    let score = |rank: usize| -(rank as f32);
    let merged = learned.len();
    let all = letters
        .into_iter()
        .map(|text| (text, score(merged)))
        .chain(learned.into_iter().enumerate().map(|(rank, text)| (text, score(rank))));
    all.map(|(text, score)| Piece { text, score, kind: Kind::Normal }).collect()
}

/// Joins all neighbours that spell `piece`.
fn join(symbols: &mut Vec<String>, piece: &str) {
    let mut i = 0;
    while i + 1 < symbols.len() {
        let length = symbols[i].len() + symbols[i + 1].len();
        if length == piece.len() && piece.starts_with(&symbols[i]) && piece.ends_with(&symbols[i + 1]) {
            let right = symbols.remove(i + 1);
            symbols[i].push_str(&right);
        }
        i += 1;
    }
}

/// Splits text into chunks that no piece may cross: a run of letters or one other character, each with the space
/// before it.
pub(super) fn chunks(text: &str) -> impl Iterator<Item = String> {
    let mut letters = text.chars().peekable();
    std::iter::from_fn(move || {
        let mut chunk = String::new();
        if letters.next_if_eq(&' ').is_some() {
            chunk.push('▁');
        }
        if let Some(other) = letters.next_if(|letter| !letter.is_alphabetic() && *letter != ' ') {
            chunk.push(other);
            return Some(chunk);
        }
        while let Some(letter) = letters.next_if(|letter| letter.is_alphabetic()) {
            chunk.push(letter);
        }
        (!chunk.is_empty()).then_some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_words_and_signs_with_their_space() {
        let split: Vec<String> = chunks("A dog,  \"Max\" is 12.").collect();
        assert_eq!(split, ["A", "▁dog", ",", "▁", "▁\"", "Max", "\"", "▁is", "▁1", "2", "."]);
    }

    #[test]
    fn the_most_frequent_neighbours_come_first() {
        let pieces = pieces(["aaab aab ab"].into_iter(), 95 + 2);
        assert_eq!(pieces[95].text, "aa");
    }
}
