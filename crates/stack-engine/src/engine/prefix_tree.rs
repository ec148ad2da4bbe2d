//! Which beginnings of prompts somebody keeps: for each tenant a radix tree over tokens.
//!
//! A pure structure: it says which holder shares the longest beginning with a prompt, and which is given up first, and
//! leaves it to the caller to open and close what the holders stand for. After the radix attention of Zheng et al. 2024,
//! <https://arxiv.org/abs/2312.07104>. Tenants share the memory and nothing else: a beginning that another one's prompt found
//! would tell, by the time that is saved, what it says.

use std::collections::BTreeMap;

use stack_chat::Tenant;
use stack_kernels::PAGE_TOKENS;

/// Where a holder can be cut to a shorter beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cuts {
    /// After any token.
    Anywhere,
    /// Nowhere: its state is that of its last token.
    Nowhere,
}

/// Beginnings, each a path from the root of its tenant. With [`Cuts::Anywhere`] the leaves alone have holders, since each stands for all
/// nodes above it.
pub(super) struct PrefixTree<H> {
    cuts: Cuts,
    /// The tenants that have beginnings, and where their paths start.
    roots: BTreeMap<Tenant, usize>,
    nodes: Vec<Option<Node<H>>>,
    /// Places of nodes that are gone.
    free: Vec<usize>,
    uses: u64,
}

struct Node<H> {
    /// The node above; `None` for roots alone.
    parent: Option<usize>,
    /// The tokens between the parent and this node; empty for roots alone.
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

/// What a holder stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beginning<H> {
    pub(super) tenant: Tenant,
    pub(super) tokens: Vec<u32>,
    pub(super) holder: H,
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
        Self { cuts, roots: BTreeMap::new(), nodes: Vec::new(), free: Vec::new(), uses: 0 }
    }

    /// How many tokens the memory of all holders would hold where those that begin alike share each whole page of it. A
    /// page that ends in a node is held once, and each holder has its last one, which is not whole, for itself.
    pub(super) fn paged_tokens(&self) -> usize {
        let pages = |node: &Node<H>| {
            let whole = node.depth / PAGE_TOKENS - (node.depth - node.edge.len()) / PAGE_TOKENS;
            whole + usize::from(node.holder.is_some() && !node.depth.is_multiple_of(PAGE_TOKENS))
        };
        self.nodes.iter().flatten().map(pages).sum::<usize>() * PAGE_TOKENS
    }

    /// How many tokens all holders hold where each has memory of its own.
    pub(super) fn copied_tokens(&self) -> usize {
        let holders = self.nodes.iter().flatten().filter(|node| node.holder.is_some());
        holders.map(|node| node.depth).sum()
    }

    /// Lists the holders and what they stand for, the least recently used first.
    pub(super) fn beginnings(&self) -> Vec<Beginning<H>> {
        let mut beginnings = Vec::new();
        for node in self.nodes.iter().flatten() {
            let Some(holder) = node.holder else { continue };
            let (root, tokens) = self.path(node);
            let tenant =
                self.roots.iter().find(|&(_, &known)| known == root).map(|(tenant, _)| tenant.clone());
            let tenant = tenant.expect("every root is a tenant's");
            beginnings.push((node.used, Beginning { tenant, tokens, holder }));
        }
        beginnings.sort_by_key(|&(used, _)| used);
        beginnings.into_iter().map(|(_, beginning)| beginning).collect()
    }

    /// The root above a node, and the tokens on the way.
    fn path<'a>(&'a self, mut node: &'a Node<H>) -> (usize, Vec<u32>) {
        let (mut root, mut edges) = (0, Vec::new());
        while let Some(parent) = node.parent {
            edges.push(node.edge.as_slice());
            (root, node) = (parent, self.node(parent));
        }
        (root, edges.into_iter().rev().flatten().copied().collect())
    }

    /// Finds a holder of a tenant that begins with as many of these tokens as any does, whether or not it can be cut there.
    pub(super) fn akin(&self, tenant: &Tenant, tokens: &[u32]) -> Option<Shared<H>> {
        let root = *self.roots.get(tenant)?;
        self.below(&self.follow(root, tokens))
    }

    /// Finds the holder of a tenant that shares the longest beginning with `tokens`, at most `max` of them.
    pub(super) fn longest(&mut self, tenant: &Tenant, tokens: &[u32], max: usize) -> Option<Shared<H>> {
        let root = *self.roots.get(tenant)?;
        let way = self.follow(root, &tokens[..tokens.len().min(max)]);
        self.touch(way.node);
        match self.cuts {
            Cuts::Anywhere => self.below(&way),
            Cuts::Nowhere => {
                let is_whole = way.of_edge == self.node(way.node).edge.len();
                let mut at = if is_whole { way.node } else { self.node(way.node).parent? };
                loop {
                    let node = self.node(at);
                    if let Some(holder) = node.holder {
                        return Some(Shared { holder, tokens: node.depth });
                    }
                    at = node.parent?;
                }
            }
        }
    }

    /// Adds a holder of a tenant's `tokens`. Returns one that the tree does not need: the new one where another holds as much, or
    /// one that the new one stands for, too.
    pub(super) fn insert(&mut self, tenant: &Tenant, tokens: &[u32], holder: H) -> Option<H> {
        if tokens.is_empty() {
            return Some(holder);
        }
        let root = self.root_of(tenant);
        let way = self.follow(root, tokens);
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
        if self.cuts == Cuts::Anywhere && at != root && self.node(at).children.is_empty() {
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
            parent: Some(at),
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
            node.edge.truncate(node.edge.len() - (node.depth - kept));
            node.depth = kept;
            let holder = node.holder?;
            return Some(GivenUp::Tail(Shared { holder, tokens: kept }));
        }
        let holder = node.holder.take()?;
        if !self.node(at).children.is_empty() {
            return Some(GivenUp::Whole(holder));
        }
        let Some(parent) = self.remove(at) else { return Some(GivenUp::Whole(holder)) };
        let above = self.node_mut(parent);
        if !above.children.is_empty() || above.holder.is_some() {
            return Some(GivenUp::Whole(holder));
        }
        match cuts {
            Cuts::Anywhere => {
                above.holder = Some(holder);
                Some(GivenUp::Tail(Shared { holder, tokens: above.depth }))
            }
            Cuts::Nowhere => {
                let mut above = Some(parent);
                while let Some(at) = above
                    && self.node(at).children.is_empty()
                    && self.node(at).holder.is_none()
                {
                    above = self.remove(at);
                }
                Some(GivenUp::Whole(holder))
            }
        }
    }

    /// Where the paths of a tenant start, which may be new.
    fn root_of(&mut self, tenant: &Tenant) -> usize {
        if let Some(&root) = self.roots.get(tenant) {
            return root;
        }
        let (edge, children) = (Vec::new(), BTreeMap::new());
        let root = self.add(Node { parent: None, edge, children, depth: 0, holder: None, used: 0 });
        self.roots.insert(tenant.clone(), root);
        root
    }

    fn follow(&self, root: usize, tokens: &[u32]) -> Way {
        let mut way = Way { node: root, of_edge: 0, matched: 0 };
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

    /// A holder that begins with all that was matched: each leaf below the end of the way has one.
    fn below(&self, way: &Way) -> Option<Shared<H>> {
        if way.matched == 0 {
            return None;
        }
        let mut node = self.node(way.node);
        while let Some(&child) = node.children.values().next() {
            node = self.node(child);
        }
        node.holder.map(|holder| Shared { holder, tokens: way.matched })
    }

    /// Puts a node after the first `length` tokens of another's edge and returns it.
    fn split(&mut self, lower: usize, length: usize) -> usize {
        let node = self.node_mut(lower);
        let rest = node.edge.split_off(length);
        let first = std::mem::replace(&mut node.edge, rest);
        let (used, depth) = (node.used, node.depth - node.edge.len());
        let parent = node.parent.expect("the edge of a root is empty");
        let (name, next) = (first[0], node.edge[0]);
        let children = BTreeMap::from([(next, lower)]);
        let upper = self.add(Node { parent: Some(parent), edge: first, children, depth, holder: None, used });
        self.node_mut(lower).parent = Some(upper);
        self.node_mut(parent).children.insert(name, upper);
        upper
    }

    /// Removes a leaf and returns its parent, unless that is a root. A tenant that has nothing left is forgotten.
    fn remove(&mut self, leaf: usize) -> Option<usize> {
        let node = self.nodes[leaf].take().expect("a node is removed once");
        self.free.push(leaf);
        let parent = node.parent.expect("a root is no leaf");
        let above = self.node_mut(parent);
        above.children.remove(&node.edge[0]);
        if above.parent.is_some() {
            return Some(parent);
        }
        if above.children.is_empty() {
            self.nodes[parent] = None;
            self.free.push(parent);
            self.roots.retain(|_, root| *root != parent);
        }
        None
    }

    fn touch(&mut self, at: usize) {
        self.uses += 1;
        let (used, mut way) = (self.uses, Some(at));
        while let Some(at) = way {
            let node = self.node_mut(at);
            node.used = used;
            way = node.parent;
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

#[cfg(test)]
mod tests;
