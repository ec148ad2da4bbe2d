//! Decides what the next step computes. A pure function: waiting tokens in, chunks out.
//!
//! Sequences that decode go first, one token each, so that a long prompt never stalls an answer that is under way. What
//! is left of the step's budget is shared evenly among the prompts, starting at another one each step.

/// What the scheduler knows of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WaitingTokens {
    /// Tokens that the sequence has and the cache has not.
    pub(super) tokens: usize,
    /// Whether the sequence may not run now: its reader is slow, or it waits for another sequence.
    pub(super) paused: bool,
}

/// Tokens of one sequence in the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScheduledChunk {
    /// The index of the sequence in the list.
    pub(super) sequence: usize,
    /// How many of its waiting tokens are computed.
    pub(super) tokens: usize,
}

/// Divides a step's budget of tokens among the sequences. `turn` counts steps.
pub(super) fn schedule(waiting: &[WaitingTokens], budget: usize, turn: usize) -> Vec<ScheduledChunk> {
    let runs = |sequence: &usize| !waiting[*sequence].paused && waiting[*sequence].tokens > 0;
    let (decodes, prompts): (Vec<usize>, Vec<usize>) =
        (0..waiting.len()).filter(runs).partition(|&sequence| waiting[sequence].tokens == 1);
    let mut chunks: Vec<ScheduledChunk> =
        decodes.into_iter().take(budget).map(|sequence| ScheduledChunk { sequence, tokens: 1 }).collect();
    let mut left = budget - chunks.len();
    for number in 0..prompts.len() {
        let sequence = prompts[(turn + number) % prompts.len()];
        let tokens = left.div_ceil(prompts.len() - number).min(waiting[sequence].tokens);
        if tokens == 0 {
            break;
        }
        left -= tokens;
        chunks.push(ScheduledChunk { sequence, tokens });
    }
    chunks
}

/// Tokens that one step computes at most.
pub const STEP_TOKENS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(tokens: usize) -> WaitingTokens {
        WaitingTokens { tokens, paused: false }
    }

    #[test]
    fn decoding_goes_before_prompts() {
        let chunks = schedule(&[waiting(1000), waiting(1), waiting(1)], 16, 0);
        assert_eq!(
            chunks[..2],
            [ScheduledChunk { sequence: 1, tokens: 1 }, ScheduledChunk { sequence: 2, tokens: 1 }]
        );
        assert_eq!(chunks[2], ScheduledChunk { sequence: 0, tokens: 14 });
    }

    #[test]
    fn prompts_share_what_is_left_evenly() {
        let chunks = schedule(&[waiting(1000), waiting(1000)], 512, 0);
        assert_eq!(
            chunks,
            [ScheduledChunk { sequence: 0, tokens: 256 }, ScheduledChunk { sequence: 1, tokens: 256 }]
        );
    }

    #[test]
    fn a_short_prompt_leaves_its_share_to_others() {
        let chunks = schedule(&[waiting(10), waiting(1000)], 512, 0);
        assert_eq!(
            chunks,
            [ScheduledChunk { sequence: 0, tokens: 10 }, ScheduledChunk { sequence: 1, tokens: 502 }]
        );
    }

    #[test]
    fn every_prompt_is_first_in_turn() {
        let prompts = [waiting(1000), waiting(1000), waiting(1000)];
        let first: Vec<usize> = (0..3).map(|turn| schedule(&prompts, 2, turn)[0].sequence).collect();
        assert_eq!(first, [0, 1, 2]);
    }

    #[test]
    fn a_paused_sequence_gets_nothing() {
        assert!(schedule(&[WaitingTokens { tokens: 5, paused: true }], 512, 0).is_empty());
    }
}
