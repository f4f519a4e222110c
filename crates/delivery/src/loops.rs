//! Loops through other servers: an address here passes a message on, and it comes back to that address.
//!
//! What an address passes on says so in a `Delivered-To` field (RFC 9228) in front of it. What comes with the address in such a field is
//! not passed on again. Where that field may not be written, or is lost on the way, the number of Received fields ends the loop (RFC
//! 5321 §6.3).

use mail::{Address, Domain};
use message::raw_fields;

use crate::plan::Plan;

/// The field of what goes to a destination, with its line end. None where several addresses lead there: one copy stands for all of them,
/// and their readers may not know of each other (RFC 5321 §7.2).
pub(crate) fn delivered_to(plan: &Plan, destination: &Domain) -> String {
    let mut addresses = plan.passed_on.get(destination).into_iter().flatten();
    match (addresses.next(), addresses.next()) {
        // RFC 9228 §2: once, in ASCII; an address that ASCII can't hold would change what the message needs.
        (Some(address), None) if !address.needs_smtputf8() => format!("Delivered-To: {address}\r\n"),
        (Some(_), None) | (_, Some(_)) | (None, None) => String::new(),
    }
}

/// An address that passes the message on and had it before, by its header.
pub(crate) fn came_round<'a>(plan: &'a Plan, header: &[u8]) -> Option<&'a Address> {
    let addresses = || plan.passed_on.values().flatten();
    addresses().next()?;
    let fields = raw_fields(header)
        .filter(|field| field.name.is_some_and(|name| name.trim_ascii_end().eq_ignore_ascii_case(b"delivered-to")));
    let had = fields.filter_map(|field| {
        let text = std::str::from_utf8(field.value()).ok()?;
        Address::parse(text.trim().trim_start_matches('<').trim_end_matches('>')).ok()
    });
    had.filter_map(|before| addresses().find(|address| address.same_mailbox(&before))).next()
}
