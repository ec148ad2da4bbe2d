//! Whether one model can guess for another: only where a token means the same to both.

use crate::spec::DecoderSpec;
use crate::tokenizer::{TokenKind, Tokenizer};
use crate::weights::{LoadError, LoadErrorKind, WeightSource};

/// Refuses a draft model whose vocabulary is not that of the model for which it is to guess.
///
/// # Errors
///
/// Names the first token that differs.
pub(crate) fn check_vocabularies(
    draft: &dyn WeightSource,
    target: &dyn WeightSource,
) -> Result<(), LoadError> {
    let refusal = |problem: String| {
        Err(LoadError::new("draft model", format!("its vocabulary is not that of the model: {problem}"))
            .of_kind(LoadErrorKind::Draft))
    };
    match (Tokenizer::read(draft)?, Tokenizer::read(target)?) {
        (Some(draft), Some(target)) => match first_difference(&draft, &target) {
            None => Ok(()),
            Some(id) => {
                refusal(format!("token {id} is {} there and {} here", shown(&draft, id), shown(&target, id)))
            }
        },
        (None, None) => {
            let [there, here] =
                [DecoderSpec::read(draft)?, DecoderSpec::read(target)?].map(|it| it.vocabulary);
            if there == here {
                Ok(())
            } else {
                refusal(format!("it has {there} tokens there and {here} here"))
            }
        }
        (Some(_), None) => refusal("the model has none".to_owned()),
        (None, Some(_)) => refusal("the draft model has none".to_owned()),
    }
}

/// Tables of one family are often padded to different lengths: what only one of them has must be unused.
fn first_difference(draft: &Tokenizer, target: &Tokenizer) -> Option<u32> {
    let tokens = draft.vocabulary_size().max(target.vocabulary_size());
    let is_same = |id: u32| {
        let [draft_kind, target_kind] = [draft.kind(id), target.kind(id)];
        let is_unused = draft_kind == TokenKind::Unused && target_kind == TokenKind::Unused;
        is_unused || (draft_kind == target_kind && draft.piece(id) == target.piece(id))
    };
    (0..u32::try_from(tokens).unwrap_or(u32::MAX)).find(|&id| !is_same(id))
}

fn shown(tokenizer: &Tokenizer, id: u32) -> String {
    if tokenizer.kind(id) == TokenKind::Unused {
        return "unused".to_owned();
    }
    format!("{:?}", String::from_utf8_lossy(tokenizer.piece(id)))
}
