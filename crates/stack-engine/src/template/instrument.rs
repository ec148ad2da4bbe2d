//! Makes the operators of a template pay for their work.
//!
//! The interpreter has no hook in its operators, but filters bind tighter than any of them, so the source is
//! rewritten before it is compiled: `a ~ b` becomes `a|__concatenated ~ b|__concatenated`, and so on. Filters return
//! their operand (as text, for `~`), so that a template cannot tell. Lines keep their numbers.
//!
//! ```text
//! for each piece of the source:
//!     text:      long text gets {{ LENGTH|__written }} before its first visible character
//!     comment:   unchanged
//!     tag:       for each chain (a name, literal or bracketed group with its .x, […], (…) behind it):
//!                    if an operator stands before or behind it, append that operator's filter
//!                    if it is sliced, wrap what is sliced
//! ```

use super::error::TemplateError;
use super::lexis::{self, Piece, Token, TokenKind};

/// Rewrites a template.
pub(super) fn instrument(source: &str) -> Result<String, TemplateError> {
    let mut edits = Vec::new();
    for piece in lexis::pieces(source)? {
        match piece {
            Piece::Text { start, end } => meter_text(&source[start..end], start, &mut edits)?,
            Piece::Code { start, end } => {
                let tokens = lexis::tokens(source, start, end)?;
                Walk { source, tokens: &tokens, edits: &mut edits }.code();
            }
        }
    }
    edits.sort_by_key(|edit: &Edit| edit.at);
    let mut out = String::with_capacity(source.len() + edits.len() * 16);
    let mut copied = 0;
    for edit in edits {
        out.push_str(&source[copied..edit.at]);
        out.push_str(&edit.text);
        copied = edit.at;
    }
    out.push_str(&source[copied..]);
    Ok(out)
}

/// Text to insert before a byte of the source. Edits at one place keep their order.
struct Edit {
    at: usize,
    text: String,
}

fn meter_text(text: &str, start: usize, edits: &mut Vec<Edit>) -> Result<(), TemplateError> {
    if text.len() <= FREE_TEXT_BYTES {
        return Ok(());
    }
    // Blanks at the edges belong to the tags beside them (`-%}`), so the meter stands before what is visible.
    let Some(at) = text.find(|c: char| !c.is_whitespace()) else {
        return Err(TemplateError::Exhausted("it holds a very long run of blanks".into()));
    };
    edits.push(Edit { at: start + at, text: format!("{{{{ {}|__written }}}}", text.len()) });
    Ok(())
}

struct Walk<'a> {
    source: &'a str,
    tokens: &'a [Token],
    edits: &'a mut Vec<Edit>,
}

impl<'a> Walk<'a> {
    /// Walks over one tag.
    fn code(&mut self) {
        let mut at = 0;
        let mut target = None;
        match self.word(0) {
            // The names that are assigned to are not read.
            Some("for") => target = Some("in"),
            Some("set") => target = Some("="),
            Some("macro" | "call" | "block" | "from" | "import") => {
                at = 1;
                if self.word(0) == Some("macro") {
                    at += 1;
                }
            }
            _ => {}
        }
        if let Some(end) = target {
            while at < self.tokens.len() && self.text(at) != end {
                at += 1;
            }
            at += 1;
        } else if at == 0 && self.word(0).is_some_and(|word| STATEMENTS.contains(&word)) {
            at = 1;
        }
        self.expressions(at, None);
    }

    /// Walks over expressions up to the closing bracket that is given; returns the index behind it.
    fn expressions(&mut self, mut at: usize, closing: Option<&str>) -> usize {
        let mut before = "";
        while at < self.tokens.len() {
            let text = self.text(at);
            if Some(text) == closing {
                return at + 1;
            }
            if self.starts_chain(at) {
                at = self.chain(at, before);
                before = "";
            } else {
                // A sign does not part an operator from its operand.
                if !(matches!(text, "+" | "-") && meter_of(before).is_some()) {
                    before = text;
                }
                at += 1;
            }
        }
        at
    }

    /// Walks over one chain and the filters and tests behind it; returns the index behind them.
    fn chain(&mut self, start: usize, before: &str) -> usize {
        let from = self.tokens[start].start;
        let mut at = self.primary(start);
        loop {
            match self.text_at(at) {
                "." => at = (at + 2).min(self.tokens.len()),
                "(" => at = self.expressions(at + 1, Some(")")),
                "[" => {
                    if self.slices(at + 1) {
                        self.edits.push(Edit { at: from, text: "(".into() });
                        let filter = "|__sliced)".to_owned();
                        self.edits.push(Edit { at: self.tokens[at].start, text: filter });
                    }
                    at = self.expressions(at + 1, Some("]"));
                }
                _ => break,
            }
        }
        if self.text_at(at) == "|" {
            let meter = match self.text_at(at + 1) {
                "sort" | "unique" | "min" | "max" | "groupby" | "dictsort" => Meter::Compared,
                _ => Meter::Operand,
            };
            self.append(at, meter);
        }
        let mut filtered = false;
        loop {
            match self.text_at(at) {
                "|" => at = self.filter(at + 1),
                "is" => {
                    at += 1;
                    if self.text_at(at) == "not" {
                        at += 1;
                    }
                    at = self.filter(at);
                }
                _ => break,
            }
            filtered = true;
        }
        let behind = match self.text_at(at) {
            "not" => self.text_at(at + 1),
            operator => operator,
        };
        // A test yields true or false, which cost nothing.
        if !(filtered && self.ends_in_test(start, at)) {
            for meter in meters(before, behind).into_iter().flatten() {
                self.append(at, meter);
            }
        }
        at
    }

    /// Steps over the name of a filter or test, and its arguments.
    fn filter(&mut self, mut at: usize) -> usize {
        at += 1;
        while self.text_at(at) == "." {
            at += 2;
        }
        if self.text_at(at) == "(" { self.expressions(at + 1, Some(")")) } else { at.min(self.tokens.len()) }
    }

    fn primary(&mut self, at: usize) -> usize {
        match self.text(at) {
            "(" => self.expressions(at + 1, Some(")")),
            "[" => self.expressions(at + 1, Some("]")),
            "{" => self.expressions(at + 1, Some("}")),
            // Strings that stand side by side are one.
            _ if self.tokens[at].kind == TokenKind::String => {
                let mut end = at + 1;
                while self.tokens.get(end).is_some_and(|token| token.kind == TokenKind::String) {
                    end += 1;
                }
                end
            }
            _ => at + 1,
        }
    }

    fn starts_chain(&self, at: usize) -> bool {
        match self.tokens[at].kind {
            TokenKind::String | TokenKind::Number => true,
            TokenKind::Name => !KEYWORDS.contains(&self.text(at)) && self.text_at(at + 1) != "=",
            TokenKind::Symbol => matches!(self.text(at), "(" | "[" | "{"),
        }
    }

    /// Returns whether the brackets that open before `at` hold a colon of their own.
    fn slices(&self, at: usize) -> bool {
        let mut depth = 0;
        for index in at..self.tokens.len() {
            match self.text(index) {
                "(" | "[" | "{" => depth += 1,
                ":" if depth == 0 => return true,
                ")" | "]" | "}" if depth == 0 => return false,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
        }
        false
    }

    fn ends_in_test(&self, start: usize, end: usize) -> bool {
        let mut depth = 0;
        for index in (start..end).rev() {
            match self.text(index) {
                ")" | "]" | "}" => depth += 1,
                "(" | "[" | "{" => depth -= 1,
                "is" if depth == 0 => return true,
                "|" if depth == 0 => return false,
                _ => {}
            }
        }
        false
    }

    /// Appends a filter behind the token before `at`.
    fn append(&mut self, at: usize, meter: Meter) {
        let end = self.tokens[at - 1].end;
        self.edits.push(Edit { at: end, text: format!("|{}", meter.filter()) });
    }

    fn text(&self, at: usize) -> &'a str {
        &self.source[self.tokens[at].start..self.tokens[at].end]
    }

    /// Returns the token's text; nothing behind the last one. A string is never mistaken for a symbol: it is quoted.
    fn text_at(&self, at: usize) -> &'a str {
        if at < self.tokens.len() { self.text(at) } else { "" }
    }

    fn word(&self, at: usize) -> Option<&'a str> {
        self.tokens.get(at).filter(|token| token.kind == TokenKind::Name).map(|_| self.text(at))
    }
}

/// Which filter an operand goes through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meter {
    Operand,
    Compared,
    Searched,
    Concatenated,
    Factor,
}

impl Meter {
    fn filter(self) -> &'static str {
        match self {
            Self::Operand => "__operand",
            Self::Compared => "__compared",
            Self::Searched => "__searched",
            Self::Concatenated => "__concatenated",
            Self::Factor => "__factor",
        }
    }
}

/// Chooses the filters of an operand between two operators; either may be empty.
fn meters(before: &str, behind: &str) -> [Option<Meter>; 2] {
    // `a ~ b * c` concatenates the product: its factors must stay numbers.
    let product = [before, behind].iter().any(|operator| matches!(*operator, "*" | "/" | "//" | "%" | "**"));
    [before, behind].map(|operator| match meter_of(operator) {
        Some(Meter::Concatenated) if product => Some(Meter::Operand),
        meter => meter,
    })
}

fn meter_of(operator: &str) -> Option<Meter> {
    match operator {
        "~" => Some(Meter::Concatenated),
        "+" => Some(Meter::Operand),
        "*" | "**" => Some(Meter::Factor),
        "==" | "!=" | "<" | ">" | "<=" | ">=" => Some(Meter::Compared),
        "in" => Some(Meter::Searched),
        _ => None,
    }
}

/// Names that are not values.
const KEYWORDS: [&str; 9] = ["and", "else", "if", "import", "in", "is", "not", "or", "recursive"];
/// Statements whose first word is followed by an expression.
const STATEMENTS: [&str; 13] = [
    "if",
    "elif",
    "else",
    "endif",
    "endfor",
    "do",
    "include",
    "with",
    "filter",
    "autoescape",
    "extends",
    "break",
    "continue",
];
/// Text this short costs less than the instruction that writes it.
const FREE_TEXT_BYTES: usize = 256;
#[cfg(test)]
mod tests {
    use super::*;

    fn assert_rewritten(cases: &[(&str, &str)]) {
        for (source, expected) in cases {
            let expected = expected.replace("@o", "|__operand").replace("@t", "|__concatenated");
            let expected = expected.replace("@c", "|__compared").replace("@s", "|__searched");
            let expected = expected.replace("@f", "|__factor");
            assert_eq!(instrument(source).unwrap(), expected);
        }
    }

    #[test]
    fn operands_of_operators_are_metered() {
        assert_rewritten(&[
            ("{{ a }}", "{{ a }}"),
            ("{{ a ~ b.c[0](x) }}", "{{ a@t ~ b.c[0](x)@t }}"),
            ("{{- a+'x'|trim -}}", "{{- a@o+'x'@o|trim@o -}}"),
            ("{{ (a ~ b) ~ c }}", "{{ (a@t ~ b@t)@t ~ c@t }}"),
            ("{{ a * 2 ~ b }}", "{{ a@f * 2@f@o ~ b@t }}"),
            ("{{ a ~ -b }}", "{{ a@t ~ -b@t }}"),
            ("{{ x not in y and not z }}", "{{ x@s not in y@s and not z }}"),
            ("{{ f(a=b + 1, c='d') }}", "{{ f(a=b@o + 1@o, c='d') }}"),
            ("{{ x is defined and x is not none }}", "{{ x is defined and x is not none }}"),
            ("{{ a | sort | join(b ~ 'c') }}", "{{ a@c | sort | join(b@t ~ 'c'@t) }}"),
        ]);
    }

    #[test]
    fn statements_keep_their_targets() {
        assert_rewritten(&[
            ("{% for a in b ~ c %}", "{% for a in b@t ~ c@t %}"),
            ("{%- set ns.x = ns.x + 1 -%}", "{%- set ns.x = ns.x@o + 1@o -%}"),
            ("{% set x %}", "{% set x %}"),
            ("{% macro m(a, b='c' ~ d) %}", "{% macro m(a, b='c'@t ~ d@t) %}"),
            ("{% if a == b %}{% elif (c) %}", "{% if a@c == b@c %}{% elif (c) %}"),
            ("{% call(x) m(a ~ b) %}", "{% call(x) m(a@t ~ b@t) %}"),
        ]);
    }

    #[test]
    fn slices_are_metered_and_dictionaries_are_not_slices() {
        assert_rewritten(&[
            ("{{ a[1:] }}", "{{ (a|__sliced)[1:] }}"),
            ("{{ a.b[:-1][0] }}", "{{ (a.b|__sliced)[:-1][0] }}"),
            ("{{ a[{'b': 1}] }}", "{{ a[{'b': 1}] }}"),
        ]);
    }

    #[test]
    fn what_is_not_code_stays() {
        assert_rewritten(&[
            ("a ~ b {# c ~ d #} e", "a ~ b {# c ~ d #} e"),
            ("{{ '}} ~ {{' }}", "{{ '}} ~ {{' }}"),
            ("{% raw %}{{ a ~ b }}{% endraw %}", "{% raw %}{{ a ~ b }}{% endraw %}"),
            ("{{ {'a': {'b': 1}} }}x", "{{ {'a': {'b': 1}} }}x"),
            ("{{ a", "{{ a"),
        ]);
    }

    #[test]
    fn long_text_pays_before_its_first_visible_character() {
        let text = format!(" \n{}", "x".repeat(300));
        let expected = format!("{{%- if a -%}} \n{{{{ 302|__written }}}}{}", "x".repeat(300));
        assert_eq!(instrument(&format!("{{%- if a -%}}{text}")).unwrap(), expected);
        assert!(instrument(&" ".repeat(300)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_rewritten_without_panic(source in "[{}%#'\"a1 ~+*\\[\\]():|.\\\\=é\n-]{0,60}") {
            let _ = instrument(&source);
            let wrapped = format!("{{{{ {source} }}}}{{% if {source} %}}");
            let _ = instrument(&wrapped);
        }
    }
}
