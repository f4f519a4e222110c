//! The DSNs that a delivery itself causes, written by the transaction that keeps the message.
//!
//! One says "delivered" (RFC 3461 §5.2.4, §5.2.7.1, §6): for who asked with NOTIFY=SUCCESS and whose message a mailbox here keeps, or a
//! list or its moderators have. One says "expanded" (§5.2.7.3 c): for who asked so of an alias that leads to several addresses, of which
//! some are elsewhere; no success of those is reported, so that there is one answer for one recipient.
//!
//! The third says "too large": some recipients take only smaller messages, the others take it, and the client had not
//! declared the size, so that RCPT could not tell; or the message waited after it was accepted ([`crate::waiting`]), and a
//! recipient is gone since. One reply stands for all recipients at the end of DATA (RFC 5321
//! §4.2.5): a refusal would take the message from those who accept it, so it is accepted, and responsibility for telling
//! of the rest is ours (§6.1). A client that declares SIZE (RFC 1870) never comes here.

use mail::{Address, Domain, EnhancedCode, Envelope, EnvelopeRecipient, ForwardPath, Reply, Timestamp};
use queue::dsn::{Dsn, DsnFacts, Returned, build, header_of};
use queue::{Report, ReportKind, ReportedRecipient};
use routing::RefuseReason;
use routing::responders::TimeZone;

use crate::Delivery;
use crate::language::dsn_language;
use crate::plan::Plan;

/// The notice for a plan; `None` when nobody asked, or for a null reverse-path.
pub(crate) fn delivered_notice(
    delivery: &Delivery,
    plan: &Plan,
    envelope: &Envelope,
    header: &str,
    now: Timestamp,
) -> Option<Dsn> {
    succeeded(delivery, ReportKind::Delivered, &plan.delivered, envelope, header, now)
}

/// The notice for aliases that lead to several addresses, elsewhere too.
pub(crate) fn expanded_notice(
    delivery: &Delivery,
    plan: &Plan,
    envelope: &Envelope,
    header: &str,
    now: Timestamp,
) -> Option<Dsn> {
    succeeded(delivery, ReportKind::Expanded, &plan.expanded, envelope, header, now)
}

fn succeeded(
    delivery: &Delivery,
    kind: ReportKind,
    recipients: &[EnvelopeRecipient],
    envelope: &Envelope,
    header: &str,
    now: Timestamp,
) -> Option<Dsn> {
    let hostname = &delivery.settings().hostname;
    let recipients = recipients.iter().filter_map(|recipient| reported(recipient, hostname, DELIVERED, None));
    notice(delivery, Report { kind, recipients: recipients.collect() }, envelope, header, now)
}

/// The notice for recipients that take only smaller messages, and for those of a message that waited who take none any more.
pub(crate) fn failed_notice(
    delivery: &Delivery,
    plan: &Plan,
    envelope: &Envelope,
    header: &str,
    now: Timestamp,
) -> Option<Dsn> {
    let hostname = &delivery.settings().hostname;
    let reply = RefuseReason::TooLarge.reply();
    let wanted = plan.too_large.iter().filter(|recipient| recipient.notify.failure);
    let too_large = wanted.filter_map(|recipient| reported(recipient, hostname, TOO_LARGE, Some(reply.clone())));
    let refused = plan.refused.iter().filter(|(recipient, _)| recipient.notify.failure);
    let refused = refused.filter_map(|(recipient, reply)| {
        reported(recipient, hostname, reply.enhanced.unwrap_or(EnhancedCode(5, 0, 0)), Some(reply.clone()))
    });
    let failed = too_large.chain(refused);
    notice(delivery, Report { kind: ReportKind::Failed, recipients: failed.collect() }, envelope, header, now)
}

fn notice(delivery: &Delivery, report: Report, envelope: &Envelope, header: &str, now: Timestamp) -> Option<Dsn> {
    let to = envelope.reverse_path.address()?;
    let recipients = &report.recipients;
    let from = Address::new("postmaster", recipients.first()?.address.domain().clone()).ok()?;
    let reported_on = recipients.iter().map(|recipient| recipient.address.domain());
    let language = dsn_language(&delivery.store().directory(), to, reported_on);
    let mut token = [0; 12];
    delivery.store().world().chance.fill(&mut token);
    Some(build(&DsnFacts {
        report: &report,
        reporting_mta: &delivery.settings().hostname,
        from: &from,
        to,
        now,
        arrived_at: now,
        retry_until: now,
        zone: TimeZone::UTC,
        deliver_by: envelope.deliver_by.map(|by| by.by),
        held_until: envelope.hold_until,
        envelope_id: envelope.envelope_id.as_deref(),
        smtputf8: envelope.smtputf8,
        require_tls: envelope.require_tls,
        language,
        returned: Returned::Header(header_of(header.as_bytes())),
        token,
    }))
}

fn reported(
    recipient: &EnvelopeRecipient,
    hostname: &Domain,
    status: EnhancedCode,
    reply: Option<Reply>,
) -> Option<ReportedRecipient> {
    let address = match &recipient.forward_path {
        ForwardPath::Address(address) => address.clone(),
        // RFC 5321 §4.5.1: the one of this server.
        ForwardPath::Postmaster => Address::new("postmaster", hostname.clone()).ok()?,
    };
    Some(ReportedRecipient { address, original: recipient.original.clone(), status, host: None, reply })
}

/// RFC 3463 §3.3: other or undefined mailbox status, success.
const DELIVERED: EnhancedCode = EnhancedCode(2, 1, 5);

/// RFC 3463 §3.3: message length exceeds administrative limit of the mailbox.
const TOO_LARGE: EnhancedCode = EnhancedCode(5, 2, 3);
