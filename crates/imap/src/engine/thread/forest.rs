//! Parents of nodes, and the one question that REFERENCES asks of them: would this link make a loop?
//!
//! A node is given a parent only when it has none. So a link makes a loop when the node is the root of the tree that its
//! parent-to-be is in. Walking up answers that at once in real mail; when the steps become too many, because somebody has
//! built long chains on purpose, a link-cut tree (Sleator and Tarjan) answers in logarithmic time.

use super::{NONE, at, put};

/// Steps of walking up, for each node, after which walking is given up.
const STEPS_PER_NODE: u64 = 64;

/// Steps that are always granted.
const STEPS_MIN: u64 = 1_000_000;

/// Who is whose parent.
#[derive(Debug)]
pub(crate) struct Forest {
    parents: Vec<u32>,
    steps_left: u64,
    trees: Option<LinkCut>,
}

impl Forest {
    /// Nodes without parents.
    pub(crate) fn new(nodes: usize) -> Self {
        let steps = u64::try_from(nodes).unwrap_or(u64::MAX).saturating_mul(STEPS_PER_NODE).max(STEPS_MIN);
        Self { parents: vec![NONE; nodes], steps_left: steps, trees: None }
    }

    /// One more node.
    pub(crate) fn grow(&mut self) -> u32 {
        let node = u32::try_from(self.parents.len()).unwrap_or(NONE);
        self.parents.push(NONE);
        if let Some(trees) = &mut self.trees {
            trees.grow();
        }
        node
    }

    /// How many nodes there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.parents.len()
    }

    /// The parent; [`NONE`] without one.
    pub(crate) fn parent(&self, node: u32) -> u32 {
        at(&self.parents, node)
    }

    /// The parents of all nodes.
    pub(crate) fn into_parents(self) -> Vec<u32> {
        self.parents
    }

    /// Makes `parent` the parent of a node that has none, unless that makes a loop.
    pub(crate) fn link(&mut self, node: u32, parent: u32) {
        if node == parent || self.root_of(parent) == node {
            return;
        }
        put(&mut self.parents, node, parent);
        if let Some(trees) = &mut self.trees {
            trees.link(node, parent);
        }
    }

    /// Takes a node's parent away.
    pub(crate) fn cut(&mut self, node: u32) {
        put(&mut self.parents, node, NONE);
        if let Some(trees) = &mut self.trees {
            trees.cut(node);
        }
    }

    fn root_of(&mut self, node: u32) -> u32 {
        if self.trees.is_none() {
            let mut root = node;
            loop {
                let parent = at(&self.parents, root);
                if parent == NONE {
                    return root;
                }
                root = parent;
                let Some(left) = self.steps_left.checked_sub(1) else { break };
                self.steps_left = left;
            }
        }
        let parents = &self.parents;
        self.trees.get_or_insert_with(|| LinkCut::of(parents)).root_of(node)
    }
}

/// Rooted trees as link-cut trees: paths in splay trees, ordered from the root down.
#[derive(Debug)]
struct LinkCut {
    left: Vec<u32>,
    right: Vec<u32>,
    /// The parent in the splay tree, or, for the root of one, the node that its path hangs on.
    up: Vec<u32>,
}

impl LinkCut {
    fn of(parents: &[u32]) -> Self {
        // Every path is one node long at first: it hangs on its parent.
        Self { left: vec![NONE; parents.len()], right: vec![NONE; parents.len()], up: parents.to_vec() }
    }

    fn grow(&mut self) {
        self.left.push(NONE);
        self.right.push(NONE);
        self.up.push(NONE);
    }

    /// Whether the node is the root of its splay tree.
    fn heads(&self, node: u32) -> bool {
        let up = at(&self.up, node);
        up == NONE || (at(&self.left, up) != node && at(&self.right, up) != node)
    }

    fn rotate(&mut self, node: u32) {
        let up = at(&self.up, node);
        let above = at(&self.up, up);
        let heads = self.heads(up);
        if at(&self.left, up) == node {
            let inner = at(&self.right, node);
            put(&mut self.left, up, inner);
            self.hang(inner, up);
            put(&mut self.right, node, up);
        } else {
            let inner = at(&self.left, node);
            put(&mut self.right, up, inner);
            self.hang(inner, up);
            put(&mut self.left, node, up);
        }
        put(&mut self.up, up, node);
        put(&mut self.up, node, above);
        if !heads {
            let side = if at(&self.left, above) == up { &mut self.left } else { &mut self.right };
            put(side, above, node);
        }
    }

    fn hang(&mut self, node: u32, on: u32) {
        if node != NONE {
            put(&mut self.up, node, on);
        }
    }

    fn splay(&mut self, node: u32) {
        while !self.heads(node) {
            let up = at(&self.up, node);
            if !self.heads(up) {
                let above = at(&self.up, up);
                let same_side = (at(&self.left, up) == node) == (at(&self.left, above) == up);
                self.rotate(if same_side { up } else { node });
            }
            self.rotate(node);
        }
    }

    /// Makes the path from the root to the node one splay tree, with the node at its head.
    fn access(&mut self, node: u32) {
        let mut below = NONE;
        let mut path = node;
        while path != NONE {
            self.splay(path);
            put(&mut self.right, path, below);
            below = path;
            path = at(&self.up, path);
        }
        self.splay(node);
    }

    fn root_of(&mut self, node: u32) -> u32 {
        self.access(node);
        let mut root = node;
        loop {
            let left = at(&self.left, root);
            if left == NONE {
                break;
            }
            root = left;
        }
        self.splay(root);
        root
    }

    /// The node is a root.
    fn link(&mut self, node: u32, parent: u32) {
        self.access(node);
        put(&mut self.up, node, parent);
    }

    fn cut(&mut self, node: u32) {
        self.access(node);
        let left = at(&self.left, node);
        self.hang(left, NONE);
        put(&mut self.left, node, NONE);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whether steps are counted or the trees are asked, the links are the same.
        #[test]
        fn walking_and_trees_agree(
            steps in prop::collection::vec((0u32..12, 0u32..12, any::<bool>()), 0..80),
            patience in 0u64..40,
        ) {
            let mut walking = Forest::new(10);
            let mut impatient = Forest { steps_left: patience, ..Forest::new(10) };
            for (at, (node, parent, cut)) in steps.into_iter().enumerate() {
                if at % 30 == 29 {
                    prop_assert_eq!(walking.grow(), impatient.grow());
                }
                let nodes = u32::try_from(walking.len()).unwrap();
                let (node, parent) = (node % nodes, parent % nodes);
                for forest in [&mut walking, &mut impatient] {
                    if cut && forest.parent(node) != NONE {
                        forest.cut(node);
                    } else if forest.parent(node) == NONE {
                        forest.link(node, parent);
                    }
                }
                prop_assert_eq!(&walking.parents, &impatient.parents);
            }
            for (node, _) in (0..).zip(&walking.parents) {
                let mut above = node;
                for _ in 0..=walking.len() {
                    above = if above == NONE { NONE } else { walking.parent(above) };
                }
                prop_assert_eq!(above, NONE, "there is no loop");
            }
        }
    }

    #[test]
    fn long_chains_that_are_linked_again_and_again_end_soon() {
        let nodes = 50_000u32;
        let mut forest = Forest::new(nodes as usize);
        for node in 1..nodes {
            forest.link(node, node - 1);
        }
        for round in 0..200_000u32 {
            // The root below its own deepest node: refused each time, after a walk of the whole chain.
            forest.link(0, nodes - 1 - round % 100);
        }
        assert!(forest.trees.is_some());
        assert_eq!(forest.parent(0), NONE);
    }
}
