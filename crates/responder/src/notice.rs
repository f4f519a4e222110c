//! The failure notice of a free address (A6): neither mailbox nor redirect took the message, and its sender is told.

use delivery::MessageStored;
use mail::{Address, Domain, Timestamp};
use queue::dsn::{Dsn, DsnFacts, Language, Returned, build, header_of};
use queue::{Report, ReportKind, ReportedRecipient};
use routing::RefuseReason;
use routing::responders::TimeZone;

/// The notice, as the DSN that a refused delivery gives (RFC 3464). `None` for a null reverse-path (RFC 5321 §6.1).
pub(crate) fn failure_notice(
    event: &MessageStored,
    language: Language,
    hostname: &Domain,
    now: Timestamp,
    token: [u8; 12],
) -> Option<Dsn> {
    let to = event.reverse_path.address()?;
    // RFC 3461 §4.1: NOTIFY=NEVER, or without FAILURE, asks for silence.
    if !event.notify.failure {
        return None;
    }
    let from = Address::new("postmaster", event.recipient.domain().clone()).ok()?;
    let reply = RefuseReason::NoSuchMailbox.reply();
    let recipient = ReportedRecipient {
        address: event.recipient.clone(),
        original: event.original.clone(),
        status: reply.enhanced?,
        host: None,
        reply: Some(reply),
    };
    Some(build(&DsnFacts {
        report: &Report { kind: ReportKind::Failed, recipients: vec![recipient] },
        reporting_mta: hostname,
        from: &from,
        to,
        now,
        arrived_at: event.received_at,
        retry_until: event.received_at,
        zone: TimeZone::UTC,
        deliver_by: None,
        held_until: None,
        envelope_id: event.envelope_id.as_deref(),
        smtputf8: event.smtputf8,
        require_tls: event.require_tls,
        language,
        returned: Returned::Header(header_of(event.header.as_bytes())),
        token,
    }))
}

#[cfg(test)]
mod tests {
    use mail::{DsnNotify, OriginalRecipient, ReversePath};

    use super::*;

    fn event() -> MessageStored {
        let at = Address::parse("a@b.example").unwrap();
        MessageStored {
            responder: 1,
            address: at.clone(),
            recipient: at,
            reverse_path: ReversePath::parse("<z@far.example>").unwrap(),
            account: None,
            trace: None,
            received_at: Timestamp(0),
            header: "Subject: x\r\n\r\n".to_owned(),
            octets: 20,
            kept: None,
            failure_notice: true,
            beyond: false,
            notify: DsnNotify::default(),
            original: None,
            envelope_id: None,
            smtputf8: false,
            require_tls: false,
        }
    }

    fn notice(event: &MessageStored) -> Option<String> {
        let hostname = Domain::parse("mx.b.example").unwrap();
        let dsn = failure_notice(event, Language::French, &hostname, Timestamp(0), [7; 12])?;
        Some(String::from_utf8(dsn.content).unwrap())
    }

    /// RFC 8689 §5.
    #[test]
    fn a_notice_travels_as_its_message_did() {
        let hostname = Domain::parse("mx.b.example").unwrap();
        for require_tls in [false, true] {
            let event = MessageStored { require_tls, ..event() };
            let dsn = failure_notice(&event, Language::French, &hostname, Timestamp(0), [7; 12]).unwrap();
            assert_eq!(dsn.envelope.require_tls, require_tls);
        }
    }

    #[test]
    fn the_parameters_of_the_sender_are_obeyed() {
        let old = event();
        let text = notice(&old).unwrap();
        assert!(text.contains("Action: failed\r\n") && text.contains("Subject: Message non remis\r\n"), "{text}");
        let original = OriginalRecipient { address_type: "rfc822".into(), address: "first@b.example".into() };
        let asked = MessageStored {
            notify: DsnNotify::asked(false, true, false),
            original: Some(original),
            envelope_id: Some("order-7".into()),
            ..old.clone()
        };
        let text = notice(&asked).unwrap();
        assert!(text.contains("Original-Envelope-Id: order-7\r\n"), "{text}");
        assert!(text.contains("Original-Recipient: rfc822;first@b.example\r\n"), "{text}");
        for silent in [DsnNotify::NEVER, DsnNotify::asked(true, false, true)] {
            assert_eq!(notice(&MessageStored { notify: silent, ..old.clone() }), None);
        }
    }
}
