//! What callers ask of a vocabulary, in their own words.

use stack_chat::{Failure, TokenizeOptions};

use crate::tokenizer::{Control, Specials, Tokenizer};

/// Returns the tokens of a text.
pub(crate) fn tokenize(
    tokenizer: Option<&Tokenizer>,
    text: &str,
    options: TokenizeOptions,
) -> Result<Vec<u32>, Failure> {
    let control = if options.parse_special { Control::Parsed } else { Control::Literal };
    let specials = if options.add_special { Specials::Add } else { Specials::Omit };
    Ok(needed(tokenizer)?.encode(text, control, specials))
}

/// Returns the bytes of a token.
pub(crate) fn piece(tokenizer: Option<&Tokenizer>, token: u32) -> Result<&[u8], Failure> {
    let tokenizer = needed(tokenizer)?;
    let size = tokenizer.vocabulary_size();
    if token as usize >= size {
        let message = format!("token {token} is not in the vocabulary of {size}");
        return Err(Failure::invalid("tokens", message));
    }
    Ok(tokenizer.piece(token))
}

/// The tokens that begin and end a text.
pub(crate) fn bounds(tokenizer: Option<&Tokenizer>) -> (Option<u32>, Option<u32>) {
    tokenizer.map_or((None, None), |tokenizer| (tokenizer.bos(), tokenizer.eos()))
}

fn needed(tokenizer: Option<&Tokenizer>) -> Result<&Tokenizer, Failure> {
    tokenizer.ok_or_else(|| Failure::unsupported("model", "this model has no vocabulary, only token ids"))
}
