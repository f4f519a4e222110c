use super::*;
use proptest::prelude::*;

/// Each address as `name|route|mailbox|host`, `-` for absent.
fn shown(value: &str) -> Vec<String> {
    let text = |field: &Option<Vec<u8>>| {
        field.as_ref().map_or("-".to_owned(), |bytes| String::from_utf8(bytes.clone()).unwrap())
    };
    parse_addresses(value.as_bytes())
        .iter()
        .map(|address| {
            format!(
                "{}|{}|{}|{}",
                text(&address.name),
                text(&address.route),
                text(&address.mailbox),
                text(&address.host)
            )
        })
        .collect()
}

#[test]
fn plain_and_named_addresses() {
    assert_eq!(shown(" fred@example.com "), ["-|-|fred|example.com"]);
    assert_eq!(shown("Fred Foo <fred@example.com>"), ["Fred Foo|-|fred|example.com"]);
    assert_eq!(
        shown("\"Foo, Fred \\\"F\\\"\" <fred@example.com>, b@c"),
        ["Foo, Fred \"F\"|-|fred|example.com", "-|-|b|c"]
    );
    assert_eq!(shown("John Q. Public <jqp@x.example>"), ["John Q. Public|-|jqp|x.example"]);
    assert_eq!(shown("fred@example.com (Fred (Freddy) Foo)"), ["Fred (Freddy) Foo|-|fred|example.com"]);
    assert_eq!(shown("<fred@example.com> (Fred)"), ["Fred|-|fred|example.com"]);
    assert_eq!(shown("A <fred@example.com> (Fred)"), ["A|-|fred|example.com"]);
}

#[test]
fn encoded_words_and_utf8_stay_as_sent() {
    assert_eq!(shown("=?utf-8?Q?J=C3=BC?= =?utf-8?Q?rgen?= <j@x>"), ["=?utf-8?Q?J=C3=BC?= =?utf-8?Q?rgen?=|-|j|x"]);
    assert_eq!(shown("Jürgen <jürgen@exämple.org>"), ["Jürgen|-|jürgen|exämple.org"]);
}

/// RFC 3501 §7.4.2: the start has no host, the end nothing.
#[test]
fn groups() {
    assert_eq!(
        shown("A Group: Ed <e@x.example>, joe@y.example; , z@z"),
        ["-|-|A Group|-", "Ed|-|e|x.example", "-|-|joe|y.example", "-|-|-|-", "-|-|z|z"]
    );
    assert_eq!(shown("undisclosed-recipients:;"), ["-|-|undisclosed-recipients|-", "-|-|-|-"]);
    assert_eq!(shown("open: a@b"), ["-|-|open|-", "-|-|a|b", "-|-|-|-"]);
    assert_eq!(shown(": a@b;"), ["-|-||-", "-|-|a|b", "-|-|-|-"]);
}

/// RFC 5322 §4.4.
#[test]
fn obsolete_routes_and_spaces() {
    assert_eq!(shown("<@a.example,@b.example:fred@x>"), ["-|@a.example,@b.example|fred|x"]);
    assert_eq!(shown("Fred <@a:fred@x>, b@c"), ["Fred|@a|fred|x", "-|-|b|c"]);
    assert_eq!(shown("fred . foo @ x . example"), ["-|-|fred.foo|x.example"]);
    assert_eq!(shown("< fred (c) . foo @ x >"), ["c|-|fred.foo|x"]);
}

#[test]
fn quoted_local_parts_and_literals() {
    assert_eq!(shown("\"a b\"@x"), ["-|-|a b|x"]);
    assert_eq!(shown("\"a@b\"@[192.0.2.1]"), ["-|-|a@b|[192.0.2.1]"]);
    assert_eq!(shown("<a@[IPv6:2001:db8::1]>"), ["-|-|a|[IPv6:2001:db8::1]"]);
}

/// A mailbox never looks like a group: its host is there, if empty.
#[test]
fn garbage_is_tolerated() {
    assert_eq!(shown("fred"), ["-|-|fred|"]);
    assert_eq!(shown("Fred <fred>"), ["Fred|-|fred|"]);
    assert_eq!(shown("<>"), ["-|-||"]);
    assert_eq!(shown(",, ,a@b,;"), ["-|-|a|b"]);
    assert_eq!(shown("Fred <fred@x, b@c"), ["Fred|-|fred|x", "-|-|b|c"]);
    assert_eq!(shown("John Doe john@x"), ["John Doe|-|john|x"]);
    assert_eq!(shown("(only a comment)"), [""; 0]);
    assert_eq!(shown("\"unclosed <a@b>"), ["-|-|unclosed <a@b>|"]);
    assert_eq!(shown("a@b@c"), ["-|-|a@b|c"]);
    assert_eq!(shown(""), [""; 0]);
}

#[test]
fn a_cut_value_loses_its_last_address_and_closes_its_group() {
    let parsed = parse_list(b"g: a@b, c@ex", true, 10);
    assert_eq!(parsed.len(), 3);
    assert_eq!(parsed[1].mailbox.as_deref(), Some(&b"a"[..]));
    assert_eq!(parsed[2], Address::default());
}

#[test]
fn the_number_is_bounded() {
    let many = "a@b,".repeat(5_000);
    assert_eq!(parse_addresses(many.as_bytes()).len(), ADDRESSES_MAX);
    assert_eq!(parse_list(b"a@b, c@d, e@f", false, 2).len(), 2);
}

proptest! {
    #[test]
    fn nothing_panics_and_groups_are_balanced(value in "[a-c@<>(),;:.\"\\\\ \\[\\]ü]{0,40}") {
        let mut open = false;
        for address in parse_addresses(value.as_bytes()) {
            match (&address.mailbox, &address.host) {
                (Some(_), None) => { prop_assert!(!open); open = true; }
                (None, None) => { prop_assert!(open); open = false; }
                (Some(_), Some(_)) => {}
                (None, Some(_)) => prop_assert!(false, "host without mailbox"),
            }
        }
        prop_assert!(!open);
    }
}
