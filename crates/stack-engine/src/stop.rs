//! Finding stop texts in a stream.

use std::ops::Range;

/// Cuts a stream of text before the first stop text.
///
/// Text that may be the beginning of a stop text is held back until it is clear that it is not. What is emitted,
/// concatenated, is the whole text up to the stop text that is complete first; of several that are complete at the
/// same character, the longest.
#[derive(Clone, Debug, Default)]
pub struct StopMatcher {
    stops: Vec<String>,
    held: String,
    stopped: Option<String>,
}

/// What a piece of text led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopStep {
    /// Text that is certainly not part of a stop text.
    pub emit: String,
    /// The stop text that is complete; nothing is emitted from then on.
    pub stopped: Option<String>,
}

impl StopMatcher {
    /// Makes a matcher. Empty stop texts are ignored.
    pub fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { stops, held: String::new(), stopped: None }
    }

    /// Takes the next piece of the stream.
    pub fn push(&mut self, text: &str) -> StopStep {
        if self.stopped.is_some() {
            return StopStep { emit: String::new(), stopped: self.stopped.clone() };
        }
        let fresh = self.held.len();
        self.held.push_str(text);
        if let Some(Range { start, end }) = self.first_stop(fresh) {
            self.stopped = Some(self.held[start..end].to_owned());
            self.held.truncate(start);
            return StopStep { emit: std::mem::take(&mut self.held), stopped: self.stopped.clone() };
        }
        let kept = self.held.split_off(self.first_beginning());
        StopStep { emit: std::mem::replace(&mut self.held, kept), stopped: None }
    }

    /// Ends the stream: returns what is held back, as no stop text can come any more.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Finds the stop text that is complete first, knowing that none ends before `fresh`.
    fn first_stop(&self, fresh: usize) -> Option<Range<usize>> {
        let found = self.stops.iter().filter_map(|stop| {
            let from = floor_boundary(&self.held, (fresh + 1).saturating_sub(stop.len()));
            let start = from + self.held[from..].find(stop.as_str())?;
            Some((start + stop.len(), start))
        });
        found.min().map(|(end, start)| start..end)
    }

    /// Finds the first place from which the rest may be the beginning of a stop text.
    fn first_beginning(&self) -> usize {
        let longest = self.stops.iter().map(String::len).max().unwrap_or(0);
        let from = floor_boundary(&self.held, (self.held.len() + 1).saturating_sub(longest));
        self.held[from..]
            .char_indices()
            .map(|(at, _)| from + at)
            .find(|&at| self.stops.iter().any(|stop| stop.starts_with(&self.held[at..])))
            .unwrap_or(self.held.len())
    }
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matcher(stops: &[&str]) -> StopMatcher {
        StopMatcher::new(&stops.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn run(stops: &[String], pieces: &[&str]) -> String {
        let mut matcher = StopMatcher::new(stops);
        let mut out: String = pieces.iter().map(|piece| matcher.push(piece).emit).collect();
        out.push_str(&matcher.finish());
        out
    }

    /// Cuts a whole text before the stop text that ends first, the longest of several.
    fn reference(stops: &[String], text: &str) -> String {
        let starts = stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| {
            let start = text.find(stop.as_str())?;
            Some((start + stop.len(), start))
        });
        text[..starts.min().map_or(text.len(), |(_, start)| start)].to_owned()
    }

    #[test]
    fn a_stop_text_over_several_pieces_is_found() {
        let mut matcher = matcher(&["<end>"]);
        assert_eq!(matcher.push("a<e"), StopStep { emit: "a".into(), stopped: None });
        let stopped = Some("<end>".to_owned());
        assert_eq!(matcher.push("nd"), StopStep::default());
        assert_eq!(matcher.push(">b"), StopStep { emit: String::new(), stopped: stopped.clone() });
        assert_eq!(matcher.push("c"), StopStep { emit: String::new(), stopped });
        assert_eq!(matcher.finish(), "");
    }

    #[test]
    fn what_turns_out_harmless_is_released() {
        let mut matcher = matcher(&["<end>"]);
        assert_eq!(matcher.push("<en").emit, "");
        assert_eq!(matcher.push("t<").emit, "<ent");
        assert_eq!(matcher.finish(), "<");
    }

    #[test]
    fn text_flows_without_stop_texts() {
        for mut matcher in [matcher(&[]), matcher(&[""])] {
            assert_eq!(matcher.push("a\n"), StopStep { emit: "a\n".into(), stopped: None });
        }
    }

    #[test]
    fn the_stop_text_that_ends_first_wins() {
        let stops = ["abcd".to_owned(), "c".to_owned(), "bc".to_owned()];
        assert_eq!(run(&stops, &["xab", "cd"]), "xa");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_text_up_to_the_first_stop(
            text in "[abé\n]{0,30}",
            stops in prop::collection::vec("[abé\n]{0,5}", 0..4),
            cuts in prop::collection::vec(0_usize..40, 0..10),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| floor_boundary(&text, cut)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(run(&stops, &pieces), reference(&stops, &text));
        }
    }
}
