//! Decides what the next step computes. A pure function: waiting tokens in, chunks out.
//!
//! Sequences that decode go first, one token each and what was guessed after it, so that a long prompt never stalls an
//! answer that is under way. The prompts share their budget evenly, in pieces of at least a page, starting at another one
//! each step. Prompts of requests that can wait get what the others leave, and a small part in any case.

use stack_chat::Priority;

/// What the scheduler knows of a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WaitingTokens {
    /// Tokens that the sequence has and the cache has not.
    pub(super) tokens: usize,
    /// Tokens that are guessed to follow the last one.
    pub(super) guessed: usize,
    /// Whether the sequence may not run now: its reader is slow, or it waits for another sequence.
    pub(super) paused: bool,
    pub(super) priority: Priority,
}

impl WaitingTokens {
    /// Whether it runs and waits for one token alone: the next one of an answer.
    pub(super) fn decodes(&self) -> bool {
        !self.paused && self.tokens == 1
    }
}

/// What a step may compute at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StepBudget {
    /// Rows of all kinds.
    pub(super) rows: usize,
    /// Tokens of prompts.
    pub(super) prompt: usize,
}

/// Tokens of one sequence in the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScheduledChunk {
    /// The index of the sequence in the list.
    pub(super) sequence: usize,
    /// How many of its waiting tokens are computed.
    pub(super) tokens: usize,
    /// How many of its guessed tokens follow them.
    pub(super) guessed: usize,
}

/// Divides a step among the sequences. `turn` counts steps.
pub(super) fn schedule(waiting: &[WaitingTokens], budget: StepBudget, turn: usize) -> Vec<ScheduledChunk> {
    let runs = |sequence: &usize| !waiting[*sequence].paused && waiting[*sequence].tokens > 0;
    let (decodes, prompts): (Vec<usize>, Vec<usize>) =
        (0..waiting.len()).filter(runs).partition(|&sequence| waiting[sequence].decodes());
    let mut chunks: Vec<ScheduledChunk> = decodes
        .into_iter()
        .take(budget.rows)
        .map(|sequence| ScheduledChunk { sequence, tokens: 1, guessed: 0 })
        .collect();
    let mut rows = budget.rows - chunks.len();
    for chunk in &mut chunks {
        chunk.guessed = waiting[chunk.sequence].guessed.min(rows);
        rows -= chunk.guessed;
    }
    let (urgent, patient): (Vec<usize>, Vec<usize>) =
        prompts.into_iter().partition(|&sequence| waiting[sequence].priority == Priority::Interactive);
    let left = rows.min(budget.prompt);
    let kept = if urgent.is_empty() || patient.is_empty() { 0 } else { left.div_ceil(PATIENT_PART) };
    let left = share(waiting, &urgent, left - kept, turn, &mut chunks);
    share(waiting, &patient, left + kept, turn, &mut chunks);
    chunks
}

/// Divides a budget among prompts and returns what is left of it.
fn share(
    waiting: &[WaitingTokens],
    prompts: &[usize],
    mut left: usize,
    turn: usize,
    chunks: &mut Vec<ScheduledChunk>,
) -> usize {
    for number in 0..prompts.len() {
        let sequence = prompts[(turn + number) % prompts.len()];
        let part = left.div_ceil(prompts.len() - number).max(PIECE_MIN);
        let tokens = part.min(left).min(waiting[sequence].tokens);
        if tokens == 0 {
            break;
        }
        left -= tokens;
        chunks.push(ScheduledChunk { sequence, tokens, guessed: 0 });
    }
    left
}

/// Tokens that one step computes at most.
pub const STEP_TOKENS: usize = 512;

/// Smaller pieces of a prompt cost more than they are worth.
const PIECE_MIN: usize = 16;

/// One part in so many of the prompts' budget goes to requests that can wait, whatever else there is.
const PATIENT_PART: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn waiting(tokens: usize) -> WaitingTokens {
        WaitingTokens { tokens, ..WaitingTokens::default() }
    }

    fn patient(tokens: usize) -> WaitingTokens {
        WaitingTokens { priority: Priority::Batch, ..waiting(tokens) }
    }

    fn guessing(guessed: usize) -> WaitingTokens {
        WaitingTokens { guessed, ..waiting(1) }
    }

    fn chunk(sequence: usize, tokens: usize) -> ScheduledChunk {
        ScheduledChunk { sequence, tokens, guessed: 0 }
    }

    fn budget(tokens: usize) -> StepBudget {
        StepBudget { rows: tokens, prompt: tokens }
    }

    #[test]
    fn decoding_goes_before_prompts() {
        let chunks = schedule(&[waiting(1000), waiting(1), waiting(1)], budget(16), 0);
        assert_eq!(chunks, [chunk(1, 1), chunk(2, 1), chunk(0, 14)]);
    }

    #[test]
    fn prompts_share_what_is_left_evenly() {
        let chunks = schedule(&[waiting(1000), waiting(1000)], budget(512), 0);
        assert_eq!(chunks, [chunk(0, 256), chunk(1, 256)]);
    }

    #[test]
    fn a_short_prompt_leaves_its_share_to_others() {
        let chunks = schedule(&[waiting(10), waiting(1000)], budget(512), 0);
        assert_eq!(chunks, [chunk(0, 10), chunk(1, 502)]);
    }

    #[test]
    fn every_prompt_is_first_in_turn_and_gets_a_whole_piece() {
        let prompts = [waiting(1000), waiting(1000), waiting(1000)];
        let chunks: Vec<_> = (0..3).map(|turn| schedule(&prompts, budget(16), turn)).collect();
        assert_eq!(chunks, [[chunk(0, 16)], [chunk(1, 16)], [chunk(2, 16)]]);
    }

    #[test]
    fn what_can_wait_gets_what_is_left_but_never_nothing() {
        let chunks = schedule(&[patient(1000), waiting(100)], budget(512), 0);
        assert_eq!(chunks, [chunk(1, 100), chunk(0, 412)]);
        let chunks = schedule(&[patient(1000), waiting(1000)], budget(512), 0);
        assert_eq!(chunks, [chunk(1, 448), chunk(0, 64)]);
    }

    #[test]
    fn guesses_take_no_row_from_another_answer() {
        let chunks = schedule(&[guessing(7), guessing(0), waiting(1000)], budget(8), 0);
        let guessed = ScheduledChunk { sequence: 0, tokens: 1, guessed: 6 };
        assert_eq!(chunks, [guessed, chunk(1, 1)]);
    }

    #[test]
    fn a_paused_sequence_gets_nothing() {
        assert!(schedule(&[WaitingTokens { paused: true, ..waiting(5) }], budget(512), 0).is_empty());
    }

    fn any_waiting() -> impl Strategy<Value = WaitingTokens> {
        let priority = prop_oneof![Just(Priority::Interactive), Just(Priority::Batch)];
        (prop_oneof![Just(0_usize), Just(1), 2..2000_usize], 0..8_usize, any::<bool>(), priority).prop_map(
            |(tokens, guessed, paused, priority)| WaitingTokens { tokens, guessed, paused, priority },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn every_step_keeps_its_promises(
            list in prop::collection::vec(any_waiting(), 0..40),
            rows in 1..600_usize,
            prompt in 1..600_usize,
            turn in any::<usize>(),
        ) {
            let turn = turn / 2;
            let chunks = schedule(&list, StepBudget { rows, prompt }, turn);
            let computed: usize = chunks.iter().map(|chunk| chunk.tokens + chunk.guessed).sum();
            prop_assert!(computed <= rows);
            let of_prompts: usize =
                chunks.iter().filter(|chunk| list[chunk.sequence].tokens > 1).map(|chunk| chunk.tokens).sum();
            prop_assert!(of_prompts <= prompt);
            let mut seen = std::collections::HashSet::new();
            for chunk in &chunks {
                let WaitingTokens { tokens, guessed, paused, .. } = list[chunk.sequence];
                prop_assert!(seen.insert(chunk.sequence), "a sequence is in a step once");
                prop_assert!(!paused && (1..=tokens).contains(&chunk.tokens) && chunk.guessed <= guessed);
            }
            let decodes = list.iter().filter(|one| one.decodes()).count();
            let decoded = chunks.iter().filter(|chunk| list[chunk.sequence].tokens == 1).count();
            prop_assert_eq!(decoded, decodes.min(rows), "no answer waits for a prompt");
            let is_there = list.iter().any(|one| !one.paused && one.tokens > 0);
            prop_assert_eq!(is_there, !chunks.is_empty(), "a step is never empty while there is work");
        }

        #[test]
        fn every_prompt_is_computed_to_its_end(
            prompts in prop::collection::vec(
                (1..3000_usize, any::<bool>()).prop_map(|(tokens, can_wait)| {
                    if can_wait { patient(tokens) } else { waiting(tokens) }
                }),
                1..12,
            ),
            prompt in 16..200_usize,
        ) {
            let mut left = prompts.clone();
            let all: usize = left.iter().map(|one| one.tokens).sum();
            for turn in 0..=all {
                for chunk in schedule(&left, StepBudget { rows: 512, prompt }, turn) {
                    left[chunk.sequence].tokens -= chunk.tokens;
                }
            }
            prop_assert!(left.iter().all(|one| one.tokens == 0));
        }
    }
}
