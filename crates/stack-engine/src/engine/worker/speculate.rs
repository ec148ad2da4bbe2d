//! Guessing ahead, and taking what held.

use super::Worker;
use super::step::SequenceIndex;
use crate::engine::pace::Wager;
use crate::engine::speculation::{DraftWish, Origin};
use crate::options::Speculation;

impl Worker {
    /// Guesses what the answers say next, as far as that pays.
    pub(super) fn guess(&mut self) {
        let may_guess = self.limits.speculation == Speculation::Ngram
            && self.executor.rows_are_independent()
            && self.executor.cuts_anywhere();
        if !may_guess {
            return;
        }
        let answers = self.running.iter().filter(|group| !group.in_prompt());
        let mut rows: usize = answers.map(|group| group.sequences.len()).sum();
        let draft_seconds = self.draft.as_ref().map(|draft| draft.seconds_per_guess(rows));
        let mut wishes = Vec::new();
        for group in self.running.iter_mut().filter(|group| !group.in_prompt()) {
            let room = group.room().saturating_sub(1);
            for sequence in &mut group.sequences {
                sequence.guessed.clear();
                let max = sequence.left(&group.options).min(room).min(GUESSES_MAX);
                if max == 0 || sequence.remaining() != 1 {
                    continue;
                }
                let said = sequence.ngram.guess(&sequence.tokens, max);
                let wager = |holds, seconds, max| self.pace.guesses(rows, holds, seconds, max);
                let ngram = wager(sequence.ngram.belief.holds(), 0.0, said.len());
                let draft =
                    draft_seconds.and_then(|seconds| wager(sequence.draft.belief.holds(), seconds, max));
                match better(ngram, draft) {
                    Some((Origin::Ngram, guesses)) => {
                        rows += guesses;
                        sequence.origin = Origin::Ngram;
                        sequence.guessed.extend(&said[..guesses]);
                    }
                    Some((Origin::Draft, guesses)) => {
                        rows += guesses;
                        sequence.origin = Origin::Draft;
                        wishes.push(DraftWish { tenant: &group.tenant, sequence, guesses });
                    }
                    None => {
                        if !said.is_empty() {
                            sequence.ngram.belief.pass();
                        }
                        if draft_seconds.is_some() {
                            sequence.draft.belief.pass();
                        }
                    }
                }
            }
        }
        if let Some(draft) = &mut self.draft
            && let Err(error) = draft.guess(&mut wishes, &self.limits.turns)
        {
            tracing::error!(error = %error, "the draft model failed and guesses no more");
            self.draft = None;
        }
    }

    /// Samples the next token, and as long as it is the one that was guessed, the one after it.
    pub(super) fn sample_guessed(&mut self, index: SequenceIndex, logits: &[f32], guesses: &[&[f32]]) {
        let SequenceIndex { group, sequence } = index;
        let known = self.running[group].sequences[sequence].tokens.len();
        self.sample_one(index, logits);
        let mut held = 0;
        for logits in guesses {
            let group = &self.running[group];
            let sequence = &group.sequences[sequence];
            let holds = sequence.tokens.last() == sequence.guessed.get(held);
            if group.failed || sequence.finished || !holds {
                break;
            }
            held += 1;
            self.sample_one(index, logits);
        }
        let sequence = &mut self.running[group].sequences[sequence];
        if let Some(draft) = &mut self.draft {
            draft.settle(&mut sequence.draft, known + held);
        }
        if guesses.is_empty() {
            return;
        }
        let belief = match sequence.origin {
            Origin::Ngram => &mut sequence.ngram.belief,
            Origin::Draft => &mut sequence.draft.belief,
        };
        belief.learn(guesses.len(), held);
        sequence.computed += held;
        if let Some(id) = sequence.id {
            self.executor.truncate(id, sequence.computed);
        }
    }
}

/// The wager that promises more, if it is one on any guess. Of two alike that on what was said is the safer one: it needs
/// no other model.
fn better(ngram: Option<Wager>, draft: Option<Wager>) -> Option<(Origin, usize)> {
    let promises = |wager: Wager| wager.tokens_per_second;
    let (origin, wager) = match (ngram, draft) {
        (Some(ngram), Some(draft)) if promises(draft) > promises(ngram) => (Origin::Draft, draft),
        (Some(ngram), _) => (Origin::Ngram, ngram),
        (None, draft) => (Origin::Draft, draft?),
    };
    (wager.guesses > 0).then_some((origin, wager.guesses))
}

/// Tokens that are guessed ahead at most.
const GUESSES_MAX: usize = 15;
