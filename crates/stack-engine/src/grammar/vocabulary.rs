//! A vocabulary in the form that llguidance works with.

use std::sync::Arc;

use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};

use super::error::GrammarError;
use crate::tokenizer::{TokenKind, Tokenizer};

/// Makes the trie of a vocabulary's tokens.
///
/// Control tokens are no text: a grammar reaches them by number only, so nothing that a schema says can spell one.
pub(super) fn environment(tokenizer: &Tokenizer) -> Result<TokEnv, GrammarError> {
    let count = tokenizer.vocabulary_size() as u32;
    let ends: Vec<u32> = tokenizer.end_of_generation().collect();
    let end = tokenizer.eos().filter(|eos| ends.contains(eos)).or_else(|| ends.first().copied());
    let end = end.ok_or_else(|| GrammarError::new("the vocabulary has no token that ends an answer"))?;
    let words: Vec<Vec<u8>> = (0..count).map(|id| word(tokenizer, id)).collect();
    let trie = TokTrie::from(&TokRxInfo::new(count, end), &words);
    Ok(Arc::new(ApproximateTokEnv::new(trie.with_eos_tokens(&ends_first(end, &ends)))))
}

fn word(tokenizer: &Tokenizer, id: u32) -> Vec<u8> {
    let marked = |piece: &[u8]| [&[TokTrie::SPECIAL_TOKEN_MARKER], piece].concat();
    match tokenizer.kind(id) {
        TokenKind::Unused | TokenKind::Unknown => Vec::new(),
        _ if tokenizer.is_end_of_generation(id) => marked(tokenizer.piece(id)),
        TokenKind::Control => marked(tokenizer.piece(id)),
        TokenKind::Normal | TokenKind::UserDefined | TokenKind::Byte => tokenizer.token_bytes(id).to_vec(),
    }
}

/// The usual end, then all others.
fn ends_first(first: u32, ends: &[u32]) -> Vec<u32> {
    std::iter::once(first).chain(ends.iter().copied().filter(|&end| end != first)).collect()
}
