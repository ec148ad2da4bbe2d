//! Which beginnings of prompts somebody keeps: a radix tree over tokens.
//!
//! A pure structure: it says which holder shares the longest beginning with a prompt, and which is given up first, and
//! leaves it to the caller to open and close what the holders stand for. After the radix attention of Zheng et al. 2024,
//! <https://arxiv.org/abs/2312.07104>.

use std::collections::BTreeMap;

use stack_kernels::PAGE_TOKENS;

/// Where a holder can be cut to a shorter beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cuts {
    /// After any token.
    Anywhere,
    /// Nowhere: its state is that of its last token.
    Nowhere,
}

/// Beginnings, each a path from the root. With [`Cuts::Anywhere`] the leaves alone have holders, since each stands for all
/// nodes above it.
pub(super) struct PrefixTree<H> {
    cuts: Cuts,
    nodes: Vec<Option<Node<H>>>,
    /// Places of nodes that are gone.
    free: Vec<usize>,
    tokens: usize,
    uses: u64,
}

struct Node<H> {
    parent: usize,
    /// The tokens between the parent and this node; empty for the root alone.
    edge: Vec<u32>,
    /// By the first token of their edge.
    children: BTreeMap<u32, usize>,
    /// Tokens from the root to here.
    depth: usize,
    holder: Option<H>,
    /// When a prompt last came through here.
    used: u64,
}

/// A holder that begins as a prompt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shared<H> {
    pub(super) holder: H,
    /// How many tokens they share.
    pub(super) tokens: usize,
}

/// What became of a holder that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp<H> {
    /// The tree has forgotten it.
    Whole(H),
    /// It stands for its first tokens only.
    Tail(Shared<H>),
}

/// How far a list of tokens leads into the tree.
struct Way {
    /// The last node of which at least one token was matched, or the root.
    node: usize,
    /// The tokens of its edge that match.
    of_edge: usize,
    /// The tokens that match in all.
    matched: usize,
}

impl<H: Copy> PrefixTree<H> {
    pub(super) fn new(cuts: Cuts) -> Self {
        let root = Node {
            parent: ROOT,
            edge: Vec::new(),
            children: BTreeMap::new(),
            depth: 0,
            holder: None,
            used: 0,
        };
        Self { cuts, nodes: vec![Some(root)], free: Vec::new(), tokens: 0, uses: 0 }
    }

    /// Tokens of all beginnings, what they share counted once.
    #[cfg(test)]
    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    /// How many tokens the memory for it would hold, at most: each node ends in a page that it may not share.
    pub(super) fn memory_tokens(&self) -> usize {
        self.tokens + (self.nodes.len() - self.free.len() - 1) * PAGE_TOKENS
    }

    /// Finds the holder that shares the longest beginning with `tokens`, at most `max` of them.
    pub(super) fn longest(&mut self, tokens: &[u32], max: usize) -> Option<Shared<H>> {
        let way = self.follow(&tokens[..tokens.len().min(max)]);
        self.touch(way.node);
        match self.cuts {
            Cuts::Anywhere if way.matched == 0 => None,
            Cuts::Anywhere => {
                let mut node = self.node(way.node);
                while let Some(&child) = node.children.values().next() {
                    node = self.node(child);
                }
                node.holder.map(|holder| Shared { holder, tokens: way.matched })
            }
            Cuts::Nowhere => {
                let is_whole = way.of_edge == self.node(way.node).edge.len();
                let mut at = if is_whole { way.node } else { self.node(way.node).parent };
                loop {
                    let node = self.node(at);
                    if let Some(holder) = node.holder {
                        return Some(Shared { holder, tokens: node.depth });
                    }
                    if at == ROOT {
                        return None;
                    }
                    at = node.parent;
                }
            }
        }
    }

    /// Adds a holder of `tokens`. Returns one that the tree does not need: the new one where another holds as much, or
    /// one that the new one stands for, too.
    pub(super) fn insert(&mut self, tokens: &[u32], holder: H) -> Option<H> {
        if tokens.is_empty() {
            return Some(holder);
        }
        let way = self.follow(tokens);
        let rest = &tokens[way.matched..];
        let is_whole = way.of_edge == self.node(way.node).edge.len();
        if rest.is_empty() && (self.cuts == Cuts::Anywhere || is_whole) {
            self.touch(way.node);
            let is_needed = self.cuts == Cuts::Nowhere && self.node(way.node).holder.is_none();
            if is_needed {
                self.node_mut(way.node).holder = Some(holder);
            }
            return (!is_needed).then_some(holder);
        }
        let at = if is_whole { way.node } else { self.split(way.node, way.of_edge) };
        if rest.is_empty() {
            self.node_mut(at).holder = Some(holder);
            self.touch(at);
            return None;
        }
        self.tokens += rest.len();
        if self.cuts == Cuts::Anywhere && at != ROOT && self.node(at).children.is_empty() {
            // The leaf grows, and its holder is the beginning of the new one.
            let node = self.node_mut(at);
            node.edge.extend_from_slice(rest);
            node.depth += rest.len();
            let replaced = node.holder.replace(holder);
            self.touch(at);
            return replaced;
        }
        let depth = self.node(at).depth + rest.len();
        let leaf = self.add(Node {
            parent: at,
            edge: rest.to_vec(),
            children: BTreeMap::new(),
            depth,
            holder: Some(holder),
            used: 0,
        });
        self.node_mut(at).children.insert(rest[0], leaf);
        self.touch(leaf);
        None
    }

    /// Gives up what was not used for the longest time, and of a holder that can be cut no more than it takes to be rid
    /// of `enough` tokens in whole pages. `None` if there is nothing left.
    pub(super) fn give_up(&mut self, enough: usize) -> Option<GivenUp<H>> {
        let holders = self.nodes.iter().enumerate().filter_map(|(at, node)| {
            let node = node.as_ref()?;
            node.holder.is_some().then_some((node.used, at))
        });
        let (_, at) = holders.min()?;
        let cuts = self.cuts;
        let node = self.node_mut(at);
        let kept = node.depth.saturating_sub(enough) / PAGE_TOKENS * PAGE_TOKENS;
        if cuts == Cuts::Anywhere && kept > node.depth - node.edge.len() {
            let gone = node.depth - kept;
            node.edge.truncate(node.edge.len() - gone);
            node.depth = kept;
            let holder = node.holder?;
            self.tokens -= gone;
            return Some(GivenUp::Tail(Shared { holder, tokens: kept }));
        }
        let holder = node.holder.take()?;
        if !self.node(at).children.is_empty() {
            return Some(GivenUp::Whole(holder));
        }
        let parent = self.remove(at);
        let above = self.node_mut(parent);
        if parent == ROOT || !above.children.is_empty() || above.holder.is_some() {
            return Some(GivenUp::Whole(holder));
        }
        match cuts {
            Cuts::Anywhere => {
                above.holder = Some(holder);
                Some(GivenUp::Tail(Shared { holder, tokens: above.depth }))
            }
            Cuts::Nowhere => {
                let mut at = parent;
                while at != ROOT && self.node(at).children.is_empty() && self.node(at).holder.is_none() {
                    at = self.remove(at);
                }
                Some(GivenUp::Whole(holder))
            }
        }
    }

    fn follow(&self, tokens: &[u32]) -> Way {
        let mut way = Way { node: ROOT, of_edge: 0, matched: 0 };
        while let Some(next) = tokens.get(way.matched) {
            let Some(&child) = self.node(way.node).children.get(next) else { break };
            let edge = &self.node(child).edge;
            let of_edge = edge.iter().zip(&tokens[way.matched..]).take_while(|(a, b)| a == b).count();
            way = Way { node: child, of_edge, matched: way.matched + of_edge };
            if of_edge < edge.len() {
                break;
            }
        }
        way
    }

    /// Puts a node after the first `length` tokens of another's edge and returns it.
    fn split(&mut self, lower: usize, length: usize) -> usize {
        let node = self.node_mut(lower);
        let rest = node.edge.split_off(length);
        let first = std::mem::replace(&mut node.edge, rest);
        let (parent, used, depth) = (node.parent, node.used, node.depth - node.edge.len());
        let (name, next) = (first[0], node.edge[0]);
        let children = BTreeMap::from([(next, lower)]);
        let upper = self.add(Node { parent, edge: first, children, depth, holder: None, used });
        self.node_mut(lower).parent = upper;
        self.node_mut(parent).children.insert(name, upper);
        upper
    }

    /// Removes a leaf and returns its parent.
    fn remove(&mut self, leaf: usize) -> usize {
        let node = self.nodes[leaf].take().expect("a node is removed once");
        self.free.push(leaf);
        self.tokens -= node.edge.len();
        self.node_mut(node.parent).children.remove(&node.edge[0]);
        node.parent
    }

    fn touch(&mut self, mut at: usize) {
        self.uses += 1;
        let used = self.uses;
        while at != ROOT {
            let node = self.node_mut(at);
            node.used = used;
            at = node.parent;
        }
    }

    fn add(&mut self, node: Node<H>) -> usize {
        if let Some(place) = self.free.pop() {
            self.nodes[place] = Some(node);
            return place;
        }
        self.nodes.push(Some(node));
        self.nodes.len() - 1
    }

    fn node(&self, at: usize) -> &Node<H> {
        self.nodes[at].as_ref().expect("links lead to nodes that are there")
    }

    fn node_mut(&mut self, at: usize) -> &mut Node<H> {
        self.nodes[at].as_mut().expect("links lead to nodes that are there")
    }
}

const ROOT: usize = 0;

#[cfg(test)]
mod tests;
