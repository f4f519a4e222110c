use mail::{EnhancedCode, OriginalRecipient, Reply};
use mail_parser::MessageParser;
use proptest::prelude::*;

use super::*;
use crate::attempt::{ReportKind, ReportedRecipient};

fn recipient(address: &str) -> ReportedRecipient {
    ReportedRecipient {
        address: Address::parse(address).unwrap(),
        original: Some(OriginalRecipient { address_type: "rfc822".into(), address: "list@a.example".into() }),
        status: EnhancedCode(5, 1, 1),
        host: Some("mx.b.example".into()),
        reply: Some(Reply::new(550, Some(EnhancedCode(5, 1, 1)), "No such user\nsee http://b.example/é")),
    }
}

fn report(kind: ReportKind, addresses: &[&str]) -> Report {
    Report { kind, recipients: addresses.iter().map(|a| recipient(a)).collect() }
}

const HEADER: &[u8] = b"From: a@a.example\r\nSubject: hello\r\n";
const MESSAGE: &[u8] = b"From: a@a.example\r\nSubject: hello\r\n\r\nbody\r\n--=_0b0a09080706050403020100\r\n";

fn build_with(report: &Report, to: &str, returned: Returned<'_>, smtputf8: bool) -> Dsn {
    build_in(Language::Both, report, to, returned, smtputf8)
}

fn build_in(language: Language, report: &Report, to: &str, returned: Returned<'_>, smtputf8: bool) -> Dsn {
    build_timed(language, report, to, returned, smtputf8, None)
}

fn build_timed(
    language: Language,
    report: &Report,
    to: &str,
    returned: Returned<'_>,
    smtputf8: bool,
    time: Option<Timestamp>,
) -> Dsn {
    build(&DsnFacts {
        language,
        report,
        reporting_mta: &Domain::parse("mail.a.example").unwrap(),
        from: &Address::parse("postmaster@mail.a.example").unwrap(),
        to: &Address::parse(to).unwrap(),
        now: Timestamp::from_secs(1_784_635_200),
        arrived_at: Timestamp::from_secs(1_784_600_000),
        retry_until: Timestamp::from_secs(1_785_000_000),
        zone: TimeZone::UTC,
        deliver_by: time,
        held_until: time,
        envelope_id: Some("order-7"),
        smtputf8,
        require_tls: false,
        returned,
        token: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    })
}

fn part_text(content: &[u8], part: usize) -> String {
    let message = MessageParser::new().parse(content).unwrap();
    message.parts().nth(part).unwrap().text().unwrap().into_owned()
}

fn part_types(content: &[u8]) -> Vec<String> {
    let message = MessageParser::new().parse(content).unwrap();
    let name = |part: mail_parser::MessagePart<'_>| {
        let kind = part.content_type().unwrap();
        format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default())
    };
    message.parts().take(4).map(name).collect()
}

/// The bytes of a part of the report, found by hand.
fn raw_parts(dsn: &Dsn) -> Vec<String> {
    let text = String::from_utf8(dsn.content.clone()).unwrap();
    let boundary = text.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    text.split(&format!("\r\n--{boundary}")).skip(1).map(|part| part.trim_start_matches("\r\n").to_owned()).collect()
}

/// RFC 2852 §5, RFC 4865 §5.
#[test]
fn times_that_the_sender_set_are_named() {
    let report = report(ReportKind::Unwatched, &["x@b.example"]);
    let built = |time| {
        let dsn = build_timed(Language::English, &report, "a@a.example", Returned::Header(HEADER), false, time);
        String::from_utf8(dsn.content).unwrap()
    };
    let text = built(Some(Timestamp::from_secs(1_784_000_000)));
    for wanted in [
        "\r\nDeliver-By-Date: Tue, 14 Jul 2026 03:33:20 +0000\r\n",
        "\r\nFuture-Release-Request: until;2026-07-14T03:33:20Z\r\n",
        "\r\nAction: relayed\r\n",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    let plain = built(None);
    assert!(!plain.contains("Deliver-By-Date") && !plain.contains("Future-Release"), "{plain}");
}

#[test]
fn a_failure_has_three_parts_with_the_fields_of_rfc_3464() {
    let dsn = build_with(&report(ReportKind::Failed, &["x@b.example"]), "a@a.example", Returned::Header(HEADER), false);
    assert_eq!(
        part_types(&dsn.content),
        ["multipart/report", "text/plain", "message/delivery-status", "text/rfc822-headers"]
    );
    let parts = raw_parts(&dsn);
    let status = parts[1].split_once("\r\n\r\n").unwrap().1;
    assert_eq!(
        status,
        "Original-Envelope-Id: order-7\r\n\
         Reporting-MTA: dns; mail.a.example\r\n\
         Arrival-Date: Tue, 21 Jul 2026 02:13:20 +0000\r\n\
         \r\n\
         Original-Recipient: rfc822;list@a.example\r\n\
         Final-Recipient: rfc822;x@b.example\r\n\
         Action: failed\r\n\
         Status: 5.1.1\r\n\
         Remote-MTA: dns; mx.b.example\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 No such user see http://b.example/e\r\n\
         Last-Attempt-Date: Tue, 21 Jul 2026 12:00:00 +0000\r\n"
    );
    assert!(parts[2].ends_with(std::str::from_utf8(HEADER).unwrap()));
    assert_eq!(parts[3], "--\r\n");
    assert!(dsn.envelope.reverse_path.is_null());
    assert_eq!(dsn.envelope.body, BodyType::SevenBit);
    assert!(!dsn.envelope.smtputf8 && !dsn.envelope.require_tls);
}

#[test]
fn people_read_both_languages() {
    let dsn = build_with(&report(ReportKind::Failed, &["x@b.example"]), "a@a.example", Returned::Header(HEADER), false);
    let text = part_text(&dsn.content, 1);
    for wanted in [
        "could not be delivered",
        "x@b.example",
        "there is no mailbox of that name there",
        "mx.b.example said: 550 5.1.1 No such user",
        "check the address for typing errors",
        "n'a pas pu être remis",
        "vérifiez l'orthographe",
        "l'en-tête de votre message",
    ] {
        assert!(text.contains(wanted), "{wanted}:\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_reader_whose_language_is_known_reads_it_alone() {
    use ReportKind::{Delayed, Delivered, Expanded, Failed, Relayed};
    for (kind, english, french) in [
        (Failed, ("Mail not delivered", "could not be delivered"), ("Message non remis", "n'a pas pu être remis")),
        (Delayed, ("Mail delayed, still trying", "not reached"), ("Message en attente", "pas encore parvenu")),
        (Relayed, ("Mail handed on", "handed on"), ("Message transmis", "a été transmis")),
        (Delivered, ("Mail delivered", "has arrived"), ("Message remis", "est arrivé")),
        (
            Expanded,
            ("Mail passed on", "passed on to all"),
            ("Message transmis aux destinataires", "auxquelles il a été transmis"),
        ),
    ] {
        let report = report(kind, &["x@b.example"]);
        for (language, (subject, words), (_, others)) in
            [(Language::English, english, french), (Language::French, french, english)]
        {
            let dsn = build_in(language, &report, "a@a.example", Returned::Header(HEADER), false);
            let text = part_text(&dsn.content, 1);
            assert!(text.contains(words) && !text.contains(others), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 85), "{text}");
            let message = MessageParser::new().parse(&dsn.content).unwrap();
            assert_eq!(message.subject(), Some(subject));
            let tag = if language == Language::French { "fr" } else { "en" };
            assert_eq!(message.headers().get("Content-Language").unwrap().raw_value().trim_ascii(), tag.as_bytes());
            assert!(dsn.content.is_ascii(), "readable everywhere");
        }
    }
    let expanded = build_with(&report(Expanded, &["x@b.example"]), "a@a.example", Returned::Header(HEADER), false);
    assert!(raw_parts(&expanded)[1].contains("Action: expanded\r\n"));
}

/// What one recipient's lines say in a language.
fn about(language: Language, kind: ReportKind, host: Option<&str>, reply: Reply) -> String {
    let status = reply.enhanced.unwrap_or(EnhancedCode(4, 0, 0));
    let host = host.map(str::to_owned);
    let recipient = ReportedRecipient { status, host, reply: Some(reply), ..recipient("x@b.example") };
    let report = Report { kind, recipients: vec![recipient] };
    let text = part_text(&build_in(language, &report, "a@a.example", Returned::Header(HEADER), false).content, 1);
    // As one line, wherever it was broken.
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn it_is_said_whose_server_refuses() {
    let refused = || Reply::fixed(550, EnhancedCode(5, 7, 1), "not from there");
    let said = |language| about(language, ReportKind::Failed, Some("mx.b.example"), refused());
    let french = said(Language::French);
    assert!(french.contains("Raison : les règles du serveur du destinataire refusent le message (5.7.1)"), "{french}");
    assert!(french.contains("lisez la réponse de ce serveur"), "{french}");
    let english = said(Language::English);
    assert!(english.contains("Why: the rules of the recipient's server refuse the message (5.7.1)"), "{english}");
    // Where nothing was said, nothing is to be read.
    let silent = about(Language::French, ReportKind::Failed, None, refused());
    assert!(!silent.contains("lisez la réponse") && silent.contains("transmettez ce rapport"), "{silent}");
}

/// RFC 8689 §4.2.1.
#[test]
fn a_message_that_no_server_would_protect_is_told_as_that() {
    let vouched = "the message asks for REQUIRETLS, and neither DNSSEC nor MTA-STS vouches for the next server";
    for (code, text) in [
        (EnhancedCode(5, 7, 10), vouched),
        (EnhancedCode(5, 7, 30), "the message asks for REQUIRETLS, which mx.b.example does not offer"),
        (
            EnhancedCode(5, 7, 10),
            "the message asks for REQUIRETLS: mx.b.example: TLS is required, and the host does not offer STARTTLS",
        ),
    ] {
        let reply = || Reply::fixed(550, code, text);
        let french = about(Language::French, ReportKind::Failed, None, reply());
        for wanted in [
            "n'a pas pu être transmis avec la protection que vous avez demandée (5.7.",
            "Détails : le message exige une transmission protégée (REQUIRETLS)",
            "renvoyez-le sans la demander",
        ] {
            assert!(french.contains(wanted), "{wanted} in {french}");
        }
        assert!(!french.contains("lisez la réponse") && !french.contains(" the "), "{french}");
        let english = about(Language::English, ReportKind::Failed, None, reply());
        assert!(english.contains(text) && english.contains("without asking for that (REQUIRETLS)"), "{english}");
        assert!(!english.contains("read what"), "{english}");
    }
}

#[test]
fn a_delay_names_who_said_what_and_refuses_nothing() {
    let said = |language, reply| about(language, ReportKind::Delayed, Some("mx.b.example"), reply);
    for reply in [
        Reply::new(451, None, "come back later"),
        Reply::fixed(451, EnhancedCode(4, 7, 1), "come back later"),
        Reply::fixed(451, EnhancedCode(4, 4, 7), "come back later"),
    ] {
        let french = said(Language::French, reply.clone());
        assert!(french.contains("le serveur du destinataire ne peut pas prendre le message en ce moment"), "{french}");
        assert!(french.contains("mx.b.example a répondu : 451") && !french.contains("refuse"), "{french}");
        let english = said(Language::English, reply);
        assert!(english.contains("can't take the message at present (4."), "{english}");
        assert!(english.contains("mx.b.example said: 451") && !english.contains("refuse"), "{english}");
    }
    // What this server alone says is no other one's.
    for code in [EnhancedCode(4, 3, 0), EnhancedCode(4, 7, 1)] {
        let own = Reply::fixed(451, code, "this server can't read the message at present");
        let french = about(Language::French, ReportKind::Delayed, None, own);
        assert!(french.contains("Raison : le message ne peut pas être remis en ce moment"), "{french}");
    }
    let distrusted = Reply::fixed(451, EnhancedCode(4, 7, 5), "mx.b.example: DANE: bogus");
    let french = about(Language::French, ReportKind::Delayed, None, distrusted);
    assert!(french.contains("en ce moment avec la protection exigée"), "{french}");
}

#[test]
fn the_end_of_the_attempts_is_told_in_the_zone_of_the_reader() {
    let zone = jiff::tz::TimeZoneDatabase::bundled().get("Europe/Paris").unwrap();
    let at = Timestamp::from_secs(1_785_000_000);
    assert_eq!(calendar(at, &zone, "%d/%m/%Y à %H:%M"), "25/07/2026 à 19:20 (Europe/Paris)");
    assert_eq!(calendar(at, &TimeZone::UTC, "%-d %B %Y, %H:%M"), "25 July 2026, 17:20 UTC");
}

#[test]
fn who_cancelled_is_named() {
    let french = about(Language::French, ReportKind::Failed, None, CANCELLED);
    assert!(french.contains("Raison : l'administrateur de ce serveur l'a arrêté (5.3.0)"), "{french}");
    let english = about(Language::English, ReportKind::Failed, None, CANCELLED);
    assert!(english.contains("Why: the administrator of this server has stopped it (5.3.0)"), "{english}");
    // What this server has lost no other one refused.
    let lost = Reply::fixed(554, EnhancedCode(5, 3, 0), "This server has lost the message");
    for (language, reason) in
        [(Language::French, "n'a pas pu être remis (5"), (Language::English, "not be delivered (5")]
    {
        let told = about(language, ReportKind::Failed, None, lost.clone());
        assert!(told.contains(reason) && !told.contains("refus"), "{told}");
    }
}

#[test]
fn the_header_of_a_dsn_stops_answers() {
    let dsn =
        build_with(&report(ReportKind::Delayed, &["x@b.example"]), "a@a.example", Returned::Header(HEADER), false);
    let message = MessageParser::new().parse(&dsn.content).unwrap();
    let field = message.headers().get("Auto-Submitted").unwrap();
    assert_eq!(field.raw_value().trim_ascii(), b"auto-replied");
    assert_eq!(message.message_id(), Some("000102030405060708090a0b@mail.a.example"));
    assert_eq!(message.subject(), Some("Mail delayed, still trying / Message en attente"));
    let text = part_text(&dsn.content, 1);
    assert!(text.contains("keeps trying until 25 July 2026, 17:20 UTC"), "{text}");
    assert!(text.contains("jusqu'au 25/07/2026 à 17:20 UTC"), "{text}");
    let parts = raw_parts(&dsn);
    assert!(parts[1].contains("Action: delayed\r\n"));
    assert!(parts[1].contains("Will-Retry-Until: Sat, 25 Jul 2026 17:20:00 +0000\r\n"));
}

#[test]
fn a_whole_message_goes_back_untouched_and_no_boundary_cuts_it() {
    let dsn =
        build_with(&report(ReportKind::Failed, &["x@b.example"]), "a@a.example", Returned::Message(MESSAGE), false);
    assert_eq!(part_types(&dsn.content)[3], "message/rfc822");
    let parts = raw_parts(&dsn);
    assert_eq!(parts[2].split_once("\r\n\r\n").unwrap().1.as_bytes(), MESSAGE);
}

#[test]
fn utf8_addresses_take_the_global_types() {
    let report = report(ReportKind::Failed, &["josé@b.example"]);
    let dsn = build_with(&report, "a@a.example", Returned::Message(MESSAGE), true);
    assert_eq!(part_types(&dsn.content)[2..], ["message/global-delivery-status", "message/global"]);
    assert!(raw_parts(&dsn)[1].contains("Final-Recipient: utf-8;josé@b.example\r\n"));
    assert!(dsn.envelope.smtputf8);
    assert_eq!(dsn.envelope.body, BodyType::EightBitMime);
}

#[test]
fn a_sender_who_knows_nothing_of_utf8_gets_ascii() {
    // RFC 6533 §3: utf-8-addr-xtext, in the types that everybody reads.
    let mut report = report(ReportKind::Failed, &["josé@b.example"]);
    report.recipients[0].original =
        Some(OriginalRecipient { address_type: "utf-8".into(), address: "zoë+x@a.example".into() });
    let dsn = build_with(&report, "a@a.example", Returned::Header(HEADER), false);
    assert_eq!(part_types(&dsn.content)[2..], ["message/delivery-status", "text/rfc822-headers"]);
    let status = &raw_parts(&dsn)[1];
    assert!(status.contains("Final-Recipient: utf-8;jos\\x{E9}@b.example\r\n"), "{status}");
    assert!(status.contains("Original-Recipient: utf-8;zo\\x{EB}\\x{2B}x@a.example\r\n"), "{status}");
    assert!(!dsn.envelope.smtputf8 && dsn.content.is_ascii());
    // Somebody with such an address does know of it.
    let dsn = build_with(&report, "zoë@a.example", Returned::Header(HEADER), false);
    assert!(dsn.envelope.smtputf8 && raw_parts(&dsn)[1].contains("utf-8;josé@b.example\r\n"));
}

#[test]
fn eight_bit_content_is_labelled() {
    let message = "Subject: x\r\n\r\ncaf\u{e9}\r\n".as_bytes();
    let dsn =
        build_with(&report(ReportKind::Failed, &["x@b.example"]), "a@a.example", Returned::Message(message), false);
    assert!(raw_parts(&dsn)[2].starts_with("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"));
    assert_eq!(dsn.envelope.body, BodyType::EightBitMime);
    assert!(!dsn.envelope.smtputf8);
}

#[test]
fn the_header_ends_at_the_empty_line() {
    assert_eq!(header_of(MESSAGE), HEADER);
    assert_eq!(header_of(b"\r\nbody"), b"");
    assert_eq!(header_of(b"A: b\r\nC: d"), b"A: b\r\n");
    assert_eq!(header_of(b"A: b"), b"A: b");
    let long = b"X: yyyyyyy\r\n".repeat(10_000);
    let cut = header_of(&long);
    assert!(cut.len() as u64 <= RETURNED_HEADER_OCTETS_MAX && cut.ends_with(b"\r\n"));
}

proptest! {
    /// Whatever a remote host says, the report keeps its structure and its lines stay short.
    #[test]
    fn a_reply_cannot_break_the_report(text in "\\PC{0,3000}", address_type in "[a-z]{1,10}", original in "\\PC{0,300}") {
        let mut report = report(ReportKind::Failed, &["x@b.example", "y@b.example"]);
        report.recipients[0].reply = Some(Reply::new(554, None, text));
        report.recipients[0].original = Some(OriginalRecipient { address_type, address: original });
        let dsn = build_with(&report, "a@a.example", Returned::Header(HEADER), false);
        let parts = raw_parts(&dsn);
        prop_assert_eq!(parts.len(), 4);
        let status = parts[1].split_once("\r\n\r\n").unwrap().1;
        prop_assert_eq!(status.split("\r\n\r\n").count(), 3);
        prop_assert!(dsn.content.split(|b| *b == b'\n').all(|line| line.len() <= 1000));
        prop_assert!(!status.replace("\r\n", "").contains(['\r', '\n']));
    }
}
