//! The Merkle tree of RFC 6962 over the hashes of all entries: its root, and proofs about it.
//!
//! A log only grows, and so does its tree: [`Frontier`] is all that is needed to append, a handful of hashes. Proofs need
//! the inside of the tree, which [`Tree`] computes from all leaves.

use crate::hash::{Hash, sha256};

/// The right edge of a tree: the roots of its largest complete subtrees, from left to right.
///
/// Invariant: there is one root for each bit that is set in `size`, the highest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// Starts with no entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an edge that was stored; `None` where the number of roots does not fit the size.
    pub fn from_roots(size: u64, roots: Vec<Hash>) -> Option<Self> {
        (roots.len() == size.count_ones() as usize).then_some(Self { size, roots })
    }

    /// Returns the roots of the complete subtrees, the largest first.
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// Returns the number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends the hash of an entry.
    ///
    /// # Panics
    ///
    /// Never, by the invariant.
    pub fn push(&mut self, leaf: Hash) {
        let mut root = leaf;
        // Each trailing bit that is set is a complete subtree as large as the new one: they merge, as a carry does.
        for _ in 0..self.size.trailing_ones() {
            let left = self.roots.pop().expect("there is a root for each bit that is set");
            root = node(&left, &root);
        }
        self.roots.push(root);
        self.size += 1;
    }

    /// Returns the root of the whole tree.
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev().copied();
        let last = roots.next().unwrap_or_else(|| sha256(&[]));
        roots.fold(last, |right, left| node(&left, &right))
    }
}

/// A whole tree, from which proofs are made. It takes 64 bytes for each entry.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// `levels[k][j]` is the root of the complete subtree over the entries `j·2^k` to `(j+1)·2^k`.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Computes the inside of the tree over these leaves.
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            let (pairs, _) = last.as_chunks::<2>();
            let above = pairs.iter().map(|[left, right]| node(left, right)).collect();
            levels.push(above);
        }
        Self { levels }
    }

    /// Returns the number of entries.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, Vec::len) as u64
    }

    /// Returns the root that the tree had when it held `size` entries; `None` where it never held so many.
    pub fn root(&self, size: u64) -> Option<Hash> {
        (size <= self.size()).then(|| if size == 0 { sha256(&[]) } else { self.subtree(0, size) })
    }

    /// Proves that entry `index` is in the tree of the first `size`: the hashes from the leaf up.
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if index >= size || size > self.size() {
            return None;
        }
        let mut path = Vec::new();
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.subtree(middle, end));
                end = middle;
            } else {
                path.push(self.subtree(start, middle));
                start = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// Proves that the tree of the first `new` entries continues that of the first `old`.
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        if old == 0 || old > new || new > self.size() {
            return None;
        }
        let mut path = Vec::new();
        let (mut start, mut end) = (0, new);
        // Whether the part that is left begins where the old tree began, so that the verifier knows its root already.
        let mut known = true;
        while end > old {
            let middle = start + split(end - start);
            if old <= middle {
                path.push(self.subtree(middle, end));
                end = middle;
            } else {
                path.push(self.subtree(start, middle));
                start = middle;
                known = false;
            }
        }
        if !known {
            path.push(self.subtree(start, end));
        }
        path.reverse();
        Some(path)
    }

    /// Returns the root over the entries from `start` to `end`. `start` is a multiple of the largest power of two below
    /// their number, as in every subtree of RFC 6962, so all left halves are complete and computed already.
    fn subtree(&self, start: u64, end: u64) -> Hash {
        let count = end - start;
        if count.is_power_of_two() {
            return self.levels[count.trailing_zeros() as usize][(start / count) as usize];
        }
        let middle = start + split(count);
        node(&self.subtree(start, middle), &self.subtree(middle, end))
    }
}

/// Returns the largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// Hashes two nodes into the one above them.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// Checks that an entry with this hash is at `index` in the tree of `size` entries with this root (RFC 9162, 2.1.3.2).
pub fn is_included(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for step in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(step, &hash);
            // At the right edge, levels without a neighbour are skipped.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, step);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Checks that the tree of `new` entries continues that of `old` (RFC 9162, 2.1.4.2).
pub fn is_continued(old: (u64, &Hash), new: (u64, &Hash), path: &[Hash]) -> bool {
    let ((old, old_root), (new, new_root)) = (old, new);
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    if old == 0 || old > new {
        return false;
    }
    // An old tree that is complete is itself the first node of the proof.
    let whole = [*old_root];
    let mut path = if old.is_power_of_two() { &whole[..] } else { &[] }.iter().chain(path);
    let Some(first) = path.next() else { return false };
    let (mut from_old, mut from_new) = (*first, *first);
    let (mut at, mut last) = (old - 1, new - 1);
    let complete = at.trailing_ones();
    at >>= complete;
    last >>= complete;
    for step in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            from_old = node(step, &from_old);
            from_new = node(step, &from_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node(&from_new, step);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == *old_root && from_new == *new_root
}

#[cfg(test)]
mod tests {
    use stack_seal::hex;

    use super::*;
    use crate::entry::hash;
    use crate::golden::golden;

    #[test]
    fn golden_roots() {
        let leaves = golden().map(|entry| hash(&entry.encode()));
        let mut frontier = Frontier::new();
        let roots = leaves.map(|leaf| {
            frontier.push(leaf);
            hex::encode(&frontier.root())
        });
        assert_eq!(roots[1], "ea08643b085033eb48db6b696ba672f44a4a68df1bdc46dfad4aea35f01a08df");
        assert_eq!(roots[2], "379c18fc0d87a2ae5352cf06b55d3b734985e0d0c14bf60cdc18472bf0096224");
    }

    /// The inputs and roots that Certificate Transparency's reference implementation is tested with.
    #[test]
    fn roots_of_certificate_transparency() {
        let inputs = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut frontier = Frontier::new();
        let mut leaves = Vec::new();
        assert_eq!(hex::encode(&frontier.root()), roots[0]);
        for (input, root) in inputs.iter().zip(&roots[1..]) {
            let input: Vec<u8> = input
                .as_bytes()
                .chunks(2)
                .flat_map(|pair| hex::decode::<1>(str::from_utf8(pair).unwrap()).unwrap())
                .collect();
            leaves.push(hash(&input));
            frontier.push(hash(&input));
            assert_eq!(hex::encode(&frontier.root()), *root);
        }
        let levels = Tree::new(leaves);
        let path =
            |path: Option<Vec<Hash>>| path.unwrap().iter().map(|hash| hex::encode(hash)).collect::<Vec<_>>();
        assert_eq!(
            path(levels.inclusion(5, 8)),
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
        assert_eq!(
            path(levels.consistency(6, 8)),
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    #[test]
    fn all_proofs_of_small_trees_hold_and_no_changed_one_does() {
        let leaves: Vec<Hash> = (0..64u8).map(|byte| hash(&[byte])).collect();
        let levels = Tree::new(leaves.clone());
        let mut frontier = Frontier::new();
        for size in 1..=64u64 {
            frontier.push(leaves[size as usize - 1]);
            let root = frontier.root();
            assert_eq!(levels.root(size), Some(root));
            assert_eq!(Frontier::from_roots(size, frontier.roots().to_vec()), Some(frontier.clone()));
            for index in 0..size {
                let leaf = &leaves[index as usize];
                let path = levels.inclusion(index, size).unwrap();
                assert!(is_included(leaf, index, size, &path, &root), "{index} in {size}");
                for wrong in 0..size {
                    assert_eq!(is_included(leaf, wrong, size, &path, &root), wrong == index);
                }
                for at in 0..path.len() {
                    let mut changed = path.clone();
                    changed[at][0] ^= 1;
                    assert!(!is_included(leaf, index, size, &changed, &root));
                }
                assert!(!is_included(leaf, index, size, &[&path[..], &[root]].concat(), &root));
            }
            for old in 1..=size {
                let old_root = levels.root(old).unwrap();
                let path = levels.consistency(old, size).unwrap();
                assert!(is_continued((old, &old_root), (size, &root), &path), "{old} to {size}");
                for at in 0..path.len() {
                    let mut changed = path.clone();
                    changed[at][0] ^= 1;
                    assert!(!is_continued((old, &old_root), (size, &root), &changed));
                }
                if old < size {
                    assert!(!is_continued((old, &root), (size, &old_root), &path));
                    assert!(!is_continued((old, &old_root), (size, &root), &[&path[..], &[root]].concat()));
                }
            }
        }
        assert_eq!(
            (levels.inclusion(64, 64), levels.inclusion(0, 65), levels.consistency(0, 3)),
            (None, None, None)
        );
    }
}
