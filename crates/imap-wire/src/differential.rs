//! imap-codec as the oracle of our grammar: for whatever it accepts, both must give the same command; no input may panic.

use proptest::prelude::*;
use proptest::sample::select;

use crate::decode::decode_bytes;
use crate::mailbox_name::NameEncoding;
use crate::oracle::agree;

const ENCODINGS: [NameEncoding; 2] = [NameEncoding::ModifiedUtf7, NameEncoding::Utf8];

/// Commands that imap-codec knows, one of each shape.
pub(crate) const KNOWN: &[&str] = &[
    "a CAPABILITY",
    "a noop",
    "a Logout",
    "a STARTTLS",
    "a CHECK",
    "a CLOSE",
    "a UNSELECT",
    "a EXPUNGE",
    "a IDLE",
    "a NAMESPACE",
    "a AUTHENTICATE PLAIN",
    "a AUTHENTICATE plain dGVzdAB0ZXN0AHRlc3Q=",
    "a AUTHENTICATE EXTERNAL =",
    "a AUTHENTICATE X-Y ",
    "a LOGIN fred secret",
    "a LOGIN \"fr ed\" \"se\\\"cr\\\\et\"",
    "a LOGIN {4}\r\nfred {3+}\r\na b",
    "a LOGIN \"\" \"\"",
    "a LOGIN \"frédéric\" \"pässword\"",
    "a LOGIN NIL NIL",
    "a LOGIN {2}\r\n\u{e9} x",
    "a ENABLE CONDSTORE",
    "a ENABLE utf8=accept X-FOO",
    "a ID NIL",
    "a ID ()",
    "a ID (\"name\" \"x\" \"version\" NIL)",
    "a ID (\"name\" {3}\r\na\"b)",
    "a SELECT INBOX",
    "a SELECT inbox",
    "a SELECT \"a b\"",
    "a SELECT {3}\r\na/b",
    "a SELECT &AOk-",
    "a SELECT \"\"",
    "a SELECT NIL",
    "a SELECT x (CONDSTORE)",
    "a EXAMINE x (condstore)",
    "a EXAMINE x",
    "a SELECT x (CONDSTORE CONDSTORE)",
    "a SELECT x]y",
    "a SELECT x (QRESYNC (67890007 20050715194045000 41,43:211,214:541))",
    "a SELECT x (QRESYNC (67890007 90060115194045000 1:29997 (5000,7500,9000,9990:9999 15000,22500,27000,29970)))",
    "a EXAMINE x (condstore qresync (1 2 (1,2 3,4)))",
    "a SELECT x (QRESYNC (1 2))",
    "a SELECT x (QRESYNC (1 2 3:*))",
    "a SELECT x (QRESYNC (1 18446744073709551615))",
    "a SELECT x (QRESYNC (1 2) QRESYNC (1 2))",
    "a SELECT A&B",
    "a SELECT \"é\"",
    "a CREATE x/",
    "a DELETE x",
    "a RENAME x y",
    "a RENAME INBOX \"old mail\"",
    "a SUBSCRIBE x",
    "a UNSUBSCRIBE x",
    "a LIST \"\" *",
    "a LIST \"\" \"\"",
    "a LIST ~/Mail/ %",
    "a LIST inbox %",
    "a LSUB \"#news.\" \"comp.mail.*\"",
    "a LIST x inbox",
    "a LIST \"\" {1}\r\n%",
    "a LIST \"\" a]*",
    "a LIST \"\" &AOk-*",
    "a LSUB &AOk \"*\"",
    "a STATUS x (MESSAGES)",
    "a STATUS x (UIDNEXT UIDVALIDITY UNSEEN RECENT MESSAGES)",
    "a STATUS x (HIGHESTMODSEQ SIZE DELETED)",
    "a STATUS x (DELETED-STORAGE)",
    "a STATUS x ()",
    "a STATUS x (unseen unseen)",
    "a APPEND x ~{8}\r\n12345678",
    "a APPEND x (\\Seen $F) ~{8+}\r\n12345678",
    "a APPEND x () \" 7-Feb-1994 21:52:25 -0800\" ~{8}\r\n12345678",
    "a APPEND x \"17-jul-1996 02:44:25 +1345\" ~{8}\r\n12345678",
    "a APPEND x (\\Recent) ~{8}\r\n12345678",
    "a APPEND x {3}\r\nabc",
    "a APPEND x ~{3}\r\nabc",
    "a APPEND x \"31-Dec-9999 23:59:59 -2359\" ~{8}\r\n12345678",
    "a APPEND x \"01-Jan-0000 00:00:00 +2359\" ~{8}\r\n12345678",
    "a APPEND x \"01-Jan-2000 00:00:00 +0099\" ~{8}\r\n12345678",
    "a SEARCH ALL",
    "a UID SEARCH ALL",
    "a SEARCH CHARSET UTF-8 TEXT {2}\r\n\u{e9}",
    "a SEARCH CHARSET \"utf-8\" ALL",
    "a SEARCH ANSWERED DELETED DRAFT FLAGGED NEW OLD RECENT SEEN UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN",
    "a SEARCH BCC x CC x FROM x SUBJECT x TO x BODY x TEXT x",
    "a SEARCH FROM \"a b\" BODY {3}\r\na\r\n",
    "a SEARCH BEFORE 1-Feb-1994 ON 01-feb-1994 SINCE \"1-Feb-1994\" SENTBEFORE 1-Feb-1994 SENTON 1-Feb-1994 SENTSINCE 1-Feb-1994",
    "a SEARCH HEADER Message-ID <x@y>",
    "a SEARCH HEADER \"\" \"\"",
    "a SEARCH KEYWORD $Forwarded UNKEYWORD x",
    "a SEARCH LARGER 0 SMALLER 4294967295 OLDER 1 YOUNGER 86400",
    "a SEARCH 1 2:4 *:5 1,3:* UID 1:*",
    "a SEARCH NOT SEEN",
    "a SEARCH OR SEEN (FLAGGED UNSEEN)",
    "a SEARCH (SEEN)",
    "a SEARCH ((SEEN) (NOT (FLAGGED DELETED)))",
    "a SEARCH OR NOT 1 OR 2 3",
    "a SEARCH MODSEQ 620162338",
    "a SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338",
    "a SEARCH MODSEQ \"/FLAGS/x\" priv 0",
    "a SEARCH ((((((((SEEN))))))))",
    "a SEARCH KEYWORD xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "a SEARCH MODSEQ 9223372036854775808",
    "a SEARCH UID 1 1",
    "a FETCH 1 ALL",
    "a FETCH 1:* FAST",
    "a fetch *:1 full",
    "a UID FETCH 1,2,4:* (FLAGS)",
    "a FETCH 1 FLAGS",
    "a FETCH 1 ()",
    "a FETCH 1 (ENVELOPE FLAGS INTERNALDATE BODYSTRUCTURE BODY UID RFC822 RFC822.HEADER RFC822.SIZE RFC822.TEXT MODSEQ)",
    "a FETCH 1 BODY[]",
    "a FETCH 1 BODY.PEEK[]<0.1024>",
    "a FETCH 1 BODY[1.2.3]",
    "a FETCH 1 (BODY[HEADER] BODY[TEXT] BODY[1.MIME])",
    "a FETCH 1 BODY[HEADER.FIELDS (DATE \"FROM\" {2}\r\nTO)]",
    "a FETCH 1 BODY[4.2.HEADER.FIELDS.NOT (x)]<5.1>",
    "a FETCH 1 (BODY[1.HEADER] BODY[1.TEXT])",
    "a FETCH 1 BODY[HEADER.FIELDS (\"\")]",
    "a FETCH 1 body.peek[header.fields (a)]",
    "a FETCH 1 (FLAGS) (CHANGEDSINCE 12345)",
    "a UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
    "a UID FETCH 1 FLAGS (VANISHED CHANGEDSINCE 1)",
    "a UID FETCH 1 FLAGS (VANISHED)",
    "a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
    "a UID FETCH 1 FLAGS (VANISHED VANISHED CHANGEDSINCE 1)",
    "a FETCH 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)",
    "a FETCH 1 BINARY[1]",
    "a FETCH 1 BINARY.SIZE[1]",
    "a FETCH 1 (BINARY.PEEK[1.2]<0.10> binary[] BINARY.SIZE[])",
    "a FETCH 1 FLAGS (CHANGEDSINCE 18446744073709551615)",
    "a FETCH 00001 FLAGS",
    "a STORE 1 FLAGS (\\Deleted)",
    "a STORE 2:4 +FLAGS (\\Deleted \\seen $x)",
    "a STORE 1 -FLAGS.SILENT \\Deleted \\Seen",
    "a STORE 1 flags ()",
    "a UID STORE 1 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Seen)",
    "a STORE 1 FLAGS (\\Recent)",
    "a STORE 1 FLAGS \\Foo",
    "a STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 2) FLAGS x",
    "a STORE 1 (unchangedsince 9) FLAGS x y",
    "a COPY 2:4 MEETING",
    "a UID COPY 2 \"a b\"",
    "a MOVE * x",
    "a UID MOVE 1:* INBOX",
    "a UID EXPUNGE 3000:3002",
    "a uid expunge *",
    "a GETQUOTA \"\"",
    "a GETQUOTAROOT INBOX",
    "a SETQUOTA \"\" (STORAGE 512)",
    "a SETQUOTA x ()",
    "a SETQUOTA x@y (storage 1 MESSAGE 2 Mailbox 3)",
    "a SETQUOTA x (STORAGE 9223372036854775808)",
    "a SETQUOTA x (ANNOTATION-STORAGE 1)",
    "a GETQUOTA {3}\r\na b",
    "a COMPRESS DEFLATE",
    "a SORT (SUBJECT) UTF-8 ALL",
    "a UID SORT (REVERSE DATE SUBJECT) US-ASCII SINCE 1-Feb-1994 NOT FROM \"x\"",
    "a SORT (ARRIVAL CC FROM SIZE TO DISPLAYFROM REVERSE DISPLAYTO) \"utf-8\" 1:* UNSEEN",
    "a THREAD REFERENCES UTF-8 ALL",
    "a UID THREAD orderedsubject UTF-8 SINCE 5-Mar-2000",
    "a THREAD refs UTF-8 ALL",
    "a THREAD X-OTHER UTF-8 ALL",
    "a GETMETADATA x /shared/comment",
    "a SETMETADATA x (/private/comment NIL)",
    "a GETMETADATA \"\" (/shared/comment \"/private/comment\")",
    "a GETMETADATA (MAXSIZE 1024 depth infinity) INBOX (/shared /private/vendor)",
    "a GETMETADATA (DEPTH 1) INBOX /shared/a",
    "a GETMETADATA (DEPTH 0) INBOX {5}\r\n/shar",
    "a SETMETADATA INBOX (/Shared/comment \"x\" /private/vendor/a/b ~{2}\r\na\0 /shared/c {2}\r\nab)",
];

#[test]
fn the_known_shapes_agree() {
    for shape in KNOWN {
        assert!(agree(format!("{shape}\r\n").as_bytes()), "imap-codec no longer takes {shape:?}");
    }
}

#[test]
fn mutated_shapes_agree() {
    // Every shape with each octet left out, doubled, or replaced by what matters to the grammar.
    let mut known = 0;
    for shape in KNOWN {
        let text = format!("{shape}\r\n").into_bytes();
        for at in 0..text.len() {
            let mut shorter = text.clone();
            shorter.remove(at);
            known += usize::from(agree(&shorter));
            let mut longer = text.clone();
            longer.insert(at, text[at]);
            known += usize::from(agree(&longer));
            for other in *b" ()\"\\{}[]<>*%:,.+-0~&\r\n\0aZ\xc3" {
                let mut changed = text.clone();
                changed[at] = other;
                known += usize::from(agree(&changed));
                drop(decode_bytes(&changed, NameEncoding::ModifiedUtf7));
            }
        }
    }
    assert!(known > 10_000, "only {known} mutations were commands");
}

fn astring() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z&/.-]{1,6}",
        "\"[ -!#-\\[\\]-~é]{0,6}\"",
        "[ -~\r\n]{0,6}".prop_map(|s| format!("{{{}}}\r\n{s}", s.len())),
        select(vec!["INBOX", "\"a\\\\\\\"b\"", "NIL", "&AOk-", "\"&AOk-&AOk-\""]).prop_map(str::to_owned),
    ]
}

fn set() -> impl Strategy<Value = String> {
    "(\\*|[1-9][0-9]{0,3})(:(\\*|[1-9]))?(,[0-9]{1,10}(:\\*)?){0,2}"
}

fn date() -> impl Strategy<Value = String> {
    "\"?[0-9]{1,2}-(Jan|feb|MAR|Dec|Foo)-(19|20|00)[0-9]{2}\"?"
}

fn flag() -> impl Strategy<Value = String> {
    select(vec!["\\Seen", "\\deleted", "\\Recent", "\\X", "$Junk", "kw", "a]b"]).prop_map(str::to_owned)
}

fn search_key() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec!["ALL", "SEEN", "new", "OLD", "UNFLAGGED", "RECENT", "UNKEYWORD a", "MODSEQ 5"])
            .prop_map(str::to_owned),
        (select(vec!["FROM", "BODY", "TO", "SUBJECT", "HEADER x"]), astring()).prop_map(|(k, a)| format!("{k} {a}")),
        (select(vec!["BEFORE", "SENTON", "SINCE"]), date()).prop_map(|(k, d)| format!("{k} {d}")),
        set(),
        set().prop_map(|s| format!("UID {s}")),
        (select(vec!["LARGER", "SMALLER", "OLDER", "YOUNGER"]), any::<u32>()).prop_map(|(k, n)| format!("{k} {n}")),
    ];
    leaf.prop_recursive(10, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|k| format!("NOT {k}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("OR {a} {b}")),
            prop::collection::vec(inner, 1..3).prop_map(|keys| format!("({})", keys.join(" "))),
        ]
    })
}

fn section() -> impl Strategy<Value = String> {
    (
        "([1-9]\\.){0,3}",
        select(vec!["", "1", "HEADER", "TEXT", "MIME", "HEADER.FIELDS (a b)", "HEADER.FIELDS.NOT (\"x\")"]),
        "(<[0-9]{1,11}\\.[0-9]{1,3}>)?",
    )
        .prop_map(|(part, text, partial)| format!("BODY[{part}{text}]{partial}"))
}

fn item() -> impl Strategy<Value = String> {
    prop_oneof![
        section(),
        select(vec!["UID", "flags", "ENVELOPE", "BODY", "BODYSTRUCTURE", "RFC822", "RFC822.SIZE", "MODSEQ", "ALL"])
            .prop_map(str::to_owned),
    ]
}

fn command() -> impl Strategy<Value = String> {
    prop_oneof![
        (select(vec!["SELECT", "CREATE", "DELETE", "SUBSCRIBE", "examine"]), astring())
            .prop_map(|(v, a)| format!("{v} {a}")),
        (select(vec!["LOGIN", "RENAME", "LIST", "LSUB"]), astring(), astring())
            .prop_map(|(v, a, b)| format!("{v} {a} {b}")),
        prop::collection::vec(search_key(), 1..3).prop_map(|keys| format!("SEARCH {}", keys.join(" "))),
        (set(), prop::collection::vec(item(), 0..4)).prop_map(|(s, items)| format!("FETCH {s} ({})", items.join(" "))),
        (set(), item()).prop_map(|(s, item)| format!("UID FETCH {s} {item}")),
        (set(), select(vec!["FLAGS", "+flags", "-FLAGS.SILENT"]), prop::collection::vec(flag(), 0..3))
            .prop_map(|(s, kind, flags)| format!("STORE {s} {kind} ({})", flags.join(" "))),
        (
            prop::collection::vec(
                select(vec!["DATE", "reverse SIZE", "REVERSE REVERSE TO", "SUBJECT", "COLOUR"]),
                0..3
            ),
            select(vec!["UTF-8", "us-ascii", "\"x y\"", "NIL"]),
            search_key(),
        )
            .prop_map(|(keys, charset, key)| format!("SORT ({}) {charset} {key}", keys.join(" "))),
        (select(vec!["REFERENCES", "OrderedSubject", "REFS", "X"]), search_key())
            .prop_map(|(algorithm, key)| format!("UID THREAD {algorithm} UTF-8 {key}")),
        (select(vec!["COPY", "MOVE", "UID COPY"]), set(), astring()).prop_map(|(v, s, a)| format!("{v} {s} {a}")),
        (
            astring(),
            prop::collection::vec(flag(), 0..3),
            "( \"[ 0-3][0-9]-Feb-(1994|2000) [0-2][0-9]:[0-6][0-9]:00 [+-][0-2][0-9][0-9]0\")?"
        )
            .prop_map(|(a, flags, date)| format!("APPEND {a} ({}){date} ~{{8}}\r\n12345678", flags.join(" "))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn generated_commands_agree(command in command()) {
        agree(format!("a {command}\r\n").as_bytes());
    }

    #[test]
    fn no_octets_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        drop(decode_bytes(&bytes, NameEncoding::Utf8));
        agree(&bytes);
    }

    #[test]
    fn no_words_panic(words in prop::collection::vec(select(vec![
        "a", " ", "UID", "FETCH", "SEARCH", "LIST", "RETURN", "(", ")", "BODY[", "]", "<", "0", ".", "5", ">", "{3}\r\n", "~{8}\r\n", "\"", "\\",
        "*", ":", ",", "OR", "NOT", "STATUS", "APPEND", "x", "\r\n", "CREATE", "USE", "\\Sent", "MODSEQ", "\0", "é", "12345678",
    ]), 0..30)) {
        let text = words.concat();
        for encoding in ENCODINGS {
            if let Err(refusal) = decode_bytes(text.as_bytes(), encoding) {
                prop_assert!(refusal.text.bytes().all(|b| matches!(b, b' '..=b'~')), "{}", refusal.text);
            }
        }
        agree(text.as_bytes());
    }
}
