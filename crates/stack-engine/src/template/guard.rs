//! Keeps what callers write from becoming control tokens.
//!
//! Before rendering, every caller text that spells a control token, or could be the beginning or the end of one, gets
//! a marker: a character that occurs nowhere else. Templates trim, split and compare as usual, and the marker travels
//! with the text. After rendering the markers are taken out again. Where a control text has lost a marker from its
//! inside, at least a part of it came from a caller, so it becomes a literal segment; everything else stays in one
//! piece, because a cut would change how ordinary text is tokenized.
//!
//! ```text
//! caller          a <|im_end|> b              <            (a message that is one character)
//! marked          a <M|im_end|> b             <M           (M is the marker)
//! rendered        …user\na <M|im_end|> b<|im_end|>…
//! segments        [parsed …user\na ] [literal <|im_end|>] [parsed  b<|im_end|>…]
//! ```

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::tokenizer::{Control, Segment};

/// The control texts of a vocabulary, in a form that finds them quickly.
#[derive(Clone, Debug, Default)]
pub struct ControlTexts {
    texts: HashSet<String>,
    forward: Trie,
    backward: Trie,
    longest: usize,
}

impl ControlTexts {
    /// Collects the texts of a vocabulary's control tokens.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut all = Self::default();
        for text in texts {
            let text = text.as_ref();
            if text.is_empty() {
                continue;
            }
            all.forward.insert(text.bytes());
            all.backward.insert(text.bytes().rev());
            all.longest = all.longest.max(text.len());
            all.texts.insert(text.to_owned());
        }
        all
    }

    /// Chooses a marker that occurs in none of the texts; `None` if they use up all candidates.
    pub(super) fn marker<'a>(texts: impl Iterator<Item = &'a str>) -> Option<char> {
        let mut free: Vec<char> = MARKERS.collect();
        for text in texts {
            // Noncharacters are three bytes from 0xef on; most texts have none of those.
            if text.as_bytes().contains(&0xef) {
                free.retain(|&marker| !text.contains(marker));
            }
        }
        free.first().copied()
    }

    /// Puts markers into a caller's text where it could become a control token.
    ///
    /// Upper and lower case count as equal, because templates change the case of text.
    pub(super) fn mark<'a>(&self, text: &'a str, marker: char) -> Cow<'a, str> {
        if self.texts.is_empty() || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let bytes = text.as_bytes();
        let mut places = Vec::new();
        for (at, first) in text.char_indices() {
            self.forward.walk(bytes[at..].iter().copied(), |length| {
                places.push(at + first.len_utf8());
                if length == first.len_utf8() {
                    places.push(at);
                }
            });
        }
        self.find_edges(text, &mut places);
        with_markers(text, places, marker)
    }

    /// Puts markers at the ends of a text that was cut out of a caller's: a control text may continue there.
    pub(super) fn mark_edges<'a>(&self, text: &'a str, marker: char) -> Cow<'a, str> {
        let mut places = Vec::new();
        let whole = text.trim();
        // A caller's own would have a marker inside, so a control text that is whole is the template's.
        let is_template = self.texts.contains(whole) && whole.chars().nth(1).is_some();
        if !self.texts.is_empty() && !text.is_empty() && !is_template {
            self.find_edges(text, &mut places);
        }
        with_markers(text, places, marker)
    }

    /// Puts markers where two texts of callers were joined, if a control text would be spelled there.
    pub(super) fn mark_joints<'a>(&self, text: &'a str, joints: &[usize], marker: char) -> Cow<'a, str> {
        if self.texts.is_empty() || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let bytes = text.as_bytes();
        let is_joined = |joint: usize| {
            let mut joined = false;
            for at in joint.saturating_sub(self.longest)..joint {
                self.forward.walk(bytes[at..].iter().copied(), |length| joined |= at + length > joint);
            }
            joined
        };
        with_markers(text, joints.iter().copied().filter(|&joint| is_joined(joint)).collect(), marker)
    }

    /// Finds the ends of a text at which a control text may begin or end. Templates trim texts.
    fn find_edges(&self, text: &str, places: &mut Vec<usize>) {
        let bytes = text.as_bytes();
        for end in [text.len(), text.trim_end().len()] {
            let from = end.saturating_sub(self.longest);
            if (from..end).any(|at| self.forward.contains_path(bytes[at..end].iter().copied())) {
                places.push(end);
            }
        }
        for start in [0, text.len() - text.trim_start().len()] {
            let to = text.len().min(start + self.longest);
            if (start + 1..=to).any(|at| self.backward.contains_path(bytes[start..at].iter().rev().copied()))
            {
                places.push(start);
            }
        }
    }

    /// Puts markers around a caller's text that a template may wrap into a control text.
    pub(super) fn mark_inner<'a>(&self, text: &'a str, marker: char) -> Cow<'a, str> {
        let wanted = text.to_ascii_lowercase();
        if self.texts.iter().any(|control| control.to_ascii_lowercase().contains(&wanted)) {
            return Cow::Owned(format!("{marker}{}{marker}", self.mark(text, marker)));
        }
        self.mark(text, marker)
    }

    /// Takes the markers out of a rendered text, and cuts it where they broke a control text.
    pub(super) fn cut(&self, rendered: &str, marker: char) -> Vec<Segment<'static>> {
        let mut text = String::with_capacity(rendered.len());
        let mut places = Vec::new();
        for piece in rendered.split(marker) {
            text.push_str(piece);
            places.push(text.len());
        }
        // The end of the last piece is the end of the text, not a marker.
        places.pop();
        places.dedup();

        let mut segments = Vec::new();
        let mut done = 0;
        for broken in self.broken(&text, &places) {
            push(&mut segments, &text[done..broken.start], Control::Parsed);
            push(&mut segments, &text[broken.clone()], Control::Literal);
            done = broken.end;
        }
        push(&mut segments, &text[done..], Control::Parsed);
        segments
    }

    /// Finds what of the text belongs to control texts that a marker broke, in order and without overlap.
    fn broken(&self, text: &str, places: &[usize]) -> Vec<Range<usize>> {
        let is_broken = |found: &Range<usize>| {
            let first = places.partition_point(|&place| place < found.start);
            let starts = places.get(first) == Some(&found.start);
            let inside = places.get(first + usize::from(starts));
            inside.is_some_and(|&place| place < found.end || (starts && place == found.end))
        };
        let mut broken = Vec::new();
        let mut genuine = Vec::new();
        let mut scanned = 0;
        for &place in places {
            let from = place.saturating_sub(self.longest).max(scanned);
            let to = (place + self.longest).min(text.len());
            scanned = to.max(scanned);
            for at in (from..to).filter(|&at| text.is_char_boundary(at)) {
                self.forward.walk(text.as_bytes()[at..].iter().copied(), |length| {
                    let found = at..at + length;
                    if !self.texts.contains(&text[found.clone()]) {
                        return;
                    }
                    add(if is_broken(&found) { &mut broken } else { &mut genuine }, found);
                });
            }
        }
        subtract(broken, &genuine)
    }
}

fn with_markers(text: &str, mut places: Vec<usize>, marker: char) -> Cow<'_, str> {
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    places.sort_unstable();
    places.dedup();
    let mut marked = String::with_capacity(text.len() + places.len() * marker.len_utf8());
    let mut copied = 0;
    for place in places {
        marked.push_str(&text[copied..place]);
        marked.push(marker);
        copied = place;
    }
    marked.push_str(&text[copied..]);
    Cow::Owned(marked)
}

/// Adds a range that starts no earlier than the others; overlapping ones become one.
fn add(ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if range.start < last.end => last.end = last.end.max(range.end),
        _ => ranges.push(range),
    }
}

/// Removes from each of the sorted `ranges` what a sorted `other` covers.
fn subtract(ranges: Vec<Range<usize>>, others: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut left = Vec::new();
    for range in ranges {
        let mut start = range.start;
        let first = others.partition_point(|other| other.end <= range.start);
        for other in others[first..].iter().take_while(|other| other.start < range.end) {
            if other.start > start {
                left.push(start..other.start);
            }
            start = start.max(other.end);
        }
        if start < range.end {
            left.push(start..range.end);
        }
    }
    left
}

fn push(segments: &mut Vec<Segment<'static>>, text: &str, control: Control) {
    if text.is_empty() {
        return;
    }
    match segments.last_mut() {
        Some(last) if last.control == control => last.text.to_mut().push_str(text),
        _ => segments.push(Segment { text: text.to_owned().into(), control }),
    }
}

/// Byte strings by their beginnings; upper and lower case of ASCII are the same.
#[derive(Clone, Debug, Default)]
struct Trie {
    children: HashMap<(u32, u8), u32>,
    ends: HashSet<u32>,
}

impl Trie {
    fn insert(&mut self, bytes: impl Iterator<Item = u8>) {
        let mut node = 0;
        for byte in bytes {
            let next = self.children.len() as u32 + 1;
            node = *self.children.entry((node, byte.to_ascii_lowercase())).or_insert(next);
        }
        self.ends.insert(node);
    }

    /// Calls `found` with the length of each member that the bytes begin with.
    fn walk(&self, bytes: impl Iterator<Item = u8>, mut found: impl FnMut(usize)) {
        let mut node = 0;
        for (index, byte) in bytes.enumerate() {
            let Some(&next) = self.children.get(&(node, byte.to_ascii_lowercase())) else { return };
            node = next;
            if self.ends.contains(&node) {
                found(index + 1);
            }
        }
    }

    /// Returns whether some member begins with these bytes.
    fn contains_path(&self, mut bytes: impl Iterator<Item = u8>) -> bool {
        let mut node = 0;
        bytes.all(|byte| match self.children.get(&(node, byte.to_ascii_lowercase())) {
            Some(&next) => {
                node = next;
                true
            }
            None => false,
        })
    }
}

/// Returns whether a character can be a marker. Markers are no part of the text, so nothing escapes them.
pub(super) fn is_marker(c: char) -> bool {
    MARKERS.contains(&c)
}

/// Unicode's noncharacters for private use: no text that is meant for others contains them.
const MARKERS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> ControlTexts {
        ControlTexts::new(["<|im_start|>", "<|im_end|>", "<s>", "</s>", "[INST]", "\u{1f512}"])
    }

    /// Renders caller texts between template texts: even places are the template's.
    fn segments(parts: &[&str]) -> Vec<Segment<'static>> {
        let texts = vocabulary();
        let marked: String = parts
            .iter()
            .enumerate()
            .map(|(index, part)| if index % 2 == 0 { (*part).into() } else { texts.mark(part, '\u{fdd0}') })
            .collect();
        texts.cut(&marked, '\u{fdd0}')
    }

    #[test]
    fn ordinary_text_is_one_segment() {
        for text in ["hello", "a < b > c", "<|im_", "im_end|>", "> quote", "[", " </s", "s>"] {
            let all = format!("<|im_start|>user\n{text}<|im_end|>");
            assert_eq!(segments(&["<|im_start|>user\n", text, "<|im_end|>"]), [Segment::parsed(all)]);
        }
    }

    #[test]
    fn a_spelled_control_text_is_literal() {
        assert_eq!(
            segments(&["<s>", "a <|im_end|> b", "<|im_end|>"]),
            [Segment::parsed("<s>a "), Segment::literal("<|im_end|>"), Segment::parsed(" b<|im_end|>")]
        );
        assert_eq!(
            segments(&["", "<s></s>\u{1f512}", "</s>\u{1f512}"]),
            [Segment::literal("<s></s>\u{1f512}"), Segment::parsed("</s>\u{1f512}")]
        );
    }

    #[test]
    fn a_control_text_joined_from_two_sides_is_literal() {
        assert_eq!(
            segments(&["x", "<|im_end", "|>"]),
            [Segment::parsed("x"), Segment::literal("<|im_end|>")]
        );
        assert_eq!(
            segments(&["<|im_", "end|>", "y"]),
            [Segment::literal("<|im_end|>"), Segment::parsed("y")]
        );
        assert_eq!(segments(&["", "<", "", "s", "", ">"]), [Segment::literal("<s>")]);
    }

    #[test]
    fn trimming_and_changing_case_do_not_help() {
        let texts = vocabulary();
        let trimmed = texts.mark("<|im_end  ", '\u{fdd0}').trim().to_owned() + "|>";
        assert_eq!(texts.cut(&trimmed, '\u{fdd0}'), [Segment::literal("<|im_end|>")]);
        let lowered = texts.mark("<|IM_END|>", '\u{fdd0}').to_lowercase();
        assert_eq!(texts.cut(&lowered, '\u{fdd0}'), [Segment::literal("<|im_end|>")]);
    }

    #[test]
    fn the_template_keeps_control_texts_that_a_caller_tries_to_swallow() {
        let texts = ControlTexts::new(["ab", "bc"]);
        let rendered = texts.mark("xa", '\u{fdd0}').into_owned() + "bc";
        assert_eq!(
            texts.cut(&rendered, '\u{fdd0}'),
            [Segment::parsed("x"), Segment::literal("a"), Segment::parsed("bc")]
        );
    }

    #[test]
    fn the_marker_avoids_every_text() {
        assert_eq!(ControlTexts::marker(["a\u{fdd0}b", "\u{fdd1}"].into_iter()), Some('\u{fdd2}'));
        let all: String = MARKERS.collect();
        assert_eq!(ControlTexts::marker([all.as_str()].into_iter()), None);
    }

    proptest::proptest! {
        #[test]
        fn no_caller_text_yields_a_parsed_control_text(
            parts in proptest::collection::vec("[<|>ims_endISNT/\\[\\] \u{1f512}]{0,14}", 1..6)
        ) {
            let parts: Vec<&str> = parts.iter().flat_map(|part| ["", part.as_str()]).collect();
            let segments = segments(&parts);
            let texts = vocabulary();
            proptest::prop_assert_eq!(segments.iter().map(|s| &*s.text).collect::<String>(), parts.concat());
            for segment in segments.iter().filter(|segment| segment.control == Control::Parsed) {
                for text in &texts.texts {
                    proptest::prop_assert!(!segment.text.contains(text.as_str()), "{:?}", segments);
                }
            }
        }
    }
}
