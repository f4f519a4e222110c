//! Under whose name a submitted message goes (R6): what From, Sender, Resent-From and Resent-Sender say.
//!
//! RFC 5322 §3.6.2 wants exactly one From. RFC 6409 §8 lets a submission server add what is missing: it is added before (`submitted.rs`),
//! but who wrote a message without a reverse-path is not to be guessed: without From that is refused. Reply-To is free: it says where answers go, not who writes.

use mail::{AccountId, Address, EnhancedCode, Reply};
use message::limits::ADDRESSES_MAX;
use message::{parse_addresses, raw_fields};
use routing::Directory;

use super::may_send;

/// Every address in the fields that say who sends must be one that the account may use, and no reader may find another one
/// there. What leaves is signed for the domain (DKIM), so what is ambiguous is refused.
pub(super) fn check_identity(directory: &Directory, account: AccountId, header: &[u8]) -> Result<(), Reply> {
    let (mut authors, mut senders) = (0_usize, 0_usize);
    for field in raw_fields(header) {
        // A line that is no field: some readers pass over it, others read what stands in it.
        let name = field.name.ok_or(BAD_LINE)?;
        let Some(known) = FIELDS.iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes())) else { continue };
        // A message may be resent several times (RFC 5322 §3.6.6), but it is written once.
        authors = authors.saturating_add(usize::from(*known == "From"));
        senders = senders.saturating_add(usize::from(*known == "Sender"));
        if authors > 1 || senders > 1 {
            return Err(BAD_FROM);
        }
        check_field(directory, account, field.value())?;
    }
    if authors == 0 { Err(NO_FROM) } else { Ok(()) }
}

fn check_field(directory: &Directory, account: AccountId, value: &[u8]) -> Result<(), Reply> {
    let found = parse_addresses(value);
    let mailboxes = || found.iter().filter(|address| address.is_mailbox());
    let whole = value.len() <= IDENTITY_OCTETS_MAX && found.len() < ADDRESSES_MAX;
    let plain = at_signs(value) == Some(mailboxes().count());
    if !whole || !plain || mailboxes().next().is_none() {
        return Err(BAD_FROM);
    }
    for mailbox in mailboxes() {
        let part = |part: &Option<Vec<u8>>| String::from_utf8(part.clone().unwrap_or_default()).ok();
        let local = part(&mailbox.mailbox);
        let domain = part(&mailbox.host).and_then(|host| mail::Domain::parse(&host).ok());
        let address = local.zip(domain).and_then(|(local, domain)| Address::new(&local, domain).ok());
        may_send(directory, account, &address.ok_or(BAD_FROM)?)?;
    }
    Ok(())
}

/// The `@` of a field that stand neither in a quoted string nor in a comment (RFC 5322 §3.2.2, §3.2.4): one for each address,
/// when nothing is written twice or in an obsolete way. `None`: a string or a comment has no end.
fn at_signs(value: &[u8]) -> Option<usize> {
    let (mut count, mut depth, mut quoted) = (0_usize, 0_usize, false);
    let mut octets = value.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' if quoted || depth > 0 => drop(octets.next()),
            b'"' if depth == 0 => quoted = !quoted,
            b'(' if !quoted => depth = depth.saturating_add(1),
            b')' if !quoted => depth = depth.checked_sub(1)?,
            b'@' if !quoted && depth == 0 => count = count.saturating_add(1),
            _ => {}
        }
    }
    (!quoted && depth == 0).then_some(count)
}

/// The fields that say who sends (RFC 5322 §3.6.2, §3.6.6).
const FIELDS: [&str; 4] = ["From", "Sender", "Resent-From", "Resent-Sender"];

/// Octets of each of these fields in a submitted message.
const IDENTITY_OCTETS_MAX: usize = 8 * 1024;

const NO_FROM: Reply = Reply::fixed(
    550,
    EnhancedCode(5, 6, 0),
    "The message has no From field: the program that sends it must say who writes (RFC 5322)",
);
const BAD_FROM: Reply = Reply::fixed(
    550,
    EnhancedCode(5, 6, 0),
    "From, Sender or a Resent field can be read in more than one way, or has no address",
);
const BAD_LINE: Reply = Reply::fixed(550, EnhancedCode(5, 6, 0), "The header has a line that is no field");
