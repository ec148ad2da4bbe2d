//! The kinds of text.

/// What a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The parts of a work, a line or two each.
    HighLevelOutline,
    /// Each section of a work, with what it says.
    DetailedOutline,
    /// A chapter of an mdBook.
    BookChapter,
    /// A post with TOML front matter.
    BlogPost,
    /// A page that shows something, with its settings.
    PresentationDemo,
}

/// What the length of a text is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Lines.
    Lines,
    /// Words.
    Words,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::HighLevelOutline,
        Self::DetailedOutline,
        Self::BookChapter,
        Self::BlogPost,
        Self::PresentationDemo,
    ];

    /// Returns its short name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::HighLevelOutline => "HLO",
            Self::DetailedOutline => "DLO",
            Self::BookChapter => "BCH",
            Self::BlogPost => "BLP",
            Self::PresentationDemo => "PDM",
        }
    }

    /// Returns its long name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HighLevelOutline => "high-level outline",
            Self::DetailedOutline => "detailed outline",
            Self::BookChapter => "book chapter",
            Self::BlogPost => "blog post",
            Self::PresentationDemo => "presentation demo",
        }
    }

    /// Finds the kind that is called so: short or long, in any case, with spaces, hyphens or underscores.
    pub fn from_name(name: &str) -> Option<Self> {
        let plain = |text: &str| text.to_lowercase().replace([' ', '-', '_'], "");
        let asked = plain(name);
        let is_it = |kind: &Self| {
            asked == plain(kind.code())
                || asked == plain(kind.name())
                || kind.also().contains(&asked.as_str())
        };
        Self::ALL.into_iter().find(is_it)
    }

    const fn also(self) -> &'static [&'static str] {
        match self {
            Self::HighLevelOutline | Self::DetailedOutline => &[],
            Self::BookChapter => &["chapter"],
            Self::BlogPost => &["blog", "post"],
            Self::PresentationDemo => &["presentardemo", "demo"],
        }
    }

    /// Returns how long it is: what is counted, from, to. A demo is as long as it is.
    pub const fn range(self) -> Option<(Measure, u32, u32)> {
        match self {
            Self::HighLevelOutline => Some((Measure::Lines, 50, 200)),
            Self::DetailedOutline => Some((Measure::Lines, 200, 1000)),
            Self::BookChapter => Some((Measure::Words, 2000, 8000)),
            Self::BlogPost => Some((Measure::Words, 500, 3000)),
            Self::PresentationDemo => None,
        }
    }

    /// Returns the format that it is written in.
    pub const fn format(self) -> &'static str {
        match self {
            Self::HighLevelOutline | Self::DetailedOutline => "YAML or Markdown",
            Self::BookChapter => "Markdown (mdBook)",
            Self::BlogPost => "Markdown with TOML front matter between +++",
            Self::PresentationDemo => "HTML with YAML settings",
        }
    }

    /// Returns how many words it has where nobody says: least, usual, most.
    pub(crate) const fn words(self) -> (u32, u32, u32) {
        match self {
            Self::HighLevelOutline => (400, 1000, 1600),
            Self::DetailedOutline => (1600, 4000, 8000),
            Self::BookChapter => (2000, 4000, 8000),
            Self::BlogPost => (500, 1500, 3000),
            Self::PresentationDemo => (300, 800, 2000),
        }
    }

    /// Lists the parts that it has, in order.
    pub(crate) const fn structure(self) -> &'static [&'static str] {
        match self {
            Self::HighLevelOutline => &[
                "the title and one sentence that says what the work is for",
                "its parts in order, each with its goal in one line",
                "for each part its chapters, each with one line",
                "what a reader has to know before",
            ],
            Self::DetailedOutline => &[
                "the title, the audience and the goal",
                "for each chapter: its goal, its sections, and the examples that each section uses",
                "for each section the facts that it states, one in a line",
                "the exercises at the end of each chapter",
            ],
            Self::BookChapter => &[
                "one heading of the first level with the title",
                "an opening paragraph with the problem that the chapter solves",
                "sections of the second level, each with an example that runs and what it prints",
                "what goes wrong, and how to see it",
                "a summary of at most five points, and two or three exercises",
            ],
            Self::BlogPost => &[
                "front matter between two lines of +++ with title, date and description in TOML",
                "an opening paragraph that states the result",
                "sections of the second level that show how it was reached",
                "numbers with the machine and the command that they come from",
                "a closing paragraph with what to try next",
            ],
            Self::PresentationDemo => &[
                "the settings in YAML: title, data, and what can be changed",
                "one HTML page that works without a network",
                "a sentence beside each control that says what it shows",
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_short_and_long_names() {
        for kind in Kind::ALL {
            for name in [kind.code().to_owned(), kind.code().to_lowercase(), kind.name().replace(' ', "-")] {
                assert_eq!(Kind::from_name(&name), Some(kind), "{name}");
            }
        }
        assert_eq!(Kind::from_name("Book_Chapter"), Some(Kind::BookChapter));
        assert_eq!(Kind::from_name("poem"), None);
    }

    #[test]
    fn lengths_are_those_of_the_types() {
        let told: Vec<_> = Kind::ALL
            .iter()
            .map(|kind| (kind.code(), kind.range().map(|(_, min, max)| (min, max))))
            .collect();
        let expected = [
            ("HLO", Some((50, 200))),
            ("DLO", Some((200, 1000))),
            ("BCH", Some((2000, 8000))),
            ("BLP", Some((500, 3000))),
            ("PDM", None),
        ];
        assert_eq!(told, expected);
    }
}
