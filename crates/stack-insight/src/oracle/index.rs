//! BM25 over entries with fields.
//!
//! For each word w of a question q and each entry e, with f the weighted count of w in the fields of e:
//!
//! ```text
//! score(e) = Σ idf(w) · f·(k + 1) / (f + k·(1 − b + b·length(e)/average))
//! ```
//!
//! after Robertson and Zaragoza (2009), with two departures. Pairs of neighbouring words in phrases are words of their own, at a
//! lower weight, so that "key of the server" differs from "key of a file". And an entry's *strength* is the share of the weight of
//! all words of the question that it knows, where words that no entry knows weigh most: it says whether there is an answer.

use std::collections::BTreeMap;

use super::words::{is_anchor, is_cue, terms};

/// Where a text of an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Its name.
    Name,
    /// How people ask for it.
    Phrase,
    /// What its options say.
    Help,
}

impl Field {
    const fn weight(self) -> f64 {
        match self {
            Self::Name => 2.0,
            Self::Phrase => 1.0,
            Self::Help => 0.12,
        }
    }
}

/// An entry that knows words of a question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) entry: usize,
    score: f64,
    /// The share of the question that it knows.
    pub(super) strength: f64,
}

/// What entries say, by word.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// For each word, the entries with its weighted count.
    postings: BTreeMap<String, Vec<(usize, f64)>>,
    lengths: Vec<f64>,
    average: f64,
}

impl Index {
    /// Adds an entry, whose number is that of those before it.
    pub(super) fn add(&mut self, fields: &[(Field, String)]) {
        let mut counts: BTreeMap<String, f64> = BTreeMap::new();
        let mut length = 0.0;
        for (field, text) in fields {
            let words = terms(text);
            length += words.len() as f64 * field.weight();
            if *field == Field::Phrase {
                for pair in words.windows(2) {
                    *counts.entry(pair.join(" ")).or_default() += field.weight();
                }
            }
            for word in words {
                *counts.entry(word).or_default() += field.weight();
            }
        }
        let entry = self.lengths.len();
        self.lengths.push(length);
        for (word, count) in counts {
            self.postings.entry(word).or_default().push((entry, count));
        }
    }

    /// Ends the adding.
    pub(super) fn finish(&mut self) {
        self.average = self.lengths.iter().sum::<f64>() / (self.lengths.len() as f64).max(1.0);
    }

    /// Finds the entries for a question, the best first; none where too little of it is known.
    pub(super) fn search(&self, question: &str) -> Vec<Hit> {
        let words = terms(question);
        let mut unique = words.clone();
        unique.sort();
        unique.dedup();
        let mut scores = vec![(0.0, 0.0); self.lengths.len()];
        let mut total = 0.0;
        let mut is_anchored = false;
        for word in &unique {
            let (idf, is_cue) = (self.idf(word), is_cue(word));
            is_anchored |= is_anchor(word);
            // How rare a word is that no entry has, nobody knows.
            total += if is_cue { 0.0 } else { idf.min(UNKNOWN_WEIGHT) };
            for &(entry, count) in self.postings.get(word).into_iter().flatten() {
                if is_cue {
                    scores[entry].0 += CUE_WEIGHT * idf * self.saturated(entry, count);
                    continue;
                }
                scores[entry].0 += idf * self.saturated(entry, count);
                // What only the options say is no sign that somebody means the command.
                if count >= Field::Phrase.weight() {
                    scores[entry].1 += idf.min(UNKNOWN_WEIGHT);
                }
            }
        }
        for pair in words.windows(2) {
            let pair = pair.join(" ");
            for &(entry, count) in self.postings.get(&pair).into_iter().flatten() {
                scores[entry].0 += PAIR_WEIGHT * self.idf(&pair) * self.saturated(entry, count);
            }
        }
        let hits = scores.into_iter().enumerate().filter(|(_, (score, _))| *score > 0.0);
        let mut hits: Vec<Hit> = hits
            .map(|(entry, (score, known))| Hit {
                entry,
                score,
                strength: known / f64::max(total, f64::EPSILON),
            })
            .collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.entry.cmp(&b.entry)));
        let least = if is_anchored { ANCHORED_STRENGTH_MIN } else { STRENGTH_MIN };
        hits.retain(|hit| hit.strength >= least);
        hits.truncate(HITS_MAX);
        hits
    }

    fn saturated(&self, entry: usize, count: f64) -> f64 {
        let length = 1.0 - B + B * self.lengths[entry] / self.average;
        count * (K + 1.0) / (count + K * length)
    }

    fn idf(&self, word: &str) -> f64 {
        let entries = self.lengths.len() as f64;
        let with = self.postings.get(word).map_or(0, Vec::len) as f64;
        (1.0 + (entries - with + 0.5) / (with + 0.5)).ln()
    }
}

const K: f64 = 1.2;
/// Entries with many phrases are not better known for it.
const B: f64 = 0.4;
const PAIR_WEIGHT: f64 = 0.5;
/// With less of a question known, there is no answer.
const STRENGTH_MIN: f64 = 0.62;
/// The same for a question that has a word of the trade.
const ANCHORED_STRENGTH_MIN: f64 = 0.3;
const UNKNOWN_WEIGHT: f64 = 2.6;
const CUE_WEIGHT: f64 = 0.35;
const HITS_MAX: usize = 10;
