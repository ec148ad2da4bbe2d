//! Two texts in one sequence, as models that compare them read them.

use super::{Control, Specials, Tokenizer};

impl Tokenizer {
    /// Returns the tokens of the first of two texts and of what comes between them.
    ///
    /// BERT's vocabularies put one separator there, `[CLS] a [SEP] b [SEP]`, `RoBERTa`'s two, `<s> a </s></s> b </s>`. Files
    /// seldom say which, but the separator's own text does.
    pub(crate) fn encode_first(&self, text: &str) -> Vec<u32> {
        let mut tokens = self.encode(text, Control::Literal, Specials::Add);
        if let [separator] = self.inner.suffix[..]
            && self.piece(separator) == b"</s>"
        {
            tokens.push(separator);
        }
        tokens
    }

    /// Appends the second of two texts to the first one.
    pub(crate) fn append_second(&self, tokens: &mut Vec<u32>, text: &str) {
        tokens.extend(self.encode(text, Control::Literal, Specials::Omit));
        tokens.extend_from_slice(&self.inner.suffix);
    }
}
