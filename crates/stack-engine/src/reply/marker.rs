//! Finding the texts that enclose the parts of a reply.
//!
//! Models are not exact about white space between tags, so a run of it in a marker stands for any run, an empty one too.

/// How a text begins, compared with a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// With the marker, which takes this many bytes.
    Full(usize),
    /// With a part of the marker, and then it ends.
    Partial,
    /// With something else.
    No,
}

/// Compares the beginning of a text with a marker. An empty marker matches.
pub(super) fn starts(text: &str, marker: &str) -> Match {
    let mut rest = text;
    for word in marker.split_whitespace().enumerate().map(|(index, word)| (index > 0, word)) {
        let (is_apart, word) = word;
        if is_apart {
            rest = rest.trim_start();
        }
        match rest.strip_prefix(word) {
            Some(behind) => rest = behind,
            None if word.starts_with(rest) => return Match::Partial,
            None => return Match::No,
        }
    }
    Match::Full(text.len() - rest.len())
}

/// Where a marker is in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It begins at the first number and takes as many bytes as the second says.
    At(usize, usize),
    /// It may begin here: the text ends before it is clear.
    Perhaps(usize),
    /// Nowhere.
    Nowhere,
}

/// Finds the first place where a marker is, or may be.
pub(super) fn find(text: &str, marker: &str) -> Found {
    let Some(first) = marker.trim_start().chars().next() else { return Found::Nowhere };
    for (at, _) in text.match_indices(first) {
        match starts(&text[at..], marker) {
            Match::Full(length) => return Found::At(at, length),
            Match::Partial => return Found::Perhaps(at),
            Match::No => {}
        }
    }
    Found::Nowhere
}

impl Found {
    /// Where it is or may be.
    pub(super) fn place(self) -> usize {
        match self {
            Self::At(at, _) | Self::Perhaps(at) => at,
            Self::Nowhere => usize::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_in_a_marker_is_any_white_space() {
        let marker = "\n<a>\n<b=";
        assert_eq!(starts("<a>\n<b=x", marker), Match::Full(7));
        assert_eq!(starts("<a><b=", marker), Match::Full(6));
        assert_eq!(starts("<a> \n\n <b", marker), Match::Partial);
        assert_eq!(starts("<a> \n\n ", marker), Match::Partial);
        assert_eq!(starts("<a> x", marker), Match::No);
        assert_eq!(starts("x", ""), Match::Full(0));
    }

    #[test]
    fn a_marker_is_found_where_it_begins_or_may_begin() {
        assert_eq!(find("a <b <a>", "<a>"), Found::At(5, 3));
        assert_eq!(find("a <b <a", "<a>"), Found::Perhaps(5));
        assert_eq!(find("a <b", "<a>"), Found::Nowhere);
        assert_eq!(find("a", ""), Found::Nowhere);
    }
}
