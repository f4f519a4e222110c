//! SEARCH keys against single messages.

use imap_wire::{CommandBody, CommandText, NameEncoding};
use mail::{BlobHash, SystemFlags};

use storage::rows::Sent;

use proptest::prelude::*;

use super::*;

const HEADER: &[u8] = b"From: Alice <alice@example.org>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nX-Mark:\r\n\r\n";

fn key(text: &str) -> SearchKey {
    let text = CommandText::from(format!("a SEARCH {text}\r\n").as_bytes());
    let CommandBody::Search(search) = imap_wire::decode(&text, NameEncoding::default()).unwrap().body else {
        panic!("not a SEARCH");
    };
    search.key
}

fn ready(text: &str, map: &UidMap, now: Timestamp) -> Query {
    let saved = NumberSet::from_numbers([7]);
    let context = Context { map, saved: &saved, now, charset: Charset::default(), comparator: Comparator::default() };
    Query::new(&key(text), &context).unwrap()
}

fn row() -> MessageRow {
    MessageRow {
        uid: Uid(7),
        modseq: ModSeq(20),
        system_flags: SystemFlags::SEEN,
        keyword_bits: 0,
        // 2026-03-01 23:30 in a zone west of UTC: already the 2nd in UTC.
        internal_date: InternalDate { secs: 1_772_425_800, offset_minutes: -300 },
        // 2026-03-03 00:00 UTC.
        saved_at: Timestamp::from_secs(1_772_496_000),
        octets: 500,
        blob: BlobHash([0; 32]),
        shares_change: false,
        sent: Sent::Untold,
    }
}

fn decide(text: &str, known: &Known<'_>) -> Verdict {
    decide_with(text, known, None)
}

fn decide_with(text: &str, known: &Known<'_>, header: Option<&[u8]>) -> Verdict {
    let map: UidMap = [3, 7].map(Uid).into_iter().collect();
    let query = ready(text, &map, Timestamp::from_secs(1_772_425_900));
    let message = row();
    let row = Row { row: &message, keywords: &[], recent: false };
    let needles = query.needles(Comparator::default());
    let header = header.map(|header| FoldedHeader::new(header, Comparator::default()));
    let found: Option<Vec<bool>> =
        header.map(|header| needles.header().iter().map(|needle| header.holds(needle)).collect());
    // As if the record told nothing, where the header is known.
    let untold = found.as_ref().map(|found| vec![None; found.len()]);
    let envelope = untold.as_deref().or(known.envelope);
    query.decide(&row, &Known { envelope, header: found.as_deref(), ..known.clone() }, &needles)
}

#[test]
fn the_row_decides_what_it_can() {
    let nothing = Known::default();
    for text in [
        "ALL",
        "SEEN",
        "UNDELETED",
        "OLD",
        "2",
        "*",
        "UID 7",
        "UID 5:*",
        "LARGER 499",
        "SMALLER 501",
        "ON 1-Mar-2026",
        "SINCE 1-Mar-2026",
        "BEFORE 2-Mar-2026",
        "YOUNGER 100",
        "OLDER 100",
        "MODSEQ 20",
        "OR DELETED SEEN",
        "NOT DELETED",
        "(SEEN UNDELETED)",
        "OR SEEN BODY x",
        "BODY \"\"",
        "UNKEYWORD $x",
        "$",
        "UID $",
        "1,$",
        "SAVEDON 3-Mar-2026",
        "SAVEDSINCE 3-Mar-2026",
        "SAVEDATESUPPORTED",
        "FUZZY SEEN",
    ] {
        assert_eq!(decide(text, &nothing), Verdict::True, "{text}");
    }
    for text in [
        "UNSEEN",
        "NEW",
        "RECENT",
        "1",
        "UID 3",
        "LARGER 500",
        "SMALLER 500",
        "ON 2-Mar-2026",
        "YOUNGER 99",
        "OLDER 101",
        "MODSEQ 21",
        "DELETED BODY x",
        "KEYWORD $x",
        "NOT $",
        "SAVEDBEFORE 3-Mar-2026",
    ] {
        assert_eq!(decide(text, &nothing), Verdict::False, "{text}");
    }
}

#[test]
fn what_is_cheapest_is_asked_for_first() {
    let nothing = Known::default();
    assert_eq!(decide("BODY x SENTON 1-Mar-2026", &nothing), Verdict::Unknown(Need::Record));
    assert_eq!(decide("BODY x SUBJECT y", &nothing), Verdict::Unknown(Need::Record));
    assert_eq!(decide("BODY x HEADER SUBJECT y", &nothing), Verdict::Unknown(Need::Header));
    assert_eq!(decide_with("TEXT zebra", &nothing, Some(HEADER)), Verdict::Unknown(Need::Body));
}

#[test]
fn fields_are_compared_decoded_and_without_case() {
    let known = Known::default();
    for text in
        ["FROM ALICE@", "SUBJECT {6+}\r\nGR\u{dc}\u{df}", "SUBJECT GRU", "HEADER x-mark \"\"", "TEXT \"subject: gr\""]
    {
        assert_eq!(decide_with(text, &known, Some(HEADER)), Verdict::True, "{text}");
    }
    for text in ["FROM bob", "TO alice", "HEADER X-None \"\"", "HEADER X-Mark y"] {
        assert_eq!(decide_with(text, &known, Some(HEADER)), Verdict::False, "{text}");
    }
}

#[test]
fn a_text_is_found_within_one_field_only() {
    let known = Known::default();
    let header = b"A: one\r\nB: two\r\n\r\n";
    for text in ["TEXT \"a: one\"", "HEADER B TWO", "TEXT two NOT HEADER A two"] {
        assert_ne!(decide_with(text, &known, Some(header)), Verdict::False, "{text}");
    }
    for text in ["HEADER A two", "TEXT one NOT TEXT two", "HEADER A \"a: one\""] {
        assert_eq!(decide_with(text, &known, Some(header)), Verdict::False, "{text}");
    }
    assert_eq!(decide_with("TEXT \"oneb\"", &known, Some(header)), Verdict::Unknown(Need::Body));
}

#[test]
fn sent_dates_are_those_of_the_header() {
    let sent = |secs| Known { sent: Some(Some(SentDate { unix_secs: secs, offset_minutes: 60 })), ..Known::default() };
    assert_eq!(decide("SENTON 2-Jan-1970", &sent(86_400 - 1800)), Verdict::True);
    assert_eq!(decide("SENTBEFORE 2-Jan-1970", &sent(0)), Verdict::True);
    assert_eq!(decide("SENTSINCE 2-Jan-1970", &sent(0)), Verdict::False);
    assert_eq!(decide("SENTON 1-Mar-2026", &Known { sent: Some(None), ..Known::default() }), Verdict::True);
    assert_eq!(decide("SENTON 1-Mar-2026", &Known::default()), Verdict::Unknown(Need::Record));
    // A row that tells of the date needs no record.
    let map: UidMap = [7].map(Uid).into_iter().collect();
    let decide = |text: &str, sent| {
        let message = MessageRow { sent, ..row() };
        let row = Row { row: &message, keywords: &[], recent: false };
        ready(text, &map, Timestamp(0)).decide(&row, &Known::default(), &Needles::new(Comparator::default()))
    };
    let at = |unix_secs| Sent::At(SentDate { unix_secs, offset_minutes: 60 });
    assert_eq!(decide("SENTON 2-Jan-1970", at(86_400 - 1800)), Verdict::True);
    assert_eq!(decide("SENTSINCE 2-Jan-1970", at(0)), Verdict::False);
    assert_eq!(decide("SENTON 1-Mar-2026", Sent::Undated), Verdict::True);
}

#[test]
fn a_scope_bounds_the_scan() {
    let map: UidMap = (1..=100).map(Uid).collect();
    let query = |text| ready(text, &map, Timestamp(0));
    assert_eq!(query("UID 5:9 SEEN").scope().unwrap().to_string(), "5:9");
    assert!(query("OR UID 5 SEEN").scope().is_none());
    assert!(query("NOT 5").is_about_uids() && !query("5 SEEN").is_about_uids());
    assert!(!query("NOT 5").holds_for_uid(Uid(5)));
}

/// What the record tells of a message with this header, for one key; and what the header itself says.
fn asked(text: &str, header: &str) -> (Option<bool>, bool) {
    let query = ready(text, &[7].map(Uid).into_iter().collect(), Timestamp(0));
    let header = format!("{header}\r\n\r\n");
    let record = imap_wire::precompute::record(&message::Scanner::scan(header.as_bytes())).unwrap().encode();
    let needles = query.needles(Comparator::default());
    let record = message::RecordView::new(&record).unwrap();
    let envelope = FoldedEnvelope::wanted(&record, Comparator::default(), needles.header());
    let header = FoldedHeader::wanted(header.as_bytes(), Comparator::default(), needles.header());
    let [needle] = needles.header() else { panic!("one needle in {text}") };
    (envelope.holds(needle), header.holds(needle))
}

fn told(text: &str, header: &str) -> Option<bool> {
    asked(text, header).0
}

/// RFC 3501 §6.4.4: FROM and its like are about the envelope structure.
#[test]
fn the_envelope_tells_what_is_in_a_name_or_an_address() {
    let header = "From: =?utf-8?Q?Zo=C3=AB?= \"D.\" <zoe@host13.test>\r\nTo: Amis: a@x, Bob Able <b@x>;\r\n\
                  Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= <an> alle";
    for (key, expected) in [
        ("FROM zoe", Some(true)),
        ("FROM {4+}\r\nZo\u{cb}", Some(true)),
        ("FROM ZOE@HOST13.TEST", Some(true)),
        ("FROM host13.test", Some(true)),
        ("FROM host1", Some(true)),
        ("FROM host2", Some(false)),
        ("TO \"Bob Able\"", Some(true)),
        ("TO amis", Some(true)),
        ("TO zoe", Some(false)),
        ("CC zoe", Some(false)),
        ("BCC x", Some(false)),
        ("SUBJECT \"<an> a\"", Some(true)),
        ("SUBJECT \"<an>b\"", Some(false)),
        ("SUBJECT {2+}\r\n\u{dc}", Some(true)),
        // What may stand between two of them is not for the envelope to tell, nor is whether a field is there.
        ("TO \"x, Bob\"", None),
        ("FROM \"\\\" <zoe\"", None),
        ("TO \" b@x\"", None),
        ("CC \"\"", None),
        ("SUBJECT \"\"", None),
        ("HEADER FROM zoe", None),
    ] {
        assert_eq!(told(key, header), expected, "{key}");
    }
    // A long header, or very many addresses.
    let many = format!("To: {}\r\nReceived: {}", vec!["someone@example.org"; 900].join(", "), "x".repeat(90_000));
    assert_eq!((told("TO someone", &many), told("TO nobody", &many)), (Some(true), Some(false)));
    let tiny = format!("To: {}z@x", "a,".repeat(message::limits::ADDRESSES_MAX));
    assert_eq!((told("TO z@x", &tiny), told("TO y", &tiny), told("CC z", &tiny)), (None, None, Some(false)));
    // What the envelope leaves out of a field, the header has: the one is asked after the other, however long the header is.
    let sloppy = "From: =?UTF-8?Q?Jos=C3=A9_(Sales)?= <j@x>\r\nTo: =?UTF-8?Q?Zo=C3=AB,_X?= <z@x>\r\n\
                  Cc: Bob <b@x> (a friend)\r\nCc: <@route.example:c@x>\r\nSubject: one\r\nSubject: two";
    for (key, expected, in_header) in [
        ("FROM {5+}\r\njos\u{e9}", Some(true), true),
        ("FROM Sales", None, true),
        ("TO {4+}\r\nzo\u{eb}", None, true),
        ("TO nobody", None, false),
        ("TO z@x", Some(true), true),
        ("CC friend", None, true),
        ("CC c@x", None, true),
        ("CC route.example", None, true),
        ("BCC nobody", Some(false), false),
        ("SUBJECT one", Some(true), true),
        ("SUBJECT two", None, true),
    ] {
        assert_eq!(asked(key, sloppy), (expected, in_header), "{key}");
    }
}

proptest! {
    /// However a header is written: what the record denies, the header does not have.
    #[test]
    fn what_the_envelope_denies_is_not_in_the_header(
        values in proptest::collection::vec(proptest::collection::vec(proptest::sample::select(vec![
            "a", "b", "A", "\u{e9}", " ", "  ", "\t", "\r\n ", "\r\n\t", ".", "@", "@x", "<", ">", "(", ")", "\"", "\\", ",", ";", ":", "[", "]",
            "a@b", "<a@b>", "b a", "=?utf-8?Q?a_b?=", "=?utf-8?Q?a=2Cb?=", "=?utf-8?B?YSBi?=", "=?utf-8?Q?=28a=29?=", "=?utf-8?Q?a?", "?=", "=?",
            "<@a:b@x>", "\0", "=?utf-8?Q?a\u{e9}?=", "g:", "undisclosed-recipients:;",
        ]), 0..12), 1..4),
        field in proptest::sample::select(vec!["From", "To", "Cc", "Subject"]),
        needle in proptest::sample::select(vec![
            "a", "b", "ab", "a b", "b a", "a  b", "a.", ".b", "a@", "@b", "a@b", "b@x", "a@x", "b@", "@x", ". a", "a .", "aa", "bb", "?", "=?",
            "a@b a", "g", "undisclosed", "x", "@a", "aA", "a@ b",
        ]),
    ) {
        let header: String = values.iter().map(|value| format!("{field}: {}\r\n", value.concat())).collect();
        let (told, in_header) = asked(&format!("{field} \"{needle}\""), header.trim_end_matches("\r\n"));
        prop_assert!(told != Some(false) || !in_header, "{needle} in {header:?}");
    }
}

/// HEADER with an empty name is about no field, TEXT about all of them.
#[test]
fn a_field_without_a_name_is_not_the_whole_header() {
    let query = ready("HEADER \"\" zoe TEXT zoe", &[7].map(Uid).into_iter().collect(), Timestamp(0));
    assert_eq!(query.needles(Comparator::default()).header().len(), 2);
}

#[test]
fn a_key_about_the_envelope_asks_for_the_record_first_then_for_the_header() {
    assert_eq!(decide("FROM zoe", &Known::default()), Verdict::Unknown(Need::Record));
    for (told, expected) in
        [(Some(true), Verdict::True), (Some(false), Verdict::False), (None, Verdict::Unknown(Need::Header))]
    {
        let known = Known { envelope: Some(&[told]), ..Known::default() };
        assert_eq!(decide("FROM zoe", &known), expected);
        assert_eq!(decide("HEADER FROM zoe", &known), Verdict::Unknown(Need::Header));
    }
}
