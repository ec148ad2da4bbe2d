//! From a row of data to what is looked for and compared.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

use super::contexts::CONTEXTS;
use super::shapes::{ALPHABETS, SHAPES};

/// A rule: where one of its keywords stands, its expression is tried.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) keyword: &'static str,
    /// How far before its keyword a match may begin, and how far behind it end.
    pub(super) reach: (usize, usize),
    pattern: Pattern,
    /// Compiled when its keyword is first met: most never are.
    expression: OnceLock<Regex>,
}

enum Pattern {
    Shape(&'static str),
    Expression(&'static str),
}

impl Rule {
    /// Makes all rules, one for each keyword.
    pub(super) fn all() -> Vec<Self> {
        let shapes = SHAPES.iter().map(|&(name, shape)| {
            let parts = parts(shape);
            let keyword = keyword(&parts);
            let before = parts.iter().take_while(|part| **part != Part::Text(keyword)).map(longest).sum();
            let behind = parts.iter().skip_while(|part| **part != Part::Text(keyword)).map(longest).sum();
            let pattern = Pattern::Shape(shape);
            Self { name, keyword, reach: (before, behind), pattern, expression: OnceLock::new() }
        });
        let contexts = CONTEXTS.iter().flat_map(|context| {
            context.keywords.iter().map(|keyword| Self {
                name: context.name,
                keyword,
                reach: context.reach,
                pattern: Pattern::Expression(context.expression),
                expression: OnceLock::new(),
            })
        });
        shapes.chain(contexts).collect()
    }

    /// Returns the expression. What its first group matches is the secret.
    pub(super) fn expression(&self) -> &Regex {
        self.expression.get_or_init(|| {
            let pattern = match self.pattern {
                Pattern::Shape(shape) => expression(&parts(shape)),
                Pattern::Expression(expression) => expression.to_owned(),
            };
            // What begins with its keyword is tried there alone.
            let pattern = if self.reach.0 == 0 { format!("^(?:{pattern})") } else { pattern };
            RegexBuilder::new(&pattern).unicode(false).build().expect("a test compiles every rule")
        })
    }

    /// Returns whether a match with its keyword here could be a word of its own, as far as can be told at once.
    pub(super) fn may_begin_at(&self, bytes: &[u8], keyword: usize) -> bool {
        self.reach.0 > 0 || super::begins_alone(bytes, keyword)
    }

    /// Returns whether the rule knows its secrets by their own shape, not by what stands around them.
    pub(super) fn is_shape(&self) -> bool {
        matches!(self.pattern, Pattern::Shape(_))
    }
}

/// A piece of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Text, as it stands.
    Text(&'static str),
    /// Letters of an alphabet.
    Run {
        class: &'static str,
        least: usize,
        /// None where the end is open.
        most: Option<usize>,
    },
}

/// Reads a shape.
pub(super) fn parts(shape: &'static str) -> Vec<Part> {
    let mut parts = Vec::new();
    for (at, piece) in shape.split('{').enumerate() {
        let (run, text) = if at == 0 {
            (None, piece)
        } else {
            piece.split_once('}').map_or((None, piece), |(run, text)| (Some(run), text))
        };
        if let Some(run) = run {
            let (letter, length) = run.split_once(':').expect("a run is an alphabet and a length");
            let class = ALPHABETS.iter().find(|(known, _)| letter == known.to_string());
            let (least, most) = match length.split_once('-') {
                None => (length, Some(length)),
                Some((least, "")) => (least, None),
                Some((least, most)) => (least, Some(most)),
            };
            let number = |digits: &str| digits.parse().expect("a length is a number");
            let class = class.expect("runs have known alphabets").1;
            parts.push(Part::Run { class, least: number(least), most: most.map(number) });
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
    }
    parts
}

/// Returns the longest text of a shape: the rarest thing to look for.
fn keyword(parts: &[Part]) -> &'static str {
    let texts = parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(*text) } else { None });
    texts.max_by_key(|text| text.len()).expect("a shape has text in it")
}

fn longest(part: &Part) -> usize {
    match part {
        Part::Text(text) => text.len(),
        Part::Run { most, .. } => most.unwrap_or(OPEN_MAX),
    }
}

fn expression(parts: &[Part]) -> String {
    let parts = parts.iter().map(|part| match part {
        Part::Text(text) => regex::escape(text),
        Part::Run { class, least, most } => format!("[{class}]{{{least},{}}}", most.unwrap_or(OPEN_MAX)),
    });
    format!("({})", parts.collect::<String>())
}

/// A run with an open end is followed so far; what is left of a longer one is no secret without its beginning.
const OPEN_MAX: usize = 1024;
