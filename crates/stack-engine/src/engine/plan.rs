//! Decides what the next step computes. A pure function: lanes in, shares out.
//!
//! Lanes that decode go first, one token each, so that a long prompt never stalls an answer that is under way. What
//! is left of the step's budget is shared evenly among the prompts, starting at another one each step.

/// What the planner knows of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    /// Tokens that the lane has and the cache has not.
    pub(super) remaining: usize,
    /// Whether the lane may not run now: its reader is slow, or it waits for another lane.
    pub(super) paused: bool,
}

/// Tokens of one lane in the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// The lane's place in the list.
    pub(super) lane: usize,
    /// How many of its remaining tokens are computed.
    pub(super) tokens: usize,
}

/// Shares a step's budget among the lanes. `turn` counts steps.
pub(super) fn plan(demands: &[Demand], budget: usize, turn: usize) -> Vec<Share> {
    let runs = |lane: &usize| !demands[*lane].paused && demands[*lane].remaining > 0;
    let (decodes, prompts): (Vec<usize>, Vec<usize>) =
        (0..demands.len()).filter(runs).partition(|&lane| demands[lane].remaining == 1);
    let mut shares: Vec<Share> =
        decodes.into_iter().take(budget).map(|lane| Share { lane, tokens: 1 }).collect();
    let mut left = budget - shares.len();
    for place in 0..prompts.len() {
        let waiting = prompts.len() - place;
        let lane = prompts[(turn + place) % prompts.len()];
        let tokens = left.div_ceil(waiting).min(demands[lane].remaining);
        if tokens == 0 {
            break;
        }
        left -= tokens;
        shares.push(Share { lane, tokens });
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(remaining: usize) -> Demand {
        Demand { remaining, paused: false }
    }

    #[test]
    fn decoding_goes_before_prompts() {
        let shares = plan(&[demand(1000), demand(1), demand(1)], 16, 0);
        assert_eq!(shares[..2], [Share { lane: 1, tokens: 1 }, Share { lane: 2, tokens: 1 }]);
        assert_eq!(shares[2], Share { lane: 0, tokens: 14 });
    }

    #[test]
    fn prompts_share_what_is_left_evenly() {
        let shares = plan(&[demand(1000), demand(1000)], 512, 0);
        assert_eq!(shares, [Share { lane: 0, tokens: 256 }, Share { lane: 1, tokens: 256 }]);
    }

    #[test]
    fn a_short_prompt_leaves_its_share_to_others() {
        let shares = plan(&[demand(10), demand(1000)], 512, 0);
        assert_eq!(shares, [Share { lane: 0, tokens: 10 }, Share { lane: 1, tokens: 502 }]);
    }

    #[test]
    fn every_prompt_is_first_in_turn() {
        let demands = [demand(1000), demand(1000), demand(1000)];
        let first: Vec<usize> = (0..3).map(|turn| plan(&demands, 2, turn)[0].lane).collect();
        assert_eq!(first, [0, 1, 2]);
    }

    #[test]
    fn a_paused_lane_gets_nothing() {
        assert!(plan(&[Demand { remaining: 5, paused: true }], 512, 0).is_empty());
    }
}
