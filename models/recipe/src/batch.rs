//! From conversations to batches of tokens.

use crate::model::Batch;

/// A tokenized text and which of its tokens the model is to learn to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Example {
    /// Token ids, from the beginning-of-text token on.
    pub(crate) tokens: Vec<u32>,
    /// For each token, whether it is to be learned.
    pub(crate) learned: Vec<bool>,
}

/// Groups examples of similar length into batches of at most `tokens_max` tokens, padding included.
///
/// Sorting by length keeps padding small, and every attention matrix as small as its texts.
pub(crate) fn batches(mut examples: Vec<Example>, tokens_max: usize) -> Vec<Batch> {
    examples.sort_by_key(|example| example.tokens.len());
    let mut batches = Vec::new();
    // Longest first: the last of the batches that are worked on side by side should be a short one.
    while let Some(longest) = examples.last().map(|example| example.tokens.len()) {
        let count = (tokens_max / longest).clamp(1, examples.len());
        batches.push(pad(&examples.split_off(examples.len() - count), longest));
    }
    batches
}

fn pad(examples: &[Example], longest: usize) -> Batch {
    // The last token has no successor to learn.
    let positions = longest - 1;
    let mut batch =
        Batch { tokens: Vec::new(), sequences: examples.len(), rows: Vec::new(), targets: Vec::new() };
    for example in examples {
        let start = batch.tokens.len();
        batch.tokens.extend(&example.tokens[..example.tokens.len() - 1]);
        batch.tokens.resize(start + positions, 0);
        for (i, (&token, _)) in
            example.tokens.iter().zip(&example.learned).enumerate().skip(1).filter(|x| *x.1.1)
        {
            batch.rows.push((start + i - 1) as u32);
            batch.targets.push(token);
        }
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(tokens: &[u32], learned_from: usize) -> Example {
        Example { tokens: tokens.to_vec(), learned: (0..tokens.len()).map(|i| i >= learned_from).collect() }
    }

    #[test]
    fn each_learned_token_is_the_target_of_the_row_before_it() {
        let batches = batches(vec![example(&[1, 5, 6], 1), example(&[1, 7, 8, 9], 3)], 8);
        assert_eq!(batches.len(), 1);
        let batch = &batches[0];
        assert_eq!(batch.tokens, [1, 5, 0, 1, 7, 8]);
        assert_eq!(batch.rows, [0, 1, 5]);
        assert_eq!(batch.targets, [5, 6, 9]);
    }

    #[test]
    fn no_batch_is_larger_than_asked_unless_one_text_is() {
        let examples = (2..40).map(|length| example(&vec![1; length], 1)).collect();
        for batch in batches(examples, 30) {
            assert!(batch.tokens.len() <= 30 || batch.sequences == 1);
        }
    }
}
