//! The part that programs read: `message/delivery-status` (RFC 3464 §2) and its UTF-8 form (RFC 6533 §3).

use mail::Reply;

use super::DsnFacts;
use crate::attempt::{ReportKind, ReportedRecipient};
use crate::limits::DIAGNOSTIC_OCTETS_MAX;
use crate::xtext::utf8_xtext;

/// The fields per message, then a group of fields for each recipient, each group behind an empty line.
pub(super) fn fields(facts: &DsnFacts<'_>, utf8: bool) -> Vec<u8> {
    let mut out = Fields { text: String::new(), utf8 };
    // RFC 3464 §2.2.
    if let Some(id) = facts.envelope_id {
        out.add("Original-Envelope-Id", id);
    }
    out.add("Reporting-MTA", &format!("dns; {}", facts.reporting_mta));
    out.add("Arrival-Date", &facts.arrived_at.to_rfc5322());
    if let Some(by) = facts.deliver_by {
        // RFC 2852 §5.
        out.add("Deliver-By-Date", &by.to_rfc5322());
    }
    if let Some(until) = facts.held_until {
        // RFC 4865 §5: what MAIL asked for, as the moment that it comes to.
        out.add("Future-Release-Request", &format!("until;{}", until.to_rfc3339()));
    }
    for recipient in &facts.report.recipients {
        out.text.push_str("\r\n");
        recipient_fields(&mut out, facts, recipient);
    }
    out.text.into_bytes()
}

/// RFC 3464 §2.3, in its order.
fn recipient_fields(out: &mut Fields, facts: &DsnFacts<'_>, recipient: &ReportedRecipient) {
    if let Some(original) = &recipient.original {
        out.add_address("Original-Recipient", &original.address_type, &original.address);
    }
    let address_type = if recipient.address.needs_smtputf8() { "utf-8" } else { "rfc822" };
    out.add_address("Final-Recipient", address_type, &recipient.address.to_string());
    out.add(
        "Action",
        match facts.report.kind {
            ReportKind::Failed => "failed",
            ReportKind::Delayed => "delayed",
            ReportKind::Relayed | ReportKind::Unwatched | ReportKind::Traced => "relayed",
            ReportKind::Delivered => "delivered",
            ReportKind::Expanded => "expanded",
        },
    );
    out.add("Status", &recipient.status.to_string());
    if let Some(host) = &recipient.host {
        out.add("Remote-MTA", &format!("dns; {host}"));
    }
    if let Some(reply) = &recipient.reply {
        let utf8_read = out.utf8;
        // RFC 3464 §2.3.6: "smtp" is for what a remote host said; our own words have a type of our own.
        let source = if recipient.host.is_some() { "smtp" } else { "X-Relais" };
        let said = shortened(reply);
        // Where ASCII alone is read, accents go and letters stay.
        let said = if utf8_read { said } else { mail::without_accents(&said) };
        out.add("Diagnostic-Code", &format!("{source}; {said}"));
    }
    out.add("Last-Attempt-Date", &facts.now.to_rfc5322());
    if facts.report.kind == ReportKind::Delayed {
        out.add("Will-Retry-Until", &facts.retry_until.to_rfc5322());
    }
}

/// A reply on one line, cut where it gets too long for a field.
pub(super) fn shortened(reply: &Reply) -> String {
    let mut text = reply.to_string();
    if text.len() > DIAGNOSTIC_OCTETS_MAX {
        text.truncate(text.floor_char_boundary(DIAGNOSTIC_OCTETS_MAX));
        text.push_str("...");
    }
    text
}

struct Fields {
    text: String,
    utf8: bool,
}

impl Fields {
    /// A field with an address. Outside the UTF-8 form, one that ASCII can't hold is coded (RFC 6533 §3).
    fn add_address(&mut self, name: &str, address_type: &str, address: &str) {
        let coded = if self.utf8 || address.is_ascii() { None } else { Some(utf8_xtext(address)) };
        match coded.filter(|coded| coded.len() <= CODED_ADDRESS_OCTETS_MAX) {
            Some(coded) => self.add(name, &format!("utf-8;{coded}")),
            None => self.add(name, &format!("{address_type};{address}")),
        }
    }

    /// One field, folded at spaces. A value can't add a line; what is not ASCII becomes `?` outside the UTF-8 form.
    fn add(&mut self, name: &str, value: &str) {
        let shown = |c: char| if c.is_control() || !(self.utf8 || c.is_ascii()) { '?' } else { c };
        let value: String = value.chars().map(shown).collect();
        self.text.push_str(name);
        self.text.push(':');
        let mut column = name.len() + 1;
        for word in value.split(' ') {
            if column > LINE_PREFERRED && column + word.len() >= LINE_PREFERRED || column + word.len() > LINE_FOLDED {
                self.text.push_str("\r\n");
                column = 0;
            }
            self.text.push(' ');
            self.text.push_str(word);
            column += 1 + word.len();
        }
        self.text.push_str("\r\n");
    }
}

/// One word on one line (RFC 5322 §2.1.1). What the sender called its recipient may be longer, and loses its letters.
const CODED_ADDRESS_OCTETS_MAX: usize = 900;
const LINE_PREFERRED: usize = 60;
const LINE_FOLDED: usize = 76; // RFC 5322 §2.1.1 recommends at most 78.
