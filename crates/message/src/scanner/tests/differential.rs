//! On well-formed messages our offsets are those of `mail-parser`.

use super::*;
use mail_parser::{MessageParser, MessagePart};

/// A well-formed message as a tree.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(String, String),
    Multipart(Vec<Self>),
    Message(Box<Self>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let kind = prop::sample::select(vec![
        "text/plain",
        "text/html; charset=utf-8",
        "application/pdf; name=\"a b\"",
        "image/png",
    ]);
    let body = "([a-zA-Z0-9 .=-]{0,30}\r\n){0,4}[a-z]{1,10}";
    let leaf = (kind, body).prop_map(|(kind, body)| Tree::Leaf(kind.to_owned(), body));
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Tree::Multipart),
            1 => inner.prop_map(|inner| Tree::Message(Box::new(inner))),
        ]
    })
}

/// Header and body; `boundaries` makes each boundary another.
fn write(tree: &Tree, boundaries: &mut u32) -> String {
    match tree {
        Tree::Leaf(kind, body) => format!("Content-Type: {kind}\r\nX-Folded: a\r\n b\r\n\r\n{body}"),
        Tree::Message(inner) => {
            format!("Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n{}", write(inner, boundaries))
        }
        Tree::Multipart(children) => {
            *boundaries += 1;
            let boundary = format!("=_{boundaries}");
            let parts: String =
                children.iter().map(|child| format!("--{boundary}\r\n{}\r\n", write(child, boundaries))).collect();
            format!(
                "Content-Type: multipart/mixed;\r\n boundary=\"{boundary}\"\r\n\r\npreamble\r\n{parts}--{boundary}--\r\nepilogue"
            )
        }
    }
}

/// Header and body of each part in the order of their beginnings, as `mail-parser` sees them.
fn theirs(part: &MessagePart<'_>, message: &[u8], found: &mut Vec<(u64, u64, u64)>) {
    let at = |slice: &[u8]| to_u64(slice.as_ptr().addr() - message.as_ptr().addr());
    let (header, body) = (part.raw_headers(), part.raw_body());
    found.push((at(header), at(body), at(body) + to_u64(body.len())));
    if let Some(nested) = part.nested() {
        theirs(&nested.root_part(), message, found);
    }
    for child in part.children() {
        theirs(&child, message, found);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn offsets_agree(tree in tree()) {
        let mut boundaries = 0;
        let message = format!("From: a@b.example\r\nMIME-Version: 1.0\r\n{}", write(&tree, &mut boundaries)).into_bytes();
        let structure = Scanner::scan(&message);
        check_invariants(&structure, &message);
        let ours: Vec<_> =
            structure.parts.iter().map(|part| (part.header_start, part.body_start, part.body_end)).collect();
        let parsed = MessageParser::new().parse(&message).unwrap();
        let mut expected = Vec::new();
        theirs(&parsed.root_part(), &message, &mut expected);
        prop_assert_eq!(ours, expected, "{}", String::from_utf8_lossy(&message));
    }
}
