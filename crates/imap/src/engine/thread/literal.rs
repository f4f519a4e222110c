//! RFC 5256 §3 followed word by word, slowly: what the tests hold the real thing against.

use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: Option<String>,
    pub(super) references: Vec<String>,
    pub(super) sent: i64,
    pub(super) arrived: i64,
    /// 0 is the empty base subject.
    pub(super) subject: u8,
    pub(super) reply: bool,
}

#[derive(Clone, Debug)]
struct Node {
    /// The message's place; none for a dummy.
    message: Option<usize>,
    children: Vec<Self>,
}

/// Parents of nodes by name: messages and dummies as step 1 links them.
struct Linking {
    parents: BTreeMap<String, Option<String>>,
}

impl Linking {
    fn is_descendant(&self, of: &str, who: &str) -> bool {
        let mut at = Some(who.to_owned());
        while let Some(name) = at {
            if name == of {
                return true;
            }
            at = self.parents.get(&name).cloned().flatten();
        }
        false
    }

    fn link(&mut self, parent: &str, child: &str) {
        // "make sure that A is not a descendent of B"
        if !self.is_descendant(child, parent) {
            self.parents.insert(child.to_owned(), Some(parent.to_owned()));
        }
    }
}

fn tree(messages: &[Message]) -> Vec<Node> {
    // "assign a unique Message ID"
    let mut names: Vec<String> = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        let name = message.id.clone().filter(|id| !names.contains(id));
        names.push(name.unwrap_or_else(|| format!("unique {n}")));
    }
    let mut linking = Linking { parents: names.iter().map(|name| (name.clone(), None)).collect() };
    for (message, name) in messages.iter().zip(&names) {
        for reference in &message.references {
            linking.parents.entry(reference.clone()).or_insert(None);
        }
        for pair in message.references.windows(2) {
            if linking.parents[&pair[1]].is_none() {
                linking.link(&pair[0], &pair[1]);
            }
        }
        linking.parents.insert(name.clone(), None);
        if let Some(last) = message.references.last() {
            linking.link(last, name);
        }
    }
    build(None, &linking, &names)
}

fn build(parent: Option<&String>, linking: &Linking, names: &[String]) -> Vec<Node> {
    let children = linking.parents.iter().filter(|(_, above)| above.as_ref() == parent);
    children
        .map(|(name, _)| Node {
            message: names.iter().position(|known| known == name),
            children: build(Some(name), linking, names),
        })
        .collect()
}

/// Step 3, from the leaves up.
fn prune(nodes: Vec<Node>, top: bool) -> Vec<Node> {
    let mut kept = Vec::new();
    for mut node in nodes {
        node.children = prune(node.children, false);
        match (node.message, node.children.len()) {
            (Some(_), _) => kept.push(node),
            (None, 0) => {}
            (None, children) if top && children > 1 => kept.push(node),
            (None, _) => kept.append(&mut node.children),
        }
    }
    kept
}

fn sort(nodes: &mut [Node], messages: &[Message]) {
    nodes.iter_mut().for_each(|node| sort(&mut node.children, messages));
    nodes.sort_by_key(|node| {
        let message = node.message.or_else(|| node.children[0].message).unwrap();
        (messages[message].sent, message)
    });
}

fn subject(node: &Node, messages: &[Message]) -> u8 {
    messages[node.message.or_else(|| node.children[0].message).unwrap()].subject
}

fn is_reply(node: &Node, messages: &[Message]) -> bool {
    node.message.is_some_and(|message| messages[message].reply)
}

/// Step 5.
fn gather(nodes: Vec<Node>, messages: &[Message]) -> Vec<Node> {
    let mut table: BTreeMap<u8, usize> = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        let subject = subject(node, messages);
        if subject == 0 {
            continue;
        }
        match table.get(&subject).map(|kept| &nodes[*kept]) {
            None => {
                table.insert(subject, at);
            }
            Some(kept) if kept.message.is_some() => {
                if node.message.is_none() || (is_reply(kept, messages) && !is_reply(node, messages)) {
                    table.insert(subject, at);
                }
            }
            Some(_) => {}
        }
    }
    let subjects: Vec<u8> = nodes.iter().map(|node| subject(node, messages)).collect();
    let mut slots: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    for at in 0..subjects.len() {
        let Some(kept) = table.get(&subjects[at]).copied().filter(|kept| *kept != at) else { continue };
        let mut current = slots[at].take().unwrap();
        let mut other = slots[kept].take().unwrap();
        let merged = match (other.message, current.message) {
            (None, None) => {
                other.children.append(&mut current.children);
                other
            }
            (None, Some(_)) => {
                other.children.push(current);
                other
            }
            (Some(_), _) if is_reply(&current, messages) && !is_reply(&other, messages) => {
                other.children.push(current);
                other
            }
            (Some(_), _) => Node { message: None, children: vec![current, other] },
        };
        slots[kept] = Some(merged);
    }
    slots.into_iter().flatten().collect()
}

fn write(nodes: &[Node]) -> String {
    let mut text = String::new();
    for node in nodes {
        text.push('(');
        let mut children = &node.children;
        if let Some(message) = node.message {
            text += &(message + 1).to_string();
            while children.len() == 1 {
                text += &format!(" {}", children[0].message.unwrap() + 1);
                children = &children[0].children;
            }
            if !children.is_empty() {
                text.push(' ');
            }
        }
        text += &write(children);
        text.push(')');
    }
    text
}

pub(super) fn references(messages: &[Message]) -> String {
    let mut nodes = prune(tree(messages), true);
    sort(&mut nodes, messages);
    let mut nodes = gather(nodes, messages);
    sort(&mut nodes, messages);
    write(&nodes)
}

fn newest(node: &Node, messages: &[Message]) -> i64 {
    let own = node.message.map(|message| messages[message].arrived);
    node.children.iter().map(|child| newest(child, messages)).chain(own).max().unwrap()
}

pub(super) fn refs(messages: &[Message]) -> String {
    let mut nodes = prune(tree(messages), true);
    sort(&mut nodes, messages);
    nodes.sort_by_key(|node| newest(node, messages));
    write(&nodes)
}
