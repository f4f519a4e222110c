//! THREAD=REFERENCES (RFC 5256 §3, steps 1 to 6) and THREAD=REFS (draft-ietf-morg-inthread: without subjects, the thread with
//! the newest message last).

use std::collections::HashMap;

use super::forest::Forest;
use super::{Facts, Links, NONE, Threads, at, put};

/// Threading by references, in steps, so that others get their turn in between.
pub(crate) struct References<'a> {
    links: &'a Links,
    /// The index in `links` of each matched message, ascending.
    matched: &'a [u32],
    /// The node of each identifier.
    nodes: Vec<u32>,
    forest: Forest,
    linked: usize,
}

/// The tree without the dummies that have to go.
struct Pruned {
    parents: Vec<u32>,
    /// Messages and dummies without a parent.
    roots: Vec<u32>,
}

impl<'a> References<'a> {
    /// For the matched messages, given by their indexes in `links`.
    pub(crate) fn new(links: &'a Links, matched: &'a [u32]) -> Self {
        let mut nodes = vec![NONE; links.identifiers()];
        for (node, index) in (0..).zip(matched) {
            let own = links.own(*index);
            // Only the first of several messages with one identifier has it; the others get a unique one.
            if own != NONE && at(&nodes, own) == NONE {
                put(&mut nodes, own, node);
            }
        }
        Self { links, matched, nodes, forest: Forest::new(matched.len()), linked: 0 }
    }

    /// Step 1 for some more messages; false when all are linked.
    pub(crate) fn link_some(&mut self, messages: usize) -> bool {
        let end = self.linked.saturating_add(messages).min(self.matched.len());
        for index in self.matched.get(self.linked..end).unwrap_or_default() {
            let message = u32::try_from(self.linked).unwrap_or(NONE);
            self.linked = self.linked.saturating_add(1);
            // (A) each reference is the parent of the next, unless that has a parent or a loop would arise.
            let mut before = NONE;
            for reference in self.links.references(*index) {
                let node = self.node_of(*reference);
                if before != NONE && self.forest.parent(node) == NONE {
                    self.forest.link(node, before);
                }
                before = node;
            }
            // (B) the last reference is the message's parent, whatever was its parent.
            if self.forest.parent(message) != before || before == NONE {
                if self.forest.parent(message) != NONE {
                    self.forest.cut(message);
                }
                if before != NONE {
                    self.forest.link(message, before);
                }
            }
        }
        self.linked < self.matched.len()
    }

    /// The message of an identifier, or the dummy that stands for it.
    fn node_of(&mut self, identifier: u32) -> u32 {
        let known = at(&self.nodes, identifier);
        if known != NONE {
            return known;
        }
        let dummy = self.forest.grow();
        put(&mut self.nodes, identifier, dummy);
        dummy
    }

    /// Steps 2 to 6. `by_date` holds the matched messages by sent date.
    pub(crate) fn references(self, facts: &[Facts], by_date: &[u32]) -> Threads {
        let messages = u32::try_from(self.matched.len()).unwrap_or(NONE);
        let Pruned { mut parents, mut roots } = prune(&self.forest.into_parents(), messages);
        let ranks = ranks(by_date);
        // (4)
        sort_roots(&mut roots, &parents, by_date, &ranks, messages);
        // (5)
        gather_subjects(&mut roots, &mut parents, facts, by_date, messages);
        // (6)
        sort_roots(&mut roots, &parents, by_date, &ranks, messages);
        Threads::new(roots, &parents, by_date, messages)
    }

    /// Threads without regard to subjects, sorted by INTERNALDATE of the newest message in each.
    pub(crate) fn refs(self, facts: &[Facts], by_date: &[u32]) -> Threads {
        let messages = u32::try_from(self.matched.len()).unwrap_or(NONE);
        let Pruned { parents, mut roots } = prune(&self.forest.into_parents(), messages);
        let mut newest: Vec<i64> = facts.iter().map(|facts| facts.arrived).collect();
        newest.resize(parents.len(), i64::MIN);
        for node in top_down(&parents).into_iter().rev() {
            let of = |newest: &[i64], node: u32| usize::try_from(node).ok().and_then(|at| newest.get(at)).copied();
            let Some(below) = of(&newest, node) else { continue };
            let parent = at(&parents, node);
            if let Some(slot) = usize::try_from(parent).ok().and_then(|at| newest.get_mut(at)) {
                *slot = (*slot).max(below);
            }
        }
        let ranks = ranks(by_date);
        sort_roots(&mut roots, &parents, by_date, &ranks, messages);
        roots.sort_by_key(|root| usize::try_from(*root).ok().and_then(|at| newest.get(at)).copied());
        Threads::new(roots, &parents, by_date, messages)
    }
}

/// Where each message stands by date.
fn ranks(by_date: &[u32]) -> Vec<u32> {
    let mut ranks = vec![NONE; by_date.len()];
    for (rank, message) in (0..).zip(by_date) {
        put(&mut ranks, *message, rank);
    }
    ranks
}

/// All nodes, parents before their children.
fn top_down(parents: &[u32]) -> Vec<u32> {
    let mut first = vec![NONE; parents.len()];
    let mut next = vec![NONE; parents.len()];
    let mut order = Vec::with_capacity(parents.len());
    for (node, parent) in (0..).zip(parents) {
        if *parent == NONE {
            order.push(node);
        } else {
            put(&mut next, node, at(&first, *parent));
            put(&mut first, *parent, node);
        }
    }
    let mut looked_at = 0;
    while let Some(node) = order.get(looked_at).copied() {
        looked_at = looked_at.saturating_add(1);
        let mut child = at(&first, node);
        while child != NONE {
            order.push(child);
            child = at(&next, child);
        }
    }
    order
}

/// Lists of nodes that are joined in no time.
struct Lists {
    heads: Vec<u32>,
    tails: Vec<u32>,
    next: Vec<u32>,
}

impl Lists {
    fn new(nodes: usize) -> Self {
        Self { heads: vec![NONE; nodes], tails: vec![NONE; nodes], next: vec![NONE; nodes] }
    }

    /// Puts the nodes from `head` to `tail` at the end of a node's list.
    fn append(&mut self, to: u32, head: u32, tail: u32) {
        let last = at(&self.tails, to);
        if last == NONE {
            put(&mut self.heads, to, head);
        } else {
            put(&mut self.next, last, head);
        }
        put(&mut self.tails, to, tail);
    }

    fn of(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let first = Some(at(&self.heads, node)).filter(|node| *node != NONE);
        std::iter::successors(first, |node| Some(at(&self.next, *node)).filter(|next| *next != NONE))
    }
}

/// Step 3: dummies without children go; so do dummies whose children can take their place. A thread's root stays when it has
/// several children.
fn prune(parents: &[u32], messages: u32) -> Pruned {
    let mut lists = Lists::new(parents.len());
    let mut roots = Vec::new();
    for node in top_down(parents).into_iter().rev() {
        let parent = at(parents, node);
        let (head, tail) = (at(&lists.heads, node), at(&lists.tails, node));
        if node >= messages && head == NONE {
            continue;
        }
        match (node < messages, parent == NONE) {
            (true, true) => roots.push(node),
            (true, false) => lists.append(parent, node, node),
            (false, true) if head == tail => roots.push(head),
            (false, true) => roots.push(node),
            (false, false) => lists.append(parent, head, tail),
        }
    }
    let mut pruned = vec![NONE; parents.len()];
    // A dummy's list has become that of another node, unless it is a root.
    let kept = (0..messages).chain(roots.iter().copied().filter(|root| *root >= messages));
    for node in kept {
        lists.of(node).for_each(|child| put(&mut pruned, child, node));
    }
    Pruned { parents: pruned, roots }
}

/// The first child of each dummy by date, as its rank. `by_date` is read backwards, so that the first one is what stays.
fn first_children(parents: &[u32], by_date: &[u32], messages: u32) -> HashMap<u32, u32> {
    let mut first = HashMap::new();
    for message in by_date.iter().rev() {
        let parent = at(parents, *message);
        if parent != NONE && parent >= messages {
            first.insert(parent, *message);
        }
    }
    first
}

/// Steps 4 and 6 for the top: by sent date, a dummy by its first child.
fn sort_roots(roots: &mut [u32], parents: &[u32], by_date: &[u32], ranks: &[u32], messages: u32) {
    let first = first_children(parents, by_date, messages);
    roots.sort_by_cached_key(|root| {
        let message = if *root < messages { *root } else { first.get(root).copied().unwrap_or(NONE) };
        at(ranks, message)
    });
}

/// Step 5: threads of the same subject become one.
fn gather_subjects(roots: &mut Vec<u32>, parents: &mut Vec<u32>, facts: &[Facts], by_date: &[u32], messages: u32) {
    let first = first_children(parents, by_date, messages);
    let of = |message: u32| usize::try_from(message).ok().and_then(|at| facts.get(at));
    let is_dummy = |node: u32| node >= messages;
    let is_reply = |node: u32| of(node).is_some_and(|facts| facts.reply);
    // (B)(i)
    let subject_of = |root: u32| {
        let message = if is_dummy(root) { first.get(&root).copied().unwrap_or(NONE) } else { root };
        of(message).filter(|facts| !facts.no_subject).map(|facts| facts.subject)
    };
    let mut table: HashMap<i64, u32> = HashMap::new();
    for root in roots.iter().copied() {
        let Some(subject) = subject_of(root) else { continue };
        let kept = table.entry(subject).or_insert(root);
        // (B)(iv)
        if !is_dummy(*kept) && (is_dummy(root) || (is_reply(*kept) && !is_reply(root))) {
            *kept = root;
        }
    }
    // The children of dummies that may have to go.
    let mut below: HashMap<u32, Vec<u32>> = HashMap::new();
    for message in by_date {
        let parent = at(parents, *message);
        if parent != NONE && is_dummy(parent) {
            below.entry(parent).or_default().push(*message);
        }
    }
    let mut gone = vec![false; parents.len()];
    let mut made = Vec::new();
    // (C)
    for root in roots.iter().copied() {
        let Some(subject) = subject_of(root) else { continue };
        let Some(kept) = table.get_mut(&subject) else { continue };
        if *kept == root {
            continue;
        }
        if let Some(slot) = usize::try_from(root).ok().and_then(|at| gone.get_mut(at)) {
            *slot = true;
        }
        match (is_dummy(*kept), is_dummy(root)) {
            (true, true) => {
                for child in below.remove(&root).unwrap_or_default() {
                    put(parents, child, *kept);
                }
            }
            (true, false) => put(parents, root, *kept),
            (false, _) if is_reply(root) && !is_reply(*kept) => put(parents, root, *kept),
            (false, _) => {
                let dummy = u32::try_from(parents.len()).unwrap_or(NONE);
                parents.push(NONE);
                put(parents, root, dummy);
                put(parents, *kept, dummy);
                if let Some(slot) = usize::try_from(*kept).ok().and_then(|at| gone.get_mut(at)) {
                    *slot = true;
                }
                made.push(dummy);
                *kept = dummy;
            }
        }
    }
    roots.retain(|root| !usize::try_from(*root).ok().and_then(|at| gone.get(at)).copied().unwrap_or_default());
    roots.extend(made);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::literal::{self, Message};
    use super::super::tests::text;
    use super::*;

    fn threads(messages: &[Message], refs: bool) -> String {
        let mut links = Links::default();
        for message in messages {
            let references: Vec<&str> = message.references.iter().map(String::as_str).collect();
            links.push(message.id.as_deref(), &references, message.reply);
        }
        let facts: Vec<Facts> = messages
            .iter()
            .map(|message| Facts {
                sent: message.sent,
                arrived: message.arrived,
                subject: i64::from(message.subject),
                no_subject: message.subject == 0,
                reply: message.reply,
            })
            .collect();
        let mut by_date: Vec<u32> = (0..).zip(messages).map(|(message, _)| message).collect();
        by_date.sort_by_key(|message| (facts[*message as usize].sent, *message));
        let matched: Vec<u32> = (0..).zip(messages).map(|(message, _)| message).collect();
        let mut threading = References::new(&links, &matched);
        while threading.link_some(3) {}
        text(&if refs { threading.refs(&facts, &by_date) } else { threading.references(&facts, &by_date) })
    }

    fn message() -> impl Strategy<Value = Message> {
        let id = || (0u8..12).prop_map(|id| format!("{id}@x"));
        (
            prop::option::weighted(0.9, id()),
            prop::collection::vec(id(), 0..5),
            0i64..20,
            0i64..20,
            0u8..5,
            any::<bool>(),
        )
            .prop_map(|(id, references, sent, arrived, subject, reply)| Message {
                id,
                references,
                sent,
                arrived,
                subject,
                reply,
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        /// Against the RFC's words, followed one by one.
        #[test]
        fn threading_is_what_the_rfc_says(messages in prop::collection::vec(message(), 0..14)) {
            prop_assert_eq!(threads(&messages, false), literal::references(&messages));
            prop_assert_eq!(threads(&messages, true), literal::refs(&messages));
        }
    }

    fn reply_to(id: u32, references: &[u32], sent: i64) -> Message {
        Message {
            id: Some(id.to_string()),
            references: references.iter().map(ToString::to_string).collect(),
            sent,
            arrived: sent,
            subject: 0,
            reply: true,
        }
    }

    #[test]
    fn loops_and_self_references_are_harmless() {
        let messages = [reply_to(1, &[1], 1), reply_to(2, &[3], 2), reply_to(3, &[2], 3), reply_to(4, &[5, 4, 5], 4)];
        assert_eq!(threads(&messages, false), "(1)(3 2)(4)");
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_takes_no_stack() {
        for backwards in [false, true] {
            let messages: Vec<Message> = (0..100_000u32)
                .map(|n| if backwards { 100_000 - n } else { n + 1 })
                .map(|id| reply_to(id, &[id - 1], i64::from(id)))
                .collect();
            let text = threads(&messages, false);
            assert_eq!(text.matches('(').count(), 1, "one thread");
        }
    }
}
