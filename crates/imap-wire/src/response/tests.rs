//! What is written, against the examples of the RFCs, and read back by imap-codec as a client would.

use mail::{Flags, InternalDate, SpecialUse};
use proptest::prelude::*;

use super::*;
use crate::flag::Flag;
use crate::limits::ECHOED_MAX;
use crate::mailbox_name::{MailboxName, NameEncoding};
use crate::oracle::readable;
use crate::section::{HeaderName, Section, SectionText};
use crate::sequence::NumberSet;
use crate::tag::Tag;

const UTF7: NameEncoding = NameEncoding::ModifiedUtf7;

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn tag(text: &str) -> Tag {
    Tag::new(text.as_bytes()).unwrap()
}

fn name(text: &str) -> MailboxName {
    MailboxName::new(text).unwrap()
}

fn flags(list: &[&str]) -> Vec<Flag> {
    list.iter().filter_map(|flag| Flag::parse(flag.as_bytes())).collect()
}

fn set(numbers: &[u32]) -> NumberSet {
    numbers.iter().copied().collect()
}

#[test]
fn status_responses() {
    let line = |code: Code| written(|out| untagged(out, Condition::Ok, Some(&code), "text"));
    for (code, expected) in [
        (Code::Alert, "ALERT"),
        (Code::BadCharset(&["US-ASCII", "UTF-8"]), "BADCHARSET (US-ASCII UTF-8)"),
        (Code::Capability(vec!["IMAP4rev1".to_owned(), "IDLE".to_owned()]), "CAPABILITY IMAP4rev1 IDLE"),
        (Code::Parse, "PARSE"),
        (
            Code::PermanentFlags { flags: flags(&["\\Deleted", "$x"]), new_keywords: true },
            "PERMANENTFLAGS (\\Deleted $x \\*)",
        ),
        (Code::PermanentFlags { flags: vec![], new_keywords: false }, "PERMANENTFLAGS ()"),
        (Code::ReadOnly, "READ-ONLY"),
        (Code::ReadWrite, "READ-WRITE"),
        (Code::TryCreate, "TRYCREATE"),
        (Code::UidNext(4392), "UIDNEXT 4392"),
        (Code::UidValidity(3_857_529_045), "UIDVALIDITY 3857529045"),
        (Code::Unseen(12), "UNSEEN 12"),
        (Code::AppendUid { uid_validity: 38505, uids: NumberSet::from_numbers([3955]) }, "APPENDUID 38505 3955"),
        (Code::AppendUid { uid_validity: 1, uids: NumberSet::from_numbers([1, 2, 5]) }, "APPENDUID 1 1:2,5"),
        (Code::UnknownCte, "UNKNOWN-CTE"),
        (Code::CompressionActive, "COMPRESSIONACTIVE"),
        (
            Code::CopyUid { uid_validity: 38505, source: set(&[304, 319, 320]), destination: set(&[3956, 3957, 3958]) },
            "COPYUID 38505 304,319:320 3956:3958",
        ),
        (Code::UidNotSticky, "UIDNOTSTICKY"),
        (Code::HighestModSeq(715_194_045_007), "HIGHESTMODSEQ 715194045007"),
        (Code::NoModSeq, "NOMODSEQ"),
        (Code::Modified(set(&[7, 9])), "MODIFIED 7,9"),
        (Code::Closed, "CLOSED"),
        (Code::AuthenticationFailed, "AUTHENTICATIONFAILED"),
        (Code::Unavailable, "UNAVAILABLE"),
        (Code::NonExistent, "NONEXISTENT"),
        (Code::AlreadyExists, "ALREADYEXISTS"),
        (Code::OverQuota, "OVERQUOTA"),
        (Code::Limit, "LIMIT"),
        (Code::Cannot, "CANNOT"),
        (Code::InUse, "INUSE"),
        (Code::ServerBug, "SERVERBUG"),
        (Code::TooBig, "TOOBIG"),
        (Code::TooSmall, "TOOSMALL"),
        (Code::UseAttr, "USEATTR"),
        (Code::PrivacyRequired, "PRIVACYREQUIRED"),
    ] {
        assert_eq!(line(code), format!("* OK [{expected}] text\r\n"));
    }
    // What a client sent comes back in clear characters, and cut.
    let (cut, long) = ("x".repeat(ECHOED_MAX), "x".repeat(50_000));
    assert_eq!(line(Code::BadUrl(long.clone())), format!("* OK [BADURL {cut}] text\r\n"));
    assert_eq!(line(Code::UndefinedFilter(long)), format!("* OK [UNDEFINED-FILTER {cut}] text\r\n"));
    assert_eq!(line(Code::BadUrl("/a]\r\né".to_owned())), "* OK [BADURL /a%5D%0D%0A%C3%A9] text\r\n");
    assert_eq!(line(Code::UndefinedFilter("a]\r\né".to_owned())), "* OK [UNDEFINED-FILTER a%5D%0D%0A%C3%A9] text\r\n");
    // A code whose number cannot be is left out rather than written wrong.
    assert_eq!(line(Code::UidNext(0)), "* OK text\r\n");
    assert_eq!(written(|out| tagged(out, &tag("a1"), Condition::No, None, "no")), "a1 NO no\r\n");
    assert_eq!(written(|out| bye(out, Some(&Code::Unavailable), "gone")), "* BYE [UNAVAILABLE] gone\r\n");
    assert_eq!(
        written(|out| greeting(out, Some(&Code::Capability(vec!["IMAP4rev1".to_owned()])), "ready")),
        "* OK [CAPABILITY IMAP4rev1] ready\r\n"
    );
}

#[test]
fn text_is_always_one_line_of_ascii() {
    let line = |text: &str| written(|out| untagged(out, Condition::Bad, None, text));
    assert_eq!(line(""), "* BAD .\r\n");
    assert_eq!(line("a\r\nb LOGOUT"), "* BAD a??b LOGOUT\r\n");
    assert_eq!(line("é"), "* BAD ?\r\n");
    assert_eq!(line("[ALERT] x"), "* BAD - [ALERT] x\r\n");
    assert_eq!(written(|out| continuation(out, "go on")), "+ go on\r\n");
    assert_eq!(written(|out| challenge(out, b"")), "+ \r\n");
    assert_eq!(written(|out| challenge(out, b"abc")), "+ YWJj\r\n");
}

#[test]
fn data_about_server_and_mailbox() {
    assert_eq!(
        written(|out| capability(out, &["IMAP4rev1".to_owned(), "LITERAL+".to_owned()])),
        "* CAPABILITY IMAP4rev1 LITERAL+\r\n"
    );
    assert_eq!(
        written(|out| super::flags(out, &flags(&["\\Answered", "\\Flagged", "$Junk"]))),
        "* FLAGS (\\Answered \\Flagged $Junk)\r\n"
    );
    assert_eq!(written(|out| exists(out, 23)), "* 23 EXISTS\r\n");
    assert_eq!(written(|out| recent(out, 0)), "* 0 RECENT\r\n");
    assert_eq!(written(|out| expunge(out, 44)), "* 44 EXPUNGE\r\n");
    assert_eq!(
        written(|out| status(
            out,
            &name("blurdy bloop"),
            UTF7,
            &[
                StatusData::Messages(231),
                StatusData::UidNext(44292),
                StatusData::HighestModSeq(7_011_231_777),
                StatusData::Size(44_421),
                StatusData::Deleted(4),
            ]
        )),
        "* STATUS \"blurdy bloop\" (MESSAGES 231 UIDNEXT 44292 HIGHESTMODSEQ 7011231777 SIZE 44421 DELETED 4)\r\n"
    );
    assert_eq!(written(|out| enabled(out, &["CONDSTORE", "X-GOOD-IDEA"])), "* ENABLED CONDSTORE X-GOOD-IDEA\r\n");
    assert_eq!(written(|out| enabled(out, &[])), "* ENABLED\r\n");
    assert_eq!(written(|out| id(out, &[])), "* ID NIL\r\n");
    assert_eq!(
        written(|out| id(out, &[("name", "Relais"), ("version", "0.1")])),
        "* ID (\"name\" \"Relais\" \"version\" \"0.1\")\r\n"
    );
    // RFC 2342 §5.
    let personal = [Namespace { prefix: "", delimiter: '/', translation: None }];
    let others = [Namespace { prefix: "~", delimiter: '/', translation: None }];
    assert_eq!(
        written(|out| namespace(out, UTF7, &personal, &others, &[])),
        "* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\")) NIL\r\n"
    );
}

#[test]
fn listings() {
    let entry = |mailbox, attributes, subscribed| ListEntry {
        attributes,
        delimiter: Some('/'),
        mailbox,
        child_info: ChildInfo { subscribed, special_use: false },
        old_name: None,
    };
    let (foo, inbox, cafe) = (name("Foo \"x\""), name("inbox"), name("Café"));
    let attributes = [ListAttribute::NoSelect, ListAttribute::HasChildren, ListAttribute::Use(SpecialUse::Sent)];
    assert_eq!(
        written(|out| list(out, &entry(&foo, &attributes, false), UTF7)),
        "* LIST (\\Noselect \\HasChildren \\Sent) \"/\" \"Foo \\\"x\\\"\"\r\n"
    );
    // RFC 5258 §3.5.
    assert_eq!(
        written(|out| list(out, &entry(&inbox, &[ListAttribute::NonExistent], true), UTF7)),
        "* LIST (\\NonExistent) \"/\" INBOX (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
    );
    let special = ChildInfo { subscribed: true, special_use: true };
    let both = ListEntry { child_info: special, ..entry(&inbox, &[], true) };
    assert_eq!(
        written(|out| list(out, &both, UTF7)),
        "* LIST () \"/\" INBOX (\"CHILDINFO\" (\"SUBSCRIBED\" \"SPECIAL-USE\"))\r\n"
    );
    assert_eq!(written(|out| lsub(out, &entry(&cafe, &[], false), UTF7)), "* LSUB () \"/\" \"Caf&AOk-\"\r\n");
    assert_eq!(written(|out| list(out, &entry(&cafe, &[], false), NameEncoding::Utf8)), "* LIST () \"/\" \"Café\"\r\n");
    let root = ListEntry {
        attributes: &[ListAttribute::NoSelect],
        delimiter: None,
        mailbox: &name("NIL"),
        child_info: ChildInfo::default(),
        old_name: None,
    };
    assert_eq!(written(|out| list(out, &root, UTF7)), "* LIST (\\Noselect) NIL \"NIL\"\r\n");
}

#[test]
fn search_results() {
    assert_eq!(written(|out| search(out, [2, 3, 6], None)), "* SEARCH 2 3 6\r\n");
    assert_eq!(written(|out| search(out, [], Some(9))), "* SEARCH\r\n");
    // RFC 7162 §3.1.5.
    assert_eq!(written(|out| search(out, [2, 5], Some(917_162_500))), "* SEARCH 2 5 (MODSEQ 917162500)\r\n");
    // RFC 4731 §3.1.
    let all = set(&[1, 2, 3, 5]);
    let all = Some(Results::Set(&all));
    let data =
        EsearchData { min: Some(1), max: Some(5), all, count: Some(4), modseq: Some(9), ..EsearchData::default() };
    assert_eq!(
        written(|out| esearch(out, &Correlator::Tag(&tag("A282")), true, &data)),
        "* ESEARCH (TAG \"A282\") UID MIN 1 MAX 5 ALL 1:3,5 COUNT 4 MODSEQ 9\r\n"
    );
    let empty = NumberSet::empty();
    let none = EsearchData { all: Some(Results::Set(&empty)), count: Some(0), ..EsearchData::default() };
    assert_eq!(
        written(|out| esearch(out, &Correlator::Tag(&tag("A283")), false, &none)),
        "* ESEARCH (TAG \"A283\") COUNT 0\r\n"
    );
}

#[test]
fn a_fetch_is_assembled() {
    let set: Flags = flags(&["\\Seen", "$x"]).into_iter().collect();
    let fields = Section {
        part: vec![4, 2],
        text: Some(SectionText::HeaderFields(vec![HeaderName::new("Date"), HeaderName::new("a b")])),
    };
    let text = written(|out| {
        let mut fetch = FetchResponse::begin(out, 12);
        fetch.uid(out, 7);
        fetch.flags(out, &set, true);
        fetch.internal_date(out, InternalDate { secs: 837_596_665, offset_minutes: -420 });
        fetch.size(out, 4286);
        fetch.modseq(out, 65402);
        fetch.envelope(out, b"(NIL)");
        fetch.body(out, b"(1)");
        fetch.body_structure(out, b"(2)");
        fetch.section_literal(out, &fields, Some(0), 3);
        out.extend_from_slice(b"abc");
        fetch.section_bytes(out, &Section::default(), None, b"x\r\ny");
        fetch.section_nil(out, &Section { part: vec![9], text: Some(SectionText::Mime) }, None);
        fetch.rfc822_literal(out, 1);
        out.extend_from_slice(b"1");
        fetch.rfc822_header_literal(out, 1);
        out.extend_from_slice(b"2");
        fetch.rfc822_text_literal(out, 1);
        out.extend_from_slice(b"3");
        assert_eq!(fetch.items(), 14);
        fetch.end(out);
    });
    assert_eq!(
        text,
        "* 12 FETCH (UID 7 FLAGS (\\Recent \\Seen $x) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 4286 MODSEQ (65402) \
         ENVELOPE (NIL) BODY (1) BODYSTRUCTURE (2) BODY[4.2.HEADER.FIELDS (Date \"a b\")]<0> {3}\r\nabc BODY[] {4}\r\nx\r\ny \
         BODY[9.MIME] NIL RFC822 {1}\r\n1 RFC822.HEADER {1}\r\n2 RFC822.TEXT {1}\r\n3)\r\n"
    );
    assert_eq!(
        written(|out| {
            let mut fetch = FetchResponse::begin(out, 1);
            fetch.flags(out, &Flags::default(), false);
            fetch.end(out);
        }),
        "* 1 FETCH (FLAGS ())\r\n"
    );
}

#[test]
fn the_sample_connection_of_rfc_3501() {
    // §8: what the server says, as far as a server chooses the words; ENVELOPE's date is quoted, its name has RFC 2047 text as sent.
    let text = written(|out| {
        greeting(out, None, "IMAP4rev1 Service Ready");
        tagged(out, &tag("a001"), Condition::Ok, None, "LOGIN completed");
        exists(out, 18);
        super::flags(out, &flags(&["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"]));
        recent(out, 2);
        untagged(out, Condition::Ok, Some(&Code::Unseen(17)), "Message 17 is the first unseen message");
        untagged(out, Condition::Ok, Some(&Code::UidValidity(3_857_529_045)), "UIDs valid");
        tagged(out, &tag("a002"), Condition::Ok, Some(&Code::ReadWrite), "SELECT completed");
        let structure = message::Scanner::scan(
            b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
              Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
              cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
              Message-Id: <B27397-0100000@cac.washington.edu>\r\nMIME-Version: 1.0\r\n\
              Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\nx\r\n",
        );
        let forms = crate::precompute::forms(&structure);
        let mut fetch = FetchResponse::begin(out, 12);
        fetch.flags(out, &flags(&["\\Seen"]).into_iter().collect(), false);
        fetch.internal_date(out, InternalDate { secs: 837_596_665, offset_minutes: -420 });
        fetch.size(out, 4286);
        fetch.envelope(out, &forms.envelope);
        fetch.body(out, &forms.body);
        fetch.end(out);
        bye(out, None, "IMAP4rev1 server terminating connection");
    });
    assert_eq!(
        text,
        "* OK IMAP4rev1 Service Ready\r\na001 OK LOGIN completed\r\n* 18 EXISTS\r\n\
         * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* 2 RECENT\r\n\
         * OK [UNSEEN 17] Message 17 is the first unseen message\r\n* OK [UIDVALIDITY 3857529045] UIDs valid\r\n\
         a002 OK [READ-WRITE] SELECT completed\r\n\
         * 12 FETCH (FLAGS (\\Seen) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 4286 ENVELOPE (\
         \"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) \
         ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
         \"<B27397-0100000@cac.washington.edu>\") \
         BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3 1))\r\n\
         * BYE IMAP4rev1 server terminating connection\r\n"
    );
}

#[test]
fn strings_are_quoted_when_that_is_safe() {
    for (bytes, expected) in [
        (&b"a \"b\" \\c"[..], "\"a \\\"b\\\" \\\\c\""),
        (b"", "\"\""),
        (b"a\r\nb", "{4}\r\na\r\nb"),
        ("é".as_bytes(), "{2}\r\né"),
        (b"\x7f", "{1}\r\n\x7f"),
    ] {
        assert_eq!(written(|out| write_string(out, bytes)), expected);
    }
    assert!(written(|out| write_string(out, &[b'x'; 1_001])).starts_with("{1001}\r\n"));
    assert_eq!(written(|out| write_nstring(out, None)), "NIL");
    assert_eq!(written(|out| write_nstring(out, Some(b"NIL"))), "\"NIL\"");
}

proptest! {
    #[test]
    fn whatever_is_written_can_be_read(text in any::<String>(), mailbox in "\\PC{1,12}", keyword in "[!#$'A-Za-z0-9.-]{1,9}", data in prop::collection::vec(1u8.., 0..50)) {
        let mut out = Vec::new();
        tagged(&mut out, &tag("a"), Condition::No, Some(&Code::NonExistent), &text);
        prop_assert!(readable(&out));
        let mailbox = name(&mailbox);
        for encoding in [UTF7, NameEncoding::Utf8] {
            out.clear();
            list(&mut out, &ListEntry { attributes: &[ListAttribute::HasNoChildren], delimiter: Some('/'), mailbox: &mailbox, child_info: ChildInfo::default(), old_name: None }, encoding);
            prop_assert!(readable(&out), "{:?}", String::from_utf8_lossy(&out));
            out.clear();
            status(&mut out, &mailbox, encoding, &[StatusData::Unseen(1)]);
            prop_assert!(readable(&out));
        }
        out.clear();
        let mut fetch = FetchResponse::begin(&mut out, 1);
        fetch.flags(&mut out, &flags(&[&keyword]).into_iter().collect(), false);
        fetch.section_bytes(&mut out, &Section { part: vec![1], text: Some(SectionText::Text) }, Some(5), &data);
        fetch.end(&mut out);
        prop_assert!(readable(&out), "{:?}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn a_name_that_was_listed_can_be_selected(mailbox in "\\PC{0,12}") {
        let mailbox = name(&mailbox);
        for encoding in [UTF7, NameEncoding::Utf8] {
            let mut out = Vec::new();
            lsub(&mut out, &ListEntry { attributes: &[], delimiter: Some('/'), mailbox: &mailbox, child_info: ChildInfo::default(), old_name: None }, encoding);
            let listed = out.strip_prefix(b"* LSUB () \"/\" ").unwrap().strip_suffix(b"\r\n").unwrap();
            let command = [b"a DELETE ", listed, b"\r\n"].concat();
            let parsed = crate::decode::decode_bytes(&command, encoding).unwrap();
            prop_assert_eq!(parsed.body, crate::command::CommandBody::Delete(mailbox.clone()));
        }
    }
}
