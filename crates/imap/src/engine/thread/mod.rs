//! Threads (RFC 5256 §3): what is known of each message, the three algorithms, and how the result is written.
//!
//! Nodes are numbers: the matched messages in the order of the mailbox, then dummies. Nothing here recurses, so that no chain
//! of references is too deep, and every step takes time that grows with its input alone.

mod forest;
mod links;
#[cfg(test)]
mod literal;
mod references;

use imap_wire::response::write_number;

pub(crate) use links::Links;
pub(crate) use references::References;

/// No node, no identifier.
pub(crate) const NONE: u32 = u32::MAX;

/// What threading looks at of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The sent date, seconds since 1970.
    pub(crate) sent: i64,
    /// INTERNALDATE, seconds since 1970.
    pub(crate) arrived: i64,
    /// Equal for equal base subjects; ascends with them.
    pub(crate) subject: i64,
    /// Its base subject is empty.
    pub(crate) no_subject: bool,
    /// It is a reply or a forward.
    pub(crate) reply: bool,
}

/// Threads: trees of messages. A tree's root may be a dummy, which stands for a message that is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Threads {
    /// The roots in their order.
    roots: Vec<u32>,
    /// Where the children of each node begin in `children`; one more than there are nodes.
    starts: Vec<u32>,
    /// The children of all nodes, in their order.
    children: Vec<u32>,
    /// Nodes below it are messages.
    messages: u32,
}

/// Reads a slot.
pub(crate) fn at(slots: &[u32], index: u32) -> u32 {
    usize::try_from(index).ok().and_then(|at| slots.get(at)).copied().unwrap_or(NONE)
}

/// Writes a slot.
pub(crate) fn put(slots: &mut [u32], index: u32, value: u32) {
    if let Some(slot) = usize::try_from(index).ok().and_then(|at| slots.get_mut(at)) {
        *slot = value;
    }
}

impl Threads {
    /// From roots in order and the parent of every node; `in_order` gives each set of siblings its order.
    fn new(roots: Vec<u32>, parents: &[u32], in_order: &[u32], messages: u32) -> Self {
        let mut starts = vec![0u32; parents.len().saturating_add(2)];
        for node in in_order {
            let parent = at(parents, *node);
            if parent != NONE {
                let slot = parent.saturating_add(2);
                let count = at(&starts, slot);
                put(&mut starts, slot, count.saturating_add(1));
            }
        }
        let mut sum = 0u32;
        for start in &mut starts {
            sum = sum.saturating_add(*start);
            *start = sum;
        }
        let mut children = vec![NONE; usize::try_from(sum).unwrap_or_default()];
        for node in in_order {
            let parent = at(parents, *node);
            if parent != NONE {
                let slot = parent.saturating_add(1);
                let place = at(&starts, slot);
                put(&mut children, place, *node);
                put(&mut starts, slot, place.saturating_add(1));
            }
        }
        starts.pop();
        Self { roots, starts, children, messages }
    }

    /// Messages of the same base subject, the first one's children all others (ORDEREDSUBJECT). `by_subject` holds the
    /// messages by base subject, then sent date.
    pub(crate) fn ordered_subject(facts: &[Facts], by_subject: &[u32]) -> Self {
        let fact = |message: &u32| usize::try_from(*message).ok().and_then(|at| facts.get(at));
        let subject = |message: &u32| fact(message).map(|facts| facts.subject);
        let mut parents = vec![NONE; facts.len()];
        let mut roots = Vec::new();
        for thread in by_subject.chunk_by(|a, b| subject(a) == subject(b)) {
            let [root, others @ ..] = thread else { continue };
            others.iter().for_each(|message| put(&mut parents, *message, *root));
            roots.push(*root);
        }
        roots.sort_by_key(|root| (fact(root).map(|facts| facts.sent), *root));
        Self::new(roots, &parents, by_subject, u32::try_from(facts.len()).unwrap_or(NONE))
    }

    fn children(&self, node: u32) -> &[u32] {
        let begin = usize::try_from(at(&self.starts, node)).unwrap_or(usize::MAX);
        let end = usize::try_from(at(&self.starts, node.saturating_add(1))).unwrap_or(usize::MAX);
        self.children.get(begin..end).unwrap_or_default()
    }

    /// About how many octets of memory it takes.
    pub(crate) fn octets(&self) -> usize {
        let slots = self.roots.len().saturating_add(self.starts.len()).saturating_add(self.children.len());
        slots.saturating_mul(4)
    }

    /// Writes the threads from the root at `first` on, at most `roots` of them; `number` names messages. Returns whether
    /// there are more.
    pub(crate) fn write(&self, first: usize, roots: usize, number: &impl Fn(u32) -> u32, out: &mut Vec<u8>) -> bool {
        let some = self.roots.get(first..).unwrap_or_default();
        for root in some.iter().take(roots) {
            self.write_tree(*root, number, out);
        }
        some.len() > roots
    }

    /// One thread (RFC 5256 §5 `thread-list`).
    fn write_tree(&self, root: u32, number: &impl Fn(u32) -> u32, out: &mut Vec<u8>) {
        let mut left = vec![Step::Open(root)];
        while let Some(step) = left.pop() {
            let Step::Open(node) = step else {
                out.push(b')');
                continue;
            };
            out.push(b'(');
            left.push(Step::Close);
            let mut children = self.children(node);
            if node < self.messages {
                write_number(out, number(node));
                while let [only] = children {
                    out.push(b' ');
                    write_number(out, number(*only));
                    children = self.children(*only);
                }
                if !children.is_empty() {
                    out.push(b' ');
                }
            }
            left.extend(children.iter().rev().map(|child| Step::Open(*child)));
        }
    }
}

/// What is left to be written of a thread.
enum Step {
    Open(u32),
    Close,
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn text(threads: &Threads) -> String {
        let mut out = Vec::new();
        let mut first = 0;
        while threads.write(first, 2, &|message| message + 1, &mut out) {
            first += 2;
        }
        String::from_utf8(out).unwrap()
    }

    fn facts(sent: i64, subject: i64) -> Facts {
        Facts { sent, arrived: sent, subject, no_subject: false, reply: false }
    }

    #[test]
    fn threads_are_written_as_in_the_rfc() {
        // RFC 5256 §4, BASE.7.2.THREAD: (2)(3 6 (4 23)(44 7 96)) and ((3)(5)); numbers are one more than nodes.
        let mut parents = vec![NONE; 97];
        for (child, parent) in [(6, 3), (4, 6), (23, 4), (44, 6), (7, 44), (96, 7), (30, 96), (31, 96)] {
            parents[child - 1] = parent - 1;
        }
        let in_order: Vec<u32> = (0..97).collect();
        let threads = Threads::new(vec![1, 2], &parents, &in_order, 90);
        // The last node is a dummy here, so that it has no number.
        assert!(text(&threads).starts_with("(2)(3 6 (4 23)(44 7 "));
        let threads = Threads::new(vec![0, 3], &[NONE, 3, 3, NONE], &[0, 1, 2, 3], 3);
        assert_eq!(text(&threads), "(1)((2)(3))");
        assert_eq!(text(&Threads::default()), "");
    }

    #[test]
    fn a_very_deep_thread_is_written() {
        let deep = 200_000u32;
        let parents: Vec<u32> = (0..deep).map(|node| node.checked_sub(1).unwrap_or(NONE)).collect();
        let in_order: Vec<u32> = (0..deep).collect();
        let written = text(&Threads::new(vec![0], &parents, &in_order, deep));
        assert!(written.starts_with("(1 2 3 ") && written.ends_with(" 200000)"));
    }

    #[test]
    fn ordered_subject_has_no_grandchildren() {
        let facts = [facts(5, 1), facts(2, 0), facts(9, 1), facts(1, 0), facts(7, 1)];
        let threads = Threads::ordered_subject(&facts, &[3, 1, 0, 4, 2]);
        assert_eq!(text(&threads), "(4 2)(1 (5)(3))");
    }
}
