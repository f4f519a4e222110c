//! The failure notice of a free address (A6): neither mailbox nor redirect took the message, and its sender is told.

use delivery::MessageStored;
use mail::{Address, Domain, Timestamp};
use queue::dsn::{Dsn, DsnFacts, Returned, build, header_of};
use queue::{Report, ReportKind, ReportedRecipient};
use routing::RefuseReason;

/// The notice, as the DSN that a refused delivery gives (RFC 3464). `None` for a null reverse-path (RFC 5321 §6.1).
pub(crate) fn failure_notice(event: &MessageStored, hostname: &Domain, now: Timestamp, token: [u8; 12]) -> Option<Dsn> {
    let to = event.reverse_path.address()?;
    let from = Address::new("postmaster", event.recipient.domain().clone()).ok()?;
    let reply = RefuseReason::NoSuchMailbox.reply();
    let recipient = ReportedRecipient {
        address: event.recipient.clone(),
        original: None,
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
        envelope_id: None,
        smtputf8: !event.header.is_ascii(),
        returned: Returned::Header(header_of(event.header.as_bytes())),
        token,
    }))
}
