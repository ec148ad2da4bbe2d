//! The tree against examples, and against a list that is searched from end to end.

use proptest::prelude::*;

use super::*;

/// The only tenant of tests that are about tokens.
fn ours() -> Tenant {
    Tenant::default()
}

fn tree(cuts: Cuts, beginnings: &[&[u32]]) -> PrefixTree<usize> {
    let mut tree = PrefixTree::new(cuts);
    for (holder, tokens) in beginnings.iter().enumerate() {
        tree.insert(&ours(), tokens, holder);
    }
    tree
}

#[test]
fn the_longest_beginning_is_found_and_what_is_shared_counts_once() {
    let mut tree = tree(Cuts::Anywhere, &[&[1, 2, 3, 4], &[1, 2, 5], &[9]]);
    assert_eq!(tokens_in(&tree), 4 + 1 + 1);
    assert_eq!(tree.longest(&ours(), &[1, 2, 3, 7], 4), Some(Shared { holder: 0, tokens: 3 }));
    assert_eq!(tree.longest(&ours(), &[1, 2, 5, 6], 4), Some(Shared { holder: 1, tokens: 3 }));
    assert_eq!(tree.longest(&ours(), &[1, 2, 5, 6], 2).map(|found| found.tokens), Some(2));
    assert_eq!(tree.longest(&ours(), &[8], 1), None);
}

#[test]
fn what_stands_for_less_than_another_is_not_kept() {
    let mut tree = tree(Cuts::Anywhere, &[&[1, 2]]);
    assert_eq!(tree.insert(&ours(), &[1, 2, 3], 7), Some(0), "the longer one stands for the shorter");
    assert_eq!(tree.insert(&ours(), &[1], 8), Some(8), "and a shorter one is not needed");
    assert_eq!(tree.insert(&ours(), &[1, 2, 3], 9), Some(9));
    assert_eq!(tokens_in(&tree), 3);
}

#[test]
fn the_least_recently_used_tail_goes_first_and_what_is_shared_last() {
    let mut tree = tree(Cuts::Anywhere, &[&[1, 2, 3], &[1, 2, 4]]);
    tree.longest(&ours(), &[1, 2, 3], 3);
    assert_eq!(tree.give_up(usize::MAX), Some(GivenUp::Whole(1)));
    assert_eq!(tree.give_up(usize::MAX), Some(GivenUp::Tail(Shared { holder: 0, tokens: 2 })));
    assert_eq!(tree.longest(&ours(), &[1, 2, 3], 3), Some(Shared { holder: 0, tokens: 2 }));
    assert_eq!(tree.give_up(usize::MAX), Some(GivenUp::Whole(0)));
    assert_eq!((tree.give_up(usize::MAX), tokens_in(&tree)), (None, 0));
}

#[test]
fn no_more_is_given_up_than_is_enough() {
    let tokens: Vec<u32> = (0..100).collect();
    let mut tree = tree(Cuts::Anywhere, &[&tokens, &tokens[..40]]);
    assert_eq!(tree.give_up(1), Some(GivenUp::Tail(Shared { holder: 0, tokens: 96 })));
    assert_eq!(tree.give_up(20), Some(GivenUp::Tail(Shared { holder: 0, tokens: 64 })));
    assert_eq!(
        (tokens_in(&tree), tree.longest(&ours(), &tokens, 100).map(|found| found.tokens)),
        (64, Some(64))
    );
    assert_eq!(tree.give_up(64), Some(GivenUp::Whole(0)));
}

#[test]
fn a_holder_that_cannot_be_cut_stands_for_itself_alone() {
    let mut tree = tree(Cuts::Nowhere, &[&[1, 2, 3, 4], &[1, 2]]);
    assert_eq!(tree.longest(&ours(), &[1, 2, 3, 5], 4), Some(Shared { holder: 1, tokens: 2 }));
    assert_eq!(tree.longest(&ours(), &[1, 2, 3, 4, 5], 5), Some(Shared { holder: 0, tokens: 4 }));
    assert_eq!(tree.longest(&ours(), &[1, 3], 2), None);
    assert_eq!(tree.insert(&ours(), &[1, 2], 9), Some(9));
    tree.longest(&ours(), &[1, 2], 2);
    assert_eq!(tree.give_up(usize::MAX), Some(GivenUp::Whole(0)));
    assert_eq!((tokens_in(&tree), tree.give_up(usize::MAX)), (2, Some(GivenUp::Whole(1))));
    assert_eq!(tokens_in(&tree), 0);
}

/// Tokens of all beginnings, what they share counted once.
fn tokens_in<H>(tree: &PrefixTree<H>) -> usize {
    tree.nodes.iter().flatten().map(|node| node.edge.len()).sum()
}

#[test]
fn tenants_share_memory_and_no_beginning() {
    let [a, b] = ["a", "b"].map(Tenant::new);
    for cuts in [Cuts::Anywhere, Cuts::Nowhere] {
        let mut tree = PrefixTree::new(cuts);
        assert_eq!(tree.insert(&a, &[1, 2, 3], 0), None);
        assert_eq!(tree.longest(&b, &[1, 2, 3], 3), None);
        assert_eq!(tree.insert(&b, &[1, 2, 3], 1), None, "another's holder stands for nothing of this one");
        assert_eq!(tree.longest(&b, &[1, 2, 3], 3), Some(Shared { holder: 1, tokens: 3 }));
        assert_eq!((tokens_in(&tree), tree.paged_tokens()), (6, 2 * PAGE_TOKENS));
        tree.longest(&a, &[1, 2, 3], 3);
        assert_eq!(tree.give_up(usize::MAX), Some(GivenUp::Whole(1)), "whoever came last stays");
        assert_eq!(tree.longest(&b, &[1, 2, 3], 3), None);
        assert_eq!(tree.give_up(usize::MAX), Some(GivenUp::Whole(0)));
        assert_eq!((tree.paged_tokens(), tree.roots.len()), (0, 0), "nothing is left of either");
    }
}

/// What is done to a tree.
#[derive(Clone, Debug)]
enum Act {
    Insert(Vec<u32>),
    Look(Vec<u32>),
    GiveUp(usize),
}

fn act() -> impl Strategy<Value = Act> {
    // Few tokens or many alike, so that beginnings are shared and some are longer than a page.
    let tokens = || {
        prop_oneof![
            prop::collection::vec(0..3_u32, 1..8),
            (prop::collection::vec(0..2_u32, 1..4), 1..20_usize).prop_map(|(part, times)| part.repeat(times)),
        ]
    };
    prop_oneof![
        4 => tokens().prop_map(Act::Insert),
        4 => tokens().prop_map(Act::Look),
        1 => prop_oneof![Just(usize::MAX), 1..20_usize].prop_map(Act::GiveUp),
    ]
}

/// What holders stand for, by their number.
type Held = BTreeMap<usize, Vec<u32>>;

fn longest_in(held: &Held, cuts: Cuts, tokens: &[u32]) -> usize {
    let common = |other: &Vec<u32>| {
        let common = other.iter().zip(tokens).take_while(|(a, b)| a == b).count();
        if cuts == Cuts::Anywhere || common == other.len() { common } else { 0 }
    };
    held.values().map(common).max().unwrap_or(0)
}

proptest! {
    #[test]
    fn it_finds_what_a_search_of_all_finds(
        acts in prop::collection::vec(act(), 1..60),
        cuts in prop_oneof![Just(Cuts::Anywhere), Just(Cuts::Nowhere)],
    ) {
        let mut tree = PrefixTree::new(cuts);
        let mut held = Held::new();
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Insert(tokens) => {
                    held.insert(number, tokens.clone());
                    if let Some(unneeded) = tree.insert(&ours(), &tokens, number) {
                        let gone = held.remove(&unneeded).unwrap();
                        prop_assert_eq!(longest_in(&held, cuts, &gone), gone.len(), "another stands for it");
                    }
                }
                Act::Look(tokens) => {
                    let found = tree.longest(&ours(), &tokens, tokens.len());
                    prop_assert_eq!(found.map_or(0, |found| found.tokens), longest_in(&held, cuts, &tokens));
                    if let Some(Shared { holder, tokens: shared }) = found {
                        prop_assert_eq!(&held[&holder][..shared], &tokens[..shared]);
                    }
                }
                Act::GiveUp(enough) => match tree.give_up(enough) {
                    None => prop_assert!(held.is_empty()),
                    Some(GivenUp::Whole(holder)) => prop_assert!(held.remove(&holder).is_some()),
                    Some(GivenUp::Tail(Shared { holder, tokens })) => {
                        let kept = held.get_mut(&holder).unwrap();
                        prop_assert!(tokens < kept.len());
                        kept.truncate(tokens);
                    }
                },
            }
            let mut beginnings: Vec<&[u32]> =
                held.values().flat_map(|tokens| (1..=tokens.len()).map(|end| &tokens[..end])).collect();
            beginnings.sort_unstable();
            beginnings.dedup();
            prop_assert_eq!(tokens_in(&tree), beginnings.len());
            let whole = beginnings.iter().filter(|tokens| tokens.len().is_multiple_of(PAGE_TOKENS)).count();
            let parts = held.values().filter(|tokens| !tokens.len().is_multiple_of(PAGE_TOKENS)).count();
            prop_assert_eq!(tree.paged_tokens(), (whole + parts) * PAGE_TOKENS);
            let mut beginnings = tree.beginnings();
            beginnings.sort_by_key(|beginning| beginning.holder);
            let expected = held.iter().map(|(&holder, tokens)| {
                Beginning { tenant: ours(), tokens: tokens.clone(), holder }
            });
            prop_assert_eq!(beginnings, expected.collect::<Vec<_>>());
            prop_assert_eq!(tree.copied_tokens(), held.values().map(Vec::len).sum::<usize>());
        }
        while tree.give_up(usize::MAX).is_some() {}
        prop_assert_eq!(tokens_in(&tree), 0);
    }
}
