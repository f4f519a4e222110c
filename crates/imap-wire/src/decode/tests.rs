//! Shapes of commands: what is accepted and as what, what is refused and how.

use std::fmt::Write as _;

use mail::SpecialUse;

use super::*;
use crate::command::*;
use crate::differential::KNOWN;
use crate::flag::Flag;
use crate::limits::SEARCH_DEPTH_MAX;
use crate::response::{Code, Condition};
use crate::section::{Partial, Section};

fn parse(text: &str) -> Result<CommandBody, Refusal> {
    decode_bytes(format!("a1 {text}\r\n").as_bytes(), NameEncoding::ModifiedUtf7).map(|command| {
        assert_eq!(command.tag.as_str(), "a1");
        command.body
    })
}

fn ok(text: &str) -> CommandBody {
    parse(text).unwrap_or_else(|refusal| panic!("{text:?}: {}", refusal.text))
}

/// The text of the BAD.
fn bad(text: &str) -> String {
    let refusal = parse(text).expect_err(text);
    assert_eq!(refusal.tag.unwrap().as_str(), "a1");
    assert_eq!(refusal.condition, Condition::Bad);
    // RFC 5530 §3: a bound of the server, or a fault of the client.
    let code = if refusal.text.contains("more than") { Code::Limit } else { Code::ClientBug };
    assert_eq!(refusal.code, Some(code), "{}", refusal.text);
    refusal.text
}

fn search(text: &str) -> SearchKey {
    let CommandBody::Search(search) = ok(&format!("SEARCH {text}")) else { panic!("{text}") };
    search.key
}

#[test]
fn what_the_extensions_add() {
    // Shapes that imap-codec does not take: our grammar alone.
    for shape in [
        "CREATE x (USE (\\Sent))",
        "CREATE x (USE ())",
        "CREATE x (USE (\\sent \\Trash))",
        "LIST (SUBSCRIBED) \"\" *",
        "LIST () \"\" *",
        "LIST \"\" (INBOX Drafts \"Sent/%\")",
        "LIST \"\" % RETURN (CHILDREN)",
        "LIST \"\" % RETURN ()",
        "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (%) RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)",
        "LIST \"\" % RETURN (STATUS (MESSAGES UNSEEN))",
        "LIST (SPECIAL-USE) \"\" *",
        "LIST (REMOTE) \"\" *",
        "SEARCH RETURN () ALL",
        "SEARCH RETURN (MIN MAX ALL COUNT) CHARSET UTF-8 1:*",
        "UID SEARCH RETURN (COUNT) UNSEEN",
        "FETCH 1 BODY[]<5000000000.5000000000>",
        "SETACL INBOX fred lrs",
        "SETACL {5}\r\nINBOX \"-fr\u{e9}d\" +x",
        "SETACL x anyone \"\"",
        "DELETEACL \"a b\" {4}\r\nfred",
        "getacl inbox",
        "LISTRIGHTS x smith",
        "MyRights &AOk-",
        "SEARCH LARGER 5000000000",
        "SEARCH $",
        "UID FETCH $ FLAGS",
        "STORE 1:2,$ FLAGS ()",
        "UID EXPUNGE $",
        "SEARCH RETURN (SAVE) UID $ SEEN",
        "SEARCH RETURN (SAVE CONTEXT UPDATE COUNT) ALL",
        "SEARCH RETURN (PARTIAL 1:500) ALL",
        "UID SEARCH RETURN (PARTIAL -1:-100 MIN) ALL",
        "SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT \"x y\"",
        "SEARCH SAVEDBEFORE 1-Feb-1994 SAVEDON 1-Feb-1994 SAVEDSINCE \"1-Feb-1994\" SAVEDATESUPPORTED",
        "SEARCH EMAILID M6d99ac3275bb4e THREADID T64b478a75b7ea9",
        "SEARCH OR FILTER on-the-road FUZZY (SUBJECT x)",
        "SORT RETURN () (DATE) UTF-8 ALL",
        "UID SORT RETURN (COUNT PARTIAL 1:2) (REVERSE RELEVANCY) UTF-8 FUZZY SUBJECT x",
        "CANCELUPDATE \"A1\" \"A2\"",
        "COMPARATOR",
        "COMPARATOR \"cz;*\" i;basic",
        "ESEARCH UNSEEN",
        "ESEARCH IN (mailboxes (a \"b c\") subtree INBOX personal) RETURN (COUNT) CHARSET UTF-8 UNSEEN",
        "ESEARCH IN (selected) RETURN (SAVE) SEEN",
        "SEARCH SMALLER 9223372036854775807",
        "SEARCH (((((((((((SEEN)))))))))))",
    ] {
        ok(shape);
        let whole = format!("a1 {shape}\r\n");
        assert!(codec::decode(whole.as_bytes(), NameEncoding::ModifiedUtf7).is_none(), "imap-codec learnt {shape}");
    }
    assert_eq!(
        ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (a %) RETURN (CHILDREN STATUS (UNSEEN))"),
        CommandBody::List(List {
            reference: String::new(),
            patterns: vec!["a".to_owned(), "%".to_owned()],
            selection: ListSelection { subscribed: true, recursive_match: true, ..ListSelection::default() },
            returns: ListReturn { children: true, status: Some(vec![StatusItem::Unseen]), ..ListReturn::default() },
            extended: true,
        })
    );
    let CommandBody::Create(create) = ok("CREATE x (USE (\\sent \\Trash))") else { panic!() };
    assert_eq!(create.special_uses, [SpecialUse::Sent, SpecialUse::Trash]);
    let CommandBody::Search(with_return) = ok("UID SEARCH RETURN (MIN COUNT) CHARSET utf-8 ALL") else { panic!() };
    assert_eq!(with_return.returns, Some(SearchReturn { min: true, count: true, ..SearchReturn::default() }));
    assert_eq!(with_return.charset.as_deref(), Some("UTF-8"));
    let CommandBody::Search(all) = ok("SEARCH RETURN () ALL") else { panic!() };
    assert_eq!(all.returns, Some(SearchReturn { all: true, ..SearchReturn::default() }));
}

#[test]
fn what_commands_become() {
    assert_eq!(search("UNSEEN"), SearchKey::Lacks(Flag::Seen));
    assert_eq!(search("NEW"), SearchKey::And(vec![SearchKey::Recent, SearchKey::Lacks(Flag::Seen)]));
    assert_eq!(search("FLAGGED SEEN"), SearchKey::And(vec![SearchKey::Has(Flag::Flagged), SearchKey::Has(Flag::Seen)]));
    let CommandBody::Fetch(fetch) = ok("UID FETCH 1:* (BODY.PEEK[]<0.10> RFC822)") else { panic!() };
    assert!(fetch.uid);
    assert_eq!(
        fetch.items.first(),
        Some(&FetchItem::BodySection {
            section: Section::default(),
            partial: Some(Partial { start: 0, length: 10 }),
            peek: true
        })
    );
    assert_eq!(fetch.items.iter().map(FetchItem::sets_seen).collect::<Vec<_>>(), [false, true]);
    let CommandBody::Login { username, password } = ok("LOGIN fred \"a b\"") else { panic!() };
    assert_eq!((username.as_str(), password.reveal()), ("fred", &b"a b"[..]));
    let CommandBody::Search(modseq) = ok("SEARCH OR SEEN NOT (MODSEQ 5)") else { panic!() };
    assert!(modseq.uses_modseq());
    assert_eq!(ok("SELECT &AOk-").name(), "SELECT");
    assert_eq!(ok("UID EXPUNGE 1").name(), "UID EXPUNGE");
}

#[test]
fn names_in_utf8_once_that_is_enabled() {
    let text = "a1 SELECT \"é&\"\r\n".as_bytes();
    let CommandBody::Select(select) = decode_bytes(text, NameEncoding::Utf8).unwrap().body else { panic!() };
    assert_eq!(select.mailbox.as_str(), "é&");
    assert!(decode_bytes(text, NameEncoding::ModifiedUtf7).is_err());
}

#[test]
fn a_bad_says_what_is_wrong_and_where() {
    for (shape, text) in [
        ("", "expected a command at octet 4"),
        ("FOO", "unknown command FOO"),
        ("FOO\u{e9}\"bar", "unknown command FOO???bar"),
        ("NOOP x", "NOOP: expected the end of the command at octet 8"),
        ("NOOP ", "NOOP: expected the end of the command at octet 8"),
        ("LOGIN", "LOGIN: expected one more argument at octet 9"),
        ("LOGIN fred", "LOGIN: expected one more argument at octet 14"),
        ("LOGIN \"fred x", "LOGIN: a quoted string is not closed; it begins at octet 10"),
        ("LOGIN \"fr\\ed\" x", "LOGIN: a backslash may only stand before a quote or a backslash at octet 13"),
        ("AUTHENTICATE PLAIN ???", "AUTHENTICATE: the initial response is not base64; it begins at octet 23"),
        ("SELECT A&B", "SELECT: the mailbox name is not in modified UTF-7"),
        ("SELECT \"a\tb\"", "SELECT: a mailbox name has no control characters"),
        ("SELECT x (FOO)", "SELECT: the parameter FOO is not supported"),
        ("CREATE x (FOO)", "CREATE: the parameter FOO is not supported"),
        ("STATUS x MESSAGES", "STATUS: expected status items in parentheses at octet 13"),
        ("STATUS x ()", "STATUS: at least one status item is needed"),
        ("STATUS x (FOO)", "STATUS: the status item FOO is not supported"),
        ("FETCH 0 FLAGS", "FETCH: a message number cannot be 0; it stands at octet 10"),
        ("FETCH x FLAGS", "FETCH: expected a message number at octet 10"),
        ("FETCH $1 FLAGS", "FETCH: expected a space at octet 11"),
        ("FETCH 1:$ FLAGS", "FETCH: expected a message number at octet 12"),
        ("SEARCH RETURN (PARTIAL 1:2 ALL) ALL", "SEARCH: PARTIAL and ALL exclude each other"),
        ("SEARCH RETURN (PARTIAL -1:2) ALL", "SEARCH: expected the end of the range at octet 29"),
        ("SEARCH RETURN (PARTIAL 0:2) ALL", "SEARCH: a place in the results cannot be 0; it stands at octet 27"),
        ("SORT () UTF-8 ALL", "SORT: at least one sort criterion is needed"),
        ("SORT (COLOUR) UTF-8 ALL", "SORT: unknown sort criterion COLOUR at octet 10"),
        ("SORT (DATE) ALL", "SORT: expected one more argument at octet 19"),
        ("THREAD X UTF-8 ALL", "THREAD: unknown threading algorithm X"),
        ("ESEARCH IN (personal) RETURN (SAVE) ALL", "ESEARCH: SAVE is for a search of the selected mailbox alone"),
        ("ESEARCH IN () ALL", "ESEARCH: at least one source is needed"),
        ("ESEARCH IN (selected-delayed) ALL", "ESEARCH: unknown source selected-delayed at octet 16"),
        ("FETCH 4294967296 FLAGS", "FETCH: a message number is too large; it begins at octet 10"),
        ("FETCH 1", "FETCH: expected one more argument at octet 11"),
        ("FETCH 1 FOO", "FETCH: unknown data item FOO at octet 12"),
        ("FETCH 1 (FLAGS ALL)", "FETCH: unknown data item ALL at octet 19"),
        (
            "FETCH 1 BODY[MIME]",
            "FETCH: expected HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or, after a part number, MIME at octet 17",
        ),
        ("FETCH 1 BODY[1", "FETCH: expected ] after the section at octet 18"),
        ("FETCH 1 BODY[]<0.0>", "FETCH: the number of octets cannot be 0; it stands at octet 21"),
        ("FETCH 1 (FLAGS", "FETCH: expected a space or ) at octet 18"),
        ("STORE 1 FLAGS (\\Recent)", "STORE: a client cannot set the flag \\Recent"),
        ("STORE 1 FOO (\\Seen)", "STORE: expected FLAGS, +FLAGS or -FLAGS at octet 12"),
        ("SEARCH", "SEARCH: expected one more argument at octet 10"),
        ("SEARCH FOO", "SEARCH: unknown search key FOO at octet 11"),
        ("SEARCH SINCE 31-Feb-2024", "SEARCH: expected a date like 1-Feb-1994 at octet 17"),
        ("SEARCH ()", "SEARCH: there is no search key in the parentheses"),
        ("LIST (RECURSIVEMATCH) \"\" *", "LIST: RECURSIVEMATCH needs another selection option"),
        ("LIST \"\"", "LIST: expected one more argument at octet 11"),
        ("UID NOOP", "UID: unknown UID command NOOP"),
        ("APPEND x", "APPEND: expected one more argument at octet 12"),
        (
            "APPEND x \"32-Jan-2000 00:00:00 +0000\" ~{8}\r\n12345678",
            "APPEND: expected a date like \"17-Jul-1996 02:44:25 -0700\" at octet 13",
        ),
        ("APPEND x ~{8}\r\n12345678 (", "APPEND: expected a flag at octet 29"),
        ("LOGIN {1}\r\n\0 x", "LOGIN: a NUL is in the literal that begins at octet 10"),
        ("ID foo", "ID: expected NIL or ( at octet 7"),
        ("ENABLE", "ENABLE: expected one more argument at octet 10"),
    ] {
        assert_eq!(bad(shape), text, "{shape:?}");
    }
}

#[test]
fn a_special_use_that_does_not_exist_is_a_no() {
    // RFC 6154 §3.
    let refusal = parse("CREATE x (USE (\\Foo))").unwrap_err();
    assert_eq!((refusal.condition, refusal.code.clone()), (Condition::No, Some(Code::UseAttr)));
    let mut out = Vec::new();
    refusal.write(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "a1 NO [USEATTR] CREATE: there is no special use \\Foo\r\n");
}

#[test]
fn without_a_tag_the_answer_is_untagged() {
    for text in ["\r\n", " NOOP\r\n", "+ NOOP\r\n", "(a NOOP\r\n", "a\u{e9} NOOP\r\n", "", "\0"] {
        let refusal = decode_bytes(text.as_bytes(), NameEncoding::ModifiedUtf7).unwrap_err();
        assert_eq!(refusal.tag, None, "{text:?}");
    }
    let refusal = decode_bytes(b"abc\r\n", NameEncoding::ModifiedUtf7).unwrap_err();
    let mut out = Vec::new();
    refusal.write(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "abc BAD [CLIENTBUG] expected a command at octet 4\r\n");
}

#[test]
fn nesting_and_number_of_keys_are_bounded() {
    let nested = |n: usize| format!("SEARCH {}SEEN{}", "(".repeat(n), ")".repeat(n));
    ok(&nested(SEARCH_DEPTH_MAX - 1));
    assert_eq!(bad(&nested(SEARCH_DEPTH_MAX)), "SEARCH: keys are nested more than 32 deep");
    assert!(bad(&format!("SEARCH {}SEEN", "NOT ".repeat(10_000))).contains("nested more than 32 deep"));
    assert!(bad(&format!("SEARCH {}SEEN", "OR SEEN ".repeat(10_000))).contains("nested more than 32 deep"));
    let mut many = "SEARCH 1".to_owned();
    for n in 0..3_000 {
        write!(many, " {}", n + 1).unwrap();
    }
    assert_eq!(bad(&many), "SEARCH: more than 2000 search keys");
}

#[test]
fn access_lists() {
    let CommandBody::SetAcl(set) = ok("SETACL INBOX/Drafts -fred +cda") else { panic!("SETACL") };
    let told = (set.mailbox.as_str(), set.identifier.as_str(), set.rights.as_str());
    assert_eq!(told, ("INBOX/Drafts", "-fred", "+cda"));
    let CommandBody::DeleteAcl { mailbox, identifier } = ok("DELETEACL &AOk- \"a b\"") else { panic!("DELETEACL") };
    assert_eq!((mailbox.as_str(), identifier.as_str()), ("\u{e9}", "a b"));
    for (shape, text) in [
        ("SETACL x fred", "SETACL: expected one more argument at octet 17"),
        ("SETACL x \"\" lr", "SETACL: the identifier is empty"),
        ("DELETEACL x {2}\r\n\t1", "DELETEACL: the identifier has a control character"),
        ("LISTRIGHTS x", "LISTRIGHTS: expected one more argument at octet 16"),
        ("SETACL x fred \"\u{e9}\"", "SETACL: rights are lowercase letters"),
        ("MYRIGHTS x y", "MYRIGHTS: expected the end of the command at octet 14"),
    ] {
        assert_eq!(bad(shape), text, "{shape}");
    }
    // imap-codec does not know them yet; when it does, they belong into the table that the two are compared by.
    for shape in ["SETACL x y lr", "DELETEACL x y", "GETACL x", "LISTRIGHTS x y", "MYRIGHTS x"] {
        let text = format!("a {shape}\r\n");
        assert!(codec::decode(text.as_bytes(), NameEncoding::ModifiedUtf7).is_none(), "{shape}");
        for at in 0..text.len() {
            let mut cut = text.clone().into_bytes();
            cut.remove(at);
            decode_bytes(&cut, NameEncoding::Utf8).ok();
        }
    }
}

#[test]
fn the_number_of_fetch_items_is_bounded() {
    let fetch = |count: usize| {
        let items: Vec<String> = (1..=count).map(|part| format!("BODY.PEEK[{part}]")).collect();
        format!("FETCH 1 ({})", items.join(" "))
    };
    ok(&fetch(500));
    assert!(bad(&fetch(501)).contains("more than 500 data items"));
    // With a part that imap-codec does not know, our own grammar reads it.
    assert!(bad(&fetch(501).replace(')', " MODSEQ) (CHANGEDSINCE 1)")).contains("more than 500 data items"));
}

#[test]
fn debug_shows_no_secret() {
    for shape in ["LOGIN fred hunter2", "AUTHENTICATE PLAIN aHVudGVyMg=="] {
        let shown = format!("{:?}", ok(shape));
        assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    }
    // Nor does the answer to a command that went wrong.
    for shape in ["LOGIN fred hunter2 x", "LOGIN fred (hunter2", "LOGIN \"fred\" \"hunter2"] {
        assert!(!bad(shape).contains("hunter2"), "{shape}");
    }
}

#[test]
fn examples_of_rfc_3501() {
    // §6 and §8, with literals as the framer delivers them.
    for (shape, name) in [
        ("SELECT INBOX", "SELECT"),
        ("EXAMINE blurdybloop", "EXAMINE"),
        ("LOGIN SMITH SESAME", "LOGIN"),
        ("LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man", "LOGIN"),
        ("CREATE owatagusiam/", "CREATE"),
        ("RENAME INBOX old-mail", "RENAME"),
        ("SUBSCRIBE #news.comp.mail.mime", "SUBSCRIBE"),
        ("LIST \"\" \"\"", "LIST"),
        ("LIST #news.comp.mail.misc \"\"", "LIST"),
        ("LIST ~/Mail/ %", "LIST"),
        ("LSUB \"#news.\" \"comp.mail.*\"", "LSUB"),
        ("STATUS blurdybloop (UIDNEXT MESSAGES)", "STATUS"),
        ("SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"", "SEARCH"),
        ("SEARCH TEXT \"string not in mailbox\"", "SEARCH"),
        ("SEARCH CHARSET UTF-8 TEXT {6}\r\nletter", "SEARCH"),
        ("FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])", "FETCH"),
        ("STORE 2:4 +FLAGS (\\Deleted)", "STORE"),
        ("COPY 2:4 MEETING", "COPY"),
        ("UID FETCH 4827313:4828442 FLAGS", "UID FETCH"),
        ("fetch 12 full", "FETCH"),
        ("fetch 12 body[header]", "FETCH"),
        ("store 12 +flags \\deleted", "STORE"),
    ] {
        assert_eq!(ok(shape).name(), name, "{shape}");
    }
    assert_eq!(bad("BLURDYBLOOP"), "unknown command BLURDYBLOOP");
}

#[test]
fn every_known_shape_has_an_answer() {
    assert!(KNOWN.len() + 19 >= 122, "the table of shapes");
    for shape in KNOWN {
        if let Err(refusal) = decode_bytes(format!("{shape}\r\n").as_bytes(), NameEncoding::ModifiedUtf7) {
            assert!(refusal.tag.is_some() && !refusal.text.is_empty(), "{shape}");
        }
    }
}

#[test]
fn the_sources_of_esearch_are_bounded_together() {
    use crate::limits::MAILBOX_FILTERS_MAX;
    let esearch =
        |sources: &str| decode_bytes(format!("a ESEARCH IN ({sources}) ALL\r\n").as_bytes(), NameEncoding::Utf8);
    for source in ["personal", "subtree a", "subtree-one a", "mailboxes a"] {
        let most = vec![source; MAILBOX_FILTERS_MAX].join(" ");
        assert!(esearch(&most).is_ok(), "{source}");
        assert!(esearch(&format!("{most} {source}")).is_err(), "{source}");
    }
    let half = format!("subtree ({})", vec!["a"; MAILBOX_FILTERS_MAX / 2].join(" "));
    assert!(esearch(&format!("{half} {half}")).is_ok());
    assert!(esearch(&format!("{half} {half} inboxes")).is_err());
}
