//! Splits text into the pieces that BPE does not merge across.
//!
//! Model families describe the splitting with regular expressions, nearly all of which end in `\s+(?!\S)|\s+`: of a
//! run of white space all but the last character is one piece, so that the last can go with the word behind it. A
//! look-ahead would force the slow, backtracking engine. So the rule for runs is code here, and what is left of each
//! expression is matched in linear time.

use fancy_regex::Regex;

/// One splitting step. The pieces of one step are split further by the next; what a pattern does not match stays a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Every match is a piece.
    Pattern(&'static str),
    /// As a pattern, and runs of white space that it leaves over are pieces by a rule.
    Words(&'static str, Runs),
    /// Numbers are cut into groups of three digits from the right.
    DigitGroups,
}

/// How a run of white space that no other alternative takes is split when text follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// The last character is left for what follows.
    Plain,
    /// The same, and the pattern has an alternative that takes runs up to their last line end.
    Lines,
    /// As `Lines`, and the run is cut into the largest powers of two up to 512.
    Sized,
}

/// The steps of one vocabulary, ready to use.
pub(super) struct Splitter {
    steps: Vec<Ready>,
}

enum Ready {
    Pattern(Regex),
    Words(Regex, Runs),
    DigitGroups,
}

impl Splitter {
    /// Compiles the steps.
    pub(super) fn new(steps: &[Step]) -> Result<Self, String> {
        let compile = |pattern: &str| Regex::new(pattern).map_err(|error| error.to_string());
        let ready = |step: &Step| {
            Ok(match step {
                Step::Pattern(pattern) => Ready::Pattern(compile(pattern)?),
                Step::Words(pattern, runs) => Ready::Words(compile(&format!(r"{pattern}|\s+"))?, *runs),
                Step::DigitGroups => Ready::DigitGroups,
            })
        };
        Ok(Self { steps: steps.iter().map(ready).collect::<Result<_, String>>()? })
    }

    /// Passes the pieces of `text` to `emit`, in order. Together they are the text, and none is empty.
    pub(super) fn split<'t>(&self, text: &'t str, emit: &mut dyn FnMut(&'t str)) {
        split(&self.steps, text, emit);
    }
}

fn split<'t>(steps: &[Ready], text: &'t str, emit: &mut dyn FnMut(&'t str)) {
    match steps.split_first() {
        Some((step, rest)) => step.apply(text, &mut |piece| split(rest, piece, emit)),
        None => emit(text),
    }
}

impl Ready {
    /// Passes what this step makes of `text` to `emit`.
    fn apply<'t>(&self, text: &'t str, emit: &mut dyn FnMut(&'t str)) {
        let mut rest = text;
        while let Some((before, found)) = self.next(rest) {
            let (gap, from) = rest.split_at(before);
            if !gap.is_empty() {
                emit(gap);
            }
            rest = match self {
                Self::Pattern(_) => {
                    let (piece, after) = from.split_at(found);
                    emit(piece);
                    after
                }
                Self::Words(_, runs) => runs.cut(from, found, emit),
                Self::DigitGroups => {
                    let (number, after) = from.split_at(found);
                    cut_groups(number, emit);
                    after
                }
            };
        }
        if !rest.is_empty() {
            emit(rest);
        }
    }

    /// Returns where the next match starts and how long it is; it is never empty.
    fn next(&self, text: &str) -> Option<(usize, usize)> {
        let (Self::Pattern(regex) | Self::Words(regex, _)) = self else {
            let start = text.find(char::is_numeric)?;
            let number = &text[start..];
            return Some((start, number.find(|c: char| !c.is_numeric()).unwrap_or(number.len())));
        };
        // Only a backtracking expression can fail, by its step limit; the rest of the text is one piece then.
        let found = regex.find(text).ok().flatten()?;
        (found.end() > found.start()).then(|| (found.start(), found.end() - found.start()))
    }
}

/// Cuts a number into groups of three digits from the right.
fn cut_groups<'t>(number: &'t str, emit: &mut dyn FnMut(&'t str)) {
    let mut rest = number;
    let mut group = match number.chars().count() % 3 {
        0 => 3,
        short => short,
    };
    while !rest.is_empty() {
        let (piece, after) = split_at_char(rest, group);
        emit(piece);
        rest = after;
        group = 3;
    }
}

impl Runs {
    /// Passes the first `found` bytes of `text` to `emit` and returns the rest. Of a run of white space, the last
    /// character may stay in the rest.
    fn cut<'t>(self, text: &'t str, found: usize, emit: &mut dyn FnMut(&'t str)) -> &'t str {
        let (piece, after) = text.split_at(found);
        let complete = self != Self::Plain && piece.ends_with(['\r', '\n']);
        if complete || !piece.ends_with(char::is_whitespace) || piece.contains(|c: char| !c.is_whitespace()) {
            emit(piece);
            return after;
        }
        let count = piece.chars().count();
        let mut available = if after.is_empty() { count } else { (count - 1).max(1) };
        let mut rest = text;
        while available > 0 {
            let take = match self {
                Self::Plain | Self::Lines => available,
                Self::Sized => 1 << available.ilog2().min(9),
            };
            let (run, after) = split_at_char(rest, take);
            emit(run);
            rest = after;
            available -= take;
        }
        rest
    }
}

/// Splits a text behind its first `count` characters.
fn split_at_char(text: &str, count: usize) -> (&str, &str) {
    text.split_at(text.char_indices().nth(count).map_or(text.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces<'t>(steps: &[Step], text: &'t str) -> Vec<&'t str> {
        let mut pieces = Vec::new();
        Splitter::new(steps).unwrap().split(text, &mut |piece| pieces.push(piece));
        assert_eq!(pieces.concat(), text);
        assert!(pieces.iter().all(|piece| !piece.is_empty()));
        pieces
    }

    const PLAIN: Step = Step::Words(r" ?\p{L}+| ?[^\s\p{L}]+", Runs::Plain);
    const LINES: Step = Step::Words(r" ?\p{L}+| ?[^\s\p{L}]+[\r\n]*|\s*[\r\n]+", Runs::Lines);

    #[test]
    fn the_last_space_of_a_run_goes_with_the_word_behind_it() {
        assert_eq!(pieces(&[PLAIN], "a   b"), ["a", "  ", " b"]);
        assert_eq!(pieces(&[PLAIN], "a \n b"), ["a", " \n", " b"]);
        assert_eq!(pieces(&[PLAIN], "a\n\nb  "), ["a", "\n", "\n", "b", "  "]);
        assert_eq!(pieces(&[LINES], "a\n\n  b"), ["a", "\n\n", " ", " b"]);
        assert_eq!(pieces(&[LINES], "a \n\n  "), ["a", " \n\n", "  "]);
        assert_eq!(pieces(&[LINES], "!\n b"), ["!\n", " b"]);
    }

    /// The rule must say what the look-ahead says that it replaces.
    #[test]
    fn runs_are_split_as_a_look_ahead_would() {
        let sized = r"\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}";
        let alphabet = [" ", "\n", "\t", "\u{a0}", "a", "!", "é", "   ", "\r\n"];
        let mut texts = vec![String::new()];
        for _ in 0..4 {
            let longer = texts.iter().flat_map(|text| alphabet.iter().map(move |c| format!("{text}{c}")));
            texts = longer.collect();
        }
        texts.push(" ".repeat(1500) + "a");
        texts.push(" ".repeat(1029));
        for (step, tail) in [
            (PLAIN, r"\s+(?!\S)|\s+"),
            (LINES, r"\s+(?!\S)|\s+"),
            (Step::Words(r" ?\p{L}+| ?[^\s\p{L}]+[\r\n]*|\s*[\r\n]+", Runs::Sized), sized),
        ] {
            let Step::Words(words, _) = step else { unreachable!() };
            let reference = Regex::new(&format!("{words}|{tail}")).unwrap();
            let splitter = Splitter::new(&[step]).unwrap();
            for text in &texts {
                let expected: Vec<&str> =
                    reference.find_iter(text).map(|found| found.unwrap().as_str()).collect();
                let mut pieces = Vec::new();
                splitter.split(text, &mut |piece| pieces.push(piece));
                assert_eq!(pieces, expected, "{text:?} by {step:?}");
            }
        }
    }

    #[test]
    fn each_step_splits_the_pieces_of_the_one_before() {
        assert_eq!(pieces(&[Step::Pattern("[0-9]"), PLAIN], "ab12 c"), ["ab", "1", "2", " c"]);
        assert_eq!(pieces(&[], "a b"), ["a b"]);
        assert_eq!(pieces(&[PLAIN], ""), Vec::<&str>::new());
    }

    #[test]
    fn digits_are_grouped_from_the_right() {
        assert_eq!(
            pieces(&[Step::DigitGroups], "a1234567b12é123"),
            ["a", "1", "234", "567", "b", "12", "é", "123"]
        );
    }

    #[test]
    fn long_runs_take_linear_time() {
        for run in [" ", "\n", "a", "7", "!", "\u{a0}"] {
            let text = run.repeat(1 << 20) + "x";
            for step in [PLAIN, LINES, Step::DigitGroups, Step::Words(r"\p{L}+", Runs::Sized)] {
                pieces(&[step], &text);
            }
        }
    }
}
