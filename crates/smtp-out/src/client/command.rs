//! MAIL and RCPT with the parameters that the host offers (RFC 1870, RFC 6152, RFC 6531, RFC 3461 §5).

use std::fmt::Write;

use mail::{BodyType, DeliverByMode, DsnNotify, DsnReturn, EnhancedCode, Reply, Timestamp};
use queue::xtext::{unitext, utf8_xtext, xtext};
use smtp_proto::{
    EXT_8BIT_MIME, EXT_DELIVER_BY, EXT_DSN, EXT_MT_PRIORITY, EXT_NO_SOLICITING, EXT_REQUIRE_TLS, EXT_SIZE,
    EXT_SMTP_UTF8, EhloResponse,
};
use storage::rows::{QueueRecipient, QueueRow};

/// Octets of the message as it travels.
pub(crate) fn octets(row: &QueueRow) -> u64 {
    let prefix = u64::try_from(row.prefix.len()).unwrap_or(u64::MAX);
    row.octets.saturating_sub(u64::from(row.skip_octets)).saturating_add(prefix)
}

/// Why this host can't take the message at all, known from its EHLO.
pub(crate) fn obstacle(row: &QueueRow, ehlo: &EhloResponse<String>) -> Option<Reply> {
    if row.smtputf8 && !ehlo.has_capability(EXT_SMTP_UTF8) {
        // RFC 6531 §3.5 and §3.6.
        let text = "the next server does not offer SMTPUTF8, which this message needs";
        return Some(Reply::fixed(553, EnhancedCode(5, 6, 7), text));
    }
    if row.body == BodyType::BinaryMime {
        let text = "this server can't relay BINARYMIME";
        return Some(Reply::fixed(554, EnhancedCode(5, 6, 3), text));
    }
    if row.deliver_by.is_some_and(|by| by.mode == DeliverByMode::Return) && !ehlo.has_capability(EXT_DELIVER_BY) {
        // RFC 2852 §4.3: it could not be fetched back from there.
        let text = "the next server does not offer DELIVERBY, so it can't be asked to return the message in time";
        return Some(Reply::fixed(554, EnhancedCode(5, 3, 3), text));
    }
    // RFC 1870 §3: 0 means no fixed limit.
    let size = u64::try_from(ehlo.size).unwrap_or(u64::MAX);
    if ehlo.has_capability(EXT_SIZE) && size > 0 && octets(row) > size {
        let text = format!("the message has {} octets, the next server takes {size}", octets(row));
        return Some(Reply::new(552, Some(EnhancedCode(5, 3, 4)), text));
    }
    None
}

/// The MAIL command, said now.
pub(crate) fn mail(row: &QueueRow, ehlo: &EhloResponse<String>, now: Timestamp) -> String {
    let mut line = format!("MAIL FROM:{}", row.reverse_path);
    if ehlo.has_capability(EXT_SIZE) {
        push(&mut line, format_args!(" SIZE={}", octets(row)));
    }
    // Without 8BITMIME there, 8-bit content is sent as it is: docs/quirks.md.
    if ehlo.has_capability(EXT_8BIT_MIME) && row.body == BodyType::EightBitMime {
        line.push_str(" BODY=8BITMIME");
    }
    if row.smtputf8 {
        line.push_str(" SMTPUTF8");
    }
    if row.require_tls && ehlo.has_capability(EXT_REQUIRE_TLS) {
        // RFC 8689 §2. Bounces go without TLS if they must, and ask for it where they can (§5).
        line.push_str(" REQUIRETLS");
    }
    if ehlo.has_capability(EXT_DSN) {
        match row.dsn_return {
            Some(DsnReturn::Full) => line.push_str(" RET=FULL"),
            Some(DsnReturn::Headers) => line.push_str(" RET=HDRS"),
            None => {}
        }
        if let Some(id) = &row.envelope_id {
            push(&mut line, format_args!(" ENVID={}", xtext(id)));
        }
    }
    if row.priority != 0 && ehlo.has_capability(EXT_MT_PRIORITY) {
        push(&mut line, format_args!(" MT-PRIORITY={}", row.priority));
    }
    if !row.solicits.is_empty() && ehlo.has_capability(EXT_NO_SOLICITING) {
        // RFC 3865 §2.7: the next host may not want what this one took.
        push(&mut line, format_args!(" SOLICIT={}", row.solicits.join(",")));
    }
    if let Some(by) = row.deliver_by.filter(|_| ehlo.has_capability(EXT_DELIVER_BY)) {
        // RFC 2852 §4: what is left of the time; less than nothing when its sender only wants to be told.
        let left = by.by.0.saturating_sub(now.0).div_euclid(1_000).clamp(-BY_SECS_MAX, BY_SECS_MAX);
        let (left, mode) = match by.mode {
            DeliverByMode::Return => (left.max(1), "R"),
            DeliverByMode::Notify => (left, "N"),
        };
        push(&mut line, format_args!(" BY={left};{mode}{}", if by.trace { "T" } else { "" }));
    }
    line.push_str("\r\n");
    line
}

/// Nine digits (RFC 2852 §4).
const BY_SECS_MAX: i64 = 999_999_999;

/// The RCPT command.
pub(crate) fn rcpt(row: &QueueRow, recipient: &QueueRecipient, ehlo: &EhloResponse<String>) -> String {
    let mut line = format!("RCPT TO:<{}>", recipient.address);
    if ehlo.has_capability(EXT_DSN) {
        notify(&mut line, asked_of_next(row, recipient.notify, ehlo));
        if let Some(original) = &recipient.original {
            // RFC 3461 §5.2.1 (d): as it came, in the coding of its type.
            let address = if !original.is_utf8() {
                xtext(&original.address)
            } else if ehlo.has_capability(EXT_SMTP_UTF8) {
                unitext(&original.address)
            } else {
                utf8_xtext(&original.address)
            };
            push(&mut line, format_args!(" ORCPT={};{address}", original.address_type));
        }
    }
    line.push_str("\r\n");
    line
}

/// RFC 2852 §4.1.4.2: a host that does not know by when the message is wanted is asked to tell of delays at least.
fn asked_of_next(row: &QueueRow, notify: DsnNotify, ehlo: &EhloResponse<String>) -> DsnNotify {
    let timed = row.deliver_by.is_some_and(|by| by.mode == DeliverByMode::Notify);
    let silent = !(notify.success || notify.failure || notify.delay);
    if !timed || silent || ehlo.has_capability(EXT_DELIVER_BY) {
        return notify;
    }
    DsnNotify::asked(notify.success, notify.failure, true)
}

/// RFC 3461 §5.2.1: what was given is passed on, and nothing else. Rows of the first layout do not know what was given:
/// there, the default was not.
fn notify(line: &mut String, notify: DsnNotify) {
    if notify == DsnNotify::default() {
        return;
    }
    let words = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
    let wanted: Vec<&str> = words.iter().filter(|(wanted, _)| *wanted).map(|(_, word)| *word).collect();
    let list = if wanted.is_empty() { "NEVER".to_owned() } else { wanted.join(",") };
    push(line, format_args!(" NOTIFY={list}"));
}

/// Writing into a string can't fail.
fn push(line: &mut String, arguments: std::fmt::Arguments<'_>) {
    line.write_fmt(arguments).ok();
}

#[cfg(test)]
mod tests {
    use mail::{Address, BlobHash, DeliverBy, Domain, OriginalRecipient, QueueId, ReversePath};
    use storage::rows::RecipientState;

    use super::*;

    fn recipient(address: &str) -> QueueRecipient {
        QueueRecipient {
            address: Address::parse(address).unwrap(),
            notify: DsnNotify::asked(true, true, false),
            original: Some(OriginalRecipient { address_type: "rfc822".into(), address: "a+b=c d@e.example".into() }),
            state: RecipientState::Waiting,
            last_reply: None,
        }
    }

    fn row() -> QueueRow {
        QueueRow {
            id: QueueId(1),
            destination: Domain::parse("b.example").unwrap(),
            reverse_path: ReversePath::parse("<a@a.example>").unwrap(),
            dsn_return: Some(DsnReturn::Headers),
            envelope_id: Some("id+7".into()),
            smtputf8: false,
            sender_smtputf8: false,
            body: BodyType::EightBitMime,
            blob: BlobHash([0; 32]),
            skip_octets: 30,
            octets: 1030,
            prefix: String::new(),
            trace: None,
            recipients: vec![recipient("x@b.example")],
            accepted_at: Timestamp(0),
            attempts: 0,
            next_attempt: Timestamp(0),
            last_error: None,
            delay_notified: false,
            held: false,
            require_tls: false,
            priority: 0,
            deliver_by: None,
            held_until: None,
            solicits: Vec::new(),
            waiting: None,
            class: storage::rows::MailClass::Person,
            route: None,
        }
    }

    fn mail(row: &QueueRow, ehlo: &EhloResponse<String>) -> String {
        super::mail(row, ehlo, Timestamp(0))
    }

    fn offers(capabilities: u32) -> EhloResponse<String> {
        EhloResponse { capabilities, ..EhloResponse::default() }
    }

    #[test]
    fn parameters_are_sent_only_when_offered() {
        assert_eq!(mail(&row(), &offers(0)), "MAIL FROM:<a@a.example>\r\n");
        assert_eq!(
            mail(&row(), &offers(EXT_SIZE | EXT_8BIT_MIME | EXT_DSN)),
            "MAIL FROM:<a@a.example> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=id+2B7\r\n"
        );
        assert_eq!(rcpt(&row(), &recipient("x@b.example"), &offers(0)), "RCPT TO:<x@b.example>\r\n");
        assert_eq!(
            rcpt(&row(), &recipient("x@b.example"), &offers(EXT_DSN)),
            "RCPT TO:<x@b.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+2Bb+3Dc+20d@e.example\r\n"
        );
    }

    #[test]
    fn priority_and_time_go_on_where_they_are_known() {
        let mut urgent = row();
        urgent.priority = -4;
        let (by, now) = (Timestamp(100_000), Timestamp(40_500));
        urgent.deliver_by = Some(DeliverBy { by, mode: DeliverByMode::Notify, trace: true });
        let with = EXT_MT_PRIORITY | EXT_DELIVER_BY;
        assert_eq!(super::mail(&urgent, &offers(with), now), "MAIL FROM:<a@a.example> MT-PRIORITY=-4 BY=59;NT\r\n");
        assert_eq!(super::mail(&urgent, &offers(0), now), "MAIL FROM:<a@a.example>\r\n");
        assert!(super::mail(&urgent, &offers(with), Timestamp(103_000)).contains(" BY=-3;NT"));
        assert_eq!(obstacle(&urgent, &offers(0)), None);
        urgent.deliver_by = Some(DeliverBy { by, mode: DeliverByMode::Return, trace: false });
        assert!(super::mail(&urgent, &offers(with), now).contains(" BY=59;R\r\n"));
        assert_eq!(obstacle(&urgent, &offers(0)).and_then(|reply| reply.enhanced), Some(EnhancedCode(5, 3, 3)));
    }

    /// RFC 3865: classes of solicitation are said to whom they may concern.
    #[test]
    fn solicitation_goes_on_where_it_is_known() {
        let mut soliciting = row();
        soliciting.solicits = vec!["net.example:ADV".into(), "org.example:ADV:ADLT".into()];
        assert_eq!(
            mail(&soliciting, &offers(EXT_NO_SOLICITING)),
            "MAIL FROM:<a@a.example> SOLICIT=net.example:ADV,org.example:ADV:ADLT\r\n"
        );
        assert_eq!(mail(&soliciting, &offers(0)), "MAIL FROM:<a@a.example>\r\n");
        assert_eq!(mail(&row(), &offers(EXT_NO_SOLICITING)), "MAIL FROM:<a@a.example>\r\n");
    }

    /// RFC 2852 §4.1.4.2
    #[test]
    fn who_does_not_know_the_time_is_asked_to_tell_of_delays() {
        let mut timed = row();
        timed.deliver_by = Some(DeliverBy { by: Timestamp(9), mode: DeliverByMode::Notify, trace: false });
        let mut who = recipient("x@b.example");
        who.original = None;
        let said = |row: &QueueRow, notify, capabilities| {
            let line = rcpt(row, &QueueRecipient { notify, ..who.clone() }, &offers(capabilities));
            line.trim_end().trim_start_matches("RCPT TO:<x@b.example>").trim_start().to_owned()
        };
        assert_eq!(said(&timed, DsnNotify::default(), EXT_DSN), "NOTIFY=FAILURE,DELAY");
        assert_eq!(said(&timed, DsnNotify::asked(true, false, false), EXT_DSN), "NOTIFY=SUCCESS,DELAY");
        assert_eq!(said(&timed, DsnNotify::NEVER, EXT_DSN), "NOTIFY=NEVER");
        assert_eq!(said(&timed, DsnNotify::default(), EXT_DSN | EXT_DELIVER_BY), "");
        assert_eq!(said(&timed, DsnNotify::default(), 0), "");
        assert_eq!(said(&row(), DsnNotify::default(), EXT_DSN), "");
    }

    #[test]
    fn silence_and_the_default_of_notify() {
        let mut who = recipient("x@b.example");
        who.original = None;
        who.notify = DsnNotify::NEVER;
        assert_eq!(rcpt(&row(), &who, &offers(EXT_DSN)), "RCPT TO:<x@b.example> NOTIFY=NEVER\r\n");
        who.notify = DsnNotify::default();
        assert_eq!(rcpt(&row(), &who, &offers(EXT_DSN)), "RCPT TO:<x@b.example>\r\n");
        // RFC 3461 §5.2.1 (c): the same, asked for.
        who.notify = DsnNotify { said: true, ..DsnNotify::default() };
        assert_eq!(rcpt(&row(), &who, &offers(EXT_DSN)), "RCPT TO:<x@b.example> NOTIFY=FAILURE,DELAY\r\n");
    }

    #[test]
    fn utf8_original_recipients_have_two_forms() {
        let mut who = recipient("x@b.example");
        who.notify = DsnNotify::default();
        who.original = Some(OriginalRecipient { address_type: "utf-8".into(), address: "jos\u{e9}@e.example".into() });
        let to = |capabilities| rcpt(&row(), &who, &offers(capabilities));
        assert_eq!(to(EXT_DSN), "RCPT TO:<x@b.example> ORCPT=utf-8;jos\\x{E9}@e.example\r\n");
        assert_eq!(to(EXT_DSN | EXT_SMTP_UTF8), "RCPT TO:<x@b.example> ORCPT=utf-8;jos\u{e9}@e.example\r\n");
    }

    /// RFC 3461 §5.2.1 (d): no letter of it changes.
    #[test]
    fn an_original_recipient_goes_on_as_it_came() {
        let mut who = recipient("x@b.example");
        who.notify = DsnNotify::default();
        let mut said = |address_type: &str, address: &str| {
            who.original = Some(OriginalRecipient { address_type: address_type.into(), address: address.into() });
            rcpt(&row(), &who, &offers(EXT_DSN)).trim_end().replace("RCPT TO:<x@b.example> ORCPT=", "")
        };
        assert_eq!(said("RFC822", "Bob+x@E.example"), "RFC822;Bob+2Bx@E.example");
        assert_eq!(said("x-Other-Net", "A=B"), "x-Other-Net;A+3DB");
        // An address of this type has its own coding, also when it is all ASCII.
        assert_eq!(said("UTF-8", "bob+x@e.example"), "UTF-8;bob\\x{2B}x@e.example");
    }

    #[test]
    fn obstacles_are_seen_before_anything_is_sent() {
        let code = |row: &QueueRow, ehlo: &EhloResponse<String>| obstacle(row, ehlo).map(|r| r.enhanced.unwrap());
        let mut utf8 = row();
        utf8.smtputf8 = true;
        assert_eq!(code(&utf8, &offers(0)), Some(EnhancedCode(5, 6, 7)));
        assert_eq!(code(&utf8, &offers(EXT_SMTP_UTF8)), None);
        assert!(mail(&utf8, &offers(EXT_SMTP_UTF8)).contains(" SMTPUTF8"));
        let mut small = offers(EXT_SIZE);
        small.size = 999;
        assert_eq!(code(&row(), &small), Some(EnhancedCode(5, 3, 4)));
        small.size = 1000;
        assert_eq!(code(&row(), &small), None);
        let mut binary = row();
        binary.body = BodyType::BinaryMime;
        assert_eq!(code(&binary, &offers(0)), Some(EnhancedCode(5, 6, 3)));
    }
}
