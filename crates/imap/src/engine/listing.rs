//! Which names LIST tells, and as what (RFC 5258 §3). Pure.
//!
//! Names form a tree of which some nodes are mailboxes and some are only names above one, or subscribed names without a
//! mailbox. A name that the patterns match is told when it meets what the selection options ask for; or, with RECURSIVEMATCH,
//! when something below it does that is not told itself.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::pattern::ancestors;

/// What the selection options ask for (RFC 5258 §3.1, RFC 6154 §5.1). Nothing: that the mailbox is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Criteria {
    /// SUBSCRIBED
    pub(crate) subscribed: bool,
    /// SPECIAL-USE
    pub(crate) special_use: bool,
    /// RECURSIVEMATCH
    pub(crate) recursive: bool,
    /// Whether the client knows of RFC 5258: names without a mailbox are told as the RFC says, not as RFC 3501 has it.
    pub(crate) extended: bool,
}

/// One name and what is known of it.
#[derive(Debug)]
pub(crate) struct Node<'a, M> {
    /// The mailbox of that name.
    pub(crate) mailbox: Option<&'a M>,
    /// There are mailboxes below it.
    pub(crate) has_children: bool,
    /// The name is subscribed, as far as was asked.
    pub(crate) subscribed: bool,
    /// The patterns match.
    matched: bool,
    /// It meets the criteria.
    meets: bool,
    /// A name below it meets the criteria.
    below: bool,
    /// One of those is not matched, so that nothing but this name tells of it.
    below_untold: bool,
}

/// How a name is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// It meets the criteria itself: STATUS and the like are told of it.
    pub(crate) meets: bool,
    /// Something below it meets the criteria (RFC 5258 §3.5).
    pub(crate) child_info: bool,
}

/// Whether a name is another's, and the name.
pub(crate) type Key<'a> = (bool, &'a str);

/// All names in the order in which they are told: one's own, then others'.
#[derive(Debug)]
pub(crate) struct Listing<'a, M> {
    nodes: BTreeMap<Key<'a>, Node<'a, M>>,
}

impl<M> Default for Node<'_, M> {
    fn default() -> Self {
        Self {
            mailbox: None,
            has_children: false,
            subscribed: false,
            matched: false,
            meets: false,
            below: false,
            below_untold: false,
        }
    }
}

impl<'a, M> Listing<'a, M> {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        Self { nodes: BTreeMap::new() }
    }

    /// Adds a mailbox; one's own come before others'.
    pub(crate) fn add(&mut self, foreign: bool, name: &'a str, mailbox: &'a M) {
        self.nodes.entry((foreign, name)).or_default().mailbox = Some(mailbox);
        for above in ancestors(name) {
            self.above(foreign, above).has_children = true;
        }
    }

    /// Marks a name as subscribed. One that is not there is added when subscribed names are asked for, there or not.
    pub(crate) fn subscribe(&mut self, foreign: bool, name: &'a str, criteria: Criteria) {
        if criteria.subscribed {
            self.nodes.entry((foreign, name)).or_default().subscribed = true;
            for above in ancestors(name) {
                self.above(foreign, above);
            }
        } else if let Some(node) = self.nodes.get_mut(&(foreign, name)) {
            node.subscribed = true;
        }
    }

    /// A name above others' mailboxes may be a mailbox of one's own: `Shared`.
    fn above(&mut self, foreign: bool, name: &'a str) -> &mut Node<'a, M> {
        let foreign = foreign && !self.nodes.contains_key(&(false, name));
        self.nodes.entry((foreign, name)).or_default()
    }

    /// Finds out which of some names behind `after` are told; `is_special` says whether a mailbox has a special use. Gives the
    /// last one, when there may be more.
    pub(crate) fn weigh(
        &mut self,
        after: Option<Key<'a>>,
        some: usize,
        criteria: Criteria,
        matches: impl Fn(&str) -> bool,
        is_special: impl Fn(&M) -> bool,
    ) -> Option<Key<'a>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let names: Vec<Key<'a>> = self.nodes.range((start, Bound::Unbounded)).take(some).map(|(key, _)| *key).collect();
        for (foreign, name) in &names {
            let Some(node) = self.nodes.get_mut(&(*foreign, *name)) else { continue };
            node.matched = matches(name);
            let special = node.mailbox.is_some_and(&is_special);
            node.meets = if criteria.subscribed || criteria.special_use {
                (!criteria.subscribed || node.subscribed) && (!criteria.special_use || special)
            } else {
                node.mailbox.is_some()
            };
            let (meets, matched) = (node.meets, node.matched);
            if meets {
                for above in ancestors(name) {
                    let node = self.above(*foreign, above);
                    node.below = true;
                    node.below_untold |= !matched;
                }
            }
        }
        names.last().copied().filter(|_| names.len() == some)
    }

    /// The names that are told, in order, once all are weighed.
    pub(crate) fn told(&self, criteria: Criteria) -> impl Iterator<Item = (&'a str, &Node<'a, M>, Told)> {
        self.nodes.iter().filter_map(move |((_, name), node)| Some((*name, node, node.told(criteria)?)))
    }
}

impl<M> Node<'_, M> {
    fn told(&self, criteria: Criteria) -> Option<Told> {
        if !self.matched {
            return None;
        }
        if self.meets {
            return Some(Told { meets: true, child_info: criteria.recursive && self.below });
        }
        if criteria.subscribed || criteria.special_use {
            // RFC 5258 §3.5: not when what is below it is told anyway.
            return (criteria.recursive && self.below_untold).then_some(Told { meets: false, child_info: true });
        }
        // A name above mailboxes only. RFC 3501 §6.3.8 wants it told; RFC 5258 §3 only where nothing else tells of them.
        let wanted = if criteria.extended { self.below_untold } else { self.below };
        wanted.then_some(Told { meets: false, child_info: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::pattern::Pattern;

    const SUBSCRIBED: Criteria = Criteria { subscribed: true, special_use: false, recursive: false, extended: true };
    const RECURSIVE: Criteria = Criteria { recursive: true, ..SUBSCRIBED };
    const PLAIN: Criteria = Criteria { subscribed: false, special_use: false, recursive: false, extended: true };

    /// What is told of mailboxes (with `*` behind: of special use): `name`, `name!` when there is no such mailbox, `+` for
    /// CHILDINFO, `-` when it does not meet the criteria.
    fn listed(mailboxes: &str, subscribed: &str, patterns: &[&str], criteria: Criteria) -> String {
        let mailboxes: Vec<(&str, bool)> = mailboxes
            .split_whitespace()
            .map(|name| name.strip_suffix('*').map_or((name, false), |name| (name, true)))
            .collect();
        let mut listing = Listing::new();
        for (name, special) in &mailboxes {
            listing.add(false, name, special);
        }
        subscribed.split_whitespace().for_each(|name| listing.subscribe(false, name, criteria));
        let patterns: Vec<Pattern> = patterns.iter().map(|pattern| Pattern::new("", pattern).unwrap()).collect();
        let matches = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        let mut after = None;
        loop {
            after = listing.weigh(after, 3, criteria, matches, |special| *special);
            if after.is_none() {
                break;
            }
        }
        let told = listing.told(criteria).map(|(name, node, told)| {
            let gone = if node.mailbox.is_none() { "!" } else { "" };
            let child = if told.child_info { "+" } else { "" };
            let meets = if told.meets { "" } else { "-" };
            format!("{name}{gone}{child}{meets}")
        });
        told.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_examples_of_rfc_5258() {
        let fruit = "INBOX Fruit Fruit/Apple Fruit/Banana Tofu Vegetable Vegetable/Broccoli Vegetable/Corn";
        let eaten = "INBOX Fruit/Banana Fruit/Peach Vegetable Vegetable/Broccoli";
        // 2
        let told = "Fruit/Banana Fruit/Peach! INBOX Vegetable Vegetable/Broccoli";
        assert_eq!(listed(fruit, eaten, &["*"], SUBSCRIBED), told);
        // 3
        assert_eq!(listed(fruit, eaten, &["%"], PLAIN), "Fruit INBOX Tofu Vegetable");
        // 8
        let foo = "INBOX Foo Foo/Bar Foo/Baz Moo";
        assert_eq!(listed(foo, "Foo/Baz", &["*"], SUBSCRIBED), "Foo/Baz");
        assert_eq!(listed(foo, "Foo/Baz", &["%"], SUBSCRIBED), "");
        assert_eq!(listed(foo, "Foo/Baz", &["%"], RECURSIVE), "Foo+-");
        assert_eq!(listed(foo, "Foo Foo/Baz", &["%"], RECURSIVE), "Foo+");
        assert_eq!(listed("INBOX Moo Foo/Bar", "Foo/Baz", &["%"], RECURSIVE), "Foo!+-");
        assert_eq!(listed(foo, "", &["%"], RECURSIVE), "");
        assert_eq!(listed(foo, "Foo Moo", &["%"], RECURSIVE), "Foo Moo");
        // 9
        let bars = "INBOX foo2 foo2/bar1 foo2/bar2 baz2 baz2/bar2 baz2/bar22 baz2/bar222 eps2 eps2/mamba qux2/bar2";
        let some = "foo2/bar1 foo2/bar2 baz2/bar2 baz2/bar22 baz2/bar222 eps2 eps2/mamba qux2/bar2";
        let told = "baz2/bar2 baz2/bar22 baz2/bar222 eps2+ foo2+- foo2/bar2 qux2/bar2";
        assert_eq!(listed(bars, some, &["*2"], RECURSIVE), told);
        // 10
        assert_eq!(listed("foo", "foo/bar", &["foo", "foo/*"], PLAIN), "foo");
        assert_eq!(listed("foo", "foo/bar", &["foo/*"], SUBSCRIBED), "foo/bar!");
        assert_eq!(listed("foo", "foo/bar", &["foo"], RECURSIVE), "foo+-");
        // 11
        assert_eq!(listed("music/rock", "", &["*"], PLAIN), "music/rock");
        assert_eq!(listed("music/rock", "", &["%"], PLAIN), "music!-");
        assert_eq!(listed("music/rock", "", &["%", "music/rock"], PLAIN), "music/rock");
    }

    #[test]
    fn special_uses_are_criteria_like_others() {
        let special = Criteria { special_use: true, ..PLAIN };
        assert_eq!(listed("a a/b* c* d", "", &["*"], special), "a/b c");
        assert_eq!(listed("a a/b* c* d", "", &["%"], Criteria { recursive: true, ..special }), "a+- c");
        let both = Criteria { subscribed: true, ..special };
        assert_eq!(listed("a a/b* c* d", "c d gone", &["*"], both), "c");
    }

    #[test]
    fn who_knows_rfc_3501_only_is_told_of_all_names_above() {
        let old = Criteria::default();
        assert_eq!(listed("a/b/c", "", &["*"], old), "a!- a/b!- a/b/c");
        assert_eq!(listed("a/b/c", "", &["%"], old), "a!-");
    }

    #[test]
    fn others_come_behind_and_may_be_below_what_is_ones_own() {
        let (own, theirs) = ([("Shared", 1), ("x", 2)], [("Shared/y", 3), ("Other/z", 4)]);
        let mut listing = Listing::new();
        own.iter().for_each(|(name, mailbox)| listing.add(false, name, mailbox));
        theirs.iter().for_each(|(name, mailbox)| listing.add(true, name, mailbox));
        assert_eq!(listing.weigh(None, 100, Criteria::default(), |_| true, |_| false), None);
        let told: Vec<(&str, bool)> =
            listing.told(Criteria::default()).map(|(name, node, _)| (name, node.has_children)).collect();
        assert_eq!(told, [("Shared", true), ("x", false), ("Other", true), ("Other/z", false), ("Shared/y", false)]);
    }
}
