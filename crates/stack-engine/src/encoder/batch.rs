//! Which inputs go together: a pure decision.

/// Says of each request how many of its next inputs go into a step. `waiting` are the lengths of what each has left, the
/// request whose turn it is first.
///
/// Each request takes one input in turn until the step is full, so that one with a thousand inputs does not keep another
/// one with a single input waiting. An input that does not fit ends its request's part, for inputs keep their order; one that is
/// longer than a step has a step of its own.
pub(super) fn fill<'a>(waiting: impl IntoIterator<Item = &'a [usize]>, tokens_max: usize) -> Vec<usize> {
    let waiting: Vec<&[usize]> = waiting.into_iter().collect();
    let mut taken = vec![0; waiting.len()];
    let mut open = vec![true; waiting.len()];
    let mut tokens = 0;
    while open.contains(&true) {
        for ((lengths, taken), open) in waiting.iter().zip(&mut taken).zip(&mut open) {
            match lengths.get(*taken) {
                Some(length) if *open && (tokens == 0 || tokens + length <= tokens_max) => {
                    tokens += length;
                    *taken += 1;
                }
                _ => *open = false,
            }
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_take_turns_until_a_step_is_full() {
        let many = [4; 10];
        assert_eq!(fill([&many[..], &[3], &[5, 5]], 20), [3, 1, 1]);
        assert_eq!(fill([&many[..]], 20), [5]);
        assert_eq!(fill([&[][..], &many], 20), [0, 5]);
        assert_eq!(fill([&[][..]], 20), [0]);
    }

    #[test]
    fn what_is_longer_than_a_step_has_one_of_its_own() {
        assert_eq!(fill([&[50, 1][..], &[1]], 20), [1, 0]);
        assert_eq!(fill([&[1, 50][..], &[1]], 20), [1, 1]);
    }
}
