//! The DSN that says "delivered" (RFC 3461 §5.2.4, §6): for who asked with NOTIFY=SUCCESS and whose message a mailbox
//! here keeps. It is written by the transaction that keeps the message.

use mail::{Address, Domain, EnhancedCode, Envelope, EnvelopeRecipient, ForwardPath, Timestamp};
use queue::dsn::{Dsn, DsnFacts, Returned, build, header_of};
use queue::{Report, ReportKind, ReportedRecipient};

use crate::Delivery;
use crate::plan::Plan;

/// The notice for a plan; `None` when nobody asked, or for a null reverse-path.
pub(crate) fn delivered_notice(
    delivery: &Delivery,
    plan: &Plan,
    envelope: &Envelope,
    header: &str,
    now: Timestamp,
) -> Option<Dsn> {
    let to = envelope.reverse_path.address()?;
    let hostname = &delivery.settings().hostname;
    let recipients: Vec<ReportedRecipient> = plan.delivered.iter().filter_map(|one| reported(one, hostname)).collect();
    let from = Address::new("postmaster", recipients.first()?.address.domain().clone()).ok()?;
    let mut token = [0; 12];
    delivery.store().world().chance.fill(&mut token);
    Some(build(&DsnFacts {
        report: &Report { kind: ReportKind::Delivered, recipients },
        reporting_mta: hostname,
        from: &from,
        to,
        now,
        arrived_at: now,
        retry_until: now,
        envelope_id: envelope.envelope_id.as_deref(),
        smtputf8: envelope.smtputf8,
        returned: Returned::Header(header_of(header.as_bytes())),
        token,
    }))
}

fn reported(recipient: &EnvelopeRecipient, hostname: &Domain) -> Option<ReportedRecipient> {
    let address = match &recipient.forward_path {
        ForwardPath::Address(address) => address.clone(),
        // RFC 5321 §4.5.1: the one of this server.
        ForwardPath::Postmaster => Address::new("postmaster", hostname.clone()).ok()?,
    };
    Some(ReportedRecipient {
        address,
        original: recipient.original.clone(),
        status: DELIVERED,
        host: None,
        reply: None,
    })
}

/// RFC 3463 §3.3: other or undefined mailbox status, success.
const DELIVERED: EnhancedCode = EnhancedCode(2, 1, 5);
