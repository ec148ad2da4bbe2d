//! Breaks lines between words while they come, so that a terminal does not break them within.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Wraps a text that is there as a whole.
pub(crate) fn wrapped(text: &str, columns: usize) -> String {
    let mut wrap = WordWrap::default();
    let shown = wrap.push(text, columns);
    shown + &wrap.finish(columns)
}

/// Wraps one text that comes in pieces.
///
/// ```text
/// a word is held until it is complete     it goes into the line if it fits, else to the next line
/// a word longer than a line               flows on as it is, so that an address can be copied
/// a line between ``` and ```              is code, and stays as it is
/// ```
#[derive(Clone, Debug, Default)]
pub(crate) struct WordWrap {
    /// Columns of the line that are taken.
    column: usize,
    /// White space in front of the word; at a break it is dropped.
    space: String,
    word: String,
    /// Whether the word became too long to be held.
    flows: bool,
    /// How the line begins, as far as it takes to know a fence.
    start: String,
    code: bool,
}

impl WordWrap {
    /// Takes a piece of the text and returns what can be shown of it, on lines of this many columns.
    pub(crate) fn push(&mut self, text: &str, columns: usize) -> String {
        let mut shown = String::with_capacity(text.len() + 8);
        // A terminal whose last column is taken may or may not have begun the next line.
        let width = columns.saturating_sub(1);
        for character in text.chars() {
            if self.start.len() < START_BYTES && character != '\n' {
                self.start.push(character);
            }
            match character {
                '\n' => self.end_line(&mut shown, width),
                _ if self.code || width < COLUMNS_MIN => {
                    self.place(&mut shown, width);
                    shown.push(character);
                }
                ' ' | '\t' => {
                    self.place(&mut shown, width);
                    self.space.push(character);
                }
                _ => self.add(character, &mut shown, width),
            }
        }
        shown
    }

    /// Returns what was held, and is ready for another text.
    pub(crate) fn finish(&mut self, columns: usize) -> String {
        let mut shown = String::new();
        self.place(&mut shown, columns.saturating_sub(1));
        *self = Self::default();
        shown
    }

    /// Adds a character to the word. Words of wide characters have one each.
    fn add(&mut self, character: char, shown: &mut String, width: usize) {
        if let Some(last) = self.word.chars().last()
            && breaks_between(last, character)
        {
            self.place(shown, width);
        }
        self.word.push(character);
        if self.flows {
            shown.push(character);
            self.column = (self.column + character.width().unwrap_or(0)) % (width + 1);
        } else if self.word.width() > width {
            self.flow(shown, width);
        }
    }

    /// Lets a word that fits no line begin a line of its own and flow on from there.
    fn flow(&mut self, shown: &mut String, width: usize) {
        if self.column > 0 {
            shown.push('\n');
        } else {
            shown.push_str(&self.space);
        }
        self.space.clear();
        shown.push_str(&self.word);
        self.column = self.word.width() % (width + 1);
        self.flows = true;
    }

    /// Puts the word, if there is one, behind the white space or on the next line.
    fn place(&mut self, shown: &mut String, width: usize) {
        if self.word.is_empty() {
            return;
        }
        if !self.flows {
            let space = self.space.chars().fold(self.column, |column, character| match character {
                '\t' => (column / TAB + 1) * TAB,
                _ => column + 1,
            });
            let end = space + self.word.width();
            if end <= width || self.column == 0 {
                shown.push_str(&self.space);
                self.column = end;
            } else {
                shown.push('\n');
                self.column = self.word.width();
            }
            shown.push_str(&self.word);
        }
        self.space.clear();
        self.word.clear();
        self.flows = false;
    }

    fn end_line(&mut self, shown: &mut String, width: usize) {
        self.place(shown, width);
        shown.push('\n');
        let start = self.start.trim_start();
        if start.starts_with("```") || start.starts_with("~~~") {
            self.code = !self.code;
        }
        self.start.clear();
        self.space.clear();
        self.column = 0;
    }
}

/// Whether a line may end between two characters of a text without white space, as in Chinese and Japanese.
fn breaks_between(before: char, after: char) -> bool {
    let wide = |character: char| character.width() == Some(2);
    // Marks and joiners belong to what is before them.
    let joins = |character: char| character.width().unwrap_or(0) == 0;
    if joins(after) || joins(before) || CLOSING.contains(after) || OPENING.contains(before) {
        return false;
    }
    wide(after) || (wide(before) && after.is_alphanumeric())
}

/// What no line begins with.
const CLOSING: &str = "、。，．！？：；）」』】》〉”’…・ー";
/// What no line ends with.
const OPENING: &str = "（「『【《〈“‘";
/// Lines that are shorter cannot be helped.
const COLUMNS_MIN: usize = 15;
const TAB: usize = 8;
/// Enough for white space and a fence.
const START_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// Wraps a text in pieces of every size, which must not matter.
    fn wrapped(text: &str, columns: usize) -> String {
        let whole = super::wrapped(text, columns);
        for size in [1, 2, 3, 7] {
            assert_eq!(pieces(text, columns, size), whole, "in pieces of {size}");
        }
        whole
    }

    fn pieces(text: &str, columns: usize, size: usize) -> String {
        let (mut wrap, mut shown) = (WordWrap::default(), String::new());
        let characters: Vec<char> = text.chars().collect();
        for piece in characters.chunks(size.min(characters.len().max(1))) {
            shown += &wrap.push(&piece.iter().collect::<String>(), columns);
        }
        shown + &wrap.finish(columns)
    }

    #[test]
    fn lines_end_between_words_and_fit() {
        let text = "The quick brown fox jumps over the lazy dog, and then it sleeps.";
        let shown = wrapped(text, 24);
        assert_eq!(shown, "The quick brown fox\njumps over the lazy\ndog, and then it\nsleeps.");
        for columns in 16..100 {
            let shown = wrapped(text, columns);
            assert!(shown.lines().all(|line| line.width() < columns), "{columns}: {shown}");
            assert_eq!(shown.replace('\n', " "), text);
        }
    }

    #[test]
    fn lines_and_indentation_of_the_text_stay() {
        let text = "One.\n\n- a list\n    - with a part\n\n  end  \n";
        assert_eq!(wrapped(text, 60), "One.\n\n- a list\n    - with a part\n\n  end\n");
    }

    #[test]
    fn code_stays_as_it_is() {
        let code = "```rust\nlet a_rather_long_line_of_code = something + something_else;\n```\n";
        assert_eq!(wrapped(code, 24), code);
        let text = format!("{code}and after it the words are wrapped again");
        assert_eq!(wrapped(&text, 24), format!("{code}and after it the words\nare wrapped again"));
    }

    #[test]
    fn a_long_word_can_be_copied() {
        let address = "https://example.com/a/very/long/path/that/fits/no/line";
        let shown = wrapped(&format!("See {address} for more."), 24);
        assert!(shown.starts_with(&format!("See\n{address}")), "{shown}");
        assert_eq!(shown.matches(address).count(), 1);
    }

    #[test]
    fn wide_characters_take_two_columns_and_break_anywhere() {
        let shown = wrapped("今天天气很好，我们去公园散步吧。明天再见，朋友们。", 21);
        assert!(shown.lines().count() > 2, "{shown}");
        for line in shown.lines() {
            assert!(line.width() < 21, "{line}");
            assert!(!line.starts_with(['，', '。']), "{line}");
        }
        // A family is one picture, whatever it is made of, and an accent belongs to its letter.
        let shown = wrapped("👨‍👩‍👧 👨‍👩‍👧 👨‍👩‍👧 👨‍👩‍👧 👨‍👩‍👧 e\u{301}te\u{301} e\u{301}te\u{301} e\u{301}te\u{301}", 18);
        assert_eq!(shown.matches("👨‍👩‍👧").count(), 5, "{shown}");
        assert!(!shown.lines().any(|line| line.starts_with('\u{301}')), "{shown}");
    }

    #[test]
    fn a_tiny_terminal_is_left_alone() {
        assert_eq!(wrapped("a few words that go on and on", 10), "a few words that go on and on");
    }

    #[test]
    fn words_are_shown_as_soon_as_they_are_complete() {
        let mut wrap = WordWrap::default();
        assert_eq!(wrap.push("Hello wor", 80), "Hello");
        assert_eq!(wrap.push("ld, ", 80), " world,");
        assert_eq!(wrap.finish(80), "");
    }
}
