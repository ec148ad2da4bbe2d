//! Rules for texts. Markdown is parsed, so that what stands in a code block is code, whatever it looks like.

mod fences;
mod phrases;

use std::ops::Range;

use memchr::memchr_iter;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, MetadataBlockKind, Options, Parser, Tag, TagEnd};

use super::kind::Kind;
use crate::yaml;

/// A rule that a text may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// It speaks to the reader.
    InstructorVoice,
    /// Code blocks name their language.
    CodeBlockLanguage,
    /// Code blocks end.
    CodeBlockClosed,
    /// Headings skip no level.
    HeadingHierarchy,
    /// It says things instead of announcing them.
    NoMetaCommentary,
    /// A post begins with its front matter.
    FrontmatterPresent,
}

/// How bad it is to break a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A matter of style.
    Info,
    /// A fault that readers notice.
    Warning,
    /// A fault that breaks the page.
    Error,
    /// It cannot be published.
    Critical,
}

/// What the rules say about a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// 100 without what the violations cost.
    pub score: u32,
    /// Each place where a rule is broken, in the order of the text.
    pub violations: Vec<Violation>,
    /// Words outside code blocks.
    pub words: u32,
    /// Lines.
    pub lines: u32,
}

/// A place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong there.
    pub message: String,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 6] = [
        Self::InstructorVoice,
        Self::CodeBlockLanguage,
        Self::CodeBlockClosed,
        Self::HeadingHierarchy,
        Self::NoMetaCommentary,
        Self::FrontmatterPresent,
    ];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InstructorVoice => "instructor_voice",
            Self::CodeBlockLanguage => "code_block_language",
            Self::CodeBlockClosed => "code_block_closed",
            Self::HeadingHierarchy => "heading_hierarchy",
            Self::NoMetaCommentary => "no_meta_commentary",
            Self::FrontmatterPresent => "frontmatter_present",
        }
    }

    /// Returns how bad it is to break it.
    pub const fn severity(self) -> Severity {
        match self {
            Self::InstructorVoice => Severity::Info,
            Self::CodeBlockLanguage | Self::NoMetaCommentary => Severity::Warning,
            Self::CodeBlockClosed | Self::HeadingHierarchy => Severity::Error,
            Self::FrontmatterPresent => Severity::Critical,
        }
    }

    /// Whether texts of this kind are held to it.
    pub fn applies_to(self, kind: Kind) -> bool {
        match self {
            Self::FrontmatterPresent => kind == Kind::BlogPost,
            Self::InstructorVoice => matches!(kind, Kind::BookChapter | Kind::BlogPost),
            _ => true,
        }
    }

    /// Returns what it demands, as a sentence for a writer.
    pub(crate) const fn demand(self) -> &'static str {
        match self {
            Self::InstructorVoice => "speak to the reader, not about yourself",
            Self::CodeBlockLanguage => "name the language of every code block",
            Self::CodeBlockClosed => "end every code block with the fence that began it",
            Self::HeadingHierarchy => {
                "begin with a heading of level 1 or 2, and skip no level on the way down"
            }
            Self::NoMetaCommentary => "do not announce what the text will say",
            Self::FrontmatterPresent => "begin with TOML between two lines of +++",
        }
    }
}

impl Severity {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// Returns the points that it costs.
    pub const fn points(self) -> u32 {
        match self {
            Self::Info => 2,
            Self::Warning => 10,
            Self::Error => 25,
            Self::Critical => 50,
        }
    }
}

impl Report {
    pub(super) fn of(mut violations: Vec<Violation>, words: u32, lines: u32) -> Self {
        violations.sort_by_key(|violation| (violation.line, violation.rule));
        let lost = violations.iter().map(|violation| violation.rule.severity().points()).sum::<u32>();
        Self { score: 100_u32.saturating_sub(lost), violations, words, lines }
    }

    /// Whether the text may be used as it is.
    pub fn passes(&self) -> bool {
        self.score >= PASS_SCORE
    }
}

/// From this score on, a text may be used: one error is too much, and so are three warnings.
pub const PASS_SCORE: u32 = 80;

/// Checks a text.
pub fn validate(kind: Kind, text: &str) -> Report {
    let mut checker = Checker { kind, text, violations: Vec::new(), words: 0 };
    if kind == Kind::BlogPost {
        checker.check_front_matter();
    }
    if is_yaml(kind, text) {
        checker.check_lines();
    } else {
        checker.check_blocks();
    }
    let Checker { mut violations, words, .. } = checker;
    violations.retain(|violation| violation.rule.applies_to(kind));
    let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
    Report::of(violations, words, lines)
}

/// Whether an outline is written in YAML, where `#` begins a comment and no heading.
fn is_yaml(kind: Kind, text: &str) -> bool {
    let is_data = |line: &&str| !line.trim().is_empty() && !line.starts_with(['#', '-']);
    let begins =
        text.lines().find(is_data).is_some_and(|line| line.contains(": ") || line.trim_end().ends_with(':'));
    let may_be = matches!(kind, Kind::HighLevelOutline | Kind::DetailedOutline | Kind::PresentationDemo);
    may_be && begins && yaml::parse(text).is_ok_and(|value| value.is_object())
}

struct Checker<'a> {
    kind: Kind,
    text: &'a str,
    violations: Vec<Violation>,
    words: u32,
}

impl Checker<'_> {
    fn broken(&mut self, rule: Rule, at: usize, message: impl Into<String>) {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = memchr_iter(b'\n', before).count() + 1;
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        self.violations.push(Violation { rule, line, message: message.into() });
    }

    /// A post begins with `+++`, TOML, and `+++`.
    fn check_front_matter(&mut self) {
        let text = self.text.strip_prefix('\u{feff}').unwrap_or(self.text);
        let mut lines = text.lines();
        let begins = lines.next().is_some_and(|line| line.trim_end() == "+++");
        if !begins {
            return self.broken(Rule::FrontmatterPresent, 0, "the first line is not +++");
        }
        let mut toml = String::new();
        for line in lines {
            if line.trim_end() == "+++" {
                if let Err(error) = toml.parse::<toml::Table>() {
                    let message = format!("the front matter is no TOML: {}", error.message());
                    self.broken(Rule::FrontmatterPresent, 0, message);
                }
                return;
            }
            toml.push_str(line);
            toml.push('\n');
        }
        self.broken(Rule::FrontmatterPresent, 0, "the front matter does not end with +++");
    }

    fn check_blocks(&mut self) {
        let mut options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
        options |= Options::ENABLE_TASKLISTS | Options::ENABLE_HEADING_ATTRIBUTES;
        options |= Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
        // An outline in YAML is a document of YAML and no front matter of one.
        if matches!(self.kind, Kind::BookChapter | Kind::BlogPost) {
            options |= Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
        }
        let mut level = None;
        // The text of a paragraph with the place in the file of each piece.
        let mut prose: Vec<(String, usize)> = Vec::new();
        let mut is_silent = false;
        for (event, range) in Parser::new_ext(self.text, options).into_offset_iter() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    is_silent = true;
                    self.check_code_block(&kind, range);
                }
                Event::Start(Tag::MetadataBlock(
                    MetadataBlockKind::PlusesStyle | MetadataBlockKind::YamlStyle,
                )) => is_silent = true,
                Event::End(TagEnd::CodeBlock | TagEnd::MetadataBlock(_)) => is_silent = false,
                Event::Start(Tag::Heading { level: found, .. }) => {
                    self.check_heading(level, found, range.start);
                    level = Some(found);
                }
                Event::Text(text) if !is_silent => prose.push((text.into_string(), range.start)),
                Event::SoftBreak | Event::HardBreak => prose.push((" ".to_owned(), range.start)),
                // A name in code is a word, but says nothing.
                Event::Code(_) => prose.push(("\u{fffc}".to_owned(), range.start)),
                Event::End(
                    TagEnd::Paragraph
                    | TagEnd::Heading(_)
                    | TagEnd::Item
                    | TagEnd::TableCell
                    | TagEnd::HtmlBlock,
                ) => self.check_prose(&std::mem::take(&mut prose)),
                _ => {}
            }
        }
        self.check_prose(&prose);
    }

    /// Checks a text that has no blocks.
    fn check_lines(&mut self) {
        let text = self.text;
        for line in text.lines() {
            let at = line.as_ptr() as usize - text.as_ptr() as usize;
            self.check_prose(&[(line.to_owned(), at)]);
        }
    }

    fn check_code_block(&mut self, kind: &CodeBlockKind<'_>, range: Range<usize>) {
        let CodeBlockKind::Fenced(info) = kind else { return };
        if info.trim().is_empty() {
            self.broken(Rule::CodeBlockLanguage, range.start, "the code block names no language");
        }
        if !fences::is_closed(&self.text[range.clone()]) {
            self.broken(Rule::CodeBlockClosed, range.start, "the code block does not end");
        }
    }

    fn check_heading(&mut self, last: Option<HeadingLevel>, found: HeadingLevel, at: usize) {
        let message = match last {
            None if found > HeadingLevel::H2 => format!("the first heading is of level {}", found as u8),
            Some(last) if found as u8 > last as u8 + 1 => {
                format!("level {} follows level {}", found as u8, last as u8)
            }
            _ => return,
        };
        self.broken(Rule::HeadingHierarchy, at, message);
    }

    fn check_prose(&mut self, pieces: &[(String, usize)]) {
        let text: String = pieces.iter().map(|(text, _)| text.as_str()).collect();
        self.words += u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX);
        for (rule, at, found) in phrases::find(&text) {
            let mut left = at;
            let piece = pieces.iter().find(|(piece, _)| {
                let is_here = left < piece.len();
                left = left.saturating_sub(if is_here { 0 } else { piece.len() });
                is_here
            });
            let place = piece.map_or(0, |(_, start)| *start);
            self.broken(rule, place, format!("\"{found}\""));
        }
    }
}

#[cfg(test)]
mod tests;
