//! The rows of a batch in the order of the experts that they were sent to.

use std::ops::Range;

use crate::executor::routing::Choice;

/// Which experts see which rows. A *place* is one row at one expert; the places of an expert lie side by side.
#[derive(Debug)]
pub(super) struct Assignment {
    /// The experts that are used, ascending, and their places.
    pub(super) active: Vec<(usize, Range<usize>)>,
    /// The row of each place.
    pub(super) rows: Vec<u32>,
    /// The weight of each place.
    pub(super) weights: Vec<f32>,
    /// The places of each row, in the order of experts: as many for each.
    pub(super) places: Vec<u32>,
}

impl Assignment {
    /// Sorts the choices of rows, as many for each, among so many experts.
    pub(super) fn new(choices: impl Iterator<Item = Vec<Choice>>, experts: usize) -> Self {
        let mut by_expert: Vec<Vec<(u32, f32)>> = vec![Vec::new(); experts];
        let mut used = 0;
        let mut rows = 0;
        for choices in choices {
            used = choices.len();
            for choice in choices {
                by_expert[choice.expert].push((rows, choice.weight));
            }
            rows += 1;
        }
        let mut sorted = Self {
            active: Vec::new(),
            rows: Vec::with_capacity(rows as usize * used),
            weights: Vec::with_capacity(rows as usize * used),
            places: vec![0; rows as usize * used],
        };
        let mut filled = vec![0; rows as usize];
        for (expert, chosen) in by_expert.into_iter().enumerate().filter(|(_, chosen)| !chosen.is_empty()) {
            let start = sorted.rows.len();
            for (row, weight) in chosen {
                let place = &mut filled[row as usize];
                sorted.places[row as usize * used + *place] = sorted.rows.len() as u32;
                *place += 1;
                sorted.rows.push(row);
                sorted.weights.push(weight);
            }
            sorted.active.push((expert, start..sorted.rows.len()));
        }
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_by_expert_and_found_again() {
        let choice = |expert, weight| Choice { expert, weight };
        let choices = [vec![choice(2, 0.5), choice(0, 0.25)], vec![choice(2, 1.0), choice(3, 2.0)]];
        let sorted = Assignment::new(choices.into_iter(), 5);
        assert_eq!(sorted.active, [(0, 0..1), (2, 1..3), (3, 3..4)]);
        assert_eq!(sorted.rows, [0, 0, 1, 1]);
        assert_eq!(sorted.weights, [0.25, 0.5, 1.0, 2.0]);
        assert_eq!(sorted.places, [0, 1, 2, 3]);
    }
}
